"""The metrics of a run, each plotted as it went, over those of the marked runs; one that has a single value, over the runs of the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finestflow.model import Run
from finestflow_tui.glyphs import LETTERS
from finestflow_tui.keys import Choice
from finestflow_tui.views import record
from finestflow_tui.views.plot import Series, series_of

if TYPE_CHECKING:
    from finestflow_tui.screens.run import RunScreen
    from finestflow_tui.widgets.plot import Plot

__all__ = ["MetricTab"]


class MetricTab:
    """The tab of metrics.

    Args:
        screen: The screen that it is on.
    """

    def __init__(self, screen: RunScreen) -> None:
        self._screen = screen
        self.plot: Plot | None = None
        self._by_time = False
        self._marked: tuple[tuple[str, ...], list[Run]] = ((), [])

    def show(self, *, keep: bool) -> None:
        """List them, and plot the one under the cursor."""
        screen = self._screen
        assert screen.whole is not None
        if self.plot is None:
            from finestflow_tui.widgets.plot import Plot

            self.plot = Plot(id="plot", classes="aside")
            screen.query_one(".body").mount(self.plot)
        screen.list.show(record.metric_rows(screen.whole.metrics, screen.columns), keep=keep)
        self.show_metric()

    def show_metric(self) -> None:
        """Plot the metric under the cursor."""
        screen, plot, name = self._screen, self.plot, self._screen.list.key
        if plot is None or screen.whole is None or name not in screen.whole.metrics:
            return
        metric = screen.whole.metrics[name]
        if len(metric.values) > 1:
            self._show_course(name, screen.whole)
            return
        history, pipeline = screen.ff.history, screen.summary.pipeline

        def show(values: list[float]) -> None:
            if screen.list.key == name:
                plot.show(
                    f"{name} in the last {len(values)} runs", [Series("", list(enumerate(values, 1 - len(values))))]
                )

        screen.slow_for_tab(lambda: history.course(pipeline, name), show, group="detail")

    def _show_course(self, name: str, run: Run) -> None:
        """Plot how it went in this run and, from a worker, in the marked ones."""
        screen, plot, marks = self._screen, self.plot, self._screen.ff.state.marks
        assert plot is not None
        others = [each for each in screen.ff.marked_runs() if each.id != run.summary.id]
        ids = tuple(each.id for each in others)

        def draw(runs: list[Run]) -> None:
            self._marked = ids, runs
            shown = [run, *(each for each in runs if name in each.metrics)]
            letters = [marks.get(each.summary.id, LETTERS[-1] if at else "this") for at, each in enumerate(shown)]
            plot.show(
                name,
                [
                    series_of(letter, each.metrics[name], by_time=self._by_time, started=each.summary.started)
                    for letter, each in zip(letters, shown, strict=True)
                ],
            )

        if self._marked[0] == ids:
            draw(self._marked[1])
            return
        history = screen.ff.history
        plot.show(name, [series_of("this", run.metrics[name], by_time=self._by_time, started=run.summary.started)])
        screen.slow_for_tab(lambda: [history.load(each) for each in others], draw, group="detail")

    def turn_axis(self) -> None:
        """Plot over the time since the start in place of steps, or back."""
        self._by_time = not self._by_time
        self.show_metric()

    def options(self) -> list[Choice]:
        """Return what a plot can do."""
        return [
            Choice("l", "y linear or logarithmic", "log_axis('y')"),
            Choice("x", "x linear or logarithmic", "log_axis('x')"),
            Choice("s", "smooth more, or not", "smooth"),
            Choice("a", "over steps or seconds", "turn_axis"),
        ]
