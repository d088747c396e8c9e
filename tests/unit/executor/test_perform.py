"""What a call in a run is given, keeps and leaves behind."""

from __future__ import annotations

import pytest

from finestflow import Param, Pipeline, Task


class Model(Task):
    C: int = 1

    def initialize(self):
        self.model = self.C * 10

    def run(self, x):
        return self.model + x


class Settings(Pipeline):
    m: Model

    def __call__(self):
        found = []
        for x, c in enumerate((1, 2, 1, 2)):
            self.m.C = c
            found.append(self.m(x))
        return found


class Grow(Task):
    def run(self, items):
        items.append(1)
        return items


class Twice(Pipeline):
    grow: Grow

    def __call__(self):
        items = []
        first = self.grow(items)
        return items, self.grow(first), first


class Read(Task):
    def run(self, x):
        return self.context.get("rate", "none given")


class Reads(Pipeline):
    read: Read

    def __call__(self):
        return self.read(1)


class Flaky(Task):
    class Meta:
        retries = 2

    def run(self, path):
        tries = path.read_text() if path.exists() else ""
        path.write_text(tries + "x")
        if len(tries) < 2:
            raise OSError("not yet")
        return len(tries)


class Retry(Pipeline):
    flaky: Flaky

    def __call__(self, path):
        return self.flaky(_Opaque(path))


class _Opaque:
    """A path whose file may change."""

    def __init__(self, path):
        self.path = path

    def exists(self):
        return self.path.exists()

    def read_text(self):
        return self.path.read_text()

    def write_text(self, text):
        return self.path.write_text(text)

    def __finestflow_digest__(self):
        return "path"


@pytest.fixture(autouse=True)
def _in_repository(repository, monkeypatch):
    monkeypatch.chdir(repository)


def test_a_param_that_the_body_changes_reaches_the_task_that_was_set_up_for_it():
    assert Settings()() == [10, 21, 12, 23]


def test_what_a_task_does_to_its_input_nobody_else_sees():
    assert Twice()() == ([], [1, 1], [1])


def test_no_context_value_and_none_are_two_things():
    pipeline = Reads()

    assert pipeline() == "none given"
    assert pipeline.options(context={"rate": None})() is None
    assert pipeline() == "none given"


def test_a_retry_is_an_attempt_in_the_record(tmp_path):
    pipeline = Retry()

    assert pipeline(tmp_path / "tries") == 2
    attempts = pipeline.last_run.nodes["flaky"].attempts
    assert [attempt.status.value for attempt in attempts] == ["failed", "failed", "ok"]
    assert [attempt.error for attempt in attempts] == ["OSError: not yet", "OSError: not yet", ""]


def test_a_hook_cannot_change_what_is_stored():
    class Loud(Task):
        extra: int = Param(5)

        def run(self):
            return [1]

        def on_success(self, output):
            output.append(self.extra)

    class P(Pipeline):
        loud: Loud

        def __call__(self):
            return self.loud()

    assert P()() == [1]
    assert P()() == [1]
