"""Params: what values they take, what they make of them, what they say when they refuse."""

import collections
import enum
import math
import typing
from collections import abc
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NewType, Optional, Protocol, TypedDict, TypeVar, Union

import numpy as np
import pytest

from finestflow.errors import ParamError
from finestflow.pipeline.param import MISSING, Param, ParamSpec, convert, own_copy, parse_text, type_name


class Colour(enum.Enum):
    RED = "r"
    GREEN = 2


class Level(enum.IntEnum):
    LOW = 1


class Speaks(Protocol):
    def speak(self): ...


class Row(TypedDict):
    a: int


Size = NewType("Size", int)
T = TypeVar("T")


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (int, 3, 3),
        (int, np.int64(3), 3),
        (int, Level.LOW, 1),
        (float, 1, 1.0),
        (float, np.float32(0.5), 0.5),
        (float, np.int8(2), 2.0),
        (complex, 2, 2 + 0j),
        (bool, True, True),
        (bool, np.True_, True),
        (str, np.str_("a"), "a"),
        (Path, "a/b", Path("a/b")),
        (Path, PurePosixPath("a"), Path("a")),
        (Path | None, "a", Path("a")),
        (Colour, "RED", Colour.RED),
        (Colour, "r", Colour.RED),
        (Colour, 2, Colour.GREEN),
        (Colour, Colour.RED, Colour.RED),
        (Optional[int], None, None),  # noqa: UP045
        (int | float, 1, 1),
        (Union[int, float], 0.5, 0.5),  # noqa: UP007
        (int | float, np.float64(0.5), 0.5),
        (float | None, 1, 1.0),
        (str | Path, "a", "a"),
        (Literal["a", 1], 1, 1),
        (Annotated[float, "unit"], 1, 1.0),
        (typing.Final[float], 1, 1.0),
        (Size, np.int16(4), 4),
        (list[float], [1, 2], [1.0, 2.0]),
        (list[int], (1, 2), [1, 2]),
        (typing.List, [1], [1]),  # noqa: UP006
        (typing.Dict, {"a": 1}, {"a": 1}),  # noqa: UP006
        (typing.Tuple, (1, "a"), (1, "a")),  # noqa: UP006
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (abc.Mapping[str, float], {"a": 1}, {"a": 1.0}),
        (abc.Sequence[float], (1, 2), (1.0, 2.0)),
        (set[int], [1, 1], {1}),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, float], [1, 2], (1, 2.0)),
        (tuple[float, float] | None, [1, 2], (1.0, 2.0)),
        (list[Path], ["a"], [Path("a")]),
        (Any, "x", "x"),
        (T, "x", "x"),
        ("Unknown", "x", "x"),
        (Optional["Unknown"], "x", "x"),  # noqa: F821
        (Row, {"a": 1}, {"a": 1}),
        (object, 1, 1),
        (collections.Counter[str], collections.Counter("aa"), collections.Counter("aa")),
        (type[int], bool, bool),
    ],
)
def test_a_value_becomes_exactly_the_declared_type(kind, given, wanted):
    converted = convert(given, kind)

    assert converted == wanted
    assert type(converted) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (int, True),
        (int, 1.0),
        (int, "3"),
        (float, True),
        (float, "0.5"),
        (float, Fraction(1, 3)),
        (float, 2**53 + 1),
        (float, 10**400),
        (complex, True),
        (bool, 1),
        (bool, "true"),
        (str, b"a"),
        (str, None),
        (Path, 3),
        (Colour, "blue"),
        (Optional[int], "x"),  # noqa: UP045
        (int | str, True),
        (Literal[1], True),
        (Literal["a"], "b"),
        (list[int], {1, 2}),
        (list[int], "12"),
        (list[int], ["1"]),
        (dict[str, int], [("a", 1)]),
        (tuple[int, int], [1]),
        (abc.Sequence[str], "abc"),
        (collections.Counter[str], {"a": 1}),
        (Row, [1]),
        (type[int], 3),
        (None, 3),
    ],
)
def test_a_value_that_would_have_to_be_bent_is_refused(kind, given):
    with pytest.raises((TypeError, ValueError)):
        convert(given, kind)


def test_not_a_number_is_a_float():
    assert math.isnan(convert(np.float32("nan"), float))


def test_a_class_that_is_only_called_bool_is_no_bool():
    with pytest.raises(TypeError):
        convert(type("bool_", (), {})(), bool)


def test_a_protocol_takes_what_it_cannot_judge():
    assert convert(3, Speaks) == 3


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        (str, "3", "3"),
        (Annotated[str, "x"], '"3"', '"3"'),
        (int, "3", 3),
        (float, "1e-3", 0.001),
        (float, "inf", math.inf),
        (float, ".5", 0.5),
        (bool, "yes", True),
        (bool, "Off", False),
        (int | None, "null", None),
        (str | None, "None", None),
        (str | None, "3", "3"),
        (int | str, "3", 3),
        (list[float], "[1, 2]", [1.0, 2.0]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (tuple[int, int], "[1, 2]", (1, 2)),
        (Literal["a", "b"], "a", "a"),
        (Literal["1"], "1", "1"),
        (Path, "a", Path("a")),
        (Path | None, "a", Path("a")),
        (Colour, "GREEN", Colour.GREEN),
        (Colour, "2", Colour.GREEN),
        (Colour | None, "RED", Colour.RED),
        (Any, "x", "x"),
        (Any, "[1]", [1]),
    ],
)
def test_a_text_of_the_command_line_means_a_value_of_the_type(kind, text, wanted):
    parsed = parse_text(text, kind)

    assert parsed == wanted
    assert type(parsed) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "text"), [(int, "x"), (int, "1.5"), (bool, "2"), (list[int], "1,2"), (Colour, "blue"), (float, "")]
)
def test_a_text_that_means_nothing_is_refused(kind, text):
    with pytest.raises((TypeError, ValueError)):
        parse_text(text, kind)


def spec(default=MISSING, kind=Any, **options):
    return Param(default, **options).changed("Fit", name="C", type=kind)


class TestMessages:
    def test_names_task_param_and_expectation(self):
        with pytest.raises(ParamError) as caught:
            spec(1.0, float).check("x", "Fit")

        assert caught.value.message == "'Fit' takes no 'x' for param 'C': expected float"
        assert caught.value.hint == "pass a value of type float, such as C=1.0"

    def test_choices_are_listed(self):
        with pytest.raises(ParamError, match="choose one of 'a', 'b'"):
            spec("a", str, choices=("a", "b")).check("c", "Fit")

    @pytest.mark.parametrize("options", [{"kind": int}, {"choices": ("a",)}])
    def test_a_secret_is_in_no_message(self, options):
        with pytest.raises(ParamError) as caught:
            spec(secret=True, **options).check("hunter2", "Fit")

        assert "hunter2" not in str(caught.value)

    def test_a_secret_default_is_in_no_repr(self):
        assert "hunter2" not in repr(spec("hunter2", str, secret=True))

    def test_a_huge_value_is_cut(self):
        with pytest.raises(ParamError) as caught:
            spec(kind=int).check("x" * 10_000, "Fit")

        assert len(str(caught.value)) < 300

    @pytest.mark.parametrize(
        ("kind", "text"),
        [
            (int, "int"),
            (Any, "any value"),
            (None, "None"),
            (int | None, "int | None"),
            (list[int], "list[int]"),
            (Size, "Size"),
        ],
    )
    def test_types_are_written_as_people_write_them(self, kind, text):
        assert type_name(kind) == text


class TestSpec:
    def test_a_secret_is_no_part_of_the_key(self):
        assert not Param(secret=True).digest

    def test_a_default_of_none_is_allowed_whatever_the_type_and_choices(self):
        assert spec(None, str, choices=("a",)).check(None, "Fit") is None

    def test_none_is_refused_when_it_is_not_the_default(self):
        with pytest.raises(ParamError):
            spec("a", str).check(None, "Fit")

    def test_the_default_is_of_the_declared_type(self):
        assert type(spec(1, float).default) is float

    def test_a_wrong_default_is_found_at_once(self):
        with pytest.raises(ParamError):
            spec("x", float)

    def test_one_declaration_may_serve_several_params(self):
        shared = Param(1)

        one, other = shared.changed("A", name="a", type=int), shared.changed("B", name="b", type=float)

        assert (one.name, other.name, shared.name) == ("a", "b", "")
        assert isinstance(shared, ParamSpec)


class TestOwnCopy:
    def test_containers_are_copied_all_the_way_down(self):
        given = {"a": [1, [2]]}
        copied = own_copy(given)
        copied["a"][1].append(3)

        assert given == {"a": [1, [2]]}

    def test_other_objects_go_on_as_they_are(self):
        array = np.zeros(3)

        assert own_copy(array) is array

    def test_what_cannot_be_copied_is_shared(self):
        given = [open]
        given.append(i for i in ())

        assert own_copy(given) is given
