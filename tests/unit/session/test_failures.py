"""What a failure stops, in every executor alike."""

from __future__ import annotations

import asyncio
import threading

from finestflow import Pipeline, Task
from tests.unit.session.threads import Lab


class Fail(Task):
    def run(self, x=0):
        raise ValueError(f"no {x}")


class Add(Task):
    def run(self, *numbers):
        return sum(numbers)


def statuses(finished):
    return {path: node.status.value for path, node in finished.run.nodes.items()}


def test_without_keep_going_nothing_new_starts_after_a_failure(lab: Lab, jobs: int) -> None:
    class Stops(Pipeline):
        fail: Fail
        add: Add

        def __call__(self):
            broken = self.fail()
            return [self.add(broken, 1), self.add(self.add.named("first")(1, 2), 3), broken]

    finished = lab.make(Stops(), jobs=jobs)

    assert repr(finished.error) == "ValueError('no 0')"
    assert finished.run.summary.status.value == "failed"
    found = statuses(finished)
    assert (found["fail"], found["add"]) == ("failed", "skipped")
    if jobs == 1:  # in parallel they may have begun before
        assert found == {"fail": "failed", "add": "skipped", "first": "skipped", "add[1]": "skipped"}
        assert finished.run.nodes["first"].why == "not started: 'fail' failed"
    assert finished.run.nodes["add"].why == "skipped: 'fail' failed"


def test_what_a_task_raises_beside_exceptions_fails_the_task(lab: Lab, jobs: int) -> None:
    """A CancelledError of asyncio is no ``Exception``, and no reason to lose the run."""

    class Cancelled(Task):
        def run(self):
            raise asyncio.CancelledError

    class Waits(Pipeline):
        cancelled: Cancelled

        def __call__(self):
            return self.cancelled()

    finished = lab.make(Waits(), jobs=jobs)

    assert str(finished.error) == "it raised CancelledError"
    assert type(finished.error.__cause__) is asyncio.CancelledError
    assert statuses(finished) == {"cancelled": "failed"}


def test_with_keep_going_what_does_not_depend_on_a_failure_runs(lab: Lab, jobs: int) -> None:
    class GoesOn(Pipeline):
        fail: Fail
        add: Add

        def __call__(self):
            return [self.add(self.fail(), 1), self.add(1, 2)]

    finished = lab.make(GoesOn(), jobs=jobs, keep_going=True)

    assert repr(finished.error) == "ValueError('no 0')"
    assert statuses(finished) == {"fail": "failed", "add": "skipped", "add[1]": "ok"}


def test_a_body_that_gets_over_a_failure_goes_on(lab: Lab, jobs: int) -> None:
    class Copes(Pipeline):
        fail: Fail
        add: Add

        def __call__(self):
            broken = self.fail()
            other = self.add(1, 2)
            try:
                value = broken.value
            except ValueError:
                value = 10
            return self.add(value, other)

    finished = lab.make(Copes(), jobs=jobs)

    assert (finished.error, finished.value) == (None, 13)
    assert statuses(finished) == {"fail": "failed", "add": "ok", "add[1]": "ok"}


def test_a_look_at_a_call_that_may_not_start_raises_the_failure(lab: Lab) -> None:
    class Looks(Pipeline):
        fail: Fail
        add: Add

        def __call__(self):
            self.fail()
            held = self.add(1, 2)
            try:
                return held.value
            except ValueError as error:
                return f"{error}, then {held.value}"

    finished = lab.make(Looks())

    assert (finished.error, finished.value) == (None, "no 0, then 3")


def test_an_error_that_a_body_does_not_get_over_starts_nothing_that_was_held(lab: Lab) -> None:
    class Raises(Pipeline):
        fail: Fail
        add: Add

        def __call__(self):
            broken = self.fail()
            self.add(1, 2)
            return broken + 1

    finished = lab.make(Raises())

    assert repr(finished.error) == "ValueError('no 0')"
    assert statuses(finished) == {"fail": "failed", "add": "skipped"}


class Inner(Pipeline):
    fail: Fail
    add: Add

    def __call__(self, how):
        if how == "raise":
            raise KeyError(how)
        broken = self.fail(how)
        return broken + 1 if how == "look" else (broken, self.add(broken, 1))


class Outer(Pipeline):
    inner: Inner
    add: Add

    def __call__(self, how, look):
        made = self.inner(how)
        other = self.add(1, 2)
        if look:
            try:
                return made.value
            except (KeyError, ValueError) as error:
                return f"{type(error).__name__} {other.value}"
        return self.add(made, 1)


def test_the_error_of_a_nested_body_stays_in_its_output(lab: Lab, jobs: int) -> None:
    for how, name in (("raise", "KeyError"), ("look", "ValueError"), ("pass", "ValueError")):
        finished = lab.make(Outer(), how, True, jobs=jobs)
        assert (finished.error, finished.value) == (None, f"{name} 3"), how
        assert statuses(finished)["inner"] == "failed"


def test_the_error_of_a_nested_body_that_nobody_sees_ends_the_run(lab: Lab, jobs: int) -> None:
    for how, name in (("raise", "KeyError"), ("look", "ValueError"), ("pass", "ValueError")):
        finished = lab.make(Outer(), how, False, jobs=jobs, keep_going=True)
        assert type(finished.error).__name__ == name
        assert statuses(finished)["inner"] == "failed"
        assert statuses(finished)["add"] in {"ok", "hit"}
        assert statuses(finished)["add[1]"] == "skipped"


def test_a_result_without_the_part_that_is_returned_fails_the_run(recording_lab: Lab, jobs: int) -> None:
    """A misspelled attribute of what a task gave is the pipeline's mistake, and recorded as one."""

    class Misspelled(Pipeline):
        add: Add

        def __call__(self):
            return {"real": self.add(1).real, "wrong": [self.add(1).reel]}

    finished = recording_lab.make(Misspelled(), jobs=jobs)

    assert repr(finished.error) == "AttributeError(\"'int' object has no attribute 'reel'\")"
    assert finished.error.__notes__ == ["finestflow: it is 'add[1].reel', which the pipeline returns"]
    assert finished.run.summary.status.value == "failed"
    assert statuses(finished)["add"] in {"ok", "hit"}


def test_the_run_fails_with_the_first_failure_in_the_order_of_calls(lab: Lab, jobs: int) -> None:
    class Several(Pipeline):
        inner: Inner
        fail: Fail
        add: Add

        def __call__(self):
            return self.add(self.inner("pass"), self.fail("later"), self.fail("last"))

    finished = lab.make(Several(), jobs=jobs, keep_going=True)

    assert repr(finished.error) == "ValueError('no pass')"


def test_a_part_that_is_not_there_fails_the_call_that_takes_it(lab: Lab, jobs: int) -> None:
    class Takes(Pipeline):
        add: Add

        def __call__(self):
            return self.add(self.add(1, 2)[5], 1)

    finished = lab.make(Takes(), jobs=jobs)

    assert isinstance(finished.error, TypeError)
    assert statuses(finished) == {"add": "ok", "add[1]": "failed"}


BEGUN, READY = threading.Event(), threading.Event()


class Slow(Task):
    def run(self):
        BEGUN.set()
        READY.wait(30)
        return 1


class FailLate(Task):
    """Fails when the slow one has begun, and lets that end."""

    def run(self):
        BEGUN.wait(30)
        try:
            raise ValueError("late")
        finally:
            READY.set()


def test_what_has_begun_is_finished_and_what_was_queued_is_not_started(free_lab: Lab) -> None:
    class Queued(Pipeline):
        slow: Slow
        fail: FailLate
        add: Add

        def __call__(self):
            return [self.slow(), self.fail(), *[self.add(n, 1) for n in range(20)]]

    BEGUN.clear()
    READY.clear()
    finished = free_lab.make(Queued(), jobs=2)
    found = statuses(finished)

    assert (found["slow"], found["fail"]) == ("ok", "failed")
    assert found["add[19]"] == "skipped"
    assert finished.run.nodes["add[19]"].why == "not started: 'fail' failed"


def test_what_was_dropped_from_the_queue_runs_when_the_body_gets_over_the_failure(free_lab: Lab) -> None:
    class Queued(Pipeline):
        slow: Slow
        fail: FailLate
        add: Add

        def __call__(self):
            self.slow()
            broken = self.fail()
            numbers = [self.add(n, 2) for n in range(20)]
            try:
                return broken.value
            except ValueError:
                return sum(number.value for number in numbers)

    BEGUN.clear()
    READY.clear()
    finished = free_lab.make(Queued(), jobs=2)

    assert (finished.error, finished.value) == (None, sum(range(2, 22)))
    assert set(statuses(finished).values()) == {"ok", "failed"}


class Flaky(Task):
    class Meta:
        retries = 2

    def run(self, name, good_at):
        done = TRIES[name] = TRIES.get(name, 0) + 1
        if done < good_at:
            raise OSError(f"try {done}")
        return done


TRIES: dict[str, int] = {}


def test_a_call_is_tried_again_and_each_try_is_recorded(recording_lab: Lab, jobs: int) -> None:
    class Retries(Pipeline):
        flaky: Flaky

        def __call__(self, name):
            return self.flaky(f"{name} good", 2), self.flaky(f"{name} bad", 9)

    finished = recording_lab.make(Retries(), f"{jobs}", jobs=jobs, keep_going=True)
    good, bad = finished.run.nodes["flaky"], finished.run.nodes["flaky[1]"]

    assert [(each.status.value, each.error) for each in good.attempts] == [("failed", "OSError: try 1"), ("ok", "")]
    assert [each.error for each in bad.attempts] == ["OSError: try 1", "OSError: try 2", "OSError: try 3"]
    assert (good.status.value, bad.status.value) == ("ok", "failed")


class Cancels(Pipeline):
    def __call__(self):
        raise asyncio.CancelledError("in a body")


class Around(Pipeline):
    cancels: Cancels

    def __call__(self, direct: bool = False):
        if direct:
            raise asyncio.CancelledError("in the outermost body")
        return self.cancels()


def test_what_a_body_raises_beside_exceptions_fails_the_run(recording_lab: Lab, jobs: int) -> None:
    nested, direct = recording_lab.make(Around(), jobs=jobs), recording_lab.make(Around(), True, jobs=jobs)

    assert [each.run.summary.error for each in (nested, direct)] == [
        "CancelledError: in a body",
        "CancelledError: in the outermost body",
    ]
    assert statuses(nested) == {"cancels": "failed"}
    assert {each.run.summary.status.value for each in (nested, direct)} == {"failed"}
