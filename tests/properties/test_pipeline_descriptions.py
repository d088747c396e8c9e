"""Loading a description is the inverse of dumping it, for params of all kinds and pipelines of all depths."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from finestflow.pipeline.describe import dump_task, dump_value, flat_params, is_complete, load_task, load_value
from finestflow.pipeline.param import Param, convert, parse_text
from finestflow.pipeline.pipeline import Pipeline, import_target
from finestflow.pipeline.task import Task


class Shade(enum.Enum):
    LIGHT = "l"
    DARK = 2


class Leaf(Task):
    anything: Any = None
    rate: float = 0.1
    count: int | None = 3
    path: Path = Path()
    shade: Shade = Shade.DARK
    rows: dict[int, tuple[float, ...]] = Param({})
    secret: str = Param("", secret=True)

    def run(self, x):
        return x


class Branch(Pipeline):
    depth: int = 0
    left: Leaf
    right: Task = Leaf()
    maybe: Leaf | None

    def __call__(self, x):
        return self.left(x)


HASHABLE = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4), st.sampled_from(Shade)
    ),
    lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)
VALUES = st.recursive(
    st.one_of(HASHABLE, st.sampled_from([Path("a/b"), len, Path, Leaf])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.sets(HASHABLE, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(["$task", "$path", "use"]), HASHABLE), inner, max_size=3),
    ),
    max_leaves=8,
)
LEAF_PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "anything": VALUES,
        "rate": st.one_of(st.integers(-5, 5), st.floats(allow_nan=False)),
        "count": st.none() | st.integers(),
        "path": st.sampled_from(["a", Path("b")]),
        "shade": st.sampled_from([*Shade, "DARK", "l"]),
        "rows": st.dictionaries(st.integers(), st.lists(st.floats(allow_nan=False), max_size=2), max_size=2),
    },
)
LEAVES = st.builds(lambda params: Leaf(**params), LEAF_PARAMS)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda depth, left, right, maybe: Branch(depth=depth, left=left, right=right, maybe=maybe),
        st.integers(),
        LEAVES,
        inner,
        st.none() | LEAVES,
    ),
    max_leaves=4,
)


def identity(thing):
    return f"{thing.__module__}:{thing.__qualname__}"


def exact(value):
    """Return a text that is equal only for values that are equal in all types."""
    if isinstance(value, (set, frozenset)):
        return f"{type(value)}{sorted(map(exact, value))}"
    if isinstance(value, (list, tuple)):
        return f"{type(value)}{list(map(exact, value))}"
    if isinstance(value, dict):
        return f"dict{[(exact(key), exact(item)) for key, item in value.items()]}"
    return repr(value)


def state(task):
    children = task.children if isinstance(task, Pipeline) else {}
    return [
        type(task),
        exact({n: task.__dict__[n] for n in task.__finestflow_params__}),
        {n: state(c) for n, c in children.items()},
    ]


@given(VALUES)
def test_values_come_back_exactly(value):
    data = json.loads(json.dumps(dump_value(value, identity=identity), allow_nan=False))

    assert exact(load_value(data)) == exact(value)


@given(TREES)
def test_tasks_come_back_exactly(task):
    description = dump_task(task, identity)
    found = load_task(json.loads(json.dumps(description)), import_target)

    assert state(found) == state(task)
    assert dump_task(found, identity) == description
    assert is_complete(description)


@given(TREES)
def test_copies_are_equal_and_share_nothing(task):
    twin = task.copy()

    assert state(twin) == state(task)
    assert flat_params(twin) == flat_params(task)


@given(st.text(min_size=12, alphabet="abcxyz"), TREES)
def test_a_secret_is_in_no_description(secret, task):
    leaf = Leaf(secret=secret)
    whole = Branch(right=task, left=leaf)

    assert secret not in json.dumps(dump_task(whole, identity)) + json.dumps(flat_params(whole)) + repr(whole)


@given(
    st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.lists(st.integers(), max_size=3), st.none())
)
def test_a_text_of_the_command_line_is_the_value_that_it_spells(value):
    kind = Any if value is None else type(value)

    assert exact(parse_text(json.dumps(value), kind)) == exact(convert(value, kind))


@given(st.text(max_size=10))
def test_a_text_param_takes_any_text_as_it_is(text):
    assert parse_text(text, str) == text
