"""At which run did a metric break? A look through the journal; nothing runs.

Owns the search for the last change from good to bad among the runs that have the metric. Invariant: the index answers it run by run from the
newest, so that it costs as much as the break lies back, and at most a look at each run. Called by the command ``bisect``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from finestflow.errors import UsageError
from finestflow.journal.index_rows import tables_of

if TYPE_CHECKING:
    from finestflow.journal.index import Index
    from finestflow.journal.query import Query

__all__ = ["Break", "Measured", "Search", "Threshold", "parse_threshold"]


_SQL_OPERATORS = {">=": ">=", "<=": "<=", "==": "=", ">": ">", "<": "<", "=": "="}
_FORM = re.compile(r"\s*(?P<metric>.+?)\s*(?P<op>>=|<=|==|[<>=])\s*(?P<value>\S+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What a good run fulfils, such as ``f1 > 0.9``; NaN fulfils nothing."""

    metric: str
    op: str
    value: float

    def __str__(self) -> str:
        return f"{self.metric} {self.op} {self.value:g}"


class Measured(NamedTuple):
    """A run that has the metric; ``place`` is where it stands among all runs: its start, and its number in the chain."""

    id: str
    name: str
    value: float
    place: tuple[float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The last run that was good, and the first of the bad ones after it.

    ``good`` is None when no run before was good, ``bad`` when no run that has the metric is bad. ``is_repaired`` says that the newest is good again.
    """

    good: Measured | None
    bad: Measured | None
    is_repaired: bool = False


def parse_threshold(words: Sequence[str]) -> Threshold:
    """Return the condition that words such as ``f1 > 0.9`` or ``f1>0.9`` say.

    Raises:
        UsageError: They are no such condition.
    """
    text = " ".join(words)
    match = _FORM.fullmatch(text)
    if match is not None:
        try:
            return Threshold(metric=match["metric"], op=match["op"], value=float(match["value"]))
        except ValueError:
            pass
    raise UsageError(
        f"{text!r} is no condition on a metric", "write what a good run fulfils: finestflow bisect 'f1 > 0.9'"
    )


class Search:
    """The runs that have a metric, in the order of their starts.

    Args:
        index: All runs.
        threshold: The metric, and what good means.
        where: Only among the runs that this chooses.
    """

    def __init__(self, index: Index, threshold: Threshold, where: Query | None = None) -> None:
        self._index = index
        condition, values = index.where(where)
        # The index of starts is gone through from one end, and each run looked up among the metrics: not one row is read of those passed over.
        self._runs = f"FROM runs CROSS JOIN metrics ON metrics.key = ? AND metrics.seq = runs.seq {condition}"
        key = next((key for table, key in tables_of(threshold.metric) if table == "metrics"), threshold.metric)
        self._values = [key, *values]
        self._good = f"coalesce(metrics.num {_SQL_OPERATORS[threshold.op]} ?, 0)", [threshold.value]

    def count(self) -> int:
        """Count the runs that have the metric."""
        return int(self._index.fetch(f"SELECT count(*) {self._runs}", self._values)[0][0])

    def find_break(self) -> Break | None:
        """Return where the metric last went from good to bad; None when no run has it."""
        good, values = self._good
        newest = self._first("")
        bad = self._first(f"AND NOT {good}", *values)
        if newest is None or bad is None:
            return None if newest is None else Break(good=newest, bad=None)
        is_repaired = newest.id != bad.id
        before = "AND (runs.started, runs.seq) < (?, ?)"
        last = self._first(f"AND {good} {before}", *values, *bad.place)
        if last is None:
            return Break(good=None, bad=self._first("", order="ASC"), is_repaired=is_repaired)
        after = self._first("AND (runs.started, runs.seq) > (?, ?)", *last.place, order="ASC")
        return Break(good=last, bad=after, is_repaired=is_repaired)

    def _first(self, condition: str, *values: object, order: str = "DESC") -> Measured | None:
        """Return the newest run that fulfils a condition too, or the oldest."""
        columns = "runs.id, runs.name, coalesce(metrics.num, metrics.text), runs.started, runs.seq"
        sql = f"SELECT {columns} {self._runs} {condition} ORDER BY runs.started {order}, runs.seq {order} LIMIT 1"
        for run_id, name, value, *place in self._index.fetch(sql, [*self._values, *values]):
            return Measured(run_id, name, float(value), (place[0], place[1]))
        return None
