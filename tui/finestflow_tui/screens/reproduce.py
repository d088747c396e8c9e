"""Running a run again: the plan first, then the run as it goes, then the verdict, output by output."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Horizontal

from finestflow.model import Run, RunSummary
from finestflow_tui.bindings import bindings
from finestflow_tui.keys import Choice
from finestflow_tui.peek import find_document
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
        node: The node that the cursor was on: from there on it can be run with the files as they are now.
    """

    NAME = "reproduce"
    BINDINGS = bindings("reproduce")

    def __init__(self, run: RunSummary, node: str = "") -> None:
        super().__init__()
        self.summary = run
        self.how = view.Options()
        self._node = node
        self._found: tuple[Run, Preflight] | None = None
        self._notes: tuple[str, ...] | None = None
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

        has_come = False

        def show(found: tuple[Run, Preflight]) -> None:
            nonlocal has_come
            has_come = self._is_ready = True
            self._found = found
            self._show_plan()

        def fail(text: str) -> None:
            nonlocal has_come
            has_come = True
            self.list.tell(text)

        self.slow(work, show, group="load", failed=fail)
        self.ff.hold_keys(lambda: has_come)  # enter is for the plan
        self.set_interval(0.25, self._look)

    def _show_plan(self) -> None:
        if self._found is not None and self._is_ready:
            rows = view.plan_rows(*self._found, self.how, self._notes or ())
            self.list.show([row(""), *rows, row(""), row(" ", ("⏎", "key"), " start it")])

    def _choose(self, **change: Any) -> None:
        """Change how it is run, and show what that means."""
        if not self._is_ready or self._process is not None:
            self.say("it has been started already", "warning")
            return
        self.how = self.how._replace(**change)
        self._show_plan()

    def action_env(self) -> None:
        """Run in the recorded environment, or in this one."""
        self._choose(env=not self.how.env, node="")
        if self._notes is None and self._found is not None:
            workspace, run = self.ff.history.workspace, self._found[0]

            def show(notes: tuple[str, ...]) -> None:
                self._notes = notes
                self._show_plan()

            self.slow(lambda: workspace.plan_provision(run).notes, show, group="environment")

    def action_ask(self, what: str) -> None:
        """Ask for an option."""
        asked = {
            "tolerance": ("tolerance", "numbers that differ by at most this count as equal; empty takes it away"),
            "into": ("work tree", "a new folder, in which it is kept; empty for a temporary one"),
            "given": (
                "values that no record holds",
                "path=value, several with spaces between; secrets are in no record",
            ),
        }
        heading, hint = asked[what]
        had = getattr(self.how, what)

        def take(text: str | None) -> None:
            if text is not None:
                self._choose(**{what: tuple(shlex.split(text)) if what == "given" else text.strip()})

        self.ask(heading, hint, " ".join(had) if what == "given" else had, take)

    def action_from_node(self) -> None:
        """Run from the node that the cursor was on, with the files as they are now; or the whole as it was."""
        if not self._node:
            self.say("open this from a task of the run: r on it", "warning")
        else:
            self._choose(node="" if self.how.node else self._node, env=False)

    def _live_rows(self, columns: int) -> Sequence[Row]:
        own = [live for live in self.ff.history.live.runs if live.summary.reproduces == self.summary.id]
        return live_rows(own, columns, self.ff.workspace.clock.time())

    def on_live_changed(self) -> None:
        """Show how far it has come."""
        self.live.update()

    def on_beat(self) -> None:
        """Show how long it takes."""
        self.live.update()

    def action_open(self) -> None:
        """Start it; afterwards, show the node that differs."""
        if not self._is_ready or self._process is not None:
            return
        if self.ff.read_only:
            self.say("cannot reproduce: this is read-only", "warning")
            return
        assert self._found is not None
        said = f"run from {self.how.node}" if self.how.node else f"reproduce {self.summary.name}"
        self._output = self.ff.start_process(
            self.how.words(self._found[0]), said, shown=self.how.hidden().words(self._found[0])
        )
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
        document = find_document(text, "reproduction")
        if self.how.node:
            rows = [row(""), *(row(line) for line in many_lines(text).splitlines())]
        elif document is None:
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
        return [
            Choice("e", "in the recorded environment, or this one", "env"),
            Choice("o", "tolerance", "ask('tolerance')"),
            Choice("f", "keep the work tree in a folder", "ask('into')"),
            Choice("p", "values that no record holds", "ask('given')"),
            Choice("n", "from the task on, with the files as they are", "from_node"),
            Choice("d", "what differs between both runs", "differences"),
            *super().options(),
        ]

    def action_differences(self) -> None:
        """Show what differs between the run and the latest that reproduces it."""
        index = self.ff.history.reading.index
        found = index.summaries(self.ff.history.parse(f"reproduces:{self.summary.id}"), limit=1)
        if found:
            self.ff.open_diff(self.summary, found[0])
        else:
            self.say("no run reproduces it yet", "warning")
