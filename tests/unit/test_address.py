"""``node.part`` in a recorded run, and in its values."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest

from finestflow.address import recorded_part, shown_parts, take_named
from finestflow.model import Digest, OutputRecord


@dataclass
class Best:
    f1: float
    by: dict[str, Any]


Pair = namedtuple("Pair", "train test")  # noqa: PYI024 - as old code has it
NAMES = ("train", "test")


@pytest.mark.parametrize(
    ("value", "text", "names", "expected"),
    [
        ((1, [2, 3]), ".test[1]", NAMES, 3),
        ([1, 2], ".train", NAMES, 1),
        ((1, 2), "[1]", NAMES, 2),
        ({"train": 1, "test": 2}, ".test", NAMES, 2),
        ({"train": 1, "test": 2}, "[1]", NAMES, 2),
        ({"a": 1}, ".a", (), 1),
        ({"a": 1}, "[a]", (), 1),
        ({"b c": 1}, "['b c']", (), 1),
        ({0: "zero"}, "[0]", NAMES, "zero"),
        (Best(0.9, {"svm": 3}), ".f1", (), 0.9),
        (Best(0.9, {"svm": 3}), ".by.svm", (), 3),
        (Pair(1, 2), ".test", ("test", "train"), 2),
        ((Best(0.9, {}), 2), ".train.f1", NAMES, 0.9),
        (({"test": 1}, 2), ".train.test", NAMES, 1),
        ((1, 2), "", NAMES, (1, 2)),
    ],
)
def test_a_part_is_an_attribute_an_item_or_what_its_task_calls_so(value, text, names, expected) -> None:
    assert take_named(value, text, names) == expected


@pytest.mark.parametrize(
    ("value", "text", "names"),
    [
        ((1, 2), ".train", ()),
        ((1, 2), ".valid", NAMES),
        ({"a": 1}, ".b", ()),
        ({"a": 1}, "[0]", ()),
        ((1,), ".test", NAMES),
    ],
)
def test_a_part_that_is_not_there_is_an_error(value, text, names) -> None:
    with pytest.raises((AttributeError, LookupError)):
        take_named(value, text, names)


def output(*labels: str, names: tuple[str, ...] = ()) -> OutputRecord:
    return OutputRecord(Digest("d"), parts={label: Digest(f"digest of {label}") for label in labels}, names=names)


@pytest.mark.parametrize(
    ("record", "text", "expected"),
    [
        (output("[0]", "[1]", names=NAMES), ".test", "[1]"),
        (output("[0]", "[1]", names=NAMES), ".test.x[0]", "[1].x[0]"),
        (output("[0]", "[1]", names=NAMES), "[0]", "[0]"),
        (output("[0]", "[1]"), ".test", None),
        (output("['train']", "['test']", names=NAMES), "[1]", "['test']"),
        (output("['a']"), ".a", "['a']"),
        (output("['a']"), '["a"]', "['a']"),
        (output("['a']"), "[a]", "['a']"),
        (output(".f1"), ".f1", ".f1"),
        (output(".f1"), ".f2", None),
        (output(), ".f1", None),
    ],
)
def test_a_part_of_a_record_is_found_by_any_name_it_has(record, text, expected) -> None:
    assert recorded_part(record, text) == expected


def test_parts_are_shown_as_they_are_named() -> None:
    assert list(shown_parts(output("[0]", "[1]", "[2]", names=NAMES))) == [".train", ".test", "[2]"]
    assert list(shown_parts(output("['a']", "['b c']", ".f1", "[0]"))) == [".a", "['b c']", ".f1", "[0]"]
