"""The same pipeline gives the same graph, keys and outputs in every executor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finestflow import Pipeline, Task, each
from finestflow.options import RunOptions
from finestflow.runner import Finished
from finestflow.workspace import Workspace
from tests.conftest import examples, run_git
from tests.unit.session.threads import Lab

Program = tuple[Any, ...]


class Add(Task):
    def run(self, *numbers):
        return sum(_flat(numbers))


class Split(Task):
    class Meta:
        outputs = ("low", "high")

    def run(self, number):
        return {"low": number // 2, "high": number - number // 2}


class Draw(Task):
    """Draws from a generator that has a seed for each call."""

    def run(self, number):
        return number + self.rng.randrange(3)


class Listing(Task):
    def run(self, number):
        return list(range(number % 5))


class Refuse(Task):
    """Fails for every third number."""

    def run(self, number):
        if number % 3 == 0:
            raise ValueError(number)
        return number


def _flat(value: Any) -> list[int]:
    if isinstance(value, (list, tuple)):
        return [number for item in value for number in _flat(item)]
    return [value]


class Body(Pipeline):
    """Does what a program says; a program is a tuple of steps, a number names an earlier result."""

    add: Add
    split: Split
    draw: Draw
    listing: Listing
    refuse: Refuse
    depth: int = 0

    def __call__(self, program, first):
        made = [first]
        for step, *references in program:
            made.append(getattr(self, f"do_{step}")(*[self.pick(made, reference) for reference in references]))
        return made[1:]

    def pick(self, made, reference):
        return made[reference % len(made)] if isinstance(reference, int) else reference

    def do_add(self, x, y):
        return self.add(x, [y, {"one": 1}["one"]])

    def do_split(self, x):
        low, high = self.split(self.add(x))
        return [low, self.add(high)]

    def do_draw(self, x):
        return self.draw(self.add(x))

    def do_refuse(self, x):
        return self.refuse(self.add(x))

    def do_look(self, x):
        try:
            number = self.add(x) + 0
        except ValueError:
            number = -1
        return self.draw(number) if number % 2 else number

    def do_fan(self, x):
        return each(self.refuse, each(self.draw, self.listing(self.add(x))))

    def do_nest(self, program, x):
        return Nested()(program, x)

    def do_nests(self, program, x):
        return each(Nested(), [self.add(x), 1], program)


class Nested(Pipeline):
    """A body inside, which gets its program last."""

    inner: Body

    def __call__(self, program, first):
        if isinstance(program, tuple):
            return self.inner(program, first)
        return self.inner(first, program)


def steps(inner: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    """Return programs whose nested ones come from there."""
    number = st.integers(0, 20)
    one = st.tuples(st.sampled_from(["split", "draw", "refuse", "look", "fan"]), number)
    step = st.one_of(
        one,
        one,
        st.tuples(st.just("add"), number, number),
        st.tuples(st.sampled_from(["nest", "nests"]), inner, number),
    )
    return st.lists(step, max_size=4).map(tuple)


programs = st.recursive(st.just(()), steps, max_leaves=6)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, home_of_session: Path) -> Path:
    folder = tmp_path_factory.mktemp("executors")
    run_git(folder, "init", "--quiet")
    return folder


def told(finished: Finished) -> dict[str, Any]:
    """Return what must not depend on the executor."""
    nodes = {
        path: {
            "task": node.task,
            "kind": node.kind,
            "key": node.key,
            "status": {"hit": "ok"}.get(node.status.value, node.status.value),
            "digest": node.output.digest if node.output is not None else None,
            "inputs": {name: (each.digest, each.source) for name, each in node.inputs.items()},
            "after": node.after,
            "error": node.error,
            "seed": None if node.status.value == "hit" else node.seed,
        }
        for path, node in finished.run.nodes.items()
    }
    for node in nodes.values():
        node.pop("seed")
    return {"nodes": nodes, "error": repr(finished.error), "outputs": finished.run.outputs}


def check(workspace: Workspace, program: Program, *, cache: bool, jobs: int) -> None:
    """Compare a run with one job and one with several."""
    found = []
    for count in (1, jobs):
        options = RunOptions(jobs=count, keep_going=True, cache=cache, echo=False)
        found.append(told(workspace.run(Nested(), (program, 7), options=options)))
    assert found[0] == found[1]


@given(program=programs, cache=st.booleans())
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_threads_and_one_after_the_other_tell_the_same(place: Path, program: Program, cache: bool) -> None:
    lab = Lab.open(place, {**os.environ, "HOME": str(place)})
    try:
        check(lab, program, cache=cache, jobs=3)
    finally:
        lab.close()


@pytest.mark.stress
def test_processes_and_one_after_the_other_tell_the_same(place: Path) -> None:
    workspace = Workspace.find(place, {**os.environ, "HOME": str(place)}, warn=lambda _: None)

    @given(program=programs, cache=st.booleans())
    @settings(max_examples=examples(60))
    def compare(program: Program, cache: bool) -> None:
        check(workspace, program, cache=cache, jobs=2)

    try:
        compare()
    finally:
        workspace.close()
