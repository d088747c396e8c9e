"""The rows of the list of runs: which, in what order, under which columns; and the lines above them.

Invariant: every change of query or order paints the first rows at once and takes the whole vector in from a worker; the row under the cursor
is kept by the id of its run, so that a new run never moves it. ``runs_order`` changes what is listed, ``runs`` is the screen.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from finestflow.journal.listing import Group
from finestflow.model import Run, RunSummary
from finestflow_tui.actions import RunScreenActions
from finestflow_tui.courses import READ_FILES, Courses
from finestflow_tui.glyphs import LETTERS
from finestflow_tui.history import FIRST, GROUPS
from finestflow_tui.screens.welcome import no_runs_rows
from finestflow_tui.standing import Standing, head_spans
from finestflow_tui.text import Row, Span, one_line, row, width
from finestflow_tui.views.query import Hint, complete
from finestflow_tui.views.runs import (
    Column,
    best_values,
    cells_of,
    choose_columns,
    column_named,
    distinct,
    group_spans,
    unreadable,
)
from finestflow_tui.widgets.line import Lines, fitted, spread
from finestflow_tui.widgets.livestrip import live_rows
from finestflow_tui.widgets.query import QueryInput
from finestflow_tui.widgets.rows import RowsView
from finestflow_tui.widgets.table import Cells, RunTable

__all__ = ["RunList"]

_ASIDE, _ASIDE_WIDE = 44, 66
"""What the style sheet gives the preview, with the gap before it."""
_EDGES = 6
"""Of a line of the list: its gutter, the scroll bar, and the sign of how many columns lie beside, less the gap that the last column does not need."""
HINTING = 0.02
"""Seconds without a letter before it is said what can stand for the word."""
_PAUSE = 0.08
"""Seconds without a letter before a query that is being typed is answered in full."""


class _Listed(NamedTuple):
    """What a worker brings: the whole vector, the headings in it, the best values unless they are known, how many runs there are, the newest."""

    order: array[int]
    headings: list[int]
    best: dict[str, float] | None
    total: int
    newest: int


class RunList(RunScreenActions):
    """The list, its columns and the lines above it."""

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
        self._best: dict[str, float] = {}
        """The best value of each metric of the list, by column."""
        self._ranges_of: tuple[str, tuple[str, ...]] | None = None
        """The query and the metrics that ``_best`` is about."""
        self.folded: set[str] = set()
        self._has_chosen = False
        """Whether the columns were chosen from runs: an index that is made anew begins without any."""
        self._chosen_from: array[int] = array("q")
        """The runs of which they were chosen last."""
        self.standing = Standing()
        """What was last told of the repository; nothing before the first paint."""
        self._total = 0
        self._found: int | None = None
        self._new = 0
        """Runs of the list that came since its top was seen last."""
        self._newest = self._seen = 0
        """The greatest number in the list, and as it was when its top was seen last."""
        self._lost = ""
        """The run that the cursor was on when it left the list: one that ends is gone for a moment, until it is recorded."""
        self._courses: Courses | None = None
        self._reading: asyncio.TimerHandle | None = None
        """What reads the courses of metrics in a moment, or does."""
        self._untold: set[int] = set()
        """Headings whose figures are to be read."""
        self._telling: asyncio.TimerHandle | None = None
        """What reads them in a moment, or does."""
        self._line: int | None = None
        """How far below the top of the table that run is to be put, when it is not to stay where the cursor is."""
        self._beat = 0
        self._before_filter = ""
        self._left_at = "", 0
        """The run that was under the cursor before a query was typed, and how far below the top."""
        self._hinted: tuple[str, list[Hint]] = "", []
        """The word that is completed, and how."""
        self._hinting: asyncio.TimerHandle | None = None
        self._previewed, self._is_preview_old = "", True
        """The run beside the list, and whether something else may be told of it now."""
        self._followed: Run | None = None
        """What was told of it last, where it is going on."""
        self._listed_live: array[int] = array("q")
        self._going = 0
        self._quiet: asyncio.TimerHandle | None = None
        self._soon: asyncio.TimerHandle | None = None

    # -- the list --------------------------------------------------------------------------------------------------------------------------

    @property
    def _sorts(self) -> tuple[str, ...]:
        return tuple(self.ff.state.sorts) or ("-started",)

    def list_runs(
        self, *, reset: bool = False, is_typing: bool = False, keeps_columns: bool = False, has_changed: bool = False
    ) -> None:
        """Show the runs that the query finds: the first ones now, all of them soon.

        Args:
            reset: Begin at the top, with columns chosen anew.
            is_typing: Another letter is likely to follow: what takes longer waits for a pause.
            keeps_columns: The columns stay.
            has_changed: What is told of runs may be other than before.
        """
        state = self.ff.state
        kept = "" if reset or self._lost else self.current_id()
        had_groups = any(number <= GROUPS for number in self.table.order[:1])
        shows, chooses = (
            not state.group and (reset or had_groups),
            (reset and not keeps_columns) or not self._has_chosen,
        )
        limit = max(1, self.table.size.height) if is_typing else FIRST  # another letter comes before more are seen
        first = self.ff.history.first(state.query, self._sorts, limit) if shows or chooses else None
        if chooses:
            self.choose_columns(first if first is not None else self.table.order)
        self.table.sorted_by = self._sorts
        self.show_gutters()
        if has_changed:
            self._ranges_of = None
            self._is_preview_old = True
            self.table.forget()
        self._tell_nothing()
        if shows and first is not None:
            at = 0 if reset else self._position(first, kept) or 0
            self.table.show(self._with_pins(first), cursor=at, is_whole=not is_typing)
        if self._soon is not None:
            self._soon.cancel()
        if is_typing:
            self.paint()
            self._soon = self.soon(_PAUSE, lambda: self.load_all(""))
        else:
            self.is_busy = True  # what is known is on the screen before a worker needs the CPU
            self.call_after_refresh(self.load_all, kept)

    def load_all(self, kept: str) -> None:
        """Take the whole list in, from a worker; the cursor goes to the run with an id, where one is given."""
        state, history = self.ff.state, self.ff.history
        query, sorts, by = state.query, self._sorts, state.group
        folded = frozenset(self.folded)
        means = tuple(column.key for column in self.table.columns if column.is_metric)
        ranges_of, is_typing = (query, means), self.has_class("-filtering")
        knows_ranges = is_typing or ranges_of == self._ranges_of  # while typing, they can wait

        def work() -> _Listed:
            order = history.order(query, sorts, by, folded)
            best = None
            if not knows_ranges:
                runs = history.order(query, sorts) if query and by and folded else order
                best = best_values(history.ranges(means, runs if query else None), self.ff.workspace.goals)
            headings = [number for number in order if number <= GROUPS] if by else []
            return _Listed(order, headings, best, history.searching.index.count(), max(order, default=0))

        def show(listed: _Listed) -> None:
            self.is_busy = False
            order, headings, best, self._total, newest = listed
            self._found = len(order) - len(headings)
            self._newest = max(self._newest, newest)  # a query may leave the newest out, which is seen all the same
            if best is not None:
                self._ranges_of = ranges_of
                if best != self._best:
                    self._best = best
                    self.table.restyle()
            if by:
                self.table.forget(headings)
            order = self._with_pins(order)
            self.show_gutters()
            anchor = self.current_id() or kept if kept else self._lost  # the cursor may have gone on meanwhile
            at = self._position(order, anchor)
            self._lost = anchor if at is None else ""
            self.table.show(order, cursor=at, line=self._line)
            self._line = None
            self._empty_state()
            self._tell_nothing()
            if not history.is_fresh or self.table.cursor == 0:
                self._seen = self._newest
            self._new = sum(number > self._seen for number in order) if self._newest > self._seen else 0
            self.status.update()
            self.head.update()
            number = self.table.number
            if self._is_preview_old or number is None or number < 0 or self.current_id() != self._previewed:
                self._is_preview_old = False
                self.show_preview()

        def fail(text: str) -> None:
            self.is_busy = False
            self.say(text, "error")

        self.is_busy = True
        self.slow(work, show, group="order", failed=fail)

    def see_new(self) -> None:
        """Count what comes from here on: the top of the list is seen."""
        self._seen, self._new = self._newest, 0
        self.status.update()

    def _position(self, order: array[int], run_id: str) -> int | None:
        """Return where the run is that the cursor was on."""
        number = self.ff.history.number_of(run_id) if run_id else None
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

    def choose_columns(self, order: array[int]) -> None:
        """Choose the columns: those that were asked for, else those that say something about the first runs."""
        state, now = self.ff.state, self.ff.workspace.clock.time()
        runs = [run for run in self.ff.history.page(order[:200]).values() if isinstance(run, RunSummary)]
        names = state.columns or list(self.ff.workspace.config.tui.columns)
        if names:
            if "status" not in names:
                names = ["status", *names]
            columns = distinct([column_named(name, runs, now) for name in names])
        else:
            self._chosen_from = order[:200]
            columns = choose_columns(runs, now, everything=state.everything, room=self._list_room)
        self.table.set_columns([column for column in columns if column.key not in state.hidden])
        self._has_chosen = bool(runs)

    @property
    def _list_room(self) -> int:
        """Columns of the terminal that cells have, also before the list is laid out for the first time."""
        width = self.app.size.width
        _, medium, wide = (least for least, _ in self.app.HORIZONTAL_BREAKPOINTS or ((0, ""), (0, ""), (0, "")))
        if width < medium or self.has_class("-aside"):
            return width - _EDGES
        return width - (_ASIDE_WIDE if width >= wide else _ASIDE) - _EDGES

    def _fetch(self, numbers: Collection[int]) -> Mapping[int, Cells | Sequence[Span]]:
        """Return rows: a page of the index, of which a cell is made when it is seen."""
        rows: dict[int, Cells | Sequence[Span]] = {}
        self._untold.update(self.ff.history.untold(numbers, self._means))
        if self._untold and self._telling is None:
            self._telling = self.soon(0, self._tell_groups)
        for number, found in self.ff.history.page(numbers).items():
            if isinstance(found, Group):
                folded = str(found.value) in self.folded
                letters = self.ff.history.best_letters(number, self.ff.state.marks)
                goals, by = self.ff.workspace.goals, self.ff.state.group
                rows[number] = group_spans(found, by, is_folded=folded, goals=goals, letters=letters)
            else:
                rows[number] = partial(self._cells, found)
        return rows

    @property
    def _means(self) -> tuple[str, ...]:
        """The metrics that headings tell of."""
        return tuple(column.key for column in self.table.columns if column.is_metric)[:3]

    def _tell_groups(self) -> None:
        """Read what headings tell of metrics, of those that were asked for; rows of runs need not wait for it."""
        history, means = self.ff.history, self._means
        headings, self._untold = self._untold, set()

        def show(_: None) -> None:
            self._telling = self.soon(0, self._tell_groups) if self._untold else None
            self.table.forget(headings)

        def fail(text: str) -> None:
            self._telling = None
            self.say(text, "error")

        self.slow(lambda: history.tell(headings, means), show, group="headings", failed=fail)

    def _cells(self, run: RunSummary, columns: Sequence[Column]) -> Sequence[Span]:
        cells = cells_of(run, columns, self.ff.workspace.clock.time(), self._best)
        is_broken = run.id in self.ff.history.unreadable
        return [
            self._course(run, column) if column.is_course else cell
            for column, cell in zip(columns, unreadable(cells, columns) if is_broken else cells, strict=True)
        ]

    def _course(self, run: RunSummary, column: Column) -> Span:
        """Return how a metric went, as far as it was read; what is missing is there a moment after the last key."""
        if self._courses is None:
            journal, find_live = self.ff.workspace.journal, self.ff.history.find_live
            self._courses = Courses(
                lambda runs: journal.load_many(runs, files=READ_FILES),
                lambda run: live.run.metrics if (live := find_live(run.id)) is not None else None,
            )
        course = self._courses.find(run, column.key[2:])
        if course is None and self._reading is None:
            self._reading = self.soon(_PAUSE, self._read_courses)
        return ("…", "dim") if course is None else (course, column.role)

    def _read_courses(self) -> None:
        assert self._courses is not None

        def show(_: None) -> None:
            self._reading = None
            self.table.restyle()

        def fail(text: str) -> None:
            self._reading = None
            self.say(text, "error")

        self.slow(self._courses.read, show, group="courses", failed=fail)

    def show_gutters(self) -> None:
        """Show marks and pins."""
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
        self.table.set_gutters(gutters)

    def _empty_state(self) -> None:
        is_empty = not self._total and not len(self.table.order) and self.ff.history.is_fresh
        self.set_class(is_empty, "-empty")
        if is_empty:
            self.aside.show(no_runs_rows())
            self.call_after_refresh(self.foot.update)

    def _tell_nothing(self) -> None:
        """Say in the place of the rows why there are none."""
        query = self.ff.state.query
        said = f"no run matches '{one_line(query)}' · esc clears the filter" if query and self._total else ""
        self.table.set_nothing("no run is going on · gr all runs" if query == "is:live" and self._total else said)

    def show_preview(self) -> None:
        """Show the run under the cursor beside the list; the screen does."""

    def current_id(self) -> str:
        """Return the id of the run that the cursor is on, also of one that has just ended and is not recorded yet."""
        number = self.table.number
        live = self.ff.history.id_of(number) if number is not None and GROUPS < number < 0 else ""
        run = None if live else self.current_run()
        return live or (run.id if run is not None else "")

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

    def _return_to(self, run_id: str, line: int) -> None:
        """Put the cursor on a run, so many lines below the first one; further down than what is there yet, when the whole list has come."""
        at = self._position(self.table.order, run_id)
        if at is None:
            self._lost, self._line = run_id, line
        else:
            self.table.show(self.table.order, cursor=at, line=line)

    # -- lines -----------------------------------------------------------------------------------------------------------------------------

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
        return [row(*head_spans(left, right, self.standing, columns))]

    def _live_rows(self, columns: int) -> Sequence[Row]:
        return live_rows(self.ff.history.live.runs, columns, self.ff.workspace.clock.time(), beat=self._beat)

    def _status_rows(self, columns: int) -> Sequence[Row]:
        state = self.ff.state
        query: list[Span] = [(" / ", "key"), (one_line(state.query) or "all runs", "" if state.query else "dim")]
        parts: list[Span] = [(f"{self._new} new ↑", "running")] if self._new else []
        if state.query and self._found is not None:
            parts.append((f"{self._found:,} of {self._total:,}", "bold"))
        if state.sorts and state.sorts != ["-started"]:
            signs = (_bare(sort.removeprefix("-")) + ("▼" if sort.startswith("-") else "▲") for sort in state.sorts)
            parts.append((f"sort {' '.join(signs)}", ""))
        if state.group:
            parts.append((f"by {_bare(state.group)}", ""))
        if state.marks:
            parts.append((f"{len(state.marks)} marked", ""))
        told = [span for part in parts for span in ((" · ", "dim"), part)][1:]
        return [row(*spread(query, [*told, (" ", "")], columns))]

    def _hint_rows(self, columns: int) -> Sequence[Row]:
        if not self.has_class("-filtering"):
            return [row("")]
        problems = self.ff.history.parse(self.input.value).problems[:1]
        said = [span for each in problems for span in ((one_line(each.text), "error"), (f"  {each.hint}  ", "warning"))]
        parts: list[list[Span]] = []
        for hint in self._hinted[1][:24]:
            count = "" if hint.runs is None else f" {hint.runs}"
            parts.append([(one_line(hint.text)[:40], "param"), (count, "dim")])
        room = columns - sum(width(text) for text, _ in said) - 6
        return [row(" ", *said, ("tab ", "key"), *fitted(parts, room))] if room > 0 or not said else [row(" ", *said)]

    def hint(self) -> None:
        """Say what is wrong with the query, and, from a worker, what can stand for the word before the cursor."""
        word = self.input.value[: self.input.cursor_position].rpartition(" ")[2]
        history, known = self.ff.history, self.ff.history.known

        def show(hints: list[Hint]) -> None:
            self._hinted = word, hints
            self.hints.update()

        def look() -> None:
            self.hints.update()
            if word != self._hinted[0] or not self._hinted[1]:
                self.slow(lambda: complete(word, history.values_of, known), show, group="hints")

        if self._hinting is not None:
            self._hinting.cancel()
        self._hinting = self.soon(HINTING, look)  # the rows come first

    def _completions(self, word: str) -> list[str]:
        history, (hinted, hints) = self.ff.history, self._hinted
        return [each.text for each in (hints if hinted == word else complete(word, history.values_of, history.known))]


def _bare(key: str) -> str:
    """Return the key of a column as a person reads it."""
    return one_line(key.removeprefix("m.").removeprefix("p."))
