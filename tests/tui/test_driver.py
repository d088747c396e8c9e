"""What goes to a terminal: shorter changes of style look the same."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finestflow_tui.driver import thin

ATTRIBUTES = st.lists(st.sampled_from(["1", "2", "3", "4", "7", "9"]), max_size=4, unique=True)
TEXT_COLORS = st.sampled_from(["", "31", "97", "39", "38;2;1;2;3", "38;5;9"])
COLORS_BEHIND = st.sampled_from(["", "44", "49", "107", "48;2;4;5;6", "48;5;200"])
CODES = st.tuples(ATTRIBUTES, TEXT_COLORS, COLORS_BEHIND).map(
    lambda style: [code for code in (*style[0], *style[1:]) if code]
)
ENDS = {"22": {"1", "2"}, "23": {"3"}, "24": {"4"}, "27": {"7"}, "29": {"9"}}


def cells_of(data: str) -> list[tuple[str, frozenset[str], str, str]]:
    """Return every letter with its attributes and colours, as a terminal would show them."""
    cells, attributes, text_color, color_behind = [], set[str](), "39", "49"
    for sequence, letter in re.findall(r"\x1b\[([0-9;]*)m|(.)", data, re.DOTALL):
        if letter:
            cells.append((letter, frozenset(attributes), text_color, color_behind))
        for code in re.findall(r"[34]8;(?:2;\d+;\d+;\d+|5;\d+)|\d+", sequence):
            if code == "0":
                attributes, text_color, color_behind = set(), "39", "49"
            elif code in ENDS:
                attributes -= ENDS[code]
            elif len(code) > 1 and code.startswith(("4", "10")):
                color_behind = code
            elif len(code) > 1:
                text_color = code
            else:
                attributes.add(code)
    return cells


@given(st.lists(st.tuples(CODES, st.sampled_from(["a", "bc ", "", "\r\n"])), max_size=12))
def test_shorter_changes_of_style_look_the_same(pieces: list[tuple[list[str], str]]) -> None:
    """Whatever styles follow each other, each cell is as it would be when every piece sets its style whole."""
    data = "".join(f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text for codes, text in pieces)
    assert cells_of(thin(data)) == cells_of(data)


def test_what_stays_is_not_told_again() -> None:
    """Of two pieces on one background the second one tells its colour only, and a piece of the same style nothing."""
    first, second = "\x1b[38;2;1;2;3;48;2;9;9;9ma\x1b[0m", "\x1b[38;2;4;5;6;48;2;9;9;9mb\x1b[0m"
    assert thin(first + second) == "\x1b[38;2;1;2;3;48;2;9;9;9ma\x1b[38;2;4;5;6mb\x1b[0m"
    assert thin(first + first) == "\x1b[38;2;1;2;3;48;2;9;9;9maa\x1b[0m"


@pytest.mark.parametrize("data", ["", "plain", "\x1b[2;3Hx", "\x1b[0m\x1b[1mx\x1b[0m", "\x1b]8;;\x1b\\"])
def test_what_sets_no_style_stays_as_it_is(data: str) -> None:
    """Text, moves and links are left alone, and so is a style of which it is not known what stands before it."""
    assert thin(data) == data
