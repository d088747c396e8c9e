"""A plot of metrics by plotext, which is given at most two points a column; imported when the first plot is shown.

It can have the keys: then a crosshair reads all lines at one place, and a part of the axis can be looked at closely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual import events
from textual_plotext import PlotextPlot

from finestflow_tui.bindings import bindings
from finestflow_tui.text import asciify, cut, number, one_line
from finestflow_tui.views.plot import Axis, Points, Series, nearest, smooth, thin, ticks

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["Plot"]

_COLORS = ("cyan+", "orange+", "magenta+", "green+", "blue+", "red+")
_MOST = 12
_WEIGHTS = (0.0, 0.6, 0.9, 0.97)
_STEPS = 40
_LEFT = 8


class Plot(PlotextPlot, inherit_bindings=False):
    """One metric of one run or of several; or runs as lines over upright axes."""

    BINDINGS = bindings("plot")
    can_focus = True

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._title = ""
        self._series: Sequence[Series] = ()
        self._axes: Sequence[Axis] = ()
        self.is_log = False
        self.is_log_x = False
        self.smoothing = 0.0
        self.place: float | None = None
        """Where the crosshair is."""
        self._limits: tuple[float, float] | None = None
        self._drawn: tuple[object, ...] = ()
        self._text = Text()

    # -- content -----------------------------------------------------------------------------------------------------------------------

    def show(self, title: str, series: Sequence[Series]) -> None:
        """Plot something else; the crosshair and what is looked at closely stay while it is the same metric."""
        if title != self._title:
            self.place = self._limits = None
        self._title, self._series, self._axes = title, series, ()
        self.redraw()

    def show_axes(self, axes: Sequence[Axis], labels: Sequence[str]) -> None:
        """Draw runs as lines over upright axes.

        Args:
            axes: The axes, with the place of each run.
            labels: Of the runs.
        """
        self._title, self._axes = "parallel coordinates", axes
        self._series = [Series(label, ()) for label in labels]
        self.redraw()

    def redraw(self) -> None:
        """Draw it again."""
        self._drawn = ()
        self.refresh()

    @property
    def reading(self) -> str:
        """What the crosshair reads: the place, and the value of each line there."""
        if self.place is None or self._axes:
            return ""
        told = [f"{self.place:g}"]
        for series in self._series[:_MOST]:
            point = nearest(series.points, self.place)
            if point is not None:
                told.append(f"{cut(one_line(series.label), 12)} {number(point[1])}".strip())
        return "  ".join(told)

    # -- drawing -----------------------------------------------------------------------------------------------------------------------

    def render(self) -> Text:
        """Return the plot as text; it is made once for a size."""
        app, size = cast("FinestflowApp", self.app), self.size
        key = (size, app.theme, self.has_focus)
        if key != self._drawn:
            self._drawn = key
            self._text = self._draw(size.width, size.height, ascii_only=app.is_ascii)
        return self._text

    def _draw(self, columns: int, rows: int, *, ascii_only: bool) -> Text:
        if columns < 12 or rows < 5 or not self._series:
            return Text("")
        self.plt.clear_figure()
        marker = "*" if ascii_only else "braille"
        if self._axes:
            self._draw_axes(columns, marker)
        else:
            self._draw_series(columns, marker)
        drawn = super().render()
        assert isinstance(drawn, Text)
        if not ascii_only:
            return drawn
        plain = Text(asciify(drawn.plain), end="")
        plain.spans = list(drawn.spans)
        return plain

    def _draw_series(self, columns: int, marker: str) -> None:
        import math

        plot = self.plt
        drawn: list[tuple[float, float]] = []
        is_whole = True
        for at, series in enumerate(self._series[:_MOST]):
            color = _COLORS[at % len(_COLORS)]
            points = self._seen(series.points)
            shown = smooth(points, self.smoothing) if self.smoothing else points
            if self.smoothing:
                self._line(thin(points, columns, log=self.is_log, log_x=self.is_log_x), marker, "gray")
            line = thin(shown, columns, log=self.is_log, log_x=self.is_log_x)
            drawn += line
            is_whole = is_whole and all(float(x).is_integer() for x, _ in points)
            ends = self._line(line, marker, color)
            if ends is not None and len(self._series) > 1:
                plot.text(cut(one_line(series.label), 12), *ends, color=color, alignment="right")
        if self.place is not None and (not self.is_log_x or self.place > 0):
            plot.vline(math.log10(self.place) if self.is_log_x else self.place, "gray")
        if drawn:
            xs, ys = [x for x, _ in drawn], [y for _, y in drawn]
            self._label(plot.xticks, ticks(min(xs), max(xs), is_log=self.is_log_x, is_whole=is_whole))
            self._label(plot.yticks, ticks(min(ys), max(ys), is_log=self.is_log))
        signs = [name for name, wanted in (("log y", self.is_log), ("log x", self.is_log_x)) if wanted]
        signs += [f"smoothed {self.smoothing:g}"] if self.smoothing else []
        said = f"  ({', '.join(signs)})" if signs else ""
        plot.title(cut(one_line(self._title), columns - _LEFT - len(said)) + said)
        if self.place is not None:
            plot.xlabel(cut(f"@ {self.reading}", columns - _LEFT))

    @staticmethod
    def _label(axis: Callable[..., object], found: Sequence[tuple[float, str]]) -> None:
        """Write at places of an axis; where none are given, plotext chooses."""
        if found:
            axis([place for place, _ in found], [label for _, label in found])

    def _line(self, points: Points, marker: str, color: str) -> tuple[float, float] | None:
        """Draw a line and return where it ends."""
        if not points:
            return None
        xs, ys = [x for x, _ in points], [y for _, y in points]
        self.plt.plot(xs, ys, marker=marker, color=color)
        return xs[-1], ys[-1]

    def _draw_axes(self, columns: int, marker: str) -> None:
        plot = self.plt
        for at, series in enumerate(self._series[:_MOST]):
            found = [(x, axis.places[at]) for x, axis in enumerate(self._axes)]
            line = [(float(x), y) for x, y in found if y is not None]
            color = _COLORS[at % len(_COLORS)]
            ends = self._line(line, marker, color)
            if ends is not None:
                plot.text(one_line(series.label), *ends, color=color, alignment="right")
        room = max(6, (columns - 4) // max(1, len(self._axes)) - 1)
        short = [one_line(axis.name.rpartition("/")[2].rpartition(".")[2]) for axis in self._axes]
        for x, axis in enumerate(self._axes):
            name = short[x] if short.count(short[x]) == 1 else one_line(axis.name)
            plot.vline(x, "gray")
            plot.text(cut(axis.high, room), x, 1.06, alignment="center")
            plot.text(cut(axis.low, room), x, -0.06, alignment="center")
            plot.text(cut(name, room), x, -0.14, alignment="center")
        plot.ylim(-0.16, 1.1)
        plot.xlim(-0.4, len(self._axes) - 0.6)
        plot.yticks([], [])
        plot.xticks([], [])
        plot.title(self._title)

    def _seen(self, points: Points) -> Points:
        if self._limits is None:
            return points
        low, high = self._limits
        return [point for point in points if low <= point[0] <= high]

    # -- looking closely ---------------------------------------------------------------------------------------------------------------

    @property
    def _range(self) -> tuple[float, float] | None:
        if self._limits is not None:
            return self._limits
        ends = [point[0] for series in self._series if series.points for point in (series.points[0], series.points[-1])]
        return (min(ends), max(ends)) if ends else None

    def action_aside(self, step: int) -> None:
        """Move the crosshair."""
        limits = self._range
        if limits is None:
            return
        low, high = limits
        at = (low if step > 0 else high) if self.place is None else self.place + step * (high - low) / _STEPS
        self._put(min(high, max(low, at)), step)

    def _put(self, place: float, step: int = 0) -> None:
        """Put the crosshair on the next place that a line has."""
        before = self.place
        points = [near for series in self._series if (near := nearest(series.points, place)) is not None]
        self.place = min((x for x, _ in points), key=lambda x: abs(x - place), default=place)
        if step and self.place == before:  # places are further apart than a step: go to the next
            beyond = [x for series in self._series for x, _ in series.points if (x - self.place) * step > 0]
            self.place = min(beyond, key=lambda x: abs(x - place), default=self.place)
        self.redraw()

    def action_edge(self, step: int) -> None:
        """Put the crosshair at an end."""
        limits = self._range
        if limits is not None:
            self._put(limits[0] if step < 0 else limits[1])

    def action_zoom(self, step: int) -> None:
        """Look at half of the axis, around the crosshair; or at twice as much."""
        limits = self._range
        if limits is None or self._axes:
            return
        low, high = limits
        middle = (low + high) / 2 if self.place is None else self.place
        self._limit(middle, (high - low) * (0.5 if step > 0 else 2.0))

    def action_pan(self, right: int, _down: int) -> None:
        """Look at what lies beside."""
        if self._limits is not None:
            low, high = self._limits
            self._limit((low + high) / 2 + right * (high - low) / 4, high - low)

    def _limit(self, middle: float, span: float) -> None:
        """Look at a part of the axis, moved to where it lies inside the whole."""
        self._limits = None
        whole = self._range
        if whole is not None and span < whole[1] - whole[0]:
            low = min(max(whole[0], middle - span / 2), whole[1] - span)
            self._limits = low, low + span
        self.redraw()

    def action_smooth(self) -> None:
        """Smooth the lines more, and at the end not at all."""
        self.smoothing = _WEIGHTS[(_WEIGHTS.index(self.smoothing) + 1) % len(_WEIGHTS)]
        self.redraw()

    def action_log_axis(self, axis: str) -> None:
        """Draw an axis linear or logarithmic."""
        if axis == "x":
            self.is_log_x = not self.is_log_x
        else:
            self.is_log = not self.is_log
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Put the crosshair where it is clicked."""
        limits = self._range
        if limits is not None and event.button == 1 and self.size.width > 2 * _LEFT:
            low, high = limits
            self._put(low + (high - low) * min(1.0, max(0.0, (event.x - _LEFT) / (self.size.width - _LEFT - 1))))

    def on_mouse_scroll_up(self) -> None:
        """Look closely."""
        self.action_zoom(1)

    def on_mouse_scroll_down(self) -> None:
        """Look from further away."""
        self.action_zoom(-1)
