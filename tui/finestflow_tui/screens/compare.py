"""Two runs or more side by side: what differs between them, the best value of each metric, and how metrics went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Horizontal

from finestflow.comparison import SideBySide, compare_runs
from finestflow.model import Metric, Run, RunSummary
from finestflow_tui.actions import RunScreenActions
from finestflow_tui.bindings import bindings
from finestflow_tui.glyphs import LETTERS
from finestflow_tui.keys import PLOT, Choice
from finestflow_tui.text import Row, cut, one_line, plain_text, plural, row, word_for_shell
from finestflow_tui.views.compare import compare_rows, fit_runs, group_of
from finestflow_tui.views.plot import PLACES, Series, axes_of, bands, series_of, smallest_multiples
from finestflow_tui.widgets.line import Lines, spread
from finestflow_tui.widgets.rows import RowsView

if TYPE_CHECKING:
    from finestflow_tui.widgets.plot import Plot

__all__ = ["CompareScreen"]

_VIEWS = ("lines", "axes", "grid", "shades")
_SAID = {
    "lines": "the metric under the cursor, or the one that differs most",
    "axes": "parallel coordinates: a line a run, an axis a param or metric that differs",
    "grid": "all metrics with a course, those that differ most first",
    "shades": "shades: a line a run, the greatest value the darkest",
}


class _Table(RowsView):
    """The runs; to the side it goes by whole runs, while names and the base stay."""

    def action_aside(self, step: int) -> None:
        """Leave out one run more or less."""
        cast("CompareScreen", self.screen).leave_out(step)


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
        self.list = _Table(id="list", classes="main")
        self._first = 0
        """How many runs after the base are left out."""
        self.plot: Plot | None = None
        self._table: SideBySide | None = None
        self._has_items = False
        """Whether items of large families are shown one by one."""
        self._everything = False
        self._view = _VIEWS[0]
        self._over = PLACES[0]
        self._is_grouped = False

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
            lambda: history.load_readable(runs),
            self._loaded,
            group="load",
            failed=self.list.tell,
        )

    def _loaded(self, runs: list[Run]) -> None:
        if missing := len(self.summaries) - len(runs):
            self.say(f"{plural(missing, 'record')} cannot be read: left out here", "warning")
        table = self._take(runs)
        if smallest_multiples(self._metrics()) or axes_of(table):
            from finestflow_tui.widgets.plot import Plot

            self.plot = Plot(id="plot", classes="aside")
            self.query_one(".body").mount(self.plot)
        self.call_after_refresh(self._show)

    def _take(self, runs: list[Run]) -> SideBySide:
        self.runs, self.summaries = runs, [run.summary for run in runs]
        whole = compare_runs(runs, is_whole=True, goals=self.ff.workspace.goals)
        self._table = whole if self._has_items else whole.folded()
        return self._table

    def _metrics(self) -> dict[str, Mapping[str, Metric]]:
        return {run.summary.id: run.metrics for run in self.runs}

    def _show(self, *, keep: bool = False) -> None:
        if self._table is None:
            return
        self.list.show(self._rows(self._table, self.list.room), keep=keep)
        self.head.update()
        self._show_plot()

    def _rows(self, table: SideBySide, columns: int) -> list[Row]:
        return compare_rows(table, self.ff.state.marks, columns, everything=self._everything, first=self._first)

    def leave_out(self, step: int) -> None:
        """Leave out one run more or less after the base."""
        if self._table is not None:
            wanted, everything = max(0, self._first + step), self._everything
            self._first = fit_runs(self._table, self.list.room, everything=everything, first=wanted).before
            self._show(keep=True)

    def _show_plot(self) -> None:
        """Plot the metric under the cursor, else the one that differs most; or all of them, or what differs as axes."""
        if self.plot is None or self._table is None:
            return
        kind, name = self.list.key or ("", "")
        candidates = smallest_multiples(self._metrics())
        self.plot.is_shaded = self._view == "shades"
        if self._view == "axes" or not candidates:
            self.plot.show_axes(axes_of(self._table), [self._letter(run) for run in self.runs])
        elif self._view == "grid":
            self.plot.show_grid([(each, self._lines(each)) for each in candidates])
        else:
            shown = name if kind == "metric" and name in candidates else candidates[0]
            self.plot.show(shown, self._lines(shown))

    def _letter(self, run: Run) -> str:
        return self.ff.state.marks.get(run.summary.id, LETTERS[self.runs.index(run) % 26])

    def _lines(self, name: str) -> list[Series]:
        """Return how a metric went in each run, or on average in the groups of runs with equal params."""
        found = [
            series_of(
                self._letter(run),
                run.metrics[name],
                over=self._over,
                started=run.summary.started,
                metrics=run.metrics,
            )
            for run in self.runs
            if name in run.metrics
        ]
        if not self._is_grouped:
            return found
        kind, param = self.list.key or ("", "")
        table, shown = self._table, [at for at, run in enumerate(self.runs) if name in run.metrics]
        groups = [group_of(table, at, param if kind == "param" else "") for at in shown] if table else []
        return bands(zip(groups, [line.points for line in found], strict=True), max(20, self.size.width))

    def _head_rows(self, columns: int) -> Sequence[Row]:
        names = " · ".join(cut(one_line(run.name), 32) for run in self.summaries)
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

    def twin(self) -> str:
        """Return the command that puts the same runs side by side."""
        return " ".join(("finestflow compare", *(word_for_shell(run.name, run.id) for run in self.summaries)))

    def chosen_runs(self) -> list[RunSummary]:
        """Return the runs of the table."""
        return self.summaries

    def on_rows_view_moved(self) -> None:
        """Plot the metric under the cursor."""
        self._show_plot()

    def on_rows_view_widened(self) -> None:
        """Lay the table out anew: with the terminal, and when the plot takes its place."""
        if self.runs:
            self._show(keep=True)

    # -- actions -----------------------------------------------------------------------------------------------------------------------

    def action_differing(self) -> None:
        """Show only what differs, or everything."""
        self._everything = not self._everything
        self._show(keep=True)

    def _put(self, runs: list[Run]) -> None:
        self._take(runs)
        self._show(keep=True)

    def action_items(self) -> None:
        """Show the items of large families one by one, or each family as one row: their mean."""
        self._has_items = not self._has_items
        self.say("all items" if self._has_items else "a row for each large family of items: their mean")
        self._put(self.runs)

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
        """The course of a metric, all that differs as parallel coordinates, a grid of all metrics, the course as shades."""
        if self.plot is None:
            self.say("nothing of these runs can be plotted: no param or metric differs", "warning")
            return
        self._view = _VIEWS[(_VIEWS.index(self._view) + 1) % len(_VIEWS)]
        self._show_plot()
        self.say(_SAID[self._view])

    def action_turn_axis(self) -> None:
        """Plot over steps, epochs where the runs tell them, or seconds."""
        self._over = PLACES[(PLACES.index(self._over) + 1) % len(PLACES)]
        self.say(f"over {self._over}")
        self._show_plot()

    def action_average(self) -> None:
        """Plot the mean and the deviation of runs with equal params, or each run."""
        self._is_grouped = not self._is_grouped
        said = "mean ± deviation of the runs with equal params: on the row of a param, of that one"
        self.say(said if self._is_grouped else "a line a run")
        self._show_plot()

    def options(self) -> list[Choice]:
        """Return what a plot can do."""
        return [
            *PLOT,
            Choice("b", "mean ± deviation of equal params", "average"),
            Choice("i", "items of large families one by one, or as one row", "items"),
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
            if name and self._table is not None:
                rows = self._rows(self._table, 26 * len(self.runs) + 30)
                self.ff.write_file(name, "\n".join(map(plain_text, rows)) + "\n")

        self.ask("save this table as text", "a file", "compare.txt", write)
