"""The metrics of a run, each plotted as it went, over those of the marked runs; one that has a single value, over the runs of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from finestflow.model import Run
from finestflow_tui.glyphs import LETTERS
from finestflow_tui.keys import PLOT, Choice
from finestflow_tui.views import record
from finestflow_tui.views.plot import PLACES, Series, series_of

if TYPE_CHECKING:
    from finestflow_tui.screens.run import RunScreen
    from finestflow_tui.widgets.plot import Plot

__all__ = ["MetricTab"]

_MEGABYTE = 1_000_000
_VIEWS = ("linear", "logarithmic", "shades", "grid")


class MetricTab:
    """The tab of metrics.

    Args:
        screen: The screen that it is on.
    """

    def __init__(self, screen: RunScreen) -> None:
        self._screen = screen
        self.plot: Plot | None = None
        self._over = PLACES[0]
        self._view = _VIEWS[0]
        self._marked: tuple[tuple[str, ...], list[Run]] = ((), [])

    def show(self, *, keep: bool) -> None:
        """List them, and plot the one under the cursor."""
        screen = self._screen
        assert screen.whole is not None
        self.make_plot().set_class(not (screen.whole.metrics or screen.whole.resources), "hidden")
        rows = record.metric_rows(screen.whole.metrics, screen.columns, screen.ff.workspace.goals)
        screen.list.show([*rows, *record.resource_rows(screen.whole, screen.columns)], keep=keep)
        self.show_metric()

    def make_plot(self) -> Plot:
        """Return the plot; it is made, unseen, unless it is there."""
        if self.plot is None:
            from finestflow_tui.widgets.plot import Plot

            self.plot = Plot(id="plot", classes="aside hidden")
            self._screen.query_one(".body").mount(self.plot)
        return self.plot

    def show_metric(self) -> None:
        """Plot the metric under the cursor, or all that have a course."""
        screen, plot, name = self._screen, self.plot, self._screen.list.key
        if plot is None or screen.whole is None:
            return
        if self._view == "grid":
            courses = [each for each, metric in screen.whole.metrics.items() if len(metric.values) > 1]
            self._with_marked(lambda runs: plot.show_grid([(each, self._lines(each, runs)) for each in courses]))
            return
        if name in screen.whole.resources:
            self._with_marked(lambda runs: plot.show(_used_title(name), self._used(name, runs)))
            return
        if name not in screen.whole.metrics:
            return
        if len(screen.whole.metrics[name].values) > 1:
            self._with_marked(lambda runs: plot.show(name, self._lines(name, runs)))
            return
        history, pipeline = screen.ff.history, screen.summary.pipeline

        def show(values: list[float]) -> None:
            if screen.list.key == name:
                plot.show(
                    f"{name} in the last {len(values)} runs", [Series("", list(enumerate(values, 1 - len(values))))]
                )

        screen.slow_for_tab(lambda: history.course(pipeline, name), show, group="detail")

    def _with_marked(self, draw: Callable[[list[Run]], None]) -> None:
        """Draw this run at once and, when a worker has read them, the marked ones with it."""
        screen, run = self._screen, self._screen.whole
        assert run is not None
        others = [each for each in screen.ff.marked_runs() if each.id != run.summary.id]
        ids = tuple(each.id for each in others)

        def take(runs: list[Run]) -> None:
            self._marked = ids, runs
            draw([run, *runs])

        if self._marked[0] == ids:
            take(self._marked[1])
            return
        draw([run])
        history = screen.ff.history
        screen.slow_for_tab(lambda: [history.load(each) for each in others], take, group="detail")

    def _lines(self, name: str, runs: Sequence[Run]) -> list[Series]:
        """Return how a metric went in runs, the first of which is the one of the screen."""
        return [
            series_of(
                self._label(run), run.metrics[name], over=self._over, started=run.summary.started, metrics=run.metrics
            )
            for run in runs
            if name in run.metrics
        ]

    def _used(self, name: str, runs: Sequence[Run]) -> list[Series]:
        """Return what runs used of a resource, by the seconds since each began."""
        return [
            Series(
                self._label(run), [(time - run.summary.started, value) for time, value in run.resources[name].values]
            )
            for run in runs
            if name in run.resources
        ]

    def _label(self, run: Run) -> str:
        """Return the letter of a mark; of the run of the screen without one, that it is this."""
        is_this = run.summary.id == self._screen.summary.id
        return self._screen.ff.state.marks.get(run.summary.id, "this" if is_this else LETTERS[-1])

    def turn_axis(self) -> None:
        """Plot over steps, epochs where the run tells them, or seconds."""
        self._over = PLACES[(PLACES.index(self._over) + 1) % len(PLACES)]
        self._screen.say(f"over {self._over}")
        self.show_metric()

    def turn(self) -> None:
        """See the plot in another way: linear, logarithmic, as shades, all metrics in a grid."""
        if self.plot is None:
            return
        self._view = _VIEWS[(_VIEWS.index(self._view) + 1) % len(_VIEWS)]
        self.plot.is_log, self.plot.is_shaded = self._view == "logarithmic", self._view == "shades"
        self._screen.say("all metrics in a grid" if self._view == "grid" else self._view)
        self.show_metric()

    def options(self) -> list[Choice]:
        """Return what a plot can do."""
        return [
            *PLOT,
            Choice("v", "linear, logarithmic, shades, all metrics in a grid", "view"),
        ]


def _used_title(name: str) -> str:
    return f"{name} in {'MB' if name.endswith('memory') else 'percent'}, by seconds"
