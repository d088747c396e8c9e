"""Laws of digests and containers, for generated values."""

from __future__ import annotations

import math
import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from finestflow.cache.codec import pack, unpack
from finestflow.cache.cycles import encode_unbounded
from finestflow.cache.digest import Walk, digest_simple, digest_value, iter_parts
from finestflow.cache.stream import hexadecimal

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.binary()
    | st.sampled_from(["x" * 2000, b"y" * 3000, 2**64, -(2**63), -0.0, 0.0, 1, 1.0, True, "1", math.nan])
)
KEYS = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8)


def containers(inner):
    return (
        st.lists(inner, max_size=6)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=5)
        | st.sets(KEYS, max_size=5)
        | st.frozensets(KEYS, max_size=5)
    )


COLUMNS = st.sampled_from([st.integers(), st.floats(), st.text(), st.binary(), st.booleans()]).flatmap(
    lambda kind: st.lists(kind, min_size=12, max_size=40) | st.lists(kind, min_size=12, max_size=40).map(tuple)
)
VALUES = st.recursive(SCALARS | COLUMNS, containers, max_leaves=25)


def canonical(value):
    """Return something hashable that is equal exactly for the values that should have one digest."""
    kind = type(value)
    if kind is float:
        return kind, "nan" if math.isnan(value) else value.hex()
    if kind is complex:
        return kind, canonical(value.real), canonical(value.imag)
    if kind in {list, tuple}:
        return kind, tuple(canonical(item) for item in value)
    if kind in {set, frozenset}:
        return kind, frozenset(canonical(item) for item in value)
    if kind is dict:
        return kind, frozenset((canonical(key), canonical(item)) for key, item in value.items())
    return kind, value


def shuffled(value):
    """Return an equal value whose dicts and sets were filled the other way round, and which shares nothing."""
    kind = type(value)
    if kind in {list, tuple}:
        return kind(shuffled(item) for item in value)
    if kind is dict:
        return {shuffled(key): shuffled(item) for key, item in reversed(value.items())}
    if kind in {set, frozenset}:
        return kind(reversed(list(value)))
    if kind is str:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return pickle.loads(pickle.dumps(value))


@given(VALUES, VALUES)
def test_digests_are_equal_exactly_for_equal_values(one, other):
    assert (digest_simple(one) == digest_simple(other)) == (canonical(one) == canonical(other))


@given(st.data())
def test_small_changes_change_the_digest(data):
    """Two values drawn from few leaves meet often, so that near misses are tried."""
    few = st.recursive(st.sampled_from([0, 0.0, False, "", b"", (), "0"]), containers, max_leaves=4)
    one, other = data.draw(few), data.draw(few)

    assert (digest_simple(one) == digest_simple(other)) == (canonical(one) == canonical(other))


@given(VALUES)
def test_order_and_sharing_do_not_count(value):
    assert digest_value(shuffled(value)).digest == digest_value(value).digest


@given(VALUES)
def test_the_three_ways_agree(value):
    assert digest_simple(value) == digest_value(value).digest == hexadecimal(encode_unbounded(Walk(), value))


@given(VALUES)
def test_a_part_has_the_digest_it_has_alone(value):
    parts = digest_value(value).parts or {}

    assert parts == {label: digest_simple(part) for label, part in iter_parts(value)}


@given(VALUES)
def test_values_come_back_from_their_containers(value):
    packed = pack(value, opaque=False, in_main=False, artifacts=None)
    data = b"".join(packed.iter_bytes())

    assert len(data) == packed.size
    assert canonical(unpack(data)) == canonical(value)
    assert digest_simple(unpack(data)) == digest_simple(value)


SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)
DTYPES = st.sampled_from(
    ["f8", ">f8", "f4", "i4", ">i2", "u1", "?", "c16", "M8[s]", "S3", "U2", "O", [("a", "i1"), ("b", "f8")]]
)


@given(SHAPES, DTYPES, st.integers(0, 2**32), st.data())
def test_arrays_keep_their_digest_through_views_and_containers(shape, dtype, seed, data):
    numbers = np.asarray(np.random.default_rng(seed).integers(0, 3, size=shape))
    array = numbers.astype(dtype) if not isinstance(dtype, list) else np.zeros(shape, dtype)
    if isinstance(dtype, list):
        array["a"] = numbers
    steps = tuple(slice(None, None, data.draw(st.sampled_from([1, 2, -1]))) for _ in shape)
    view = array[(*steps, ...)]
    copy = np.array(view, order=data.draw(st.sampled_from("CF")))

    walk = Walk()
    digest = walk.digest(view).digest
    back = unpack(b"".join(pack(view, opaque=True, in_main=False, artifacts=None).iter_bytes()))

    assert digest_value(copy).digest == digest
    assert digest_value(back).digest == digest
    assert back.flags.writeable
