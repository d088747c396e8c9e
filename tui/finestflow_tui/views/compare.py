"""Runs side by side: a column a run, a row a metric, param, package or output; the leftmost is what the others are compared with.

Invariant: columns are whole: runs that there is no room for are counted, and the base always stands first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finestflow.comparison import Row as Line
from finestflow.comparison import SideBySide
from finestflow_tui.glyphs import LETTERS
from finestflow_tui.text import Row, Span, cut, number, one_line, pad, plural, row, value_text, width

__all__ = ["Places", "compare_rows", "fit_runs", "group_of"]

_ARROWS = {"max": "↑", "min": "↓", None: " "}
_NAME, _LEAST, _GAP = 26, 12, 2
"""Columns of names at most, of a run at least, and between two."""
_KINDS = ("metric", "param", "input", "code", "environment", "output")


class Places(NamedTuple):
    """Which runs there is room for, as whole columns: the base, and those that follow from one of the others on."""

    names: int
    """Columns of the names of rows."""
    room: int
    """Columns of a run."""
    runs: tuple[int, ...]

    @property
    def before(self) -> int:
        """How many runs are left out between the base and the next one."""
        return self.runs[1] - 1 if len(self.runs) > 1 else 0


def fit_runs(table: SideBySide, columns: int, *, everything: bool, first: int = 0) -> Places:
    """Return which runs are shown.

    Args:
        table: The runs, the base first.
        columns: Room.
        everything: Rows that are equal in all runs too.
        first: How many runs after the base to leave out.
    """
    names = min(_NAME, max((width(one_line(line.name)) for line in _shown(table, everything)), default=0) + 2)
    count, free = len(table.runs), columns - names - 4
    fitting = max(1, min(count, (free + _GAP) // (_LEAST + _GAP)))
    room = max(_LEAST, min(22, (free + _GAP) // fitting - _GAP))
    first = max(0, min(first, count - fitting)) if fitting > 1 else 0
    return Places(names, room, (0, *range(first + 1, first + fitting)))


def _shown(table: SideBySide, everything: bool) -> list[Line]:
    return [line for line in table.rows if everything or not line.is_uniform]


def compare_rows(
    table: SideBySide, letters: Mapping[str, str], columns: int, *, everything: bool, first: int = 0
) -> list[Row]:
    """Return the table; the key of a row is (kind, name).

    Args:
        table: The runs, the base first, and what they have.
        letters: Marks by id.
        columns: Room.
        everything: Rows that are equal in all runs too.
        first: How many runs after the base to leave out.
    """
    shown = _shown(table, everything)
    places = fit_runs(table, columns, everything=everything, first=first)
    before, beyond = places.before, len(table.runs) - places.before - len(places.runs)
    told = " ".join([f"‹{before} (h)"] * bool(before) + [f"›{beyond} (l)"] * bool(beyond))
    head: list[Span] = [(pad(cut(told, places.names + 3), places.names + 4), "head")]
    signs = [letters.get(run.id, LETTERS[at % 26]) for at, run in enumerate(table.runs)]
    for at in places.runs:
        name = one_line(table.runs[at].name)
        head += [
            (f"{signs[at]} ", f"mark{LETTERS.index(signs[at]) % 6}"),
            (pad(cut(name, places.room - 2), places.room - 2), "name"),
            ("  ", ""),
        ]
    rows = [Row(tuple(head))]
    hidden, kind = len(table.rows) - len(shown), ""
    for line in sorted(shown, key=lambda line: _KINDS.index(line.kind)):
        if line.kind != kind:
            kind = line.kind
            rows += [row(""), row((kind, "title"))]
        rows.append(_line(line, signs, places))
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


def _line(line: Line, letters: Sequence[str], places: Places) -> Row:
    names, room = places.names, places.room
    arrow = _ARROWS[line.goal] if line.kind == "metric" else " "
    spans: list[Span] = [(f"  {pad(cut(one_line(line.name), names - 2), names)}", "bold"), (f"{arrow} ", "dim")]
    base = line.values[0]
    for at in places.runs:
        value = line.values[at]
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
