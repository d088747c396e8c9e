"""The list of runs: live ones on top, a filter, a table with a column cursor, and the run under the cursor beside it.

Invariant: every change of query or order paints the first rows at once and takes the whole vector in from a worker; the row under the cursor
is kept by the id of its run, so that a new run never moves it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Input

from finestflow.journal.listing import Group, Range
from finestflow.model import Run, RunStatus, RunSummary
from finestflow_tui.actions import RunScreenActions
from finestflow_tui.bindings import bindings
from finestflow_tui.glyphs import LETTERS
from finestflow_tui.history import GROUPS
from finestflow_tui.keys import Choice
from finestflow_tui.screens.choose import Chooser, Entry
from finestflow_tui.screens.welcome import no_runs_rows
from finestflow_tui.text import Row, Span, one_line, plural, row, value_text
from finestflow_tui.views.query import complete
from finestflow_tui.views.runs import (
    Column,
    cells_of,
    choose_columns,
    column_named,
    distinct,
    group_spans,
    preview,
    preview_more,
)
from finestflow_tui.widgets.line import Lines, fitted, spread
from finestflow_tui.widgets.livestrip import live_rows
from finestflow_tui.widgets.query import QueryInput
from finestflow_tui.widgets.rows import RowsView
from finestflow_tui.widgets.table import RunTable

__all__ = ["RunsScreen"]

QUIET = 0.06
"""Seconds without a key before the preview reads a record."""


_PAUSE = 0.08
"""Seconds without a letter before a query that is being typed is answered in full."""


class RunsScreen(RunScreenActions):
    """The list."""

    NAME = "runs"
    BINDINGS = bindings("runs")
    AUTO_FOCUS = "RunTable"

    def __init__(self) -> None:
        super().__init__()
        self.head = Lines(self._head_rows, over="bar", id="head")
        self.live = Lines(self._live_rows, id="live")
        self.status = Lines(self._status_rows, id="status")
        self.input = QueryInput(self._completions, id="query")
        self.hints = Lines(self._hint_rows, id="hints")
        self.table = RunTable(self._fetch, id="table")
        self.aside = RowsView(id="preview", has_cursor=False, classes="aside")
        self.table.add_class("main")
        self._best: dict[str, Range] = {}
        self._folded: set[str] = set()
        self._total = 0
        self._found: int | None = None
        self._new = 0
        self._beat = 0
        self._before_filter = ""
        self._quiet: Timer | None = None
        self._soon: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self.head
        yield self.live
        yield self.status
        yield self.input
        yield self.hints
        with Horizontal(classes="body"):
            yield self.table
            yield self.aside
        yield self.foot

    def on_mount(self) -> None:
        """Show the first rows at once, then bring the index up to date."""
        history = self.ff.history
        history.has_changed()
        self.list_runs(reset=True)
        if self.ff.state.cursor:
            self._go_to(self.ff.state.cursor)
        self.set_interval(0.25, self._turn)
        self.call_after_refresh(self._after_first_paint)

    def _after_first_paint(self) -> None:
        self.ff.open_first()
        self.slow(self.ff.history.refresh, lambda _: self._when_fresh(), group="refresh")

    def _when_fresh(self) -> None:
        self.ff.history.has_changed()
        self.list_runs()
        for message in self.ff.history.workspace.index.messages[-1:]:
            self.say(message, "warning")

    # -- the list ----------------------------------------------------------------------------------------------------------------------

    @property
    def _sorts(self) -> tuple[str, ...]:
        return tuple(self.ff.state.sorts) or ("-started",)

    def list_runs(self, *, reset: bool = False, is_typing: bool = False) -> None:
        """Show the runs that the query finds: the first ones now, all of them soon.

        Args:
            reset: Begin at the top, with columns chosen anew.
            is_typing: Another letter is likely to follow: the columns stay, and what takes longer waits for a pause.
        """
        state, history = self.ff.state, self.ff.history
        kept = None if reset else self.current_run()
        had_groups = any(number <= GROUPS for number in self.table.order[:1])
        first = history.first(state.query, self._sorts)
        if (reset and not is_typing) or not self.table.columns:
            self._choose_columns(first)
        self.table.sorted_by = self._sorts
        self._gutters(first)
        self.table.forget()
        if not state.group and (reset or had_groups):
            self.table.show(self._with_pins(first), cursor=0 if reset else self._position(first, kept) or 0)
        if self._soon is not None:
            self._soon.stop()
        if is_typing:
            self._soon = self.set_timer(_PAUSE, lambda: self._load_all(None))
        else:
            self._load_all(kept)

    def _load_all(self, kept: RunSummary | None) -> None:
        state, history = self.ff.state, self.ff.history
        query, sorts, by = state.query, self._sorts, state.group
        folded = frozenset(self._folded)
        means = tuple(column.key for column in self.table.columns if column.is_metric)
        keys = [column.key for column in self.table.columns if column.is_metric]

        def work() -> tuple[array[int], dict[str, Range], int]:
            order = history.order(query, sorts, by, folded, means[:3])
            parsed = history.parse(query) if query else None
            ranges = {key: history.searching.range_of(key[2:], parsed) for key in keys}
            return (
                order,
                {key: found for key, found in ranges.items() if found is not None},
                history.searching.index.count(),
            )

        def show(found: tuple[array[int], dict[str, Range], int]) -> None:
            order, best, self._total = found
            if best != self._best or by:
                self._best = best
                self.table.forget()
            self._found = sum(number > GROUPS for number in order)
            order = self._with_pins(order)
            self._gutters(order)
            at = self._position(order, kept)
            self.table.show(order, cursor=at)
            self._empty_state()
            self.status.update()
            self.head.update()
            self._preview_now()

        self.slow(work, show, group="order")

    def _position(self, order: array[int], kept: RunSummary | None) -> int | None:
        """Return where the run is that the cursor was on."""
        if kept is None:
            return None
        number = self.ff.history.number_of(kept.id)
        try:
            return order.index(number) if number is not None else None
        except ValueError:
            return None

    def _with_pins(self, order: array[int]) -> array[int]:
        pins = self.ff.state.pins
        if not pins:
            return order
        numbers = self.ff.history.reading.numbers_of(pins)
        top = array("q", (numbers[pin] for pin in pins if pin in numbers))
        return top + array("q", (number for number in order if number not in top))

    def _choose_columns(self, order: array[int]) -> None:
        state, now = self.ff.state, self.ff.workspace.clock.time()
        runs = [run for run in self.ff.history.page(order[:200]).values() if isinstance(run, RunSummary)]
        names = state.columns or list(self.ff.workspace.config.tui.columns)
        if names:
            if "status" not in names:
                names = ["status", *names]
            columns = distinct([column_named(name, runs, now) for name in names])
        else:
            columns = choose_columns(runs, now, everything=state.everything)
        self.table.set_columns([column for column in columns if column.key not in state.hidden])

    def _fetch(self, numbers: Iterable[int]) -> Mapping[int, Sequence[Span]]:
        """Return the cells of rows: a page of the index, formatted."""
        now = self.ff.workspace.clock.time()
        cells: dict[int, Sequence[Span]] = {}
        for number, found in self.ff.history.page(numbers).items():
            if isinstance(found, Group):
                folded = str(found.value) in self._folded
                cells[number] = group_spans(found, self.ff.state.group, is_folded=folded)
            else:
                cells[number] = cells_of(found, self.table.columns, now, self._best)
        return cells

    def _gutters(self, order: Sequence[int]) -> None:
        state = self.ff.state
        gutters: dict[int, Span] = {}
        marked = [*state.pins, *state.marks]
        numbers = self.ff.history.reading.numbers_of(marked) if marked else {}
        for pin in state.pins:
            if pin in numbers:
                gutters[numbers[pin]] = ("⌖", "dim")
        for run_id, letter in state.marks.items():
            if run_id in numbers:
                gutters[numbers[run_id]] = (letter, f"mark{LETTERS.index(letter) % 6}")
        self.table.gutters = gutters

    def _empty_state(self) -> None:
        is_empty = not self._total and not len(self.table.order)
        if is_empty and self.ff.history.is_fresh:
            self.aside.show(no_runs_rows())
            self.set_class(True, "-aside")
        self.table.set_class(is_empty and self.ff.history.is_fresh, "hidden")

    def current_run(self) -> RunSummary | None:
        """Return the run under the cursor."""
        number = self.table.number
        return self.ff.history.find(number) if number is not None else None

    def neighbours(self, run_id: str, step: int) -> tuple[RunSummary, int, int] | None:
        """Return the run beside another one in the list, its place and how many there are; the cursor goes with it."""
        order, number = self.table.order, self.ff.history.number_of(run_id)
        try:
            at = order.index(number) + step if number is not None else -1
        except ValueError:
            return None
        if not 0 <= at < len(order):
            return None
        run = self.ff.history.find(order[at])
        if run is None:
            return None
        self.table.put(at)
        return run, at + 1, len(order)

    def _go_to(self, run_id: str) -> None:
        number = self.ff.history.number_of(run_id)
        if number is not None and number in self.table.order:
            self.table.put(self.table.order.index(number))

    # -- lines -------------------------------------------------------------------------------------------------------------------------

    def _head_rows(self, columns: int) -> Sequence[Row]:
        ff = self.ff
        live = len(ff.history.live.runs)
        name = str(ff.workspace.root).replace(ff.environ.get("HOME") or "\0", "~", 1)
        left: list[Span] = [(" finestflow ", "title"), (f" {one_line(name)}", "bold")]
        right: list[Span] = [(f"{self._total:,} run{'s' * (self._total != 1)}", "")]
        if live:
            right.append((f" · {live} live", "running"))
        if ff.read_only:
            right.append((" · read-only", "warning"))
        return [row(*spread(left, [*right, (" ", "")], columns))]

    def _live_rows(self, columns: int) -> Sequence[Row]:
        return live_rows(self.ff.history.live.runs, columns, self.ff.workspace.clock.time(), beat=self._beat)

    def _status_rows(self, columns: int) -> Sequence[Row]:
        state = self.ff.state
        query: list[Span] = [(" / ", "key"), (one_line(state.query) or "all runs", "" if state.query else "dim")]
        parts: list[Span] = []
        if self._new:
            parts.append((f"{self._new} new ↑  ", "running"))
        if state.query and self._found is not None:
            parts.append((f"{self._found:,} of {self._total:,}", "bold"))
        if state.sorts and state.sorts != ["-started"]:
            signs = " ".join(
                sort.removeprefix("-").removeprefix("m.").removeprefix("p.") + ("▼" if sort.startswith("-") else "▲")
                for sort in state.sorts
            )
            parts.append((f" · sort {signs}", ""))
        if state.group:
            parts.append((f" · by {state.group}", ""))
        if state.marks:
            parts.append((f" · {len(state.marks)} marked", ""))
        return [row(*spread(query, [*parts, (" ", "")], columns))]

    def _hint_rows(self, columns: int) -> Sequence[Row]:
        if not self.has_class("-filtering"):
            return [row("")]
        problems = self.ff.history.parse(self.input.value).problems[:1]
        rows = [row(" ", (one_line(each.text), "error"), (f"  {each.hint}", "warning")) for each in problems]
        word = self.input.value[: self.input.cursor_position].rpartition(" ")[2]
        parts: list[list[Span]] = []
        for hint in complete(word, self.ff.history.reading, self.ff.history.known)[:24]:
            count = "" if hint.runs is None else f" {hint.runs}"
            parts.append([(one_line(hint.text)[:40], "param"), (count, "dim")])
        return [*rows, row((" tab ", "key"), *fitted(parts, columns - 6))]

    # -- preview -----------------------------------------------------------------------------------------------------------------------

    def on_run_table_moved(self) -> None:
        """Show the run under the cursor: what is known at once, the rest after a moment without keys."""
        if self.table.cursor == 0:
            self._new = 0
        if self._quiet is not None:
            self._quiet.stop()
        self._quiet = self.set_timer(QUIET, self._preview_now)

    def _preview_now(self) -> None:
        if not self.aside.display or (not self._total and not len(self.table.order)):
            return
        run = self.current_run()
        if run is None:
            self.aside.show([])
            return
        history, now = self.ff.history, self.ff.workspace.clock.time()
        rows = preview(run, history.reading.before(run), now)
        self.aside.show(rows)

        def more(whole: Run) -> None:
            current = self.current_run()
            if current is not None and current.id == run.id:
                self.aside.show([*rows, *preview_more(whole)], keep=True)

        self.slow(
            lambda: history.load(run),
            more,
            group="preview",
            failed=lambda text: self.aside.show([*rows, row(""), row((text, "error"))]),
        )

    # -- news --------------------------------------------------------------------------------------------------------------------------

    def on_history_changed(self) -> None:
        """Take in runs that ended, and changed annotations."""
        before = self._total
        self._total = self.ff.history.total()
        if self._total > before and self.table.cursor > 0:
            self._new += self._total - before
        self.list_runs()

    def on_live_changed(self) -> None:
        """Take in what live runs tell."""
        self.live.update()
        numbers = self.ff.history.live_numbers(
            self.ff.history.parse(self.ff.state.query) if self.ff.state.query else None
        )
        shown = [number for number in self.table.order[:64] if GROUPS < number < 0]
        if sorted(numbers) != sorted(shown):
            self.head.update()
            self.list_runs()
        elif shown:
            self.table.forget(shown)

    def _turn(self) -> None:
        if self.ff.history.live.runs:
            self._beat += self.ff.animation_level != "none"
            self.live.update()

    # -- filter ------------------------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type a query."""
        self._before_filter = self.ff.state.query
        self.input.older = self.ff.state.queries
        self.add_class("-filtering")
        self.input.value = self.ff.state.query
        self.input.cursor_position = len(self.input.value)
        self.input.focus()
        self.hints.update()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Apply what is typed."""
        if self.has_class("-filtering") and event.value != self.ff.state.query:
            self.ff.state.query = event.value
            self.list_runs(reset=True, is_typing=True)
        self.hints.update()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the query."""
        text = event.value.strip()
        if text:
            self.ff.state.queries = [text, *(each for each in self.ff.state.queries if each != text)]
            self.ff.log_command(f"finestflow log '{text}'")
        self._leave_filter()

    def on_query_input_left(self) -> None:
        """Go back to the query there was."""
        self.set_query(self._before_filter)
        self._leave_filter()

    def _leave_filter(self) -> None:
        self._choose_columns(self.table.order)
        self.remove_class("-filtering")
        self.table.focus()
        self.status.update()

    def set_query(self, text: str) -> None:
        """Filter by another query."""
        self.ff.state.query = text.strip()
        self.list_runs(reset=True)
        self.status.update()

    def _completions(self, word: str) -> list[str]:
        return [hint.text for hint in complete(word, self.ff.history.reading, self.ff.history.known)]

    def action_only(self, wanted: bool) -> None:
        """Add a condition on the value under the cursor."""
        run, column = self.current_run(), self.table.current_column
        if run is None or column is None:
            return
        term = _term(run, column)
        if not term:
            self.say(f"no query can tell runs by {column.title or column.key!r}", "warning")
            return
        self.set_query(f"{self.ff.state.query} {'' if wanted else '-'}{term}")

    # -- order -------------------------------------------------------------------------------------------------------------------------

    def action_sort(self) -> None:
        """Sort by the column under the cursor; numbers begin with the greatest."""
        column = self.table.current_column
        if column is not None:
            self._sort([self._direction(column)])

    def action_sort_second(self) -> None:
        """Sort equals by the column under the cursor."""
        column = self.table.current_column
        if column is not None:
            self._sort([*self.ff.state.sorts[:1], self._direction(column)])

    def _direction(self, column: Column) -> str:
        first = column.sort if column.key in {"name", "status", "pipeline", "tags", "note"} else f"-{column.sort}"
        other = first.removeprefix("-") if first.startswith("-") else f"-{first}"
        return other if first in self.ff.state.sorts else first

    def _sort(self, sorts: list[str]) -> None:
        self.ff.state.sorts = sorts
        self.ff.log_command(f"finestflow log {self.ff.state.query} --sort {sorts[0]}".replace("  ", " "))
        self.list_runs(reset=True)
        self.status.update()

    def on_run_table_header_clicked(self) -> None:
        """Sort by the column that was clicked."""
        self.action_sort()

    def action_group(self) -> None:
        """Group by the column under the cursor, or end it."""
        column = self.table.current_column
        self._folded.clear()
        if column is not None:
            self.ff.state.group = "" if self.ff.state.group else column.sort
            self.list_runs()
            self.status.update()

    def action_differing(self) -> None:
        """Show only params that differ, or all."""
        state = self.ff.state
        state.everything = not state.everything
        state.hidden.clear()
        state.columns.clear()
        self._choose_columns(self.table.order)
        self._load_all(self.current_run())
        self.say("all params" if state.everything else "only params that differ in this list")

    def action_hide_column(self) -> None:
        """Hide the column under the cursor."""
        column = self.table.current_column
        if column is not None and column.key not in {"status", "name"}:
            self.ff.state.hidden.append(column.key)
            self._choose_columns(self.table.order)
            self.say(f"hid {column.title!r}: + brings it back")

    def action_shift_column(self, step: int) -> None:
        """Move the column under the cursor."""
        keys = [column.key for column in self.table.columns]
        at = self.table.column
        to = at + step
        if not (2 <= at < len(keys) and 2 <= to < len(keys)):
            return
        keys[at], keys[to] = keys[to], keys[at]
        self.ff.state.columns = keys
        self._choose_columns(self.table.order)

    def action_columns(self) -> None:
        """Choose columns."""
        shown = {column.key for column in self.table.columns}
        metrics, params = self.ff.history.reading.index.known_names()
        names = ["id", "pipeline", "when", "took", "tags", "note", "hits", "branch", "base", "commit", "error"]
        names += [f"m.{name}" for name in sorted(metrics)] + [f"p.{name}" for name in sorted(params)]
        entries = [
            Entry(
                (
                    ("● " if name in shown else "· ", "ok" if name in shown else "dim"),
                    (one_line(name), "metric" if name.startswith("m.") else "param" if name.startswith("p.") else ""),
                ),
                name,
            )
            for name in names
        ]

        def toggle(name: str | None) -> None:
            if name is None:
                return
            keys = [column.key for column in self.table.columns]
            state = self.ff.state
            state.hidden = [each for each in state.hidden if each != name]
            state.columns = [key for key in keys if key != name] if name in keys else _with_column(keys, name)
            self._choose_columns(self.table.order)
            self._load_all(self.current_run())

        self.app.push_screen(Chooser("columns: enter shows or hides one", entries), toggle)

    # -- marks and pins ----------------------------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark, or take the mark away, and go on."""
        run = self.current_run()
        if run is not None and run.status is not RunStatus.RUNNING:
            self._set_marks([run], toggle=True)
        self.table.action_move(1)

    def action_mark_range(self, step: int) -> None:
        """Mark and go on."""
        run = self.current_run()
        if run is not None and run.status is not RunStatus.RUNNING:
            self._set_marks([run])
        self.table.action_move(step)

    def action_mark_all(self) -> None:
        """Mark the runs of the list."""
        page = self.ff.history.page(number for number in self.table.order[:60] if number > 0)
        runs = [page[number] for number in self.table.order[:60] if number in page]
        self._set_marks([run for run in runs if isinstance(run, RunSummary)])

    def action_invert(self) -> None:
        """Mark what is not marked."""
        page = self.ff.history.page(number for number in self.table.order[:60] if number > 0)
        unmarked = [run for run in page.values() if isinstance(run, RunSummary) and run.id not in self.ff.state.marks]
        self.ff.set_marks({})
        self._set_marks(unmarked, remember=False)

    def action_unmark(self) -> None:
        """Take all marks away."""
        super().action_unmark()
        self._marks_changed()

    def _set_marks(self, runs: Sequence[RunSummary], *, toggle: bool = False, remember: bool = True) -> None:
        marks = dict(self.ff.state.marks)
        for run in runs:
            if toggle and run.id in marks:
                del marks[run.id]
                continue
            free = next((letter for letter in LETTERS if letter not in marks.values()), None)
            if free is None:
                self.say(f"{len(LETTERS)} runs can be marked: M takes all marks away", "warning")
                break
            marks.setdefault(run.id, free)
        if remember:
            self.ff.set_marks(marks)
        else:
            self.ff.state.marks = marks
        self._marks_changed()

    def _marks_changed(self) -> None:
        self._gutters(self.table.order)
        self.table.refresh()
        self.status.update()

    def action_pin(self) -> None:
        """Keep the run on top, or let it go."""
        run = self.current_run()
        if run is None:
            return
        pins = self.ff.state.pins
        self.ff.state.pins = [pin for pin in pins if pin != run.id] if run.id in pins else [*pins, run.id]
        self.list_runs()

    def on_run_table_gutter_clicked(self) -> None:
        """Mark what was clicked."""
        run = self.current_run()
        if run is not None:
            self._set_marks([run], toggle=True)

    # -- the rest ----------------------------------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Open the run, or fold the group."""
        number = self.table.number
        if number is None:
            return
        found = self.ff.history.page([number]).get(number)
        if isinstance(found, Group):
            name = str(found.value)
            self._folded.symmetric_difference_update({name})
            self._load_all(None)
        elif found is not None:
            self.ff.open_run(found)

    def on_run_table_opened(self) -> None:
        """Open what was clicked twice."""
        self.action_open()

    def on_lines_clicked(self, event: Lines.Clicked) -> None:
        """Open the live run that was clicked."""
        live = self.ff.history.find_live(event.key) if isinstance(event.key, str) else None
        if live is not None:
            self.ff.open_run(live.summary)

    def action_back(self) -> None:
        """Leave the filter; without one, the app."""
        if self.ff.state.query:
            self.set_query("")
        else:
            self.say("q quits")

    def key_q(self) -> None:
        """Leave the app."""
        self.app.exit()

    def action_preview(self) -> None:
        """Show or hide the preview."""
        super().action_preview()
        self.call_after_refresh(self._preview_now)

    def on_resize(self, event: events.Resize) -> None:
        """Fill the preview when it appears."""
        self.call_after_refresh(self._preview_now)

    def on_screen_resume(self) -> None:
        """Show marks that were changed elsewhere."""
        self._marks_changed()

    def options(self) -> list[Choice]:
        """Return what else the list can do."""
        return [
            Choice("s", "keep this view under a name", "save_view"),
            Choice("c", "choose columns", "columns"),
            *super().options(),
        ]

    def action_save_view(self) -> None:
        """Keep query, order, group and columns under a name."""

        def keep(name: str | None) -> None:
            if name:
                state = self.ff.state
                columns = [column.key for column in self.table.columns]
                state.views[name] = {
                    "query": state.query,
                    "sort": state.sorts[0],
                    "group": state.group,
                    "columns": columns,
                }
                self.say(f"kept as {name!r}: gv lists the views", "good")

        self.ask("name of this view", "query, order, group and columns are kept", "", keep)

    def open_views(self) -> None:
        """Choose one of the views that have a name."""
        views: dict[str, Any] = {**self.ff.workspace.config.tui.views, **self.ff.state.views}
        entries = [
            Entry(
                ((one_line(name), "name"), (f"  {one_line(view.get('query', ''))}  {view.get('sort', '')}", "dim")),
                name,
            )
            for name, view in views.items()
        ]

        def use(name: str | None) -> None:
            if name is None:
                return
            view, state = views[name], self.ff.state
            state.query, state.group = str(view.get("query", "")), str(view.get("group", ""))
            state.sorts = [str(view.get("sort") or "-started")]
            state.columns = [str(each) for each in view.get("columns", ())]
            self.list_runs(reset=True)
            self.status.update()

        if entries:
            self.app.push_screen(Chooser("views", entries), use)
        else:
            self.say("no view has a name yet: ,s keeps this one", "warning")

    def action_save(self) -> None:
        """Write the list to a file."""

        def write(name: str | None) -> None:
            if name:
                self.save_list(name)

        self.ask(f"save {plural(len(self.table.order), 'run')}", "a .csv, .md or .json file", "runs.csv", write)

    def save_list(self, name: str) -> None:
        """Write the list to a file, in the form that its name tells."""
        from finestflow_tui.views.save import dump_list

        history, columns, numbers = (
            self.ff.history,
            self.table.columns,
            [number for number in self.table.order if number > 0],
        )
        path = self.ff.workspace.folder / name

        def work() -> str:
            page = history.searching.page(numbers)
            path.write_text(
                dump_list([page[number] for number in numbers if number in page], columns, path.suffix),
                encoding="utf-8",
            )
            return name

        self.slow(work, lambda done: self.say(f"wrote {done}", "good"), group="save")


def _with_column(keys: list[str], name: str) -> list[str]:
    """Put a column behind the last one of its kind: metrics with metrics, params with params."""
    kin = [at for at, key in enumerate(keys) if key[:2] == name[:2] and name[1:2] == "."]
    at = kin[-1] + 1 if kin else min(len(keys), 4) if name.startswith("m.") else len(keys)
    return [*keys[:at], name, *keys[at:]]


def _term(run: RunSummary, column: Column) -> str:
    """Return the query that finds the runs with the value of a cell."""
    key = column.key
    if key.startswith(("m.", "p.")):
        values: Mapping[str, Any] = run.metrics if key.startswith("m.") else run.params
        name = key[2:]
        return f"{key}={_quoted(value_text(values[name]))}" if name in values else ""
    if key == "status":
        return f"status:{run.status.value}"
    if key == "tags":
        return " ".join(f"#{tag}" for tag in run.tags[:1])
    if key in {"name", "pipeline", "branch", "id", "commit", "base"}:
        return f"{key}:{_quoted(str(getattr(run, key) or ''))}"
    return ""


def _quoted(text: str) -> str:
    return f'"{text}"' if any(letter in text for letter in ' ()"') else text
