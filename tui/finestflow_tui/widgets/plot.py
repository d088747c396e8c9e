"""A plot of metrics by plotext; imported when the first plot is shown.

It can have the keys: then a crosshair reads all lines at one place, and a part of the axis can be looked at closely. The same lines can be seen
as shades, several metrics as a grid of small plots.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from rich.color import Color as RichColor
from textual import events
from textual.strip import Strip
from textual_plotext import PlotextPlot
from textual_plotext.plot import Plot as Figure

from finestflow_tui.bindings import bindings
from finestflow_tui.text import Span, cut, number, one_line, pad, width
from finestflow_tui.theme import MARKS
from finestflow_tui.views.plot import Axis, Series, nearest, shades
from finestflow_tui.widgets.figure import LEFT, MOST, Color, Looks, draw_axes, draw_series, lines_of
from finestflow_tui.widgets.painted import Painted, make_strip

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["Plot"]

_WEIGHTS = (0.0, 0.6, 0.9, 0.97)
_STEPS = 40
_MARKERS = {"braille": "braille", "blocks": "hd", "ascii": "*"}
_SMALL = 34, 9
"""Columns and lines that a plot of a grid needs."""
_TALLEST = 3


class Plot(Painted, PlotextPlot, inherit_bindings=False):
    """One metric of one run or of several, as lines or as shades; several metrics as a grid; or runs as lines over upright axes."""

    BINDINGS = bindings("plot")
    can_focus = True

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._title = ""
        self._series: Sequence[Series] = ()
        self._axes: Sequence[Axis] = ()
        self._grid: Sequence[tuple[str, Sequence[Series]]] = ()
        self.is_log = False
        self.is_log_x = False
        self.is_shaded = False
        self.smoothing = 0.0
        self.place: float | None = None
        """Where the crosshair is."""
        self._limits: tuple[float, float] | None = None
        self._drawn_for: tuple[object, ...] = ()
        self._drawn: Sequence[Sequence[Span]] = ()

    # -- content -----------------------------------------------------------------------------------------------------------------------

    def show(self, title: str, series: Sequence[Series]) -> None:
        """Plot something else; the crosshair and what is looked at closely stay while it is the same metric."""
        if title != self._title:
            self.place = self._limits = None
        self._title, self._series, self._axes, self._grid = title, series, (), ()
        self.redraw()

    def show_grid(self, plots: Sequence[tuple[str, Sequence[Series]]]) -> None:
        """Plot several metrics, each under its name, the first ones where not all have room."""
        self.place = self._limits = None
        self._title, self._series, self._axes, self._grid = "", (), (), plots
        self.redraw()

    def show_axes(self, axes: Sequence[Axis], labels: Sequence[str]) -> None:
        """Draw runs as lines over upright axes.

        Args:
            axes: The axes, with the place of each run.
            labels: Of the runs.
        """
        self._title, self._axes, self._grid = "parallel coordinates", axes, ()
        self._series = [Series(label, ()) for label in labels]
        self.redraw()

    def redraw(self) -> None:
        """Draw it again."""
        self.refresh()

    @property
    def reading(self) -> str:
        """What the crosshair reads: the place, and the value of each line there."""
        if self.place is None or self._axes:
            return ""
        told = [f"{self.place:g}"]
        for series in self._series[:MOST]:
            point = nearest(series.points, self.place)
            if point is not None:
                told.append(f"{cut(one_line(series.label), 12)} {number(point[1])}".strip())
        return "  ".join(told)

    # -- drawing -----------------------------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Paint one line; all are drawn at once for what is shown, since that takes longer than all the rest of opening a tab."""
        app, size, base = cast("FinestflowApp", self.app), self.size, self.base
        shown = self._title, self._series, self._axes, self._grid
        drawn_for = (size, app.theme, self.is_shaded, self._looks, shown)
        if drawn_for != self._drawn_for:
            self._drawn_for = drawn_for
            self._drawn = self._draw(size.width, size.height) if size.width >= 12 and size.height >= 5 else ()
        line = self._drawn[y] if y < len(self._drawn) else ()
        return make_strip(app, line, base).crop_extend(0, size.width, base)

    def _draw(self, columns: int, rows: int) -> Sequence[Sequence[Span]]:
        if self._grid:
            return self._draw_grid(columns, rows)
        if not self._series:
            return ()
        if self.is_shaded and not self._axes:
            return self._draw_shades(columns, rows)
        self.plt.clear_figure()
        if self._axes:
            draw_axes(self.plt, self._axes, [series.label for series in self._series], columns, self._looks)
        else:
            draw_series(self.plt, self._title, self._series, columns, self._looks)
            if self.place is not None:
                self.plt.xlabel(cut(f"@ {self.reading}", columns - LEFT))
        self.plt.theme(self._get_plotext_theme_name(self.app.theme))
        return lines_of(self.plt, columns, rows)

    @property
    def _looks(self) -> Looks:
        app = cast("FinestflowApp", self.app)
        marker = "*" if app.is_ascii else _MARKERS[app.workspace.config.tui.plot]
        found = [app.palette[f"mark{at}"].color for at in range(MARKS)]
        colors = [_color_of(color) for color in found]
        return Looks(marker, self.is_log, self.is_log_x, self.smoothing, self._limits, self.place, colors)

    def _draw_grid(self, columns: int, rows: int) -> Sequence[Sequence[Span]]:
        """Draw as many plots as there is room for, beside and below each other."""
        across = max(1, min(len(self._grid), columns // _SMALL[0]))
        down = max(1, min(math.ceil(len(self._grid) / across), rows // _SMALL[1]))
        wide, high = columns // across, rows // down
        theme = self._get_plotext_theme_name(self.app.theme)
        lines: list[list[Span]] = []
        for at in range(down):
            cells = []
            for name, series in self._grid[at * across : (at + 1) * across]:
                figure = Figure()
                figure.theme(theme)
                draw_series(figure, name, series, wide, self._looks)
                cells.append(lines_of(figure, wide, high))
            lines += [[span for cell in line for span in cell] for line in zip(*cells, strict=True)]
        return lines

    def _draw_shades(self, columns: int, rows: int) -> Sequence[Sequence[Span]]:
        """Draw the lines as shades, one below the other under one scale."""
        series = self._series[: max(1, rows - 4)]
        label = min(12, max(width(one_line(each.label)) for each in series))
        shaded, low, high = shades(series, columns - label - 2, log=self.is_log)
        height = max(1, min(_TALLEST, (rows - 4) // len(series) - 1))
        lines: list[list[Span]] = [[(cut(one_line(self._title), columns) + self._looks.words, "bold")], []]
        for at, (each, line) in enumerate(zip(series, shaded, strict=True)):
            name = pad(cut(one_line(each.label), label), label)
            parts = [name, *[" " * label] * (height - 1)]
            lines += [[(f"{part}  ", f"mark{at % MARKS}"), (line, "metric")] for part in parts]
            if height > 1:
                lines.append([])
        if not math.isnan(low):
            lines.append([(cut(f"{' ' * label}  {number(low)} ░▒▓█ {number(high)}", columns), "dim")])
        return lines

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
        if limits is not None and event.button == 1 and self.size.width > 2 * LEFT:
            low, high = limits
            self._put(low + (high - low) * min(1.0, max(0.0, (event.x - LEFT) / (self.size.width - LEFT - 1))))

    def on_mouse_scroll_up(self) -> None:
        """Look closely."""
        self.action_zoom(1)

    def on_mouse_scroll_down(self) -> None:
        """Look from further away."""
        self.action_zoom(-1)


def _color_of(color: RichColor | None) -> Color:
    """Return a colour as plotext has it: red, green and blue, or the number of one of the terminal's."""
    if color is None or color.is_default:
        return "default"
    return (*color.triplet,) if color.triplet is not None else color.number or 0
