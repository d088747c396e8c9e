"""The printed twin of each screen, from the same view models: for screen readers, pipes and logs. Imports nothing of Textual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from finestflow_tui.history import History
from finestflow_tui.start import find_run
from finestflow_tui.text import Row, columns_of, cut, plain_text
from finestflow_tui.views import record, tasks
from finestflow_tui.views.runs import cells_of, choose_columns, preview

if TYPE_CHECKING:
    from finestflow.model import RunSummary
    from finestflow.workspace import Workspace

__all__ = ["iter_lines"]

_COLUMNS = 120


def iter_lines(workspace: Workspace, words: Sequence[str]) -> Iterator[str]:
    """Yield what the screen would show.

    Args:
        workspace: What it shows.
        words: A run, or a query of the list.
    """
    history = History(workspace)
    try:
        run = find_run(workspace, words)
        rows = _run_rows(history, run) if run is not None else _list_rows(history, " ".join(words))
        yield from map(plain_text, rows)
    finally:
        history.close()


def _list_rows(history: History, query: str) -> Iterable[Row]:
    history.has_changed()
    now = history.workspace.clock.time()
    parsed = history.parse(query) if query else None
    live = [each.summary for each in history.live.runs if parsed is None or parsed.is_fulfilled_by(each.run)]
    order = history.reading.order(parsed)
    page = history.reading.page(order)
    runs = [*live, *(page[number] for number in order if number in page)]
    columns = choose_columns(runs[:200], now)
    right = frozenset(at for at, column in enumerate(columns) if column.right)
    cells = [[(cut(text, 60), role) for text, role in cells_of(run, columns, now, {})] for run in runs]
    return columns_of([[(column.title, "") for column in columns], *cells], right=right) if runs else []


def _run_rows(history: History, summary: RunSummary) -> Iterator[Row]:
    now = history.workspace.clock.time()
    run = history.load(summary)
    yield from preview(run.summary, history.reading.before(summary), now)
    yield Row(())
    yield from tasks.task_rows(run, tasks.shape_of(run), _COLUMNS, now)
    yield Row(())
    yield from record.metric_rows(run.metrics, _COLUMNS)
    yield Row(())
    yield from record.output_rows(run, history.workspace.store.has)
