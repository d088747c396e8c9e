"""What a screen with a table asks of the index: the order of all runs as numbers, then pages of those that are seen.

Invariant: nothing here reads more than it is asked for: an order is eight bytes a run, a page holds the rows of one screen, the first runs of
an order come without sorting all of them. Called by the terminal UI, from its own thread for what is small and from a worker for the rest.
Only the standard library is imported.
"""

from __future__ import annotations

import json
import math
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from finestflow.journal import index_rows as rows_of
from finestflow.journal.compared import fold_text
from finestflow.journal.conditions import look_up_each
from finestflow.journal.index import Index
from finestflow.journal.query import Query
from finestflow.model import RunSummary

__all__ = ["Group", "Listing", "Range", "Stat", "count_groups", "gather", "members_of"]

_MOST = 900
"""Bound values of one statement."""
_FEW_STEPS, _STEPS, _STEPS_ELSE = 1_000, 1_200_000, 300_000
"""Of the machine of SQLite for the first runs of a list: where many fulfil a query, each is looked up until there are enough, which takes 0.1 ms;
where few do, all that do are found first, which takes 1 ms for 10,000 runs and 10 ms for 100,000; where they are to be sorted, one waits less for them."""
_AMONG = "FROM json_each(?) AS wanted CROSS JOIN metrics ON metrics.seq = wanted.value WHERE metrics.key = ?"
"""The values of a metric among runs whose numbers are given as JSON: four times as quick as to ask which runs a query finds once more."""
_REMOVED = "SELECT seq FROM runs WHERE removed = 1"
_LOST = 1e-8
"""Where the variance is so small a part of the mean square, that has fewer than eight digits of it left."""


_first_of = itemgetter(0)


class Range(NamedTuple):
    """The numbers of a metric or param over some runs."""

    low: float
    high: float


class Stat(NamedTuple):
    """What some runs have of a metric: how many have it, mean and sample deviation, the least and the most."""

    numbers: int
    mean: float
    deviation: float
    least: float
    most: float


class Group(NamedTuple):
    """Runs that have one value in common, None where they have none: how many, and what they have of metrics by name."""

    value: Any
    runs: int
    stats: dict[str, Stat]


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
        if (
            where is None
            and limit is None
            and len(sorts) == 1
            and (found := self._order_by_value(sorts[0])) is not None
        ):
            return found
        sql, values = self._sql(where, sorts)
        if limit is not None:
            sql += f" LIMIT {int(limit)}"
        return _numbers_of(self.index.fetch(sql, values))

    def _sql(self, where: Query | None, sorts: Sequence[str]) -> tuple[str, list[Any]]:
        condition, bound = self.index.where(where)
        order, values = rows_of.order_by(*sorts)
        return f"SELECT runs.seq FROM runs {condition} ORDER BY {order}", [*bound, *values]  # noqa: S608 - text is bound

    def _order_by_value(self, sort: str) -> array[int] | None:
        """Return all runs by a metric or param whose index has the order: six times as quick as to sort them; None where none has it."""
        order, having = self.index.value_order(sort), self.index.first_sql(None, sort)
        if order is None or having is None:
            return None
        found = _numbers_of(self.index.fetch(*having))
        if len(found) < self.index.count():
            direction = "DESC" if sort.startswith("-") else "ASC"
            others = f"seq NOT IN (SELECT seq FROM {order.table} WHERE key = ?)"  # noqa: S608 - text is bound
            sql = f"SELECT seq FROM runs WHERE removed = 0 AND {others} ORDER BY seq {direction}"  # noqa: S608
            found += _numbers_of(self.index.fetch(sql, [order.key]))
        return found

    def first(self, where: Query | None, *, sorts: Sequence[str], limit: int) -> array[int] | None:
        """Return the first runs of an order, as far as a thread that paints may wait for them; fewer than there are, where that ends it.

        Args:
            where: The query; all runs that are not removed without one.
            sorts: As for ``order``.
            limit: How many at most.

        Returns:
            None where only few were found in that time, though there may be more.
        """
        newest = self.index.fetch("SELECT max(seq) FROM runs")[0][0] or 0
        few = _FEW_STEPS + newest // 5
        plain, values = self._sql(where, sorts)
        steps = _STEPS if sorts[0].endswith("started") else _STEPS_ELSE
        ways = [(look_up_each(plain), values, few), (plain, values, steps)]
        by_value = self.index.first_sql(where, sorts[0]) if len(sorts) == 1 else None
        if by_value is not None:
            ways = [(look_up_each(by_value[0]), by_value[1], few), (plain, values, steps), (*by_value, few)]
        elif ways[0][0] == plain:  # nothing is looked up
            del ways[0]
        found: list[tuple[Any, ...]] = []
        for sql, bound, steps in ways:
            rows, is_whole = self.index.fetch_within(f"{sql} LIMIT {int(limit)}", bound, steps)
            if len(rows) == limit or (is_whole and sql == plain):  # those that have no such value come too
                return _numbers_of(rows)
            found = max(found, rows, key=len)
        return _numbers_of(found) if 2 * len(found) > limit else None

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

    def range_of(self, metric: str, numbers: Iterable[int] | None = None) -> Range | None:
        """Return the least and the greatest value of a metric, given as ``m.NAME``, among some runs, or all."""
        key, bound = metric.removeprefix("m."), list[str]()
        sql = "SELECT min(num), max(num) FROM metrics WHERE key = ?"
        if numbers is not None:
            sql, bound = f"SELECT min(num), max(num) {_AMONG}", [json.dumps(list(numbers))]
        low, high = self.index.fetch(sql, [*bound, key])[0]
        return None if low is None else Range(low, high)

    def groups(self, by: str, where: Query | None = None, *, metrics: Sequence[str] = ()) -> list[Group]:
        """Return the groups of runs with equal values, in the order of ``order(sorts=[by, ...])``; those without one come last.

        Args:
            by: A field, metric or param.
            where: The query.
            metrics: What is to be told of them.
        """
        columns, chosen, value, values = self._grouped(by, where, metrics)
        order = f"fold({value}), {value}" if by in rows_of.ORDERED_AS_TEXT else value
        sums = [f"count({it}), min({it}), max({it}), avg({it}), avg({it} * {it})" for _, it in columns]
        sql = f"SELECT {', '.join([value, 'count(*)', *sums])} {chosen} GROUP BY {value} ORDER BY {order} NULLS LAST"

        def stat_of(at: int, label: Any, found: Sequence[Any]) -> Stat:
            if (stat := _stat_of(*found[5 * at : 5 * at + 5])) is not None:
                return stat
            sql = f"SELECT {columns[at].number} AS number {chosen} AND number IS NOT NULL AND {value} IS ?"
            return _exact_stat([row[0] for row in self.index.fetch(sql, [*values, label])])

        return [
            Group(label, runs, {name: stat_of(at, label, found) for at, name in enumerate(metrics) if found[5 * at]})
            for label, runs, *found in self.index.fetch(sql, values)
        ]

    def stats_of(self, numbers: Iterable[int], metrics: Sequence[str]) -> dict[str, Stat]:
        """Return what some runs have of metrics, of those that any of them has.

        Args:
            numbers: The runs.
            metrics: Names, as ``m.NAME``.
        """
        stats, wanted = dict[str, Stat](), json.dumps(list(numbers))
        for metric in metrics:
            bound = [wanted, metric.removeprefix("m.")]
            sql = f"SELECT count(num), min(num), max(num), avg(num), avg(num * num) {_AMONG} AND num IS NOT NULL"
            count, *found = self.index.fetch(sql, bound)[0]
            if count:
                exact = _stat_of(count, *found)
                stats[metric] = exact or _exact_stat(
                    [row[0] for row in self.index.fetch(f"SELECT num {_AMONG} AND num IS NOT NULL", bound)]
                )
        return stats

    def _grouped(
        self, by: str, where: Query | None, metrics: Sequence[str]
    ) -> tuple[list[rows_of.Joined], str, str, list[Any]]:
        """Return the columns of metrics, where runs and these come from, what they are grouped by, and the parameters."""
        order = None
        if where is None and rows_of.FIELDS.isdisjoint(metrics):
            order = self.index.value_order(by)
        if order is not None:
            has = f"SELECT count(*) FROM {order.table} WHERE key = ? AND seq NOT IN ({_REMOVED})"  # noqa: S608 - text is bound
            if (
                self.index.fetch(has, [order.key])[0][0] == self.index.count()
            ):  # the index has the groups, and no run has to be looked at
                columns, joins, joined = rows_of.join_columns(metrics)
                joins = joins.replace("runs.seq", "sorted.seq")
                condition = f"WHERE sorted.key = ? AND sorted.seq NOT IN ({_REMOVED})"
                return columns, f"FROM {order.table} AS sorted {joins} {condition}", order.value, [*joined, order.key]
        (grouped, *columns), joins, joined = rows_of.join_columns([by, *metrics])
        condition, bound = self.index.where(where)
        return columns, f"FROM runs {joins} {condition}", grouped.value, [*joined, *bound]

    def values(self, by: str) -> dict[int, Any]:
        """Return what runs have of a field, metric or param, by their number; those that have none may be left out."""
        if (order := self.index.value_order(by)) is not None:
            sql = f"SELECT seq, {order.value} FROM {order.table} AS sorted WHERE key = ?"  # noqa: S608 - text is bound
            return dict(self.index.fetch(sql, [order.key]))
        columns, values = rows_of.select_columns([by])
        return dict(self.index.fetch(f"SELECT runs.seq, {columns} FROM runs WHERE runs.removed = 0", values))  # noqa: S608

    def values_of(self, key: str, limit: int = 50) -> list[tuple[str, int]]:
        """Return the values that a field, metric or param has, most frequent first, and how often."""
        if (order := self.index.value_order(key)) is not None:
            sql = (
                f"SELECT coalesce(num, text) AS value, count(*) AS n FROM {order.table} "  # noqa: S608 - text is bound
                f"WHERE key = ? AND seq NOT IN ({_REMOVED}) "
                "GROUP BY value ORDER BY n DESC, value LIMIT ?"
            )
            return [(str(value), count) for value, count in self.index.fetch(sql, [order.key, limit])]
        columns, values = rows_of.select_columns([key])
        sql = (
            f"WITH chosen (value) AS (SELECT {columns} FROM runs WHERE runs.removed = 0) "  # noqa: S608
            "SELECT value, count(*) AS n FROM chosen WHERE value IS NOT NULL GROUP BY value ORDER BY n DESC, value LIMIT ?"
        )
        return [(str(value), count) for value, count in self.index.fetch(sql, [*values, limit])]


def _numbers_of(rows: Iterable[tuple[Any, ...]]) -> array[int]:
    return array("q", map(_first_of, rows))


def _stat_of(count: int, least: float, most: float, mean: float | None, squares: float | None) -> Stat | None:
    """Return what sums tell of numbers; None where they lie so near each other that the mean of the squares has lost the difference."""
    if least == most:
        return Stat(count, least, 0.0, least, most)
    if mean is None or squares is None or math.isinf(squares):  # infinite ones, of one sign or of both
        return Stat(count, math.nan if mean is None else mean, math.nan, least, most)
    variance = squares - mean * mean
    if variance < _LOST * squares:
        return None
    return Stat(count, mean, math.sqrt(variance * count / (count - 1)), least, most)


def _exact_stat(numbers: Sequence[float]) -> Stat:
    count, mean = len(numbers), math.fsum(numbers) / len(numbers)
    squares = math.fsum((number - mean) ** 2 for number in numbers)
    return Stat(count, mean, math.sqrt(squares / (count - 1)), min(numbers), max(numbers))


def count_groups(by: str, numbers: Iterable[int], values: Mapping[int, Any]) -> list[Group]:
    """Return the groups of some runs as ``Listing.groups`` does, without figures, where the runs and their values are known.

    Args:
        by: A field, metric or param.
        numbers: The runs.
        values: What they have, by number.
    """

    def place(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):
            return (1, fold_text(value), value) if by in rows_of.ORDERED_AS_TEXT else (1, value)
        return (0, value) if value is not None else (2,)

    counts = Counter(map(values.get, numbers))
    return [Group(value, counts[value], {}) for value in sorted(counts, key=place)]


def gather(groups: Sequence[Group], count: int) -> list[Group]:
    """Put groups of many different numbers together: each range of values has about as many runs, whatever lies far out.

    Args:
        groups: In the order of their values; what has no value, or one that is no number, stays as it is.
        count: How many there shall be; where there are no more than twice as many values, nothing is put together.
    """
    numeric = [group for group in groups if isinstance(group.value, (int, float))]
    if len(numeric) <= 2 * count:
        return list(groups)
    runs = sum(group.runs for group in numeric)
    parts: list[list[Group]] = []
    seen = 0
    for group in numeric:
        if not parts or seen >= runs * len(parts) / count:
            parts.append([])
        parts[-1].append(group)
        seen += group.runs
    ranges = iter([_gathered(part) for part in parts])
    rest = [group for group in groups if not isinstance(group.value, (int, float))]
    return [*ranges, *rest] if groups[0] is numeric[0] else [*rest, *ranges]


def members_of(groups: Sequence[Group], numbers: Iterable[int], values: Mapping[int, Any]) -> list[array[int]]:
    """Return the runs of each group, in their order.

    Args:
        groups: As ``gather`` returns them.
        numbers: The runs.
        values: What they have, by number.
    """
    found = [array("q") for _ in groups]
    put = {group.value: own.append for group, own in zip(groups, found, strict=True)}
    ranges = [(group.value, own) for group, own in zip(groups, found, strict=True) if isinstance(group.value, Range)]
    highs = [value.high for value, _ in ranges]
    for number in numbers:
        value = values.get(number)
        append = put.get(value)
        if append is None and isinstance(value, (int, float)) and highs and value <= highs[-1]:
            append = put[value] = ranges[bisect_left(highs, value)][1].append
        if append is not None:  # else it came after the groups were counted
            append(number)
    return found


def _gathered(part: Sequence[Group]) -> Group:
    if len(part) == 1:
        return part[0]
    names = dict.fromkeys(name for group in part for name in group.stats)
    stats = {name: _joined([group.stats[name] for group in part if name in group.stats]) for name in names}
    return Group(Range(part[0].value, part[-1].value), sum(group.runs for group in part), stats)


def _joined(stats: Sequence[Stat]) -> Stat:
    """Return what parts tell of the whole, as Chan, Golub and LeVeque join variances."""
    count = sum(stat.numbers for stat in stats)
    mean = sum(stat.numbers * stat.mean for stat in stats) / count
    squares = sum((stat.numbers - 1) * stat.deviation**2 + stat.numbers * (stat.mean - mean) ** 2 for stat in stats)
    deviation = math.sqrt(squares / (count - 1)) if count > 1 else 0.0
    return Stat(count, mean, deviation, min(stat.least for stat in stats), max(stat.most for stat in stats))
