"""Running a run again: the plan first, then the run as it goes, then the verdict, output by output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Horizontal

from finestflow.model import Run, RunSummary
from finestflow_tui.bindings import bindings
from finestflow_tui.keys import Choice
from finestflow_tui.screens.frame import Frame
from finestflow_tui.text import Row, many_lines, one_line, row
from finestflow_tui.views import reproduce as view
from finestflow_tui.widgets.line import Lines
from finestflow_tui.widgets.livestrip import live_rows
from finestflow_tui.widgets.rows import RowsView

if TYPE_CHECKING:
    import subprocess

    from finestflow.reproduce import Preflight

__all__ = ["ReproduceScreen"]


class ReproduceScreen(Frame):
    """A run, run again.

    Args:
        run: The run.
    """

    NAME = "reproduce"
    BINDINGS = bindings("reproduce")

    def __init__(self, run: RunSummary) -> None:
        super().__init__()
        self.summary = run
        self.head = Lines(
            lambda _: [row((" reproduce ", "name"), one_line(run.name), (f"  {run.id[:6]}", "id"))],
            over="bar",
            id="head",
        )
        self.live = Lines(self._live_rows, id="live")
        self.list = RowsView(id="list", classes="main")
        self._process: subprocess.Popen[bytes] | None = None
        self._output: Path | None = None
        self._is_ready = False

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self.head
        yield self.live
        with Horizontal(classes="body"):
            yield self.list
        yield self.foot

    def on_mount(self) -> None:
        """Look what is not as it was."""
        history = self.ff.history
        self.list.show([row(("looking at packages, files and inputs ...", "dim"))])

        def work() -> tuple[Run, Preflight]:
            run = history.load(self.summary)
            return run, history.workspace.inspect(run)

        def show(found: tuple[Run, Preflight]) -> None:
            self._is_ready = True
            self.list.show([row(""), *view.plan_rows(*found)])

        self.slow(work, show, group="load", failed=lambda text: self.list.show([row((text, "error"))]))
        self.set_interval(0.25, self._look)

    def _live_rows(self, columns: int) -> Sequence[Row]:
        own = [live for live in self.ff.history.live.runs if live.summary.reproduces == self.summary.id]
        return live_rows(own, columns, self.ff.workspace.clock.time())

    def on_live_changed(self) -> None:
        """Show how far it has come."""
        self.live.update()

    def action_open(self) -> None:
        """Start it; afterwards, show the node that differs."""
        if not self._is_ready or self._process is not None:
            return
        if self.ff.read_only:
            self.say("cannot reproduce: this is read-only", "warning")
            return
        self._output = self.ff.start_process(["reproduce", self.summary.id, "--json"], f"reproduce {self.summary.name}")
        self._process = self.ff.processes[-1][0]
        self.list.show(
            [row(""), row(("  running: it goes on when you leave, and appears in the list of runs", "running"))]
        )

    def _look(self) -> None:
        """Show the verdict when the process has ended."""
        if self._process is None or self._output is None or self._process.poll() is None:
            return
        text = self._output.read_text(encoding="utf-8", errors="replace")
        self._process = None
        self._is_ready = False
        document = _document(text)
        if document is None:
            rows = [
                row(("it could not be run again", "error")),
                row(""),
                *(row(line) for line in many_lines(text).splitlines()),
            ]
        else:
            rows = [row(""), *view.verdict_rows(document)]
        self.list.show(rows)

    def options(self) -> list[Choice]:
        """Return what can be looked at."""
        return [Choice("d", "what differs between both runs", "differences"), *super().options()]

    def action_differences(self) -> None:
        """Show what differs between the run and the latest that reproduces it."""
        index = self.ff.history.reading.index
        found = index.summaries(self.ff.history.parse(f"reproduces:{self.summary.id}"), limit=1)
        if found:
            self.ff.open_diff(self.summary, found[0])
        else:
            self.say("no run reproduces it yet", "warning")


def _document(text: str) -> dict[str, Any] | None:
    """Return the JSON document in what the process wrote: warnings and what tasks print stand before it."""
    for at in (position for position, letter in enumerate(text) if letter == "{"):
        try:
            found = json.loads(text[at:])
        except ValueError:
            continue
        return found if isinstance(found, dict) and found.get("kind") == "reproduction" else None
    return None
