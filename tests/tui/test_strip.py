"""What goes to a terminal: shorter changes of style look the same."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from finestflow_tui.widgets.strip import Line

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


CONSOLE = Console(color_system="truecolor")


def line_of(*pieces: tuple[list[str], str]) -> Line:
    """Return pieces of text in styles that are told as codes; rich keeps what a style is told as."""
    segments = []
    for codes, text in pieces:
        style = Style(bold=True) if codes else Style()
        style._ansi = ";".join(codes)
        segments.append(Segment(text, style))
    return Line(segments)


def whole(line: Line) -> str:
    """Return what Textual would send for the same segments."""
    return Strip(list(line)).render(CONSOLE)


@given(st.lists(st.tuples(CODES, st.sampled_from(["a", "bc ", "", "\r\n"])), max_size=12))
def test_shorter_changes_of_style_look_the_same(pieces: list[tuple[list[str], str]]) -> None:
    """Whatever styles follow each other, each cell is as it would be when every piece sets its style whole, and none is left set."""
    line = line_of(*pieces)
    assert cells_of(line.render(CONSOLE) + "x") == cells_of(whole(line) + "x")


def test_what_stays_is_not_told_again() -> None:
    """Of two pieces on one background the second one tells its colour only, and a piece of the same style nothing."""
    first, second = (["38;2;1;2;3", "48;2;9;9;9"], "a"), (["38;2;4;5;6", "48;2;9;9;9"], "b")
    assert line_of(first, second).render(CONSOLE) == "\x1b[38;2;1;2;3;48;2;9;9;9ma\x1b[38;2;4;5;6mb\x1b[0m"
    assert line_of(first, first).render(CONSOLE) == "\x1b[38;2;1;2;3;48;2;9;9;9maa\x1b[0m"


@given(st.text("ab界́ ", max_size=12), st.integers(0, 8), st.integers(0, 16))
def test_a_part_of_a_line_is_what_textual_cuts(text: str, start: int, size: int) -> None:
    """Pieces of a line, and a line that is made longer, are those of a strip of Textual."""
    style = Style(bold=True)
    segments = [Segment(text, style), Segment("end", Style())]
    line, strip = Line(segments), Strip(segments)
    assert list(line.crop_extend(start, start + size, style).simplify()) == list(
        strip.crop_extend(start, start + size, style).simplify()
    )
    cuts = sorted({start, start + size, strip.cell_length} - {0})
    assert [each.text for each in line.divide(cuts)] == [each.text for each in strip.divide(cuts)][
        : len(line.divide(cuts))
    ]
