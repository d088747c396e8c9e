"""What counts in a digest, and what does not."""

from __future__ import annotations

import collections
import copyreg
import datetime as dt
import decimal
import enum
import fractions
import functools
import math
import operator
import re
import sqlite3
import struct
import sys
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from finestflow.cache.digest import digest_simple, digest_value, iter_parts
from finestflow.errors import ValueNotStorableError


def digest(value):
    return digest_value(value).digest


@dataclass
class Config:
    depth: int
    names: list


@dataclass(slots=True)
class Slotted:
    depth: int
    names: list


class Point(NamedTuple):
    x: object
    y: object


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Names(set):
    pass


class Ordinary:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Other(Ordinary):
    pass


class Custom:
    """An object with a state of its own, and a lock that is no part of it."""

    def __init__(self, state):
        self.state = state
        self.lock = threading.Lock()

    def __reduce__(self):
        return Custom, (self.state,)


class StandIn:
    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()

    def __finestflow_digest__(self):
        return {"name": self.name}


def module_function():
    return 1


NAN = float("nan")
OTHER_NAN = struct.unpack("<d", b"\x01\x00\x00\x00\x00\x00\xf8\xff")[0]

DIFFERENT = [
    *[None, True, False, 0, 1, 2, -1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**200],
    *[0.0, -0.0, 1.0, 1.5, math.inf, -math.inf, NAN, 1j, complex(1, 0), complex(0, -0.0)],
    *["", "1", "a", "é", "\ud800", b"", b"1", b"a", bytearray(b"a"), memoryview(b"a")],
    *[
        [],
        (),
        {},
        set(),
        frozenset(),
        [1],
        (1,),
        {1},
        frozenset({1}),
        {1: None},
        {None: 1},
        [1.0],
        ["1"],
        [True],
        [None],
    ],
    *[
        [[1], 2],
        [[1, 2]],
        [1, [2]],
        [1, 2],
        [2, 1],
        ["ab"],
        ["a", "b"],
        [b"ab"],
        [[]],
        [[], []],
        {"a": 1},
        {"a": "1"},
        {"a": {"b": 1}},
    ],
    *[list(range(16)), tuple(range(16)), [*range(15), 15.0], list(map(float, range(16))), list(map(str, range(16)))],
    *[
        range(16),
        slice(1),
        slice(1, 2),
        Ellipsis,
        NotImplemented,
        object(),
        ValueError("a"),
        ValueError("b"),
        KeyError("a"),
    ],
    *[Config(1, []), Config(2, []), Config(1, [1]), Slotted(1, []), Slotted(2, []), Point(1, 2), Point(2, 1), (1, 2)],
    *[Ordinary(), Other(), Ordinary(a=1), Other(a=1), Ordinary(a=2), Ordinary(b=1)],
    *[
        Colour.RED,
        Colour.GREEN,
        Access.READ,
        Access.READ | Access.WRITE,
        Access(0),
        Names("ab"),
        Names("a"),
        {"a", "b"},
    ],
    *[
        dt.date(2020, 1, 1),
        dt.datetime(2020, 1, 1),
        dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2020, 1, 1, fold=1),
    ],
    *[
        dt.datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
        dt.timedelta(1),
        dt.time(1),
        dt.UTC,
        ZoneInfo("Europe/Paris"),
    ],
    *[decimal.Decimal("1.0"), decimal.Decimal("1.00"), fractions.Fraction(1, 3), uuid.UUID(int=1), uuid.UUID(int=2)],
    *[PurePosixPath("a"), PurePosixPath("b"), re.compile("a"), re.compile("a", re.IGNORECASE), re.compile(b"a")],
    *[
        collections.OrderedDict(a=1, b=2),
        collections.OrderedDict(b=2, a=1),
        collections.Counter("ab"),
        {"a": 1, "b": 1},
    ],
    *[
        collections.defaultdict(int, a=1),
        collections.defaultdict(list, a=1),
        collections.deque([1]),
        collections.deque([1], 2),
    ],
    *[
        len,
        print,
        int,
        str,
        Config,
        Colour,
        module_function,
        functools.partial(module_function),
        operator.itemgetter(1),
    ],
    *[[].append, Custom(1), Custom(2), StandIn("a"), StandIn("b"), {"name": "a"}],
]


def test_values_that_differ_in_type_or_content_have_different_digests():
    digests = [digest(value) for value in DIFFERENT]

    twice = [DIFFERENT[i] for i, one in enumerate(digests) if digests.count(one) > 1]

    assert twice == []


EQUAL = [
    (NAN, OTHER_NAN),
    (complex(NAN, 1), complex(OTHER_NAN, 1)),
    ([NAN] * 20, [OTHER_NAN] * 20),
    ([1.0] * 20 + [NAN], [1.0] * 20 + [OTHER_NAN]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1: "a", "1": "b", None: "c", (1,): "d"}, {(1,): "d", None: "c", "1": "b", 1: "a"}),
    (set("abcdefgh"), set("hgfedcba")),
    (collections.defaultdict(int, a=1, b=2), collections.defaultdict(int, b=2, a=1)),
    (collections.Counter("aab"), collections.Counter("baa")),
    (Ordinary(a=1, b=2), Ordinary(b=2, a=1)),
    (Custom([1, 2]), Custom([1, 2])),
    (Config(1, ["a"]), Config(1, ["a"])),
    (Slotted(1, ["a"]), Slotted(1, ["a"])),
    (Point(1, "a"), Point(1, "a")),
    ("x" * 5000, "x" * 2500 + "x" * 2500),
    (["a" + "b"] * 20, ["ab"] * 20),
    (10**30, 10**15 * 10**15),
    (decimal.Decimal("NaN"), decimal.Decimal("NaN")),
]


@pytest.mark.parametrize(("one", "other"), EQUAL, ids=lambda value: type(value).__name__)
def test_equal_values_have_one_digest(one, other):
    assert digest(one) == digest(other)


def test_equal_and_identical_parts_are_the_same():
    """Sharing is no part of a value: two references to one list, and two equal lists."""
    shared = ["a" * 100] * 20

    assert digest([shared, shared]) == digest([list(shared), list(shared)])


def test_interned_and_other_texts_are_the_same():
    assert digest([Ordinary(name="x" * 3), "xxx"]) == digest([Ordinary(name="".join(["x"] * 3)), "xxx"])


@pytest.mark.parametrize(
    "value", [*DIFFERENT, list(range(1000)), "a" * 3000, {"a": ["b" * 2000]}], ids=lambda value: type(value).__name__
)
def test_the_quick_way_gives_the_same_digest(value):
    assert digest_simple(value) == digest(value)


@pytest.mark.parametrize(
    "part",
    [1, "text", [1, 2], "a" * 5000, list(range(5000)), {"a": 1}, Config(1, ["x" * 2000])],
    ids=lambda value: type(value).__name__,
)
def test_an_element_has_the_same_digest_alone_and_in_its_container(part):
    assert digest_value((0, part)).parts["[1]"] == digest(part)
    assert digest_value({"key": part}).parts["['key']"] == digest(part)
    assert digest_value(Config(part, [])).parts[".depth"] == digest(part)
    assert digest_value(Point(part, 1)).parts[".x"] == digest(part)


def test_parts_are_known_up_to_256():
    assert len(digest_value(list(range(256))).parts) == 256
    assert digest_value(list(range(257))).parts is None
    assert digest_value([]).parts is None
    assert digest_value({1: 2}).parts is None
    assert digest_value("abc").parts is None
    assert [label for label, _ in iter_parts({"it's": 1})] == ['["it\'s"]']


def test_an_object_with_a_stand_in_counts_as_that():
    assert digest(StandIn("a")) == digest(StandIn("a"))
    assert digest(StandIn("a")) != digest({"name": "a"})


# -- depth and cycles -----------------------------------------------------------------------------------------------------


def nested(depth, wrap):
    value = 1
    for _ in range(depth):
        value = wrap(value)
    return value


WRAPS = [lambda v: [v], lambda v: (v, v), lambda v: {"a": v}, lambda v: Ordinary(inner=v)]


@pytest.mark.parametrize("wrap", WRAPS, ids=["list", "tuple", "dict", "object"])
def test_values_nested_deeper_than_the_stack_have_a_digest(wrap):
    depth = 3 * sys.getrecursionlimit()

    assert digest(nested(depth, wrap)) == digest(nested(depth, wrap)) != digest(nested(depth + 1, wrap))


@pytest.mark.parametrize("wrap", WRAPS, ids=["list", "tuple", "dict", "object"])
def test_the_way_for_deep_values_gives_the_usual_digest(wrap):
    from finestflow.cache.cycles import encode_unbounded
    from finestflow.cache.digest import Walk
    from finestflow.cache.stream import hexadecimal

    value = nested(90, wrap)

    assert hexadecimal(encode_unbounded(Walk(), value)) == digest(value)


def test_cycles_have_a_digest_that_depends_on_their_shape():
    def ring(*names):
        nodes = [{"name": name} for name in names]
        for i, node in enumerate(nodes):
            node["next"] = nodes[(i + 1) % len(nodes)]
        return nodes[0]

    assert digest(ring("a", "b")) == digest(ring("a", "b"))
    assert len({digest(ring(*names)) for names in ("a", "ab", "ba", "aa", "abc")}) == 5


def test_objects_that_know_their_parents_have_a_digest():
    def tree():
        root = Ordinary(parent=None, children=[])
        for i in range(5):
            child = Ordinary(parent=root, children=[Ordinary(parent=root, i=i, tags={"a", "b", i})])
            root.children.append(child)
        return root

    assert digest(tree()) == digest(tree())
    changed = tree()
    changed.children[3].children[0].i = 7
    assert digest(changed) != digest(tree())


def test_a_complete_part_in_a_value_with_cycles_keeps_its_digest():
    ring = [1]
    ring.append(ring)
    outer = {"ring": ring, "plain": [1, 2]}
    outer["self"] = outer

    parts = digest_value(outer).parts

    assert parts["['ring']"] == digest(ring)
    assert parts["['plain']"] == digest([1, 2])


@pytest.mark.slow
def test_objects_that_all_know_each_other_take_no_exponential_time():
    nodes = [Ordinary(i=i) for i in range(40)]
    for node in nodes:
        node.all = nodes

    assert digest(nodes) == digest(nodes)


def test_values_that_share_parts_at_every_level_take_no_exponential_time():
    value = ["a"]
    for _ in range(200):
        value = [value, value]

    assert digest(value) == digest(value)


# -- classes and code -----------------------------------------------------------------------------------------------------


def test_classes_of_the_project_inside_a_value_are_collected():
    value = [Config(1, [Point(1, Colour.RED)]), dt.date(2020, 1, 1), Ordinary, {Names: Slotted(1, [])}]

    found = digest_value(value, is_project=lambda obj: obj.__module__ == __name__)

    names = ("Config", "Point", "Colour", "Ordinary", "Names", "Slotted")
    assert found.classes == tuple(sorted(f"{__name__}:{name}" for name in names))


def test_a_function_counts_with_its_code():
    def local():
        return 1

    one, other = [digest_value({"f": local}, of_code=lambda _, code=code: code).digest for code in ("aa", "bb")]

    assert one != other


def test_a_function_behind_a_cache_counts_with_its_code():
    @functools.lru_cache
    def cached():
        return 1

    one, other = [digest_value(cached, of_code=lambda _, code=code: code).digest for code in ("aa", "bb")]

    assert one != other


def test_code_that_is_not_the_projects_counts_by_name():
    seen = []

    found = digest_value([len, math.sqrt, json_dumps()], of_code=seen.append, is_project=lambda _: False)

    assert seen == []
    assert found.digest == digest([len, math.sqrt, json_dumps()])


def json_dumps():
    import json

    return json.dumps


def test_functions_without_a_name_need_their_code():
    with pytest.raises(ValueNotStorableError, match="found again by its name") as caught:
        digest(["a", {"key": lambda x: x}])

    assert caught.value.where == "[1]['key']"
    assert "top level" in caught.value.hint


def test_a_bound_method_counts_with_its_object():
    assert digest(Config(1, []).__eq__) == digest(Config(1, []).__eq__)
    assert digest(Ordinary(a=1).__init__) != digest(Ordinary(a=2).__init__)


def test_a_registered_reduction_is_used():
    class Foreign:
        def __init__(self, number):
            self.number = number

        def __reduce_ex__(self, protocol):
            raise TypeError

    copyreg.pickle(Foreign, lambda value: (int, (value.number,)))
    try:
        assert digest(Foreign(1)) != digest(Foreign(2))
    finally:
        del copyreg.dispatch_table[Foreign]


def test_digesting_leaves_no_trace_in_a_class():
    class Fresh:
        __slots__ = ("a",)

    value = Fresh()
    value.a = 1
    before = set(vars(Fresh))

    digest(value)

    assert set(vars(Fresh)) == before


# -- what has no digest ---------------------------------------------------------------------------------------------------


class Holder:
    def __init__(self, inside):
        self.model = inside


def refused():
    connection = sqlite3.connect(":memory:")
    with open(__file__, encoding="utf-8") as file:
        yield file, "pass its path"
    connection.close()
    yield connection, "connect in initialize"
    yield (x for x in "ab"), "list"
    yield threading.Lock(), "initialize"
    yield threading.RLock(), "initialize"
    yield threading.Thread(), "inside the task"
    yield math, "name"
    yield {}.keys(), "list"
    yield {}.items(), "list"
    yield type.__dict__, "dict("
    yield test_a_bound_method_counts_with_its_object.__code__, "function"


@pytest.mark.parametrize(("culprit", "hint"), list(refused()), ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    ("wrap", "where"),
    [
        (lambda v: v, ""),
        (lambda v: [Holder(1), Holder(v)], "[1].model"),
        (lambda v: {"a": ({"b": v},)}, "['a'][0]['b']"),
        (lambda v: Config(1, [v]), ".names[0]"),
        (lambda v: Slotted(v, []), ".depth"),
        (lambda v: Point(1, v), ".y"),
        (lambda v: functools.partial(print, v), ".args[0]"),
    ],
    ids=["alone", "object", "dict", "dataclass", "slots", "named tuple", "partial"],
)
def test_what_has_no_digest_is_named_with_its_place_and_a_way_out(wrap, where, culprit, hint):
    with pytest.raises(ValueNotStorableError) as caught:
        digest(wrap(culprit))

    assert caught.value.where == where
    assert (f"at '{where}'" in caught.value.message) == bool(where)
    assert type(culprit).__name__ in caught.value.message
    assert hint in caught.value.hint


def test_a_class_that_cannot_be_walked_says_why():
    class Stubborn:
        def __reduce__(self):
            raise RuntimeError("I will not")

    with pytest.raises(ValueNotStorableError, match="I will not"):
        digest([Stubborn()])


def test_field_defaults_and_extra_attributes_of_dataclasses_count():
    @dataclass
    class Open:
        a: int = field(default=1, compare=False, repr=False)

    one, other = Open(), Open()
    other.extra = 1

    assert digest(one) != digest(other)
    assert digest(Open(1)) != digest(Open(2))
