"""Nothing waits for ever: whatever goes wrong beside the user's code is the failure of a call, and everything else goes on."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
import warnings

import pytest

from finestflow import Pipeline, Task
from finestflow.executor.perform import Performer
from finestflow.model import RunStatus
from tests.unit.session.threads import Lab, ThreadExecutor


class Add(Task):
    def run(self, *numbers):
        return sum(numbers)


class Sums(Pipeline):
    first: Add
    second: Add
    apart: Add

    def __call__(self):
        return self.second(self.first(1), 1), self.apart(2)


class Inner(Pipeline):
    add: Add

    def __call__(self, number):
        return self.add(number)


class Nested(Pipeline):
    inner: Inner
    apart: Add

    def __call__(self):
        return self.inner(1), self.apart(2)


def statuses(finished):
    return {path: node.status.value for path, node in finished.run.nodes.items()}


@pytest.fixture
def submit_fails(monkeypatch, jobs):
    """Executors whose ``submit`` raises for one task."""
    from finestflow.executor.sequential import SequentialExecutor

    kind = SequentialExecutor if jobs == 1 else ThreadExecutor
    submit = kind.submit

    def broken(self, job, done):
        if job.path == "first":
            raise MemoryError("no room for the call")
        submit(self, job, done)

    monkeypatch.setattr(kind, "submit", broken)


def test_a_call_that_the_executor_cannot_take_has_failed(submit_fails, lab: Lab, jobs: int):
    finished = lab.make(Sums(), jobs=jobs, keep_going=True)

    assert repr(finished.error) == "MemoryError('no room for the call')"
    assert statuses(finished) == {"first": "failed", "second": "skipped", "apart": "ok"}


def test_a_call_whose_outcome_cannot_be_taken_has_failed(lab: Lab, jobs: int, monkeypatch):
    from finestflow.session.results import Results

    keep = Results.keep

    def broken(self, node, *args):
        if node.path == "first":
            raise RuntimeError("the outcome makes no sense")
        keep(self, node, *args)

    monkeypatch.setattr(Results, "keep", broken)
    finished = lab.make(Sums(), jobs=jobs, keep_going=True)

    assert repr(finished.error) == "RuntimeError('the outcome makes no sense')"
    assert statuses(finished) == {"first": "failed", "second": "skipped", "apart": "ok"}


def test_a_call_that_cannot_be_looked_up_has_failed(lab: Lab, jobs: int, monkeypatch):
    from finestflow.session.lookup import Lookup

    find = Lookup.find

    turns = itertools.count()

    def broken(self, *args, **kwargs):
        if next(turns) == 1:
            raise RuntimeError("the database makes no sense")
        return find(self, *args, **kwargs)

    monkeypatch.setattr(Lookup, "find", broken)
    finished = lab.make(Sums(), jobs=jobs, keep_going=True)

    assert repr(finished.error) == "RuntimeError('the database makes no sense')"
    assert sorted(statuses(finished).values()) == ["failed", "ok", "ok"]


def test_a_body_for_which_there_is_no_thread_has_failed(lab: Lab, monkeypatch):
    start = threading.Thread.start

    def no_thread(self):
        if self.name == "finestflow inner":
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    finished = lab.make(Nested(), jobs=3, keep_going=True)

    assert repr(finished.error) == 'RuntimeError("can\'t start new thread")'
    assert statuses(finished) == {"inner": "failed", "apart": "ok"}


def test_a_store_that_takes_nothing_fails_the_call(lab: Lab, jobs: int, monkeypatch):
    """Not in the executor's thread, where nobody would hear of it."""

    def full(*_args, **_named):
        raise OSError(28, "No space left on device")

    perform = Performer.perform

    def performed(self, job):
        job.encode = full
        return perform(self, job)

    monkeypatch.setattr(Performer, "perform", performed)
    finished = lab.make(Sums(), jobs=jobs)

    assert finished.error.errno == 28
    assert "finestflow: this happened while its output was stored" in finished.error.__notes__
    assert finished.run.summary.status is RunStatus.FAILED


def test_a_mistake_of_who_listens_ends_the_listening(lab: Lab):
    def listen(_):
        raise ZeroDivisionError

    with pytest.warns(RuntimeWarning, match="nothing more of this run is shown: ZeroDivisionError"):
        finished = lab.run(Sums(), listener=listen)
    assert finished.error is None


class Silent(Exception):
    def __str__(self):
        raise ZeroDivisionError


class Raises(Task):
    what: str = ""

    def run(self):
        if self.what == "silent":
            raise Silent
        if self.what == "huge":
            raise ValueError("x" * 1_000_000)
        if self.what == "deep":
            return self.run()
        raise self.make_class()

    def make_class(self):
        class Local(Exception):
            def __init__(self, lock):
                self.lock = lock

        return Local(threading.Lock())


class One(Pipeline):
    raises: Raises

    def __call__(self):
        return self.raises()


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("silent", "Silent: <its text cannot be made: ZeroDivisionError>"),
        ("huge", "ValueError: xxx"),
        ("deep", "RecursionError: maximum recursion depth exceeded"),
        ("local", "Local: <unlocked _thread.lock"),
    ],
)
def test_an_odd_error_is_recorded(recording_lab: Lab, jobs: int, what: str, error: str):
    run = recording_lab.make(One(raises=Raises(what=what)), jobs=jobs).run

    assert run.summary.status is RunStatus.FAILED
    assert run.summary.error.startswith(error)
    assert run.nodes["raises"].error.startswith(error)
    assert len(run.nodes["raises"].error) < 30_000
    assert len(run.traceback) < 200_000


class Hooked(Task):
    exits: bool = False

    def run(self):
        return 1

    def on_success(self, output):
        if self.exits:
            sys.exit(3)
        raise KeyError("hook")


class Hooks(Pipeline):
    hooked: Hooked

    def __call__(self):
        return self.hooked()


@pytest.mark.parametrize(("exits", "error"), [(False, "KeyError: 'hook'"), (True, "SystemExit: 3")])
def test_an_error_of_a_hook_is_one_line_that_names_it(recording_lab: Lab, jobs: int, exits: bool, error: str):
    said = []
    recording_lab.warn = said.append
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finished = recording_lab.make(Hooks(hooked=Hooked(exits=exits)), jobs=jobs)

    assert finished.error is None
    assert said == [f"task 'hooked': on_success() of Hooked raised {error}"]
    assert finished.run.nodes["hooked"].notes[-1] == f"on_success() of Hooked raised {error}"


class Burn(Task):
    child: bool = False

    def run(self):
        if self.child:
            subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.05: pass"], check=True)
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        return 1


class Burns(Pipeline):
    alone: Burn
    outside: Burn = Burn(child=True)

    def __call__(self):
        return self.alone(), self.outside()


def test_what_a_call_uses_is_recorded_with_it(recording_lab: Lab):
    recording_lab.make(Burns())
    nodes = recording_lab.load_run("@").nodes

    assert nodes["outside"].cpu >= 0.05
    assert nodes["alone"].cpu >= 0.02
    assert nodes["alone"].memory is None  # of the process of the run nobody can tell what was a task's
