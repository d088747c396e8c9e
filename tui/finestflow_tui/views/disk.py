"""What the store holds and what a clean-up would free; and the runs that were deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from finestflow.cache.holdings import CODE, Held
from finestflow.cache.store import Usage
from finestflow.gc import GcPlan
from finestflow.model import RunSummary
from finestflow_tui.text import Row, Span, ago, columns_of, cut, duration, number, one_line, plural, row, size, title
from finestflow_tui.views.runs import status_text

__all__ = ["gc_rows", "trash_rows", "usage_rows", "value_rows"]

_SORTS = ("size", "cost", "uses")
_MOST = 2000


def usage_rows(usage: Usage, limit: int, columns: int) -> list[Row]:
    """Return how much there is, as a bar: of what it may be, or of what there is where it may be anything; each kind has a sign of its own.

    Args:
        usage: What there is.
        limit: Bytes that the store may take; 0 for no limit.
        columns: Columns of the screen.
    """
    total = usage.database_bytes + usage.object_bytes
    room = max(10, min(60, columns - 40))
    files, database = _shares((usage.object_bytes, usage.database_bytes), max(total, limit), room)
    bar: list[Span] = [("█" * files, "param"), ("▒" * database, "metric"), ("░" * (room - files - database), "dim")]
    free: list[Span] = [("   ░ ", "dim"), (f"free {size(limit - total)}", "")] if limit > total else []
    rows = [
        row(" ", *bar, ("  " + size(total), "bold"), (f" of {size(limit)}" if limit else "", "dim")),
        row(
            (" █ ", "param"),
            f"{plural(usage.objects, 'file')} {size(usage.object_bytes)}   ",
            ("▒ ", "metric"),
            f"database {size(usage.database_bytes)}",
            *free,
        ),
        row((f" {plural(usage.values, 'value')}, {usage.entries} cache entries", "dim")),
    ]
    return [*rows, row("")]


def _shares(parts: Sequence[int], whole: int, columns: int) -> list[int]:
    """Return the columns of each part of a whole; what there is of has one at least."""
    wide = [max(round(columns * part / whole), 1) if part else 0 for part in parts]
    wide[wide.index(max(wide))] -= max(0, sum(wide) - columns)
    return wide


def value_rows(held: Sequence[Held], names: Mapping[str, str], sort: str, leaving: Collection[str] = ()) -> list[Row]:
    """Return the values, in the order in which they are given; the key of a row is its digest.

    Args:
        held: The values.
        names: Names of runs by id.
        sort: ``size``, ``cost`` or ``uses``: what they are sorted by.
        leaving: Digests of those that are to be evicted.
    """
    ordered = held[:_MOST]
    marks = {name: name + ("▼" if name == sort else "") for name in _SORTS}
    cells: list[list[Span]] = [
        [
            (" ", "head"),
            ("digest", "head"),
            (marks["size"], "head"),
            (marks["cost"], "head"),
            (marks["uses"], "head"),
            ("type", "head"),
            ("made by", "head"),
            ("value", "head"),
        ]
    ]
    for each in ordered:
        info = each.info
        cells.append(
            [
                ("✗" if info.digest in leaving else " ", "bad"),
                (info.digest[:10], "id"),
                (size(info.size), "bold"),
                (duration(each.seconds) if each.seconds else "", ""),
                (str(each.entries), "dim"),
                (cut(one_line(each.type), 22), "dim"),
                (one_line(names.get(each.run, each.run[:6])), ""),
                ("code and params, for why" if each.kind == CODE else cut(one_line(info.preview), 60), "dim"),
            ]
        )
    keys = [None, *(each.info.digest for each in ordered)]
    return (
        columns_of(cells, right=frozenset({2, 3, 4}), keys=keys, room=24)
        if ordered
        else [row(("the store is empty", "dim"))]
    )


def gc_rows(plan: GcPlan) -> list[Row]:
    """Return what a clean-up would drop."""
    rows = [title("finestflow gc", "nothing has happened yet"), row("")]
    rows.append(
        row(
            f"  drops {plural(len(plan.runs), 'removed run')} for good and {plural(len(plan.values), 'output')} that no kept run needs: ",
            (size(plan.bytes), "bold"),
        )
    )
    rows += [row(("    " + one_line(run.name), "")) for run in plan.runs[:50]]
    return rows


def trash_rows(runs: Sequence[RunSummary], now: float) -> list[Row]:
    """Return the deleted runs; the key of a row is the id."""
    if not runs:
        return [row(""), row(("  nothing is deleted", "dim"))]
    cells = []
    for run in runs:
        metrics = "  ".join(
            f"{one_line(name.rpartition('/')[2])}={number(value)}" for name, value in list(run.metrics.items())[:3]
        )
        cells.append(
            [
                status_text(run),
                (one_line(run.name), "name"),
                (one_line(run.pipeline), "dim"),
                (ago(run.started, now), "dim"),
                (metrics, "metric"),
                (one_line(run.note), "note"),
            ]
        )
    return columns_of(cells, keys=[run.id for run in runs])
