"""The list of runs: live ones on top, a filter, a table with a column cursor, and the run under the cursor beside it.

The rows are those of ``runs_list``, the keys that change them those of ``runs_order``; here are the preview, news, marks and views.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding

from finestflow.journal.listing import Group
from finestflow.model import RunStatus, RunSummary
from finestflow_tui.ahead import load_ahead
from finestflow_tui.bindings import bindings
from finestflow_tui.glyphs import LETTERS
from finestflow_tui.history import GROUPS
from finestflow_tui.keys import Choice
from finestflow_tui.screens.choose import Chooser, Entry
from finestflow_tui.screens.runs_order import RunOrder
from finestflow_tui.standing import Standing, measure
from finestflow_tui.text import Row, one_line, plural, row, wrapped
from finestflow_tui.views.runs import (
    preview,
    preview_more,
)
from finestflow_tui.widgets.line import Lines
from finestflow_tui.widgets.painted import Body

__all__ = ["RunsScreen"]

QUIET = 0.06
"""Seconds without a key before the preview reads a record."""
_PAUSE, _SHARE = 1.0, 20
"""Seconds before the head is filled in, and between two times; and that many times what it takes, if that is more."""
_LATE = 0.05
"""Seconds that the preview waits for a record: two paints of it for each key would cost twice as much."""


class RunsScreen(RunOrder):
    """The list."""

    NAME = "runs"
    BINDINGS = [Binding("q", "quit", show=False), *bindings("runs")]  # before "back", which has this key too
    _looks = 0
    """How often a preview was asked for: what an earlier one brings is void."""
    _measuring: asyncio.TimerHandle | None = None
    _took = 0.0
    """Seconds that it took to measure the repository."""
    AUTO_FOCUS = "RunTable"

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self.head
        yield self.live
        yield self.status
        yield self.input
        yield self.hints
        with Body(classes="body"):
            yield self.table
            yield self.aside
        yield self.foot

    def on_mount(self) -> None:
        """Show the first rows at once, then bring the index up to date."""
        history = self.ff.history
        history.has_changed()
        self.list_runs(reset=True)
        if self.ff.state.cursor:
            self._return_to(self.ff.state.cursor, self.ff.state.line)
        self.call_after_refresh(self._after_first_paint)

    def on_unmount(self) -> None:
        """Remember where the list was scrolled to."""
        self.ff.state.line = self.table.line

    def _after_first_paint(self) -> None:
        self.ff.open_first()
        self.slow(self.ff.history.refresh, lambda _: self._when_fresh(), group="refresh")

    def _when_fresh(self) -> None:
        self.ff.changed()
        load_ahead(self)
        self.measure_soon()
        for message in self.ff.history.workspace.index.messages[-1:]:
            self.say(message, "warning")

    def measure_soon(self) -> None:
        """Look at the repository after a pause, the longer the more that takes; not where no terminal is, as in a test, which waits for nothing then."""
        if self._measuring is None and not self.app.is_headless:
            self._measuring = self.soon(max(_PAUSE, _SHARE * self._took), self.measure)

    def measure(self) -> None:
        """Look how the repository stands, for the head."""
        history = self.ff.history

        def work() -> tuple[Standing, float]:
            start = time.monotonic()
            return measure(history), time.monotonic() - start

        def show(found: tuple[Standing, float]) -> None:
            self.standing, self._took = found
            self._measuring = None
            self.head.update()

        def fail(_: str) -> None:
            self._measuring = None

        self.slow(work, show, group="standing", failed=fail)

    def foot_keys(self) -> Sequence[str]:
        """Return what the last line names; where the preview is not seen, early how to see it."""
        keys = super().foot_keys()
        return keys if self.aside.display else [*keys[:5], "preview", *keys[5:]]

    # -- preview ---------------------------------------------------------------------------------------------------------------------------

    def on_run_table_moved(self) -> None:
        """Show the run under the cursor: what is known at once, the rest after a moment without keys."""
        self._lost = ""
        if self.table.cursor == 0:
            self.see_new()
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = self.soon(QUIET, self.show_preview)

    def show_preview(self) -> None:
        """Show the run under the cursor with what its record adds; without that when it takes longer to read."""
        if not self.aside.display or (not self._total and not len(self.table.order)):
            return
        run = self.current_run()
        if run is None:
            self.aside.show([])
            self._previewed = ""
            return
        history, now = self.ff.history, self.ff.workspace.clock.time()
        rows = preview(run, history.reading.before(run), now, self.ff.workspace.goals)
        self.ff.state.cursor = run.id
        self._looks += 1
        look, has_come = self._looks, False

        def show(more: list[Row]) -> None:
            current = self.current_run()
            if current is not None and current.id == run.id and look == self._looks:
                self.aside.show([*rows, *more], keep=self._previewed == run.id)
                self._previewed = run.id

        def show_whole(more: list[Row]) -> None:
            nonlocal has_come
            has_come = True
            show(more)

        def show_broken(text: str) -> None:
            show_whole([row(""), *wrapped(text, self.aside.room, "error")])
            if run.id in history.unreadable:
                self.table.restyle()

        self.soon(_LATE, lambda: None if has_come else show([]))
        self.slow(
            lambda: history.load(run),
            lambda whole: show_whole(preview_more(whole)),
            group="preview",
            failed=show_broken,
        )

    # -- news ------------------------------------------------------------------------------------------------------------------------------

    def on_history_changed(self) -> None:
        """Take in runs that ended, and changed annotations."""
        self._total = self.ff.history.total()
        self.list_runs(has_changed=True)
        self.measure_soon()

    def on_view_changed(self) -> None:
        """Show the list as it was arranged before, with the columns of before: those of fewer runs would be fewer."""
        self.choose_columns(self._chosen_from or self.table.order)
        self.list_runs(has_changed=True)
        self._marks_changed()

    def on_live_changed(self) -> None:
        """Take in runs that began or ended; what the others tell is shown at the next beat, so that nothing is there for an instant only."""
        history = self.ff.history
        numbers = history.live_numbers(history.parse(self.ff.state.query) if self.ff.state.query else None)
        if numbers != self._listed_live or len(history.live.runs) != self._going:
            self._listed_live, self._going = numbers, len(history.live.runs)
            self._show_live()
            self.head.update()
            self.list_runs()

    def on_beat(self) -> None:
        """Show what live runs tell, and turn their sign."""
        self._beat += self.ff.animation_level != "none"
        self._show_live()
        self._follow_preview()

    def _follow_preview(self) -> None:
        """Show what is new of the run under the cursor, where it is going on."""
        live = self.ff.history.find_live(self._previewed) if self.aside.display else None
        if live is None or live.run is self._followed or self.current_id() != live.id:
            return
        self._followed = live.run
        before, now = self.ff.history.reading.before(live.summary), self.ff.workspace.clock.time()
        rows = preview(live.summary, before, now, self.ff.workspace.goals)
        self.aside.show([*rows, *preview_more(live.run)], keep=True)

    def _show_live(self) -> None:
        more = self.live.update()
        if more:  # with the next paint: in none of them the strip is there and the rows have not made room
            self.refresh(layout=True)
            self.table.make_room(more)
        self.table.forget(number for number in self.table.order[:64] if GROUPS < number < 0)

    # -- marks, pins and views -------------------------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark, or take the mark away, and go on."""
        self._mark_current(toggle=True)
        self.table.action_move(1)

    def action_mark_range(self, step: int) -> None:
        """Mark and go on."""
        self._mark_current(toggle=False)
        self.table.action_move(step)

    def _mark_current(self, *, toggle: bool) -> None:
        run = self.current_run()
        if run is None:
            self.say("marks are for runs", "warning")
        elif run.status is RunStatus.RUNNING:
            self.say(f"{run.name!r} is still going on: it can be marked when it has ended", "warning")
        else:
            self._set_marks([run], toggle=toggle)

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
        self.show_gutters()
        if self.ff.state.group:  # headings name the letter of the best run
            self.table.forget(number for number in self.table.order if number <= GROUPS)
        self.status.update()

    def action_pin(self) -> None:
        """Keep the run on top, or let it go."""
        run = self.current_run()
        if run is None:
            return
        self.ff.steps.keep("the pin", "pins")
        pins = self.ff.state.pins
        self.ff.state.pins = [pin for pin in pins if pin != run.id] if run.id in pins else [*pins, run.id]
        self.list_runs()
        self.ff.hold_keys_for_list()

    def on_run_table_gutter_clicked(self) -> None:
        """Mark what was clicked."""
        run = self.current_run()
        if run is not None:
            self._set_marks([run], toggle=True)

    def action_open(self) -> None:
        """Open the run, or fold the group."""
        number = self.table.number
        if number is None:
            return
        found = self.ff.history.page([number]).get(number)
        if isinstance(found, Group):
            name = str(found.value)
            self.folded.symmetric_difference_update({name})
            self.load_all("")
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

    def action_preview(self) -> None:
        """Show or hide the preview."""
        super().action_preview()
        self.call_after_refresh(self.foot.update)
        self.call_after_refresh(self.show_preview)

    def on_resize(self, event: events.Resize) -> None:
        """Fill the preview when it appears."""
        self.call_after_refresh(self.foot.update)
        self.call_after_refresh(self.show_preview)

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
        views: dict[str, Any] = {**self.ff.workspace.config.views, **self.ff.state.views}
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
            columns = view.get("columns", ())
            state.columns = [
                str(each).strip() for each in (columns.split(",") if isinstance(columns, str) else columns)
            ]
            self.list_runs(reset=True)
            self.status.update()

        if entries:
            self.app.push_screen(Chooser("views", entries, enter="shows it"), use)
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

        def work() -> str:
            page = history.searching.page(numbers)
            runs = [page[number] for number in numbers if number in page]
            self.ff.write_new(name, dump_list(runs, columns, Path(name).suffix))
            return name

        self.slow(work, lambda done: self.say(f"wrote {done}", "good"), group="save")
