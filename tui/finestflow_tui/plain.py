"""The printed twin of each screen, from the same view models: for screen readers, pipes and logs. Imports nothing of Textual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from finestflow_tui.glyphs import LETTERS
from finestflow_tui.history import History
from finestflow_tui.layout.dag import Drawing
from finestflow_tui.start import Place, find_place
from finestflow_tui.text import Row, asciify, columns_of, cut, plain_text, row, title, wants_ascii
from finestflow_tui.views import compare, diff, diff_values, disk, logs, record, reproduce, tasks
from finestflow_tui.views.code import source_rows
from finestflow_tui.views.numbers import number_rows
from finestflow_tui.views.plot import Series, bands, series_of, smallest_multiples
from finestflow_tui.views.runs import cells_of, choose_columns, preview

if TYPE_CHECKING:
    from finestflow.model import Run, RunSummary
    from finestflow.workspace import Workspace

__all__ = ["iter_lines"]

_COLUMNS = 120
_NOTHING = Row(())


def iter_lines(workspace: Workspace, words: Sequence[str]) -> Iterator[str]:
    """Yield what the screen would show.

    Args:
        workspace: What it shows.
        words: A run and perhaps a tab or ``:reproduce``, several runs, ``:cache``, ``:trash``, or a query of the list.
    """
    history = History(workspace)
    try:
        lines = map(plain_text, _rows(history, find_place(workspace, words)))
        yield from map(asciify, lines) if wants_ascii(workspace.environ) else lines
    finally:
        history.close()


def _rows(history: History, place: Place) -> Iterable[Row]:
    history.has_changed()
    if place.screen == "run":
        return _run_rows(history, place.runs[0], place.tab)
    if place.screen == "reproduce":
        run = history.load(place.runs[0])
        return reproduce.plan_rows(run, history.workspace.inspect(run), reproduce.Options())
    if place.screen == "diff":
        return _diff_rows(history, *place.runs)
    if place.screen == "compare":
        return _compare_rows(history, place.runs)
    if place.screen == "cache":
        return _cache_rows(history)
    if place.screen == "trash":
        found = history.reading.index.summaries(history.parse("is:removed"))
        return disk.trash_rows(found, history.workspace.clock.time())
    return _list_rows(history, place.query or "")


def _list_rows(history: History, query: str) -> Iterable[Row]:
    now = history.workspace.clock.time()
    parsed = history.parse(query) if query else None
    live = [each.summary for each in history.live.runs if parsed is None or parsed.is_fulfilled_by(each.run)]
    order = history.reading.order(parsed)
    page = history.reading.page(order)
    runs = [*live, *(page[number] for number in order if number in page)]
    columns = choose_columns(runs[:200], now)
    right = frozenset(at for at, column in enumerate(columns) if column.right)
    cells = [[(cut(text, 60), role) for text, role in cells_of(run, columns, now)] for run in runs]
    return columns_of([[(column.title, "") for column in columns], *cells], right=right) if runs else []


# -- one run ---------------------------------------------------------------------------------------------------------------------------


def _run_rows(history: History, summary: RunSummary, tab: str) -> Iterator[Row]:
    now = history.workspace.clock.time()
    run = history.load(summary)
    if tab:
        yield Row(tuple(record.head_spans(run.summary, "", now)))
        yield _NOTHING
        yield from _tab_rows(history, run, tab, now)
        return
    yield from preview(run.summary, history.reading.before(summary), now, history.workspace.goals)
    for name in ("tasks", "metrics", "outputs"):
        yield _NOTHING
        yield from _tab_rows(history, run, name, now)


def _tab_rows(history: History, run: Run, tab: str, now: float) -> Iterable[Row]:
    workspace = history.workspace
    shape = tasks.shape_of(run)
    if tab == "graph":
        return _drawn(tasks.drawing_of(shape, turned=False))
    if tab == "logs":
        return logs.merged(run, workspace.read_logs(run))
    if tab == "metrics":
        lines = ((each.name, series_of("", each)) for each in run.metrics.values() if len(each.values) > 1)
        return [
            *record.metric_rows(run.metrics, _COLUMNS, workspace.goals),
            *_under("how they went", number_rows(lines)),
        ]
    if tab == "params":
        return record.param_rows(run)
    if tab == "config":
        return source_rows("config.toml", workspace.journal.read_file(run.summary.commit, "config.toml") or b"")
    if tab == "code":
        return record.file_rows(*history.files_of(run))
    if tab == "env":
        return record.environment_rows(run)
    if tab == "outputs":
        return record.output_rows(run, workspace.store.has)
    return tasks.task_rows(run, shape, _COLUMNS, now)


def _drawn(drawing: Drawing) -> Iterator[Row]:
    for pieces in drawing.rows:
        yield Row(tuple((text, "") for text, _ in pieces))


# -- several runs ----------------------------------------------------------------------------------------------------------------------


def _diff_rows(history: History, before: RunSummary, after: RunSummary) -> Iterator[Row]:
    found, workspace = history.diff(before, after), history.workspace
    told = found.folded()
    yield Row(tuple(diff.head_spans(before, after, {}, workspace.goals)))
    parts: list[tuple[str, Iterable[Row]]] = [("code", diff.file_rows(found.files, history.line_counts(found)))]
    for change in found.files:
        hunks = diff.parse_patch(history.patch_of(found, change.path))
        parts.append(("", diff.diff_rows(change.path, hunks, _COLUMNS, split=False)))
    parts += [
        ("", diff.why_rows(found)),
        ("params", diff_values.value_rows([("params", found.params), ("inputs", found.inputs)])),
        ("metrics", diff_values.metric_rows(told.metrics, workspace.goals)),
        ("environment", diff_values.value_rows([("environment", found.environment)])),
        ("outputs", diff.output_rows(found, told=told)),
        ("graph", _drawn(diff.graph_of(found, turned=False).drawing)),
        ("logs", diff.log_rows(workspace.read_log(before), workspace.read_log(after), _COLUMNS)),
    ]
    for name, rows in parts:
        yield _NOTHING
        if name:
            yield title(name)
        yield from rows


def _compare_rows(history: History, runs: Sequence[RunSummary]) -> Iterator[Row]:
    from finestflow.comparison import compare_runs

    loaded = [history.load(run) for run in runs]
    table = compare_runs(loaded, is_whole=True, goals=history.workspace.goals)
    yield from compare.compare_rows(table.folded(), {}, max(_COLUMNS, 26 * len(runs) + 30), everything=False)
    lines: list[tuple[str, Series]] = []
    means: list[tuple[str, Series]] = []
    for name in smallest_multiples({run.summary.id: run.metrics for run in loaded}):
        own = [(at, run.metrics[name]) for at, run in enumerate(loaded) if name in run.metrics]
        lines += [(name, series_of(LETTERS[at % 26], metric)) for at, metric in own]
        groups = bands(((compare.group_of(table, at), series_of("", metric).points) for at, metric in own), _COLUMNS)
        means += [(name, each) for each in groups if each.low]
    yield from _under("how metrics went", number_rows(lines))
    yield from _under("the mean of runs with equal params, ± its deviation at the end", number_rows(means))


def _under(heading: str, rows: Sequence[Row]) -> Iterator[Row]:
    if rows:
        yield from (_NOTHING, title(heading), *rows)


# -- the store -------------------------------------------------------------------------------------------------------------------------


def _cache_rows(history: History) -> Iterator[Row]:
    workspace = history.workspace
    names = {str(run_id): str(name) for run_id, name in workspace.index.rows(["id", "name"])}
    yield from disk.usage_rows(workspace.usage(), int(workspace.config.store.max_size or 0), _COLUMNS)
    yield from disk.value_rows(workspace.held_values(), names, "size")
    yield row("")
