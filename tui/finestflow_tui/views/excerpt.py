"""The beginning of a value as rows: facts, then a table, a text, a picture or bytes. What it says came from a process of its own, as JSON."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from finestflow.cli._excerpt import hex_lines
from finestflow.picture import Picture
from finestflow_tui.text import Row, Span, columns_of, cut, fields, one_line, row, text_rows, title
from finestflow_tui.views.code import highlight
from finestflow_tui.views.picture import picture_rows

__all__ = ["excerpt_rows", "picture_of"]

_CELL = 24
_LEAST_ROWS = 8


def picture_of(value: Mapping[str, Any]) -> Picture | None:
    """Return the small picture of an excerpt; None when it is none."""
    if value.get("kind") != "picture":
        return None
    return Picture(int(value["width"]), int(value["height"]), b64decode(value["pixels"]))


def excerpt_rows(value: Mapping[str, Any], columns: int, rows: int, *, colored: bool) -> list[Row]:
    """Return what is shown of a value.

    Args:
        value: The excerpt, as ``finestflow show --value --json`` tells it.
        columns: Room.
        rows: Room, which a picture fills.
        colored: Whether a picture may have colours.
    """
    facts = fields((name, one_line(told)) for name, told in value["facts"].items())
    picture = picture_of(value)
    if picture is not None:
        drawn = picture_rows(picture, columns, max(_LEAST_ROWS, rows - len(facts) - 2), colored=colored)
        return [*drawn, row(""), *facts]
    made = {"table": _table, "text": _text, "bytes": _bytes}[value["kind"]]
    more = [row((f"… {one_line(value['more'])}", "dim"))] if value["more"] else []
    return [title(one_line(value["type"])), *facts, row(""), *made(value), *more]


def _table(value: Mapping[str, Any]) -> Iterator[Row]:
    head: list[Span] = [(cut(one_line(name), _CELL), "head") for name in value["columns"]]
    cells = [[_cell(text) for text in line] for line in value["rows"]]
    if not head:
        return
    numeric = [
        all(role == "number" for line in cells if (role := line[at][1]) != "dim") and bool(cells)
        for at in range(len(head))
    ]
    right = frozenset(at for at, is_number in enumerate(numeric) if is_number)
    yield from columns_of([head, *cells], right=right, room=_CELL)


def _cell(text: str) -> Span:
    shown = one_line(text)
    try:
        float(shown)
    except ValueError:
        return shown, "dim" if shown in {"", "None", "nan", "NaT"} else ""
    return shown, "number"


def _text(value: Mapping[str, Any]) -> Iterator[Row]:
    name = value["facts"].get("file", "")
    if not name:
        yield from text_rows(value["text"])
        return
    lines = [line for part in text_rows(value["text"]) for line, _ in part.spans]
    yield from (Row(spans) for spans in highlight(one_line(name), "\n".join(lines)))


def _bytes(value: Mapping[str, Any]) -> Iterator[Row]:
    for line in hex_lines(b64decode(value["data"])):
        yield row((line[:10], "dim"), line[10:])
