"""Calls of a run that go on at the same time."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from finestflow import Pipeline, Task
from tests.unit.session.threads import Lab, join_threads

MEETINGS: dict[str, threading.Barrier] = {}
COUNTS: dict[str, int] = {}


class Meet(Task):
    """Returns when so many others have come."""

    def run(self, name, x=0):
        MEETINGS[name].wait(timeout=30)
        return x


class Add(Task):
    def run(self, *numbers):
        return sum(numbers)


class Pair(Task):
    def run(self, x) -> tuple[int, int]:
        return x, x + 1


class Count(Task):
    def run(self, name):
        COUNTS[name] = COUNTS.get(name, 0) + 1
        return name


def statuses(finished):
    return {path: node.status.value for path, node in finished.run.nodes.items()}


def test_branches_overlap(free_lab: Lab) -> None:
    class Branches(Pipeline):
        meet: Meet
        add: Add

        def __call__(self):
            return self.add(self.meet("branches", 1), self.meet("branches", 2))

    MEETINGS["branches"] = threading.Barrier(2)
    finished = free_lab.make(Branches(), jobs=2)

    assert (finished.error, finished.value) == (None, 3)
    assert statuses(finished) == {"meet": "ok", "meet[1]": "ok", "add": "ok"}
    assert finished.run.settings["executor"] == "process"
    assert finished.run.settings["jobs"] == 2


def test_nested_bodies_that_look_at_values_overlap(free_lab: Lab) -> None:
    class Inner(Pipeline):
        meet: Meet
        add: Add

        def __call__(self, x):
            if self.meet("bodies", x) > 0:  # a look: this body waits, the other one goes on
                return self.add(x, 10)
            return None

    class Outer(Pipeline):
        left: Inner
        right: Inner
        add: Add

        def __call__(self):
            return self.add(self.left(1), self.right(2))

    MEETINGS["bodies"] = threading.Barrier(2)
    finished = free_lab.make(Outer(), jobs=2)

    assert (finished.error, finished.value) == (None, 23)
    assert set(statuses(finished)) == {
        "left", "left/meet", "left/add", "right", "right/meet", "right/add", "add",
    }  # fmt: skip
    assert set(statuses(finished).values()) == {"ok"}


def test_parts_of_a_declared_length_are_passed_on_before_they_are_there(free_lab: Lab) -> None:
    class Parts(Pipeline):
        meet: Meet
        pair: Pair
        add: Add

        def __call__(self):
            low, high = self.pair(self.meet("parts", 5))  # nobody waits here, so that the other one can come
            other = self.meet("parts", 1)
            return self.add(low, high, other)

    MEETINGS["parts"] = threading.Barrier(2)
    finished = free_lab.make(Parts(), jobs=2)

    assert (finished.error, finished.value) == (None, 12)
    assert finished.run.nodes["add"].inputs["numbers[1]"].source == "pair[1]"


def test_the_same_call_twice_is_computed_once(free_lab: Lab) -> None:
    class Twice(Pipeline):
        count: Count
        meet: Meet

        def __call__(self):
            return [self.count("twice"), self.count("twice")]

    finished = free_lab.make(Twice(), jobs=2)

    assert finished.value == ["twice", "twice"]
    assert COUNTS["twice"] == 1
    assert sorted(statuses(finished).values()) == ["hit", "ok"]


@pytest.mark.slow
def test_a_long_chain_of_calls_that_wait_is_no_recursion(lab: Lab) -> None:
    class Chain(Pipeline):
        add: Add

        def __call__(self, length):
            x = 1
            for _ in range(length):
                x = self.add(x, 1)
            return x

    assert lab.make(Chain(), 1500, jobs=2).value == 1501
    again = lab.make(Chain(), 1500, jobs=2)
    assert again.value == 1501
    assert again.run.summary.hits == 1500


@pytest.mark.slow
def test_waiting_can_be_interrupted(recording_lab: Lab) -> None:
    class Wait(Task):
        def run(self):
            os.kill(os.getpid(), signal.SIGINT)
            MEETINGS["nobody"].wait(30)

    class Waits(Pipeline):
        wait: Wait
        add: Add

        def __call__(self):
            return self.add(self.wait(), 1) + 1

    recording_lab.one_at_a_time = False
    MEETINGS["nobody"] = threading.Barrier(2)
    with pytest.raises(KeyboardInterrupt):
        recording_lab.make(Waits(), jobs=2)
    MEETINGS["nobody"].abort()
    join_threads()  # a call that still goes on would take what threads of later tests report
    (run,) = recording_lab.select("")
    assert run.status.value == "cancelled"
    nodes = recording_lab.load_run(run).nodes
    assert {path: node.status.value for path, node in nodes.items()} == {"wait": "cancelled", "add": "cancelled"}


def test_a_lost_value_is_computed_again(free_lab: Lab) -> None:
    class Big(Task):
        def run(self):
            return b"x" * 100_000

    class Length(Task):
        def run(self, data, extra):
            return len(data) + extra

    class Lengths(Pipeline):
        big: Big
        length: Length

        def __call__(self, extra):
            return self.length(self.big(), extra)

    assert free_lab.make(Lengths(), 1, jobs=2).value == 100_001
    for file in free_lab.objects_dir.glob("*/*"):
        file.chmod(0o644)
        file.write_bytes(b"y" * file.stat().st_size)
    finished = free_lab.make(Lengths(), 2, jobs=2)

    assert finished.value == 100_002
    assert finished.run.nodes["big"].why == "its stored output was damaged or removed"


def test_a_body_may_have_more_nested_pipelines_than_threads(lab: Lab) -> None:
    class Inner(Pipeline):
        add: Add

        def __call__(self, x):
            return self.add(x, 0) + 0

    class Outer(Pipeline):
        inner: Inner
        add: Add

        def __call__(self):
            return self.add(*[self.inner(x) for x in range(100)])

    assert lab.make(Outer(), jobs=2).value == sum(range(100))


class Scale(Task):
    factor: int = 1

    def run(self, numbers):
        return [self.factor * number for number in numbers]


class Scales(Pipeline):
    scale: Scale

    def __call__(self, numbers):
        self.scale.factor *= 10
        numbers[0] += 100
        return self.scale(numbers)


class Changes(Pipeline):
    """A body that changes tasks and values after it has called with them."""

    scale: Scale
    inner: Scales

    def __call__(self):
        numbers, made = [1, 2], []
        for factor in (2, 3):
            self.scale.factor = factor
            self.inner.scale.factor = factor
            numbers.append(factor)
            made += [self.scale(numbers), self.inner(numbers)]
        numbers.clear()
        return made


def test_calls_get_what_the_body_gave_at_that_time(lab: Lab, jobs: int) -> None:
    finished = lab.make(Changes(), jobs=jobs)

    assert finished.error is None
    assert finished.value == [[2, 4, 4], [2020, 40, 40], [3, 6, 6, 9], [3030, 60, 60, 90]]


def test_what_another_run_computes_is_waited_for_without_blocking(free_lab: Lab) -> None:
    """Two runs in two threads, with claims of their own: the second one does other things meanwhile, then has a hit."""
    began, goes_on = threading.Event(), threading.Event()

    class Slow(Task):
        def run(self):
            began.set()
            goes_on.wait(30)
            return 5

    class Other(Task):
        def run(self):
            goes_on.set()
            return 1

    class First(Pipeline):
        slow: Slow

        def __call__(self):
            return self.slow()

    class Second(Pipeline):
        slow: Slow
        other: Other
        add: Add

        def __call__(self):
            return self.add(self.slow(), self.other())

    neighbour = Lab.open(free_lab.folder, dict(free_lab.environ))
    first = threading.Thread(target=lambda: neighbour.make(First(), jobs=2))
    first.start()
    assert began.wait(30)
    finished = free_lab.make(Second(), jobs=2)
    first.join()
    neighbour.close()

    assert (finished.error, finished.value) == (None, 6)
    assert finished.run.nodes["slow"].status.value == "hit"
    assert finished.run.nodes["slow"].notes == ("waiting: another run is computing this",)
