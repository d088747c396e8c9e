"""What differs between two values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finestflow.contrast import contrast


def told(before, after):
    return {each.path: each.text for each in contrast(before, after)}


@dataclass(frozen=True)
class Best:
    name: str
    f1: float


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_a_value_does_not_differ_from_itself(value):
    assert list(contrast(value, value)) == []


@given(plain, plain)
def test_two_values_are_compared_without_an_error_and_differ_unless_equal(one, other):
    found = list(contrast(one, other))

    assert bool(found) == (repr(one) != repr(other)) or one == other
    assert all("\n" not in each.text for each in found if not isinstance(one, str))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (2.0, 3.0, {"": "2.0 → 3.0  (+1, +50%)"}),
        (0, 1, {"": "0 → 1  (+1)"}),
        (math.nan, math.nan, {}),
        (True, 1, {"": "bool True → int 1"}),
        ("the old words here", "the new words here", {"": "the [-old-]{+new+} words here"}),
        ([1, 2], [1, 2, 3], {"": "2 → 3 items", "[2]": "new: 3"}),
        (
            [{"id": 1, "f1": 0.5}, {"id": 2, "f1": 1}, {"id": 3, "f1": 1}],
            [{"id": 3, "f1": 1}, {"id": 1, "f1": 1.0}, {"id": 4, "f1": 1}],
            {
                "[id=1]['f1']": "0.5 → 1.0  (+0.5, +100%)",
                "[id=2]": "gone: {'id': 2, 'f1': 1}",
                "[id=4]": "new: {'id': 4, 'f1': 1}",
            },
        ),
        ([{"id": 1}, {"id": 1}], [{"id": 1}, {"id": 2}], {"[1]['id']": "1 → 2  (+1, +100%)"}),
        (b"abcdef", b"abxde", {"": "6 → 5 bytes, from byte 2 on: 63 64 65 66 → 78 64 65"}),
        (b"ab", b"abc", {"": "2 → 3 bytes, from byte 2 on: the end → 63"}),
        (["a", "b", "c", "d"], ["a", "c", "d"], {"": "4 → 3 items", "[1]": "gone: 'b'"}),
        (
            [(1, "x"), (2, "y")],
            [(0, "w"), (1, "x"), (2, "z")],
            {"": "2 → 3 items", "[0]": "new: (0, 'w')", "[1][1]": "[-y-]{+z+}"},
        ),
        ((1, 2), (3,), {"": "2 → 1 items", "[0]": "1 → 3  (+2, +200%)", "[1]": "gone: 2"}),
        (0.001, 5.0, {"": "0.001 → 5.0  (+4.999)"}),
        (
            {"a": 1, "b": {"c": 2}},
            {"a": 1, "b": {"c": 4}, "d": 0},
            {"['b']['c']": "2 → 4  (+2, +100%)", "['d']": "new: 0"},
        ),
        (Best("svm", 0.5), replace(Best("svm", 0.5), name="forest"), {".name": "[-svm-]{+forest+}"}),
        (None, 3, {"": "NoneType None → int 3"}),
    ],
)
def test_plain_values_are_told_by_part(before, after, expected):
    assert told(before, after) == expected


def test_arrays_are_told_by_how_much_and_where_they_differ():
    before = np.zeros((2, 3))
    after = before.copy()
    after[1, 2] = 4.0

    first, second = [each.text for each in contrast(before, after)]
    assert first == "1 of 6 elements differ (16.7%), at most by 4 at [1, 2], on average by 4"
    assert "max 0 → mean 0.6667" in second
    assert told(before, np.zeros((3, 2)))[""].startswith("mean") or "float64[2, 3] → float64[3, 2]" in [
        each.text for each in contrast(before, np.zeros((3, 2)))
    ]
    assert told(np.array([1, math.nan]), np.array([1, math.nan])) == {}
    assert told(np.array(["a", "b"]), np.array(["a", "c"])) == {"": "1 of 2 elements differ (50%)"}
    assert told(np.array([]), np.array([])) == {}


@pytest.mark.parametrize("library", [pd, pl])
def test_tables_are_told_cell_by_cell(library):
    before = library.DataFrame({"x": [1, 2, 3], "y": ["a", "b", "c"]})
    after = library.DataFrame({"x": [1, 5, 3, 9], "y": ["a", "b", "c", "d"], "z": [0, 0, 0, 0]})

    texts = [(each.path, each.text) for each in contrast(before, after)]
    assert texts == [
        ("", "columns: +z"),
        ("", "3 → 4 rows (-0 +1)"),
        ("", "1 of 6 cells differ, in 1 of 2 columns"),
        ("[1, 'x']", "2 → 5"),
    ]


@pytest.mark.parametrize("library", [pd, pl])
def test_rows_without_names_are_found_again_where_others_went(library):
    before = library.DataFrame({"x": [1, 2, 3, 4], "y": ["a", "b", "c", "d"]})
    after = library.DataFrame({"x": [1, 3, 4], "y": ["a", "c", "e"]})

    texts = [(each.path, each.text) for each in contrast(before, after)]
    assert texts == [
        ("", "4 → 3 rows (-1 +0)"),
        ("", "1 of 6 cells differ, in 1 of 2 columns"),
        ("[3, 'y']", "'d' → 'e'"),
    ]


@pytest.mark.parametrize("library", [pd, pl])
def test_rows_with_a_column_that_names_them_are_joined_on_it(library):
    before = library.DataFrame({"id": ["p", "q", "r"], "x": [1, 2, 3]})
    after = library.DataFrame({"id": ["r", "p", "s"], "x": [3, 7, 4]})

    texts = [(each.path, each.text) for each in contrast(before, after)]
    assert texts == [
        ("", "3 → 3 rows (-1 +1)"),
        ("", "1 of 4 cells differ, in 1 of 2 columns"),
        ("['p', 'x']", "1 → 7"),
    ]


def test_files_are_told_by_text_by_size_or_by_pixel(tmp_path):
    image = pytest.importorskip("PIL.Image")
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, text, color in ((one, "a b", 0), (other, "a c", 255)):
        folder.mkdir()
        (folder / "text.txt").write_text(text)
        image.new("RGB", (2, 2), (color, 0, 0)).save(folder / "dot.png")
        (folder / "data.bin").write_bytes(b"\0" * (color + 1))
    (one / "only.txt").write_text("")

    found = list(contrast(one, other))

    assert {(each.path, each.text) for each in found} >= {
        ("/text.txt", "a [-b-]{+c+}"),
        ("/data.bin", "1 → 256 bytes"),
        ("/only.txt", "gone"),
        ("/dot.png", "image 2x2: 100% of pixels differ, on average by 85 of 255"),
    }


def test_what_cannot_be_compared_is_compared_as_it_is_shown():
    class Stubborn:
        def __init__(self, name):
            self.name = name

        def __eq__(self, other):
            raise RuntimeError

        __hash__ = None

        def __repr__(self):
            return self.name

    assert told(Stubborn("a"), Stubborn("a")) == {}
    assert told(Stubborn("a"), Stubborn("b")) == {"": "a → b"}
