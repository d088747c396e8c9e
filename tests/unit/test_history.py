"""``finestflow.runs`` and the runs that it gives."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import finestflow
from finestflow.errors import NotFoundError, QueryError
from finestflow.workspace import Workspace

PIPELINE = """\
from finestflow import Pipeline, Task


class Fit(Task):
    rate: float = 1.0

    def run(self, x: int) -> float:
        print("fitting")
        self.log(score=self.rate * x)
        return self.rate * x


class Lab(Pipeline):
    fit: Fit

    def __call__(self, x: int = 2) -> float:
        return self.fit(x)
"""


@pytest.fixture(scope="module")
def made(first_repository: Path, home_of_session: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with three runs."""
    folder = shutil.copytree(first_repository, tmp_path_factory.mktemp("history") / "lab")
    (folder / "lab.py").write_text(PIPELINE)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("HOME", str(home_of_session))
        monkeypatch.chdir(folder)
        space: dict = {"__name__": "lab"}
        exec(compile(PIPELINE, str(folder / "lab.py"), "exec", dont_inherit=True), space)
        for rate in (1.0, 3.0, 2.0):
            space["Lab"](fit={"rate": rate})()
    return folder


@pytest.fixture
def lab(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository that the tests share, as the working directory."""
    monkeypatch.chdir(made)
    return made


def test_runs_are_found_by_queries_in_the_order_that_is_asked_for(lab):
    assert [run.params["fit.rate"] for run in finestflow.runs()] == [2.0, 3.0, 1.0]
    assert [run.params["fit.rate"] for run in finestflow.runs("score>2", sort="-score")] == [3.0, 2.0]
    assert len(finestflow.runs(limit=1)) == 1
    assert [run.id for run in finestflow.runs] == [run.id for run in finestflow.runs()]


def test_a_slice_of_runs_is_runs(lab):
    assert [run.params["fit.rate"] for run in finestflow.runs()[1:]] == [3.0, 1.0]
    assert finestflow.runs()[-1].params == finestflow.runs["@~2"].params
    assert [run.id for run in finestflow.runs[:2]] == [finestflow.runs[0].id, finestflow.runs[1].id]


def test_one_run_is_named_as_commands_name_it(lab):
    run = finestflow.runs["@~1"]

    assert finestflow.runs[run.id[:6]].id == finestflow.runs[run.name].id == run.id
    assert (run.pipeline, run.status, run.metrics["fit/score"].last, run.outputs["fit"]) == ("Lab", "ok", 6.0, 6.0)
    assert run.log("fit") == "fitting\n"
    assert "class Fit" in run.code("lab.py")
    assert [change.name for change in run.diff("@").params] == ["fit.rate"]
    assert repr(run.diff("@")).endswith("1 params, 1 metrics, 1 outputs>")
    with pytest.raises(NotFoundError):
        finestflow.runs["nothing-like-it"]


def test_metrics_and_outputs_are_looked_up_by_the_names_that_queries_take(lab):
    run = finestflow.runs["@~1"]

    assert run.metrics["score"] is run.metrics["fit/score"]
    assert "score" in run.metrics
    assert "fit" in run.outputs
    assert (run.metrics.get("scor"), run.outputs.get("fitt"), "fitt" in run.outputs) == (None, None, False)
    with pytest.raises(NotFoundError, match=r"no metric 'scor' \(did you mean 'fit/score'\?\)"):
        run.metrics["scor"]


def test_tables_have_a_row_a_run_and_a_column_a_param_and_metric(lab):
    found = finestflow.runs(sort="started")
    pandas, polars = found.to_pandas(), found.to_polars()

    assert [row["metrics.fit/score"] for row in found.to_dicts()] == [2.0, 6.0, 4.0]
    assert list(pandas["params.fit.rate"]) == polars["params.fit.rate"].to_list() == [1.0, 3.0, 2.0]
    assert list(pandas.columns) == polars.columns


def test_tables_without_runs_have_the_columns_that_every_run_has(lab):
    none = finestflow.runs("no-such-run")

    assert list(none.to_pandas().columns) == none.to_polars().columns == list(finestflow.runs().to_dicts()[0])[:11]
    assert "0 runs" in none._repr_html_()


def test_a_notebook_shows_runs_with_what_they_say_escaped(lab):
    space = Workspace.find(lab, dict(os.environ))
    space.annotate(["@"], note="<script>alert(1)</script>")
    space.close()
    run = finestflow.runs["@"]

    for shown in (run._repr_html_(), finestflow.runs()._repr_html_()):
        assert "&lt;script&gt;" in shown
        assert "<script>" not in shown
    assert run.name in run._repr_html_()
    assert "values" not in repr(run.metrics["fit/score"])  # there may be a million


def test_a_query_that_is_not_understood_is_an_error_that_says_why(lab):
    with pytest.raises(QueryError, match="a number is expected"):
        finestflow.runs("score>much")
