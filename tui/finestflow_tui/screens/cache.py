"""Disk: what the store holds, what it would cost to make again, and what a clean-up would free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal

from finestflow.cache.store import Usage
from finestflow.errors import FinestflowError
from finestflow_tui.bindings import bindings
from finestflow_tui.keys import Choice
from finestflow_tui.screens.frame import Frame
from finestflow_tui.text import Row, row
from finestflow_tui.views.disk import Held, gc_rows, held_values, usage_rows, value_rows
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

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self.head
        yield self.top
        with Horizontal(classes="body"):
            yield self.list
        yield self.foot

    def on_mount(self) -> None:
        """Measure."""
        self.ff.log_command("finestflow du")
        store, index = self.ff.history.workspace.store, self.ff.history.searching.index

        def work() -> tuple[Usage, list[Held], dict[str, str]]:
            names = dict(index.rows(["id", "name"]))
            return store.usage(), held_values(store.iter_values(), store.iter_entries()), names

        self.slow(work, self._loaded, group="load")

    def _loaded(self, found: tuple[Usage, list[Held], dict[str, str]]) -> None:
        self._usage, self._held, self._names = found
        self.top.update()
        self._show()

    def _show(self) -> None:
        self.list.show(value_rows(self._held, self._names, self._sort), keep=True)

    def _usage_rows(self, columns: int) -> Sequence[Row]:
        if self._usage is None:
            return [row((" measuring ...", "dim"))]
        return usage_rows(self._usage, int(self.ff.workspace.config.store.max_size or 0), columns)

    def action_sort(self) -> None:
        """Sort by size, by cost, by uses."""
        self._sort = _SORTS[(_SORTS.index(self._sort) + 1) % len(_SORTS)]
        self._show()

    def action_open(self) -> None:
        """Open the run that made the value."""
        held = next((each for each in self._held if each.info.digest == self.list.key), None)
        number = self.ff.history.number_of(held.run) if held is not None else None
        run = self.ff.history.find(number) if number is not None else None
        if run is None:
            self.say("the run that made it is not in this journal", "warning")
        else:
            self.ff.open_run(run, tab="outputs")

    def options(self) -> list[Choice]:
        """Return what can be done about the room."""
        return [
            Choice("g", "what a clean-up would free", "plan"),
            Choice("G", "clean up", "collect"),
            Choice("v", "look for damage", "verify"),
            *super().options(),
        ]

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
            self.list.show(rows or [row(""), row(("  nothing is damaged", "good"))])

        self.slow(work, show, group="verify")

    def action_reload(self) -> None:
        """Measure again."""
        try:
            self.on_mount()
        except FinestflowError as error:
            self.say(error.message, "error")
