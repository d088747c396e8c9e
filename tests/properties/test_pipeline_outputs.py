"""An Output that is looked at gives what the plain value gives, whichever side it stands on."""

from __future__ import annotations

import operator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from finestflow.pipeline.output import Output, holds_output, resolve, take_part

NUMBERS = st.one_of(st.integers(-50, 50), st.booleans(), st.floats(-1e6, 1e6), st.fractions(max_denominator=9))
LEAVES = st.one_of(NUMBERS, st.text(max_size=3), st.none())
CONTAINERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
ARITHMETIC = st.sampled_from(
    [
        *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, divmod),
        *(operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift),
    ]
)
COMPARISON = st.sampled_from([operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
UNARY = st.sampled_from(
    [operator.neg, operator.pos, abs, operator.truth, operator.not_, hash, str, int, float, len, list, sorted, format]
)
FOLDS = st.sampled_from([operator.add, operator.contains, operator.eq, operator.concat])


class Ready:
    """A handle whose value is there."""

    path = "node"

    def __init__(self, value: Any) -> None:
        self._value = value

    def value(self, part):
        return take_part(self._value, part)

    def children(self, part):
        return None

    def describe(self):
        return "ok"


def output_of(value):
    return Output(Ready(value))


def outcome(function, *args):
    """Return what a call gives, or the class of what it raises."""
    try:
        found = function(*args)
    except Exception as error:
        return type(error)
    return type(found), repr(found)


@given(ARITHMETIC, NUMBERS, NUMBERS)
def test_arithmetic(function, left, right):
    wanted = outcome(function, left, right)

    assert outcome(function, output_of(left), right) == wanted
    assert outcome(function, left, output_of(right)) == wanted
    assert outcome(function, output_of(left), output_of(right)) == wanted


@given(COMPARISON, CONTAINERS, CONTAINERS)
def test_comparison(function, left, right):
    wanted = outcome(function, left, right)

    assert outcome(function, output_of(left), right) == wanted
    assert outcome(function, left, output_of(right)) == wanted
    assert outcome(function, output_of(left), output_of(right)) == wanted


@given(UNARY, CONTAINERS)
def test_looks_at_one_value(function, value):
    assert outcome(function, output_of(value)) == outcome(function, value)


@given(FOLDS, CONTAINERS, CONTAINERS)
def test_containers(function, left, right):
    if function is operator.concat:  # asks for a sequence type, which an Output is not: `+` is the way
        function = operator.add

    assert outcome(function, output_of(left), right) == outcome(function, left, right)


@st.composite
def mixed(draw):
    """Return a container with some of its leaves as Outputs, and the plain one."""
    plain = draw(CONTAINERS)
    picked = draw(st.randoms(use_true_random=False))

    def wrap(value):
        if picked.random() < 0.3:
            return output_of(value)
        if isinstance(value, (list, tuple)):
            return type(value)(wrap(item) for item in value)
        return {key: wrap(item) for key, item in value.items()} if isinstance(value, dict) else value

    return wrap(plain), plain


@given(mixed())
def test_resolve_takes_every_output_out(pair):
    given_value, plain = pair
    found = resolve(given_value)

    assert repr(found) == repr(plain)
    assert not holds_output(found)
    assert (found is given_value) == (not holds_output(given_value)) or found is plain
