"""What a screen with a table asks of the index: the order of all runs as numbers, then pages of those that are seen.

Invariant: nothing here reads more than it is asked for: an order is eight bytes a run, a page holds the rows of one screen, the first runs of
an order come without sorting all of them. Called by the terminal UI, from its own thread for what is small and from a worker for the rest.
Only the standard library is imported.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from finestflow.journal import index_rows as rows_of
from finestflow.journal.index import Index
from finestflow.journal.query import Query
from finestflow.model import RunSummary

__all__ = ["Group", "Listing", "Range"]

_MOST = 900
"""Bound values of one statement."""


class Range(NamedTuple):
    """The numbers of a metric or param over some runs."""

    low: float
    high: float


class Group(NamedTuple):
    """Runs that have one value in common.

    ``runs`` counts them, ``means`` holds (mean, deviation) by metric.
    """

    value: Any
    runs: int
    means: dict[str, tuple[float, float]]


class Listing:
    """Orders and pages over an index.

    Args:
        index: The index; a worker has one of its own, so that nobody waits for it.
    """

    def __init__(self, index: Index) -> None:
        self.index = index

    def order(
        self, where: Query | None = None, *, sorts: Sequence[str] = ("-started",), limit: int | None = None
    ) -> array[int]:
        """Return the numbers of the runs that a query chooses, in order.

        Args:
            where: The query; all runs that are not removed without one.
            sorts: Keys as ``Index.summaries`` takes them, the first decides.
            limit: How many at most.
        """
        if limit is not None and len(sorts) == 1:
            first = self.index.first_by_value(where, sorts[0], limit)
            if len(first) == limit:
                return array("q", first)
        condition, bound = self.index.where(where)
        order, values = rows_of.order_by(*sorts)
        sql = f"SELECT runs.seq FROM runs {condition} ORDER BY {order}"  # noqa: S608 - text is bound
        if limit is not None:
            sql += f" LIMIT {int(limit)}"
        return array("q", (row[0] for row in self.index.fetch(sql, [*bound, *values])))

    def page(self, numbers: Iterable[int]) -> dict[int, RunSummary]:
        """Return the runs of some numbers; a number that is not there any more is left out."""
        wanted = list(numbers)
        found: dict[int, RunSummary] = {}
        for at in range(0, len(wanted), _MOST):
            part = wanted[at : at + _MOST]
            marks = ", ".join("?" * len(part))
            sql = f"SELECT seq, {rows_of.SUMMARY_COLUMNS} FROM runs WHERE seq IN ({marks})"  # noqa: S608
            found.update((row[0], rows_of.load_summary(row[1:])) for row in self.index.fetch(sql, part))
        return found

    def numbers_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the numbers of runs by their ids."""
        marks = ", ".join("?" * len(ids))
        return dict(self.index.fetch(f"SELECT id, seq FROM runs WHERE id IN ({marks})", list(ids)))  # noqa: S608

    def before(self, run: RunSummary) -> RunSummary | None:
        """Return the run of the same pipeline that was made before a run."""
        sql = (
            f"SELECT {rows_of.SUMMARY_COLUMNS} FROM runs "  # noqa: S608
            "WHERE pipeline = ? AND started < ? AND removed = 0 ORDER BY started DESC LIMIT 1"
        )
        rows = self.index.fetch(sql, [run.pipeline, run.started])
        return rows_of.load_summary(rows[0]) if rows else None

    def range_of(self, key: str, where: Query | None = None) -> Range | None:
        """Return the least and the greatest value of a metric among the runs that a query chooses."""
        condition, bound = self.index.where(where)
        sql = (
            "SELECT min(num), max(num) FROM metrics CROSS JOIN runs ON runs.seq = metrics.seq "  # noqa: S608
            f"{condition} AND metrics.key = ?"
        )
        if where is None:
            sql, bound = "SELECT min(num), max(num) FROM metrics WHERE key = ?", []
        low, high = self.index.fetch(sql, [*bound, key])[0]
        return None if low is None else Range(low, high)

    def groups(self, by: str, where: Query | None = None, *, means: Sequence[str] = ()) -> list[Group]:
        """Return the groups of runs with equal values, in the order of ``order(sorts=[by, ...])``.

        Args:
            by: A field, metric or param.
            where: The query.
            means: Metrics to average.
        """
        columns, values = rows_of.select_columns([by, *means])
        condition, bound = self.index.where(where)
        names = ["value", *(f"mean{at}" for at in range(len(means)))]
        inner = f"SELECT {columns} FROM runs {condition}"  # noqa: S608
        sums = "".join(f", avg({name}), avg({name} * {name})" for name in names[1:])
        sql = (
            f"WITH chosen ({', '.join(names)}) AS ({inner}) SELECT value, count(*){sums} FROM chosen "  # noqa: S608
            "GROUP BY value ORDER BY value NULLS LAST"
        )
        groups = []
        for value, count, *rest in self.index.fetch(sql, [*values, *bound]):
            pairs = zip(means, rest[::2], rest[1::2], strict=True)
            stats = {
                key: (mean, max(0.0, square - mean * mean) ** 0.5) for key, mean, square in pairs if mean is not None
            }
            groups.append(Group(value, count, stats))
        return groups

    def values_of(self, key: str, limit: int = 50) -> list[tuple[str, int]]:
        """Return the values that a field, metric or param has, most frequent first, and how often."""
        columns, values = rows_of.select_columns([key])
        sql = (
            f"WITH chosen (value) AS (SELECT {columns} FROM runs WHERE runs.removed = 0) "  # noqa: S608
            "SELECT value, count(*) AS n FROM chosen WHERE value IS NOT NULL GROUP BY value ORDER BY n DESC, value LIMIT ?"
        )
        return [(str(value), count) for value, count in self.index.fetch(sql, [*values, limit])]
