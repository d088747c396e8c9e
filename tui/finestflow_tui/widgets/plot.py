"""A plot of metrics by plotext, which is given at most two points a column; imported when the first plot is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual_plotext import PlotextPlot

from finestflow_tui.text import asciify, cut, one_line
from finestflow_tui.views.plot import Series, thin

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["Plot"]

_COLORS = ("cyan+", "orange+", "magenta+", "green+", "blue+", "red+")
_MOST = 6


class Plot(PlotextPlot):
    """One metric of one run or of several."""

    can_focus = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._title = ""
        self._series: Sequence[Series] = ()
        self.is_log = False
        self._drawn: tuple[object, ...] = ()
        self._text = Text()

    def show(self, title: str, series: Sequence[Series]) -> None:
        """Plot something else."""
        self._title, self._series = title, series
        self._drawn = ()
        self.refresh()

    def render(self) -> Text:
        """Return the plot as text; it is made once for a size."""
        app, size = cast("FinestflowApp", self.app), self.size
        key = (size, app.theme, self.is_log)
        if key != self._drawn:
            self._drawn = key
            self._text = self._draw(size.width, size.height, ascii_only=app.is_ascii)
        return self._text

    def _draw(self, columns: int, rows: int, *, ascii_only: bool) -> Text:
        if columns < 12 or rows < 5 or not self._series:
            return Text("")
        plot = self.plt
        plot.clear_figure()
        for at, series in enumerate(self._series[:_MOST]):
            points = thin(series.points, columns, log=self.is_log)
            if points:
                xs, ys = [x for x, _ in points], [y for _, y in points]
                marker = "*" if ascii_only else "braille"
                plot.plot(xs, ys, marker=marker, color=_COLORS[at % len(_COLORS)])
                if len(self._series) > 1:
                    plot.text(
                        cut(one_line(series.label), 12),
                        xs[-1],
                        ys[-1],
                        color=_COLORS[at % len(_COLORS)],
                        alignment="right",
                    )
        plot.title(one_line(self._title) + ("  (log10)" if self.is_log else ""))
        drawn = super().render()
        assert isinstance(drawn, Text)
        if not ascii_only:
            return drawn
        plain = Text(asciify(drawn.plain), end="")
        plain.spans = list(drawn.spans)
        return plain
