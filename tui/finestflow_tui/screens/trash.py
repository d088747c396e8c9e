"""Deleted runs: they are still there until a clean-up, and come back with one key."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from finestflow.model import RunSummary
from finestflow_tui.actions import RunScreenActions
from finestflow_tui.bindings import bindings
from finestflow_tui.text import plural, row
from finestflow_tui.views.disk import trash_rows
from finestflow_tui.widgets.line import Lines
from finestflow_tui.widgets.rows import RowsView

__all__ = ["TrashScreen"]


class TrashScreen(RunScreenActions):
    """Deleted runs."""

    NAME = "trash"
    BINDINGS = bindings("trash")

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunSummary] = []
        self.head = Lines(
            lambda _: [row((" trash", "name"), (f"  {plural(len(self.runs), 'deleted run')}", "dim"))],
            over="bar",
            id="head",
        )
        self.list = RowsView(id="list", classes="main")

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self.head
        yield Lines(
            lambda _: [
                row(""),
                row(" ", ("⏎", "key"), " brings a run back · ", ("finestflow gc", "key"), " drops them for good"),
                row(""),
            ]
        )
        with Horizontal(classes="body"):
            yield self.list
        yield self.foot

    def on_mount(self) -> None:
        """List them."""
        self.ff.log_command("finestflow log is:removed")
        self.on_history_changed()

    def on_history_changed(self) -> None:
        """List them again."""
        index = self.ff.history.reading.index
        self.runs = index.summaries(self.ff.history.parse("is:removed"), limit=2000)
        self.list.show(trash_rows(self.runs, self.ff.workspace.clock.time()), keep=True)
        self.head.update()

    def current_run(self) -> RunSummary | None:
        """Return the run under the cursor."""
        return next((run for run in self.runs if run.id == self.list.key), None)

    def chosen_runs(self) -> list[RunSummary]:
        """Return the run under the cursor: marks belong to the list."""
        run = self.current_run()
        return [run] if run is not None else []

    def action_open(self) -> None:
        """Bring the run back."""
        runs = self._writable("bring back")
        if runs:
            self.annotate(runs, "brought back", "restore {}", among_removed=True, removed=False)

    def action_delete(self) -> None:
        """Say how they go for good."""
        self.say("only a clean-up drops runs for good: gc then ,G", "warning")
