"""Two runs or more side by side: what differs between them, the best value of each metric, and how metrics went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal

from finestflow.comparison import SideBySide, compare_runs
from finestflow.model import Metric, Run, RunSummary
from finestflow_tui.actions import RunScreenActions
from finestflow_tui.bindings import bindings
from finestflow_tui.glyphs import LETTERS
from finestflow_tui.keys import Choice
from finestflow_tui.text import Row, one_line, plural, row
from finestflow_tui.views.compare import compare_rows
from finestflow_tui.views.plot import axes_of, series_of, smallest_multiples
from finestflow_tui.widgets.line import Lines, spread
from finestflow_tui.widgets.rows import RowsView

if TYPE_CHECKING:
    from finestflow_tui.widgets.plot import Plot

__all__ = ["CompareScreen"]


class CompareScreen(RunScreenActions):
    """Runs side by side.

    Args:
        runs: The runs, the base first.
    """

    NAME = "compare"
    BINDINGS = bindings("compare")

    def __init__(self, runs: list[RunSummary]) -> None:
        super().__init__()
        self.summaries = runs
        self.runs: list[Run] = []
        self.head = Lines(self._head_rows, over="bar", id="head")
        self.list = RowsView(id="list", classes="main")
        self.plot: Plot | None = None
        self._table: SideBySide | None = None
        self._everything = False
        self._has_axes = False

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield self.head
        with Horizontal(classes="body"):
            yield self.list
        yield self.foot

    def on_mount(self) -> None:
        """Load the records."""
        history, runs = self.ff.history, self.summaries
        self.list.show([row(("reading ...", "dim"))])
        self.slow(
            lambda: [history.load(run) for run in runs],
            self._loaded,
            group="load",
            failed=lambda text: self.list.show([row((text, "error"))]),
        )

    def _loaded(self, runs: list[Run]) -> None:
        self.runs = runs
        self._table = compare_runs(runs, is_whole=True)
        if smallest_multiples(self._metrics()) or axes_of(self._table):
            from finestflow_tui.widgets.plot import Plot

            self.plot = Plot(id="plot", classes="aside")
            self.query_one(".body").mount(self.plot)
        self.call_after_refresh(self._show)

    def _metrics(self) -> dict[str, Mapping[str, Metric]]:
        return {run.summary.id: run.metrics for run in self.runs}

    def _show(self, *, keep: bool = False) -> None:
        if self._table is None:
            return
        rows = compare_rows(self._table, self.ff.state.marks, self.list.room, everything=self._everything)
        self.list.show(rows, keep=keep)
        self.head.update()
        self._show_plot()

    def _show_plot(self) -> None:
        if self.plot is None:
            return
        kind, name = self.list.key or ("", "")
        candidates = smallest_multiples(self._metrics())
        if self._table is not None and (self._has_axes or not candidates):
            letters = [self.ff.state.marks.get(run.id, LETTERS[at % 26]) for at, run in enumerate(self.summaries)]
            self.plot.show_axes(axes_of(self._table), letters)
            return
        shown = name if kind == "metric" and name in candidates else candidates[0]
        series = [
            series_of(self.ff.state.marks.get(run.summary.id, LETTERS[at % 26]), run.metrics[shown])
            for at, run in enumerate(self.runs)
            if shown in run.metrics
        ]
        self.plot.show(shown, series)

    def _head_rows(self, columns: int) -> Sequence[Row]:
        names = " · ".join(one_line(run.name) for run in self.summaries)
        return [
            row(
                *spread(
                    [(f" {plural(len(self.summaries), 'run')} side by side ", "name"), (f" {names}", "dim")],
                    [],
                    columns,
                )
            )
        ]

    def current_run(self) -> RunSummary | None:
        """Return the base."""
        return self.summaries[0]

    def chosen_runs(self) -> list[RunSummary]:
        """Return the runs of the table."""
        return self.summaries

    def on_rows_view_moved(self) -> None:
        """Plot the metric under the cursor."""
        self._show_plot()

    def on_resize(self) -> None:
        """Lay the table out anew."""
        if self.runs:
            self.call_after_refresh(lambda: self._show(keep=True))

    # -- actions -----------------------------------------------------------------------------------------------------------------------

    def action_differing(self) -> None:
        """Show only what differs, or everything."""
        self._everything = not self._everything
        self._show(keep=True)

    def _put(self, runs: list[Run]) -> None:
        self.runs = runs
        self.summaries = [run.summary for run in runs]
        self._table = compare_runs(runs, is_whole=True)
        self._show(keep=True)

    def action_sort(self) -> None:
        """Sort the runs by the row under the cursor, the best or greatest first."""
        kind, name = self.list.key or ("", "")
        line = next(
            (each for each in (self._table.rows if self._table else ()) if (each.kind, each.name) == (kind, name)), None
        )
        if line is None:
            return
        numbers = [value if isinstance(value, (int, float)) else None for value in line.values]
        order = sorted(range(len(self.runs)), key=lambda at: (numbers[at] is None, -(numbers[at] or 0.0)))
        if order == list(range(len(self.runs))):
            order.reverse()
        self._put([self.runs[at] for at in order])

    def action_shift_column(self, step: int) -> None:
        """Turn the runs round, so that another one is the base."""
        self._put([*self.runs[step:], *self.runs[:step]] if step > 0 else [self.runs[-1], *self.runs[:-1]])

    def action_view(self) -> None:
        """The course of a metric, or all that differs as parallel coordinates."""
        if self.plot is None:
            self.say("nothing of these runs can be plotted: no param or metric differs", "warning")
            return
        self._has_axes = not self._has_axes
        self._show_plot()
        if self._has_axes:
            self.say("parallel coordinates: a line a run, an axis a param or metric that differs")

    def options(self) -> list[Choice]:
        """Return what a plot can do."""
        return [
            Choice("l", "y linear or logarithmic", "log_axis('y')"),
            Choice("x", "x linear or logarithmic", "log_axis('x')"),
            Choice("s", "smooth more, or not", "smooth"),
            *super().options(),
        ]

    async def run_chosen(self, action: str) -> None:
        """Do an action by its name: what a plot can do is done by the plot, whichever pane has the keys."""
        is_of_plot = self.plot is not None and action.partition("(")[0] in {"log_axis", "smooth"}
        if is_of_plot and self.plot is not None:
            await self.app.run_action(action, self.plot)
        else:
            await super().run_chosen(action)

    def action_plot(self) -> None:
        """Show or hide the plot."""
        self.action_preview()

    def action_diff(self) -> None:
        """Show what differs between the base and the next run."""
        if len(self.summaries) >= 2:
            self.ff.open_diff(self.summaries[0], self.summaries[1])

    def action_open(self) -> None:
        """Open the difference in code; else the base."""
        kind, _ = self.list.key or ("", "")
        if kind == "code":
            self.action_diff()
        else:
            self.ff.open_run(self.summaries[0])

    def action_save(self) -> None:
        """Write the table to a file."""

        def write(name: str | None) -> None:
            if name:
                text = "\n".join("".join(part for part, _ in line.spans).rstrip() for line in self.list.rows)
                (self.ff.workspace.folder / name).write_text(text + "\n", encoding="utf-8")
                self.say(f"wrote {name}", "good")

        self.ask("save this table as text", "a file", "compare.txt", write)
