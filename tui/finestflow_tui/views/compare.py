"""Runs side by side: a column a run, a row a metric, param, package or output; the leftmost is what the others are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finestflow.comparison import Row as Line
from finestflow.comparison import SideBySide
from finestflow_tui.glyphs import LETTERS
from finestflow_tui.text import Row, Span, cut, number, one_line, pad, plural, row, value_text, width

__all__ = ["compare_rows", "group_of"]

_ARROWS = {"max": "↑", "min": "↓", None: " "}
_NAME = 26
_KINDS = ("metric", "param", "input", "code", "environment", "output")


def compare_rows(table: SideBySide, letters: Mapping[str, str], columns: int, *, everything: bool) -> list[Row]:
    """Return the table; the key of a row is (kind, name).

    Args:
        table: The runs, the base first, and what they have.
        letters: Marks by id.
        columns: Room.
        everything: Rows that are equal in all runs too.
    """
    shown = [line for line in table.rows if everything or not line.is_uniform]
    names = min(_NAME, max((width(one_line(line.name)) for line in shown), default=0) + 2)
    room = max(12, min(22, (columns - names - 4) // max(1, len(table.runs)) - 2))
    beyond = len(table.runs) - max(1, (columns - names - 2) // (room + 2))
    head: list[Span] = [(pad(cut(f"›{beyond} (l)" if beyond > 0 else "", names + 3), names + 4), "head")]
    for at, run in enumerate(table.runs):
        letter = letters.get(run.id, LETTERS[at % 26])
        head += [
            (f"{letter} ", f"mark{LETTERS.index(letter) % 6}"),
            (pad(cut(one_line(run.name), room - 2), room - 2), "name"),
            ("  ", ""),
        ]
    rows = [Row(tuple(head))]
    hidden, kind = len(table.rows) - len(shown), ""
    for line in sorted(shown, key=lambda line: _KINDS.index(line.kind)):
        if line.kind != kind:
            kind = line.kind
            rows += [row(""), row((kind, "title"))]
        rows.append(
            _line(line, [letters.get(run.id, LETTERS[at % 26]) for at, run in enumerate(table.runs)], names, room)
        )
    if len(rows) == 1:
        rows += [row(""), row(("nothing differs", "dim"))]
    if hidden:
        rows += [row(""), row((f"{plural(hidden, 'equal row')} hidden (=)", "dim"))]
    return rows


def group_of(table: SideBySide, at: int, param: str = "") -> str:
    """Return what a run has in common with those of its group: the value of a param, else of all params that differ.

    Args:
        table: The runs.
        at: The position of the run.
        param: The name of the param; empty for all.
    """
    lines = [line for line in table.rows if line.kind == "param"]
    chosen = [line for line in lines if (line.name == param if param else not line.is_uniform)]
    return " ".join(value_text(line.values[at]) for line in chosen)


def _line(line: Line, letters: Sequence[str], names: int, room: int) -> Row:
    arrow = _ARROWS[line.goal] if line.kind == "metric" else " "
    spans: list[Span] = [(f"  {pad(cut(one_line(line.name), names - 2), names)}", "bold"), (f"{arrow} ", "dim")]
    base = line.values[0]
    for at, value in enumerate(line.values):
        is_best = at in line.best
        text, role = _cell(line, value, base, room - 2 * is_best, is_base=at == 0)
        if is_best:
            text, role = f"{text} ★", "best"
        first = line.values.index(value)
        if line.kind == "output" and value is not None and 0 < first < at:
            text += f" ={letters[first]}"
        shown = cut(text, room)
        spans += [(shown + " " * (room - width(shown)), role), ("  ", "")]
    return Row(tuple(spans), (line.kind, line.name))


def _cell(line: Line, value: object, base: object, room: int, *, is_base: bool) -> Span:
    if value is None:
        return "·", "dim"
    is_same = not is_base and type(value) is type(base) and value == base
    if line.kind == "metric" and isinstance(value, (int, float)):
        difference = f" {value - base:+.3g}" if not is_base and isinstance(base, (int, float)) and value != base else ""
        text = f"{number(value)}{difference}"
        return text if width(text) <= room else number(value), "metric"  # half a number says something else
    if line.kind == "output":
        return (f"{str(value)[:8]}" if not is_same else "=", "dim" if is_same else "id" if is_base else "warning")
    role = "dim" if is_same else "param" if line.kind in {"param", "input"} else ""
    return value_text(value), role
