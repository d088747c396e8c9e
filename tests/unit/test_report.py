"""The page about some runs."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from finestflow.model import Metric, NodeRecord, NodeStatus, Run, RunStatus, RunSummary
from finestflow.report import build_report

HOSTILE = "<script>alert('x')</script>\"'&\x1b[31m"


class Reader(HTMLParser):
    """Counts elements, and remembers the text outside of scripts and styles."""

    def __init__(self):
        super().__init__()
        self.tags = []
        self.texts = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert all(not name.startswith("on") for name, _ in attrs)

    def handle_data(self, data):
        if self.tags[-1] not in {"script", "style"}:
            self.texts.append(data)


def run(name="a", values=((None, 1.0, 0.0),), **summary):
    metric = Metric(name="fit/loss", last=values[-1][1], count=len(values), values=tuple(values))
    told = RunSummary(
        id="kkkkkkkkkkkk",
        name=name,
        pipeline="p",
        status=RunStatus.OK,
        started=0.0,
        seconds=1.0,
        metrics={"fit/loss": metric.last},
        **summary,
    )
    node = NodeRecord(path="fit", task="m:Fit", status=NodeStatus.OK)
    return Run(summary=told, nodes={"fit": node}, metrics={"fit/loss": metric})


def read(page):
    reader = Reader()
    reader.feed(page)
    return reader


@given(st.text(max_size=30))
def test_whatever_a_run_says_is_text(text):
    said = HOSTILE + text
    runs = [run(said, note=said, params={said: said}, tags=(said,)), run("b", params={said: 2})]

    reader = read(build_report(runs, [], title=said, now=0.0))

    assert reader.tags.count("script") == 1
    assert "".join(reader.texts).count("<script>alert") >= 5


def test_a_metric_with_steps_has_a_curve_of_bounded_size_that_keeps_its_extremes():
    values = [(float(step), 1.0 if step != 5000 else 99.0, 0.0) for step in range(100_000)]

    page = build_report([run(values=values), run("b", values=values[:10])], [], title="t", now=0.0)

    assert page.count("<polyline") == 2
    assert ">99<" in page
    assert len(page) < 40_000


def test_a_curve_of_numbers_that_are_none_does_not_end_the_page():
    page = build_report([run(values=[(0.0, float("nan"), 0.0), (1.0, float("inf"), 0.0)])], [], title="t", now=0.0)

    assert "<polyline" not in page
    assert page.endswith("</html>\n")
