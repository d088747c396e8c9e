"""Rows of text with roles: what every view is made of, before anything is known of colours or a terminal.

A view is a list of ``Row``; widgets paint it, ``plain`` prints it. Invariant: text that came from a run goes through ``one_line`` before it
becomes a span, so a row holds no control characters and no markup. Imports nothing of Textual.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from finestflow.cli._text import (
    ago,
    cut,
    duration,
    headline,
    iso,
    number,
    pad,
    plural,
    size,
    value_text,
    width,
)
from finestflow.text import many_lines, one_line

__all__ = [
    "LONGEST",
    "Row",
    "Span",
    "ago",
    "asciify",
    "columns_of",
    "cut",
    "delta",
    "duration",
    "fields",
    "file_stem",
    "fit",
    "headline",
    "iso",
    "many_lines",
    "number",
    "one_line",
    "pad",
    "plain_text",
    "plural",
    "row",
    "size",
    "text_rows",
    "title",
    "trouble",
    "value_text",
    "wants_ascii",
    "width",
    "word_for_shell",
    "wrapped",
]

Span = tuple[str, str]
"""Text and the role that it plays, such as ``metric`` or ``failed``; roles become colours in ``theme``."""

_LONGEST_WORD = 80
"""Characters of a name that people type, and that may be part of the name of a file."""
LONGEST = 4000
"""Characters of one line that a view keeps: a log may hold lines of megabytes."""


class Row(NamedTuple):
    """One line of a view; ``key`` says what it stands for when it can be chosen with the cursor."""

    spans: tuple[Span, ...]
    key: Any = None


def row(*spans: Span | str, key: Any = None) -> Row:
    """Make a row; a bare text has no role."""
    return Row(tuple((span, "") if isinstance(span, str) else span for span in spans), key)


def title(text: str, note: str = "") -> Row:
    """Make the heading of a section."""
    return row((text, "title"), (f"  {note}" if note else "", "dim"))


def plain_text(line: Row) -> str:
    """Return a row without its roles."""
    return "".join(text for text, _ in line.spans).rstrip()


def text_rows(text: str, role: str = "") -> Iterator[Row]:
    """Make rows of a text that came from a run."""
    for line in many_lines(text).split("\n"):
        yield row((line.expandtabs(4)[:LONGEST], role))


def wrapped(text: str, columns: int, role: str = "") -> list[Row]:
    """Return a sentence as rows of so many columns at most: one that is cut may say nothing."""
    return [row((line, role)) for line in textwrap.wrap(one_line(text), max(columns, 20)) or [""]]


def word_for_shell(name: str, run_id: str) -> str:
    """Return what names a run in a command that a person pastes: its name, or its id where the name is not what one would type."""
    plain = name == one_line(name) and not name.startswith("-") and len(name) <= _LONGEST_WORD
    return shlex.quote(name) if plain else run_id


def file_stem(name: str) -> str:
    """Return what a file may be called that is about a run of this name."""
    return re.sub(r"[^\w.+-]+", "-", one_line(name)).strip("-.")[:_LONGEST_WORD] or "run"


def trouble(error: Exception) -> str:
    """Return what went wrong in words; Python's own of a file begin with a number."""
    if isinstance(error, OSError) and error.strerror:
        named = f" {one_line(error.filename)!r}" if error.filename else ""
        return f"{error.strerror.lower()}:{named}" if named else error.strerror.lower()
    return one_line(error)


def fields(pairs: Iterable[tuple[str, str]], role: str = "", *, keyed: bool = False) -> list[Row]:
    """Make rows of names and values, the values aligned."""
    listed = [(one_line(name), value) for name, value in pairs]
    room = min(28, max((width(name) for name, _ in listed), default=0))
    return [
        row((pad(cut(name, room), room), "dim"), "  ", (value, role), key=name if keyed else None)
        for name, value in listed
    ]


def columns_of(
    cells: Iterable[Iterable[Span]], *, right: frozenset[int] = frozenset(), keys: Iterable[Any] = (), room: int = 40
) -> list[Row]:
    """Align cells in columns.

    Args:
        cells: Spans by row; all rows have as many.
        right: Positions of columns that are aligned to the right.
        keys: What each row stands for.
        room: Widest column; only the last may be wider.
    """
    table = [list(line) for line in cells]
    if not table:
        return []
    last = len(table[0]) - 1
    widths = [min(room, max(width(line[at][0]) for line in table)) for at in range(last + 1)]
    names = list(keys) or [None] * len(table)
    rows = []
    for line, key in zip(table, names, strict=True):
        spans: list[Span] = []
        for at, (text, role) in enumerate(line):
            is_last = at == last and at not in right
            shown = text if is_last else pad(cut(text, widths[at]), widths[at], right=at in right)
            spans += [(shown, role)] if is_last else [(shown, role), ("  ", "")]
        rows.append(Row(tuple(spans), key))
    return rows


def fit(spans: Iterable[Span], columns: int) -> tuple[Span, ...]:
    """Cut and fill spans to so many columns; the fill has the role of the last span."""
    kept: list[Span] = []
    room, role = columns, ""
    for text, role in spans:
        wide = width(text)
        if wide > room:
            shown = cut(text, room)
            kept.append((shown, role))
            room -= width(shown)
            break
        kept.append((text, role))
        room -= wide
    return (*kept, (" " * room, role)) if room > 0 else tuple(kept)


def delta(before: float, after: float) -> str:
    """Return the difference of two numbers with its sign and, where it says more, the ratio."""
    difference = after - before
    text = f"{difference:+.4g}"
    if before and abs(after / before) >= 1.5:
        text += f"  ×{after / before:.3g}"
    return text


def wants_ascii(environ: Mapping[str, str]) -> bool:
    """Say whether the person has asked for ASCII."""
    return environ.get("FINESTFLOW_ASCII", "") not in {"", "0"}


_ASCII = str.maketrans(
    {
        **dict.fromkeys("─━╌╴╶╸╺╼╾═⋯", "-"),
        **dict.fromkeys("│┃▏▕▌▐▎┆╷╵", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┝┥", "+"),
        **dict.fromkeys("▸▶→›", ">"),
        **dict.fromkeys("◂←‹", "<"),
        **dict.fromkeys("▾▼↓", "v"),
        **dict.fromkeys("▴▲↑", "^"),
        **dict.fromkeys("◐◓◑◒", "@"),
        "●": "*",
        "◌": "o",
        "✗": "x",
        "⊘": "-",
        "▒": "+",
        "▓": "%",
        "░": ".",
        "◍": "%",
        "★": "*",
        "⌖": "!",
        "“": '"',
        "”": '"',
        "…": "~",
        "·": ".",
        "–": "-",
        "−": "-",
        "±": "~",
        "×": "x",
        "≠": "#",
        "╱": "/",
        "⏎": "enter",
        "␣": "space",
        **dict(zip("▁▂▃▄▅▆▇█", "__..--=#", strict=True)),
    }
)


def asciify(text: str) -> str:
    """Return the text with our own drawing characters as ASCII, as wide but for the names of keys; text of runs keeps its letters."""
    return text if text.isascii() else text.translate(_ASCII)
