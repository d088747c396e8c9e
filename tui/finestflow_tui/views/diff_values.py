"""Values that differ between two runs, as rows: params, inputs, the environment, metrics; what only has another name is told as such."""

from __future__ import annotations

from collections.abc import Sequence

from finestflow.compare import Change
from finestflow.goals import GUESSED, Goals
from finestflow_tui.text import Row, Span, columns_of, cut, delta, number, one_line, row, title, value_text
from finestflow_tui.views.runs import better

__all__ = ["metric_rows", "value_rows"]


def value_rows(sections: Sequence[tuple[str, Sequence[Change]]]) -> list[Row]:
    """Return values that differ, with the difference of numbers."""
    rows: list[Row] = []
    for name, found in sections:
        if not found:
            continue
        moved, changes = _moved(found)
        cells = []
        for change in changes:
            both = change.delta is not None
            cells.append(
                [
                    ("  " + one_line(change.name), "bold"),
                    (_value(change.before), "bad" if change.before is not None else "dim"),
                    ("→", "dim"),
                    (_value(change.after), "good" if change.after is not None else "dim"),
                    (delta(change.before, change.after) if both else "", "dim"),
                ]
            )
        rows += [title(name, str(len(found))), *columns_of(cells, keys=[change.name for change in changes], room=36)]
        rows += [
            row(
                "  ",
                (one_line(old.name), "bad"),
                (" now ", "dim"),
                (one_line(new.name), "good"),
                f"  {_value(new.after)}",
                key=new.name,
            )
            for old, new in moved
        ]
        rows.append(row(""))
    return rows or [row(("nothing differs", "dim"))]


def _moved(changes: Sequence[Change]) -> tuple[list[tuple[Change, Change]], list[Change]]:
    """Return values that only have another name, as what is gone and what is new, and the other changes.

    Of several that could have become one another, those are taken whose names end alike.
    """
    gone = [change for change in changes if change.after is None and change.before is not None]
    new = [change for change in changes if change.before is None and change.after is not None]
    pairs = []
    for is_sure in (True, False):
        for old in list(gone):
            equal = [each for each in new if repr(each.after) == repr(old.before)]
            near = [each for each in equal if each.name.rpartition(".")[2] == old.name.rpartition(".")[2]]
            match = (
                near if is_sure else equal if sum(repr(each.before) == repr(old.before) for each in gone) == 1 else []
            )
            if len(match) == 1:
                pairs.append((old, match[0]))
                gone.remove(old)
                new.remove(match[0])
    taken = {change.name for pair in pairs for change in pair}
    return pairs, [change for change in changes if change.name not in taken]


def _value(value: object) -> str:
    return "(absent)" if value is None else cut(value_text(value), 80)


def metric_rows(changes: Sequence[Change], goals: Goals = GUESSED) -> list[Row]:
    """Return metrics that differ, with the direction that is better."""
    cells: list[list[Span]] = []
    for change in changes:
        has_both = change.delta is not None
        cells.append(
            [
                ("  " + one_line(change.name), "bold"),
                (number(change.before) or "·", "metric"),
                ("→", "dim"),
                (number(change.after) or "·", "metric"),
                better(change.name, change.before, change.after, goals) if has_both else ("", ""),
            ]
        )
    return (
        columns_of(cells, right=frozenset({1, 3}), keys=[change.name for change in changes])
        if cells
        else [row(("all metrics are equal", "dim"))]
    )
