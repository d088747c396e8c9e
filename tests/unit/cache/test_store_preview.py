"""Previews: one bounded line for any value, and never an error."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from finestflow.cache.preview import preview, type_name


@dataclass
class Point:
    x: int
    y: object


class Broken:
    def __repr__(self):
        raise RuntimeError


class Silent:
    def __init__(self):
        self.depth = 3
        self.name = "net"


class Wrong:
    def __repr__(self):
        return 7


ASKED = []


class Slow(Silent):
    def __repr__(self):
        ASKED.append(self)
        return "slow"


SHOWN = [
    (None, "None"),
    (1.5, "1.5"),
    (10**30, "1" + "0" * 30),
    (10**10_000, "an integer of 33220 bits"),
    ("it's\n\x1b[31m", '"it\'s\\n\\x1b[31m"'),
    (b"a\0", "b'a\\x00'"),
    ([], "[]"),
    ((1,), "(1,)"),
    ({1}, "{1}"),
    ({"a": [1, {"b": [1]}]}, "{'a': [1, {'b': […]}]}"),
    (list(range(100)), "[0, 1, 2, 3, 4, 5, 6, 7, … 100 in all]"),
    (np.zeros((3, 4)), "ndarray float64 3 x 4"),
    (np.array(1), "1"),
    (np.float32(0.5), "0.5"),
    (np.zeros(0), "ndarray float64 0"),
    ([np.zeros(3), "a"], "[ndarray float64 3, 'a']"),
    (pd.DataFrame({"a": [1], "b": [2]}), "DataFrame 1 x 2: a, b"),
    (pd.DataFrame({f"c{i}": [1] for i in range(20)}), "DataFrame 1 x 20: c0, c1, c2, c3, c4, c5, c6, c7, …"),
    (pl.DataFrame({"a": [1]}), "DataFrame 1 x 1: a"),
    (pa.table({"a": [1]}), "Table 1 x 1: a"),
    (pd.Series([1.0]), "Series float64 1"),
    (dt.date(2020, 1, 1), "datetime.date(2020, 1, 1)"),
    (Point(1, [2]), "Point(x=1, y=[2])"),
    (Silent(), "Silent(depth=3, name='net')"),
    (Broken(), f"<{__name__}.Broken>"),
    (Wrong(), f"<{__name__}.Wrong>"),
    (Point, "Point"),
    ([preview], "[<function preview>]"),
]


@pytest.mark.parametrize(("value", "shown"), SHOWN, ids=[type(value).__name__ for value, _ in SHOWN])
def test_a_preview_shows(value, shown):
    assert preview(value, 100) == shown


@pytest.mark.parametrize(
    "value",
    [
        "\n\t\x1b" * 1000,
        ["x" * 100] * 100,
        "é\u202e\u0000" * 100,
        {"k" * 500: "v" * 500},
        Point("a" * 1000, ["b"] * 1000),
    ],
    ids=range(5),
)
def test_a_preview_is_one_short_printable_line(value):
    shown = preview(value, 100)

    assert len(shown) <= 200
    assert shown.isprintable()


def test_the_repr_of_a_large_object_is_not_asked_for():
    ASKED.clear()

    assert preview(Slow(), 1_000_000) == "Slow(depth=3, name='net')"
    assert ASKED == []
    assert preview(Slow(), 100) == "slow"


def test_a_value_that_holds_itself_has_a_preview():
    value = []
    value.append(value)

    assert preview(value, 10) == "[[[[…]]]]"


def test_type_names_leave_out_what_is_built_in():
    assert type_name(1) == "int"
    assert type_name(np.zeros(1)) == "numpy.ndarray"
