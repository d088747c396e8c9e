"""The context of a run, in bodies and tasks, in every executor alike."""

from __future__ import annotations

from finestflow import Pipeline, Task
from tests.unit.session.threads import Lab


class Rate(Task):
    def run(self, side):
        return f"{side} {self.context.get('rate')}"


class Scoped(Pipeline):
    rate: Rate

    def __call__(self, side):
        with self.context.scope(side):
            inner = self.rate(side)
            if inner.value:  # a look while the scope is open
                return [inner, self.rate("again")]
        return None


class Sides(Pipeline):
    scoped: Scoped
    rate: Rate

    def __call__(self):
        both = [self.scoped(side) for side in ("left", "right")]
        with self.context.scope("left"):
            late = self.rate("late")
        return [*both, late, self.rate("none")]


def test_parts_that_run_at_the_same_time_have_scopes_of_their_own(lab: Lab, jobs: int) -> None:
    given = {"left/rate": 1, "right/rate": 2, "rate": 3}
    finished = lab.make(Sides(), jobs=jobs, context=given)

    assert finished.error is None
    assert finished.value == [["left 1", "again 1"], ["right 2", "again 2"], "late 1", "none 3"]


class Write(Task):
    def run(self, value):
        self.context["seen"] = value
        return value


class Read(Task):
    def run(self, after):
        return self.context["seen"]


class Writes(Pipeline):
    write: Write
    read: Read

    def __call__(self, value):
        return self.read(self.write(value))


def test_what_a_task_writes_others_read_and_a_hit_writes_again(lab: Lab, jobs: int) -> None:
    for _ in range(2):
        finished = lab.make(Writes(), 7, jobs=jobs)
        assert finished.value == 7
        assert finished.run.nodes["read"].notes[0].startswith("not cached: it read a context value that another task")
    assert finished.run.nodes["write"].status.value == "hit"


class Under(Pipeline):
    """Writes the same value in two scopes: the second call is a hit of the first."""

    write: Write
    read: Read

    def __call__(self):
        made = []
        for side in ("left", "right"):
            with self.context.scope(side):
                made.append(self.read(self.write(5)))
        return made


def test_a_hit_writes_in_the_scope_of_its_own_call(lab: Lab, jobs: int) -> None:
    finished = lab.make(Under(), jobs=jobs)

    assert (finished.error, finished.value) == (None, [5, 5])
    assert sorted(finished.run.nodes[path].status.value for path in ("write", "write[1]")) == ["hit", "ok"]
