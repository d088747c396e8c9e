"""How metrics of runs went, one line of blocks a run and metric: the index knows last values only, so records are read, of the rows that are seen.

Invariant: ``find`` reads nothing and never waits: what it lacks is wanted from then on, and a worker brings it by ``read``. The list owns one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from finestflow.errors import FinestflowError
from finestflow.journal.conditions import find_value
from finestflow.model import Metric, Run, RunSummary
from finestflow_tui.glyphs import sparkline
from finestflow_tui.views.runs import COURSE

__all__ = ["READ_FILES", "Courses"]

READ_FILES = ("run.json", "tasks.json", "metrics.json")
"""What of a record is read."""
_KEPT, _TOGETHER = 2000, 100


class Courses:
    """The courses of the metrics of runs.

    Args:
        load: Reads the records of runs, in order.
        find_live: Returns the metrics of a run that goes on; None for any other.
    """

    def __init__(
        self,
        load: Callable[[Sequence[RunSummary]], Iterable[Run]],
        find_live: Callable[[RunSummary], Mapping[str, Metric] | None],
    ) -> None:
        self._load = load
        self._find_live = find_live
        self._kept: dict[str, dict[str, str]] = {}
        """By the commit of a run and the name of a metric."""
        self._wanted: dict[str, RunSummary] = {}

    def find(self, run: RunSummary, name: str) -> str | None:
        """Return how a metric of a run went; empty where it has no course, None where that is not known yet."""
        live = self._find_live(run)
        found = _drawn(live) if live is not None else self._kept.get(run.commit)
        if found is None:
            self._wanted[run.commit] = run
            return None
        course: tuple[str] | None = find_value(found, name, "/")
        return course[0] if course is not None else ""

    def read(self) -> None:
        """Read what is wanted, the rows that were seen last; for a worker."""
        chosen = [*self._wanted.values()][-_TOGETHER:]
        self._wanted.clear()
        if len(self._kept) > _KEPT:
            self._kept.clear()
        while chosen:
            at = 0
            try:
                for at, run in enumerate(self._load(chosen), 1):
                    self._kept[chosen[at - 1].commit] = _drawn(run.metrics)
            except FinestflowError:  # that of the record is told where the run is opened
                self._kept[chosen[at].commit] = {}
                at += 1
            chosen = chosen[at:]


def _drawn(metrics: Mapping[str, Metric]) -> dict[str, str]:
    return {
        name: sparkline([value for _, value, _ in metric.values], COURSE)
        for name, metric in metrics.items()
        if len(metric.values) > 1
    }
