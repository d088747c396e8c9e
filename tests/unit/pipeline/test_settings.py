"""Params and inputs by path, as the command line and the configuration name them."""

import pytest

from finestflow.errors import ParamError, UsageError
from finestflow.pipeline.param import Param
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.settings import apply_settings, iter_param_paths
from finestflow.pipeline.task import Task


class Fit(Task):
    C: float = 1.0
    names: list[str] = Param([])
    token: str | None = Param(None, secret=True)
    pin: int | None = Param(None, secret=True)
    kind: str = Param("a", choices=("a", "b"))

    def run(self, x):
        return x


class Inner(Pipeline):
    fit: Fit

    def __call__(self, x):
        return self.fit(x)


class Digits(Pipeline):
    size: int = 3
    share: float = 0.5
    inner: Inner
    fit: Fit | None = Fit()

    def __call__(self, share: "float", count=10, rows: list[int] = (), label=None, *rest):
        return share


class Open(Pipeline):
    def __call__(self, **options):
        return options


def apply(*settings, pipeline=None, inputs=None):
    pipeline = pipeline or Digits()
    return pipeline, apply_settings(pipeline, settings, inputs or {})


@pytest.mark.parametrize(
    ("path", "given", "read", "wanted"),
    [
        ("size", "5", lambda d: d.size, 5),
        ("size", 5, lambda d: d.size, 5),
        (".share", "1", lambda d: d.share, 1.0),
        ("inner.fit.C", "2", lambda d: d.inner.fit.C, 2.0),
        ("fit.names", '["a"]', lambda d: d.fit.names, ["a"]),
        ("fit.names", ["a"], lambda d: d.fit.names, ["a"]),
        ("fit.token", "3", lambda d: d.fit.token, "3"),
        ("fit", '{"C": 4}', lambda d: d.fit.C, 4.0),
        ("fit", {"C": 4}, lambda d: d.fit.C, 4.0),
        ("fit", "null", lambda d: d.fit, None),
        ("inner.fit", "builtins:abs", lambda d: d.inner.fit(-1), 1),
    ],
)
def test_a_path_sets_a_param_or_a_child(path, given, read, wanted):
    pipeline, inputs = apply((path, given))

    assert read(pipeline) == wanted
    assert inputs == {}


@pytest.mark.parametrize(
    ("path", "given", "wanted"),
    [
        (":share", "1", {"share": 1.0}),
        ("count", "3", {"count": 3}),
        (":count", 3, {"count": 3}),
        ("rows", "[1]", {"rows": [1]}),
        ("label", "[1]", {"label": [1]}),
        ("label", "x", {"label": "x"}),
    ],
)
def test_a_path_gives_an_input(path, given, wanted):
    pipeline, inputs = apply((path, given), inputs={"other": 1})

    assert inputs == {"other": 1, **wanted}
    assert pipeline.share == 0.5


@pytest.mark.parametrize(
    ("path", "given", "text"),
    [
        ("share", "1", "both a param and an input.*write .share= for the param, :share= for the input"),
        ("sise", "1", "no param or input 'sise'.*did you mean 'size'"),
        ("C", "1", r"did you mean 'inner.fit.C'"),
        ("inner.fit.c", "1", r"did you mean 'inner.fit.C'"),
        ("nowhere.C", "1", "no param or input"),
        (":size", "1", "no param or input"),
        (".count", "1", "no param or input"),
        ("rest", "1", "no param or input"),
        ("size.x", "1", "no param or input"),
        ("size", "x", "'size' takes no 'x': expected int"),
        ("size", [1], "takes no .1. for param 'size'"),
        ("count", "x", "input 'count' takes no 'x': expected int"),
        ("fit.kind", "c", "choose one of 'a', 'b'"),
    ],
)
def test_what_does_not_fit_says_so(path, given, text):
    with pytest.raises(ParamError, match=text):
        apply((path, given))


def test_a_child_that_cannot_be_imported_says_so():
    with pytest.raises(UsageError, match="cannot import 'nowhere'"):
        apply(("fit", "nowhere:Fit"))


def test_a_secret_that_does_not_fit_is_in_no_message():
    with pytest.raises(ParamError) as caught:
        apply(("fit.pin", "hunter2"))

    assert "hunter2" not in str(caught.value)


def test_later_settings_win_and_reach_a_new_child():
    pipeline, _ = apply(("fit.C", "2"), ("fit", {"names": ["a"]}), ("fit.C", "3"))

    assert (pipeline.fit.C, pipeline.fit.names) == (3.0, ["a"])


def test_a_body_with_open_inputs_takes_any_name():
    _, inputs = apply(("anything", "1"), pipeline=Open())

    assert inputs == {"anything": "1"}


def test_paths_of_all_params_are_listed():
    assert list(iter_param_paths(Inner(), "a.")) == ["a.fit.C", "a.fit.names", "a.fit.token", "a.fit.pin", "a.fit.kind"]
