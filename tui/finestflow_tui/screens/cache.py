"""Disk: what the store holds, what it would cost to make again, and what a clean-up would free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal

from finestflow.cache.holdings import Held
from finestflow.cache.store import Usage
from finestflow.errors import FinestflowError, LockedError
from finestflow.model import RunId
from finestflow_tui.bindings import bindings
from finestflow_tui.keys import Choice
from finestflow_tui.screens.frame import Frame
from finestflow_tui.text import Row, plural, row, size
from finestflow_tui.views.disk import gc_rows, usage_rows, value_rows
from finestflow_tui.widgets.line import Lines
from finestflow_tui.widgets.rows import RowsView

__all__ = ["CacheScreen"]

_SORTS = ("size", "cost", "uses")


class CacheScreen(Frame):
    """The store."""

    NAME = "cache"
    BINDINGS = bindings("cache")

    def __init__(self) -> None:
        super().__init__()
        self.head = Lines(lambda _: [row((" cache and disk", "name"))], over="bar", id="head")
        self.top = Lines(self._usage_rows, id="usage")
        self.list = RowsView(id="list", classes="main")
        self._usage: Usage | None = None
        self._held: list[Held] = []
        self._names: dict[str, str] = {}
        self._sort = "size"
        self._leaving: dict[str, int] = {}
        """Sizes of the values that are to be evicted, by digest; nothing has happened to them yet."""
        self._has_evicted = False

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self.head
        yield self.top
        with Horizontal(classes="body"):
            yield self.list
        yield self.foot

    def on_mount(self) -> None:
        """Measure."""
        self.ff.log_command("finestflow cache list")
        self._read()

    def _read(self) -> None:
        workspace, index, sort = self.ff.history.workspace, self.ff.history.searching.index, self._sort

        def work() -> tuple[Usage, list[Held], dict[str, str]]:
            names = dict(index.rows(["id", "name"]))
            return workspace.usage(), workspace.held_values(sort), names

        self.slow(work, self._loaded, group="load")

    def _loaded(self, found: tuple[Usage, list[Held], dict[str, str]]) -> None:
        self._usage, self._held, self._names = found
        self.top.update()
        self._show()

    def _show(self) -> None:
        self.list.show(value_rows(self._held, self._names, self._sort, self._leaving), keep=True)
        self.top.update()

    def _usage_rows(self, columns: int) -> Sequence[Row]:
        if self._usage is None:
            return [row((" measuring ...", "dim"))]
        rows = usage_rows(self._usage, int(self.ff.workspace.config.store.max_size or 0), columns)
        if self._leaving:
            told = f" {plural(len(self._leaving), 'value')} to be evicted, {size(sum(self._leaving.values()))}, and still there: "
            rows[-1] = row((told, "warning"), (",x", "key"), " does it · ", ("u", "key"), " takes the last one back")
        return rows

    def action_sort(self) -> None:
        """Sort by size, by cost, by uses."""
        self._sort = _SORTS[(_SORTS.index(self._sort) + 1) % len(_SORTS)]
        self._read()

    def action_open(self) -> None:
        """Open the run that made the value."""
        held = next((each for each in self._held if each.info.digest == self.list.key), None)
        if held is None:
            self.say("⏎ opens the run that made a value: ^l lists them", "warning")
            return
        number = self.ff.history.number_of(held.run)
        run = self.ff.history.find(number) if number is not None else None
        if run is None:
            self.say("the run that made it is not in this journal", "warning")
        else:
            self.ff.open_run(run, tab="outputs")

    def options(self) -> list[Choice]:
        """Return what can be done about the room."""
        return [
            Choice("x", "evict what is marked with ✗", "evict"),
            Choice("g", "what a clean-up would free", "plan"),
            Choice("G", "clean up", "collect"),
            Choice("v", "look for damage", "verify"),
            *super().options(),
        ]

    def action_delete(self) -> None:
        """Choose the value under the cursor to be evicted, or spare it; nothing happens to it yet."""
        held = next((each for each in self._held if each.info.digest == self.list.key), None)
        if self.ff.read_only:
            self.say("cannot evict: this is read-only", "warning")
        elif held is None:
            self.say("x evicts values: ^l lists them", "warning")
        else:
            digest = held.info.digest
            if self._leaving.pop(digest, None) is None:
                self._leaving[digest] = held.info.size
            self._show()
            self.list.action_move(1)

    def action_undo(self) -> None:
        """Spare the value that was chosen last; without one, take the last change of runs back, but not in place of what has just been evicted."""
        if self._leaving:
            self._leaving.popitem()
            self._show()
        elif self._has_evicted:
            self._has_evicted = False
            self.say("what was evicted does not come back, but its tasks run again when it is needed", "warning")
        else:
            super().action_undo()

    def action_evict(self) -> None:
        """Evict the chosen values: their tasks are computed again when they are needed."""
        if not self._leaving:
            self.say("nothing is marked: x marks the value under the cursor", "warning")
            return
        digests, workspace = list(self._leaving), self.ff.history.workspace
        self.ff.log_command(f"finestflow cache rm {' '.join(digest[:12] for digest in digests)}")

        def done(_: int) -> None:
            freed = size(sum(self._leaving.values()))
            self.say(f"evicted {plural(len(digests), 'value')}, {freed}: computed again when needed", "good")
            self._leaving.clear()
            self._has_evicted = True
            self._read()

        self.slow(lambda: workspace.evict(digests, _refuse), done, group="evict")

    def action_plan(self) -> None:
        """Show what a clean-up would drop."""
        workspace = self.ff.history.workspace
        self.ff.log_command("finestflow gc -n")
        self.slow(
            workspace.plan_gc,
            lambda plan: self.list.show(
                [*gc_rows(plan), row(""), row(("  ,G", "key"), " does it · ^l brings the list back")]
            ),
            group="gc",
        )

    def action_collect(self) -> None:
        """Ask once more, and clean up."""
        if self.ff.read_only:
            self.say("cannot clean up: this is read-only", "warning")
            return
        from finestflow_tui.screens.choose import Ask

        def start(text: str | None) -> None:
            if text == "gc":
                self.ff.start_process(["gc"], "clean-up")

        self.app.push_screen(
            Ask(
                "clean up for good",
                "type gc to do it: deleted runs and outputs that nothing needs go, and do not come back",
            ),
            start,
        )

    def action_verify(self) -> None:
        """Look for damage."""
        workspace = self.ff.history.workspace
        self.ff.log_command("finestflow verify")

        def work() -> list[Any]:
            return list(workspace.verify())

        def show(found: list[Any]) -> None:
            rows = [row((f"  {each.place} ", "error"), (f"{each.name}  ", "bold"), each.message) for each in found]
            rows = rows or [row(""), row(("  nothing is damaged", "good"))]
            self.list.show([*rows, row(""), row(("  ^l", "key"), " brings the list back")])
            self.hush()

        self.say("looking at every value and every record ...")
        self.slow(work, show, group="verify")

    def action_reload(self) -> None:
        """Measure again."""
        try:
            self._read()
        except FinestflowError as error:
            self.say(error.message, "error")


def _refuse(run: RunId) -> None:
    raise LockedError(f"run {run!r} is going on: nothing is evicted meanwhile", "wait for its end, or stop it with X")
