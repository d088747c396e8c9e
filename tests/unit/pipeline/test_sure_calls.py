"""Calls that cannot be are found before anything runs."""

import pytest

from finestflow.errors import GraphError
from finestflow.pipeline.calls import check_calls
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task


class Fit(Task):
    def run(self, train, rate=0.1):
        return train


class Wrong(Pipeline):
    fit: Fit

    def __call__(self, x):
        return self.fit.named("last")([self.fit(x, trian=2)])


class Few(Pipeline):
    fit: Fit
    wrong: Wrong | None = None

    def __call__(self, x, *more):
        self.fit(*more)
        with open(x) as file:
            return [self.fit() for _ in file]


class Unsure(Pipeline):
    fit: Fit

    def __call__(self, x):
        y = self.fit(x, 2) if x else self.fit()
        try:
            y = self.fit(1, 2, 3)
        except TypeError:
            y = self.fit(bad=1)
        if hasattr(self.fit, "other"):
            return self.fit(other=1)
        return self.fit(1, 2, 3, 4)


def test_an_input_that_a_task_does_not_have_is_named_with_its_line_and_the_nearest():
    with pytest.raises(GraphError, match=r"test_sure_calls.py:\d+: 'fit' has no input 'trian'") as caught:
        check_calls(Wrong())
    assert caught.value.hint == "did you mean 'train'?"


def test_an_input_that_is_missing_is_named():
    with pytest.raises(GraphError, match="missing a required argument: 'train'") as caught:
        check_calls(Few())
    assert caught.value.hint == "it is Fit(train, rate=0.1)"


def test_calls_in_branches_are_left_to_the_run():
    check_calls(Unsure())


def test_pipelines_inside_are_checked_and_replacements_count():
    def fit(*args, **kwargs):
        return 1

    with pytest.raises(GraphError, match="trian"):
        check_calls(Few(fit=fit, wrong=Wrong()))
    check_calls(Few(fit=fit, wrong=Wrong(fit=fit)))


def test_a_body_without_source_tells_nothing():
    scope = {"Pipeline": Pipeline, "Fit": Fit}
    exec("class Made(Pipeline):\n    fit: Fit\n    def __call__(self): return self.fit(1, 2, 3, 4)", scope)
    check_calls(scope["Made"]())
