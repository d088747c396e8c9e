"""Fan-out: one call an item, in every executor alike."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from finestflow import Pipeline, Task
from finestflow.errors import UsageError
from finestflow.options import RunOptions
from finestflow.pipeline.each import Each, each
from tests.unit.session.threads import Lab


class Files(Task):
    def run(self, count):
        return [f"file {index}" for index in range(count)]


class Length(Task):
    def run(self, name, extra=0):
        if name == "file 13":
            raise ValueError(name)
        return len(name) + extra


class Total(Task):
    def run(self, numbers):
        return sum(numbers)


class Upper(Task):
    def run(self, text):
        return text.upper()


def statuses(finished):
    return {path: node.status.value for path, node in finished.run.nodes.items()}


class Lengths(Pipeline):
    files: Files
    length: Length
    total: Total

    def __call__(self, count, extra=0):
        return self.total(each(self.length, self.files(count), extra=extra))


def test_every_item_is_a_node_with_a_cache_entry(lab: Lab, jobs: int) -> None:
    first = lab.make(Lengths(), 5, jobs=jobs)
    more = lab.make(Lengths(), 6, jobs=jobs)

    assert (first.value, more.value) == (30, 36)
    assert sorted(statuses(first)) == ["files", "length", *[f"length/{n}" for n in range(5)], "total"]
    assert set(statuses(first).values()) == {"ok"}
    assert first.run.nodes["length"].kind == "map"
    assert first.run.nodes["length/3"].inputs["name"].source == "files[3]"
    assert first.run.nodes["total"].inputs["numbers"].source == "length"
    assert list(first.run.nodes["total"].inputs) == ["numbers"]
    assert [statuses(more)[f"length/{n}"] for n in range(6)] == ["hit"] * 5 + ["ok"]
    assert more.run.summary.nodes == 8  # the map itself is no call


def test_a_list_of_results_is_the_same_input_however_it_was_made(lab: Lab, jobs: int) -> None:
    class Loop(Pipeline):
        length: Length
        total: Total

        def __call__(self, count):
            return self.total([self.length(f"file {index}", extra=0) for index in range(count)])

    lab.make(Lengths(), 5, jobs=jobs)
    finished = lab.make(Loop(), 5, jobs=jobs)

    assert finished.value == 30
    assert statuses(finished)["total"] == "hit"


def test_items_may_be_anything_that_can_be_looped_over(lab: Lab, jobs: int) -> None:
    class Loops(Pipeline):
        def __call__(self):
            letters = each(Upper(), "abc")
            return (
                letters,
                each(len, {"x": 1, "yy": 2}),
                each(abs, (-n for n in range(3))),
                each(abs, []),
                letters[-1],
                len(letters),
            )

    finished = lab.make(Loops(), jobs=jobs)

    assert finished.error is None
    assert finished.value == (["A", "B", "C"], [1, 2], [0, 1, 2], [], "C", 3)
    assert {path for path in statuses(finished) if "/" not in path} == {"Upper", "len", "abs", "abs[1]"}


def test_a_fan_out_of_a_fan_out_does_not_wait_for_the_whole(free_lab: Lab) -> None:
    came = [threading.Event() for _ in range(3)]

    class First(Task):
        def run(self, index):
            if index < 2:  # the others go on only when the second step of the last has run
                assert came[2].wait(30)
            return index

    class Second(Task):
        def run(self, index):
            came[index].set()
            return index

    class Steps(Pipeline):
        first: First
        second: Second

        def __call__(self):
            return each(self.second, each(self.first, range(3)))

    assert free_lab.make(Steps(), jobs=3).value == [0, 1, 2]


class Inner(Pipeline):
    length: Length
    total: Total

    def __call__(self, name, extra):
        if self.length(name) > 5:
            return self.total([self.length(name, extra), 1])
        return 0


def test_the_items_of_a_fan_out_may_be_nested_pipelines(lab: Lab, jobs: int) -> None:
    class Outer(Pipeline):
        inner: Inner
        total: Total

        def __call__(self):
            return self.total(each(self.inner, ["abc", "file 1", "file 2"], 10))

    finished = lab.make(Outer(), jobs=jobs)

    assert (finished.error, finished.value) == (None, 34)
    assert finished.run.nodes["inner"].kind == "map"
    assert finished.run.nodes["inner/1"].kind == "pipeline"
    assert finished.run.nodes["inner/1/total"].inputs["numbers[0]"].source == "inner/1/length[1]"
    assert set(statuses(finished)) == {
        "inner", "inner/0", "inner/0/length", "total",
        *(f"inner/{n}{name}" for n in (1, 2) for name in ("", "/length", "/length[1]", "/total")),
    }  # fmt: skip


def test_a_declared_fan_out_is_a_child_like_any_other(lab: Lab, jobs: int) -> None:
    class Declared(Pipeline):
        length: Each = Each(Length, limit=2)
        total: Total

        def __call__(self):
            return self.total(self.length(["a", "bb"], extra=1))

    finished = lab.make(Declared(), jobs=jobs)

    assert finished.value == 5
    assert set(statuses(finished)) == {"length", "length/0", "length/1", "total"}
    assert lab.make(Declared(length={"limit": 1}), jobs=jobs).run.summary.hits == 3


def test_a_limit_bounds_how_many_items_go_on_at_a_time(free_lab: Lab) -> None:
    going, most, lock = [0], [0], threading.Lock()

    class Busy(Task):
        def run(self, index):
            with lock:
                going[0] += 1
                most[0] = max(most[0], going[0])
            threading.Event().wait(0.005)
            with lock:
                going[0] -= 1
            return index

    class Limited(Pipeline):
        busy: Busy

        def __call__(self):
            return each(self.busy, range(20), limit=2)

    assert free_lab.make(Limited(), jobs=4).value == list(range(20))
    assert most[0] == 2


def test_the_first_error_in_the_order_of_items_is_raised(lab: Lab, jobs: int) -> None:
    class Copes(Pipeline):
        length: Length

        def __call__(self):
            try:
                return each(self.length, ["a", "file 13", "b"]).value
            except ValueError as error:
                return str(error)

    assert lab.make(Copes(), jobs=jobs).value == "file 13"

    finished = lab.make(Lengths(), 16, jobs=jobs, keep_going=True)
    found = statuses(finished)
    assert repr(finished.error) == "ValueError('file 13')"
    assert (found["length/13"], found["length/15"], found["length"], found["total"]) == (
        "failed", "ok", "failed", "skipped",
    )  # fmt: skip
    assert finished.run.nodes["total"].why == "skipped: 'length/13' failed"


def test_items_that_were_not_started_say_so(lab: Lab, jobs: int) -> None:
    finished = lab.make(Lengths(), 1000, jobs=jobs)

    assert finished.run.nodes["length/999"].status.value == "skipped"
    assert finished.run.nodes["length/999"].why == "not started: 'length/13' failed"
    assert finished.run.nodes["length"].status.value == "failed"


def test_items_that_cannot_be_known_skip_the_fan_out(lab: Lab, jobs: int) -> None:
    class Unknown(Pipeline):
        length: Length
        total: Total

        def __call__(self):
            return self.total(each(self.length, self.total.named("bad")("x")))

    finished = lab.make(Unknown(), jobs=jobs, keep_going=True)

    assert isinstance(finished.error, TypeError)
    assert statuses(finished) == {"bad": "failed", "length": "skipped", "total": "skipped"}


def test_a_named_fan_out_and_a_plain_call_do_not_collide(lab: Lab, jobs: int) -> None:
    class Both(Pipeline):
        length: Length

        def __call__(self):
            made = each(self.length.named("all"), ["a"]), each(self.length, ["b"]), self.length("cc")
            return [*made[0], *made[1], made[2]]

    finished = lab.make(Both(), jobs=jobs)

    assert finished.value == [1, 1, 2]
    assert set(statuses(finished)) == {"all", "all/0", "length", "length/0", "length[1]"}


def test_outside_of_a_run_a_fan_out_is_a_loop() -> None:
    assert each(Length(), ["a", "bb"], 10) == [11, 12]
    with pytest.raises(UsageError, match="limit is 0"):
        each(Length(), [], limit=0)


def test_a_body_that_looks_at_a_fan_out_has_looked_at_one_thing(lab: Lab, jobs: int) -> None:
    class Looks(Pipeline):
        length: Length
        total: Total

        def __call__(self):
            return self.total([sum(each(self.length, ["a", "b"]).value)])

    finished = lab.make(Looks(), jobs=jobs)

    assert finished.value == 2
    assert finished.nodes["total"].after == ("length",)


def test_the_results_of_a_recorded_fan_out_are_a_list(recording_lab: Lab) -> None:
    class Returned(Pipeline):
        length: Length

        def __call__(self):
            return each(self.length, [f"file {index}" for index in range(12)])

    run = recording_lab.make(Returned()).run

    assert run.outputs == {"result": "length"}
    assert recording_lab.load_output(run) == recording_lab.load_output(run, "length") == [6] * 10 + [7] * 2
    assert recording_lab.load_output(run, "length[11]") == recording_lab.load_output(run, "length/11") == 7
    assert run.returned == "[6, 6, 6, 6, 6, 6, 6, 6, …]"


def test_a_plan_knows_the_items_that_are_there(lab: Lab) -> None:
    class Known(Pipeline):
        files: Files
        length: Length
        inner: Inner
        total: Total

        def __call__(self):
            known = each(self.length, ["a", "b"])
            return self.total(
                [self.total(known), self.total(each(self.length, self.files(3))), each(self.inner, "ab", 1)]
            )

    lab.make(Lengths(length={}), 0)
    plan = lab.plan(Known()).run

    assert {path: node.status.value for path, node in plan.nodes.items()} == {
        "length": "ok", "length/0": "pending", "length/1": "pending", "total": "pending", "files": "pending",
        "length[1]": "pending", "total[1]": "pending", "inner": "running", "inner/0": "running", "inner/0/length": "pending",
        "inner/1": "running", "inner/1/length": "pending",
    }  # fmt: skip


def test_the_items_that_an_interrupt_cancels_are_written_together(recording_lab: Lab, repository: Path) -> None:
    """Ctrl-C with 10,000 open items must not wait for 10,000 writes; the record has each of them all the same."""
    sizes = []

    class Interrupted(Task):
        def run(self, x):
            raise KeyboardInterrupt

    class Many(Pipeline):
        task: Interrupted

        def __call__(self):
            return each(self.task, list(range(300)))

    def look(event):
        if event["e"] == "node":
            (events,) = repository.glob(".git/**/events.jsonl")
            sizes.append(events.stat().st_size)

    with pytest.raises(KeyboardInterrupt):
        recording_lab.run(Many(), (), options=RunOptions(jobs=1, echo=False), listener=look)

    assert len(sizes) >= 300
    assert len(set(sizes)) < 100
    (run,) = recording_lab.select("")
    statuses = Counter(node.status.value for node in recording_lab.load_run(run).nodes.values())
    assert statuses["cancelled"] >= 300
