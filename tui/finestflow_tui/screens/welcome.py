"""Where there is nothing to show yet: no repository, or no runs."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from finestflow_tui.screens.frame import Frame
from finestflow_tui.text import Row, row
from finestflow_tui.widgets.line import Lines

__all__ = ["WelcomeScreen", "no_runs_rows"]

SMALLEST = """\
from finestflow import Pipeline, Task


class Double(Task):
    def run(self, x: int) -> int:
        return 2 * x


class Tiny(Pipeline):
    double: Double = Double()

    def __call__(self, x: int = 4) -> int:
        return self.double(x)
"""


def no_runs_rows() -> list[Row]:
    """Return what an empty list says."""
    code = [row((f"    {line}", "string")) for line in SMALLEST.splitlines()]
    return [
        row(""),
        row(("  no runs yet", "title")),
        row(""),
        row("  A run is made by calling a pipeline. The smallest one, as tiny.py:"),
        row(""),
        *code,
        row(""),
        row("  then: ", ("finestflow run tiny.py", "key"), ("     yk copies this", "dim")),
        row(
            "  or:   ",
            ("finestflow demo", "key"),
            ("            runs the digits example in a folder of its own", "dim"),
        ),
        row(""),
        row(("  This screen shows the run as soon as it begins.", "dim")),
    ]


class WelcomeScreen(Frame):
    """There is no git repository here."""

    NAME = "reproduce"
    BINDINGS = [("i", "init", "Make one"), ("q,escape,ctrl+c,ctrl+q", "quit", "Leave")]

    def compose(self) -> ComposeResult:
        """Lay out the card."""
        yield Lines(self._rows, id="card")

    def _rows(self, columns: int) -> Sequence[Row]:
        return [
            row(("no git repository here", "title")),
            row(""),
            row("finestflow keeps runs in the git repository of your project,"),
            row("and there is none in"),
            row((f"  {self.ff.workspace.folder}", "name")),
            row(""),
            row(("i", "key"), "  make one here: ", ("finestflow init", "key")),
            row(("q", "key"), "  leave, and start again in a repository: ", ("finestflow -C DIR tui", "key")),
        ]

    def action_init(self) -> None:
        """Make a repository, and leave: the next start shows it."""
        if self.ff.read_only:
            return
        self.ff.run_outside(["finestflow", "init"])
        self.app.exit(0, message="the repository is ready: finestflow tui")
