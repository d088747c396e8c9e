"""What plotext draws: lines over an axis with what is written on it, and runs as lines over upright axes.

Invariant: plotext is given at most two points a column: it takes seconds for long series. ``plot`` is the widget that shows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from plotext._utility import colors_to_ansi
from textual_plotext.plot import Plot as Figure

from finestflow_tui.glyphs import LETTERS
from finestflow_tui.text import Span, cut, one_line, width
from finestflow_tui.views.plot import Axis, Points, Series, smooth, thin, ticks

__all__ = ["LEFT", "MOST", "Color", "Looks", "draw_axes", "draw_series", "lines_of"]

Color = str | int | tuple[int, int, int]
"""As plotext has it: a name, the number of one of the terminal's, or red, green and blue."""
MOST = 12
"""Lines of a plot: of more, nobody tells one from another."""
_LABEL = 12
_AXIS = 9
"""Columns of an upright axis at least: its numbers stand above and below it."""
_ROWS = 10
"""Lines that labels are kept apart by: fewer than most plots have."""
LEFT = 8
"""Columns that the labels of the upright axis take, about."""


class Looks(NamedTuple):
    """How lines are drawn."""

    marker: str = "braille"
    is_log: bool = False
    is_log_x: bool = False
    smoothing: float = 0.0
    limits: tuple[float, float] | None = None
    place: float | None = None
    """Where the crosshair is."""
    colors: Sequence[Color] = ("default",)
    """Of the letters of runs, as they have them on every screen."""

    def color_of(self, label: str, at: int, labels: Sequence[str]) -> Color:
        """Return the colour of a line: that of its letter; what has none stands out from those that have one, or is told apart by its place."""
        if len(label) == 1 and label in LETTERS:
            return self.colors[LETTERS.index(label) % len(self.colors)]
        return "default" if any(len(each) == 1 for each in labels) else self.colors[at % len(self.colors)]

    @property
    def words(self) -> str:
        """What is not as usual, for the title."""
        signs = [name for name, wanted in (("log y", self.is_log), ("log x", self.is_log_x)) if wanted]
        signs += [f"smoothed {self.smoothing:g}"] if self.smoothing else []
        return f"  ({', '.join(signs)})" if signs else ""


def lines_of(figure: Any, columns: int, rows: int) -> list[list[Span]]:
    """Return what was drawn, line by line.

    The cells are taken as they are: plotext would write them as one text with escape sequences, which takes longer to read again than to draw.
    """
    figure.plotsize(columns, rows)
    figure._set_size(columns, rows)  # noqa: SLF001 - as PlotextPlot does: plotsize alone keeps another size
    figure._set_sizes()  # noqa: SLF001 - this and the next are what build() does before it writes
    figure._build_matrix()  # noqa: SLF001
    cells = figure.monitor.matrix
    lines = [zip(*line, strict=True) for line in zip(cells.marker, cells.fullground, cells.style, strict=True)]
    return [
        [("".join(mark for mark, _, _ in group), _role_of(*looks)) for looks, group in groupby(line, itemgetter(1, 2))]
        for line in reversed(lines)
    ]


@lru_cache(maxsize=256)
def _role_of(color: Color, style: str) -> str:
    """Return the role of text that plotext drew; what lies below it is the background of the pane."""
    codes = re.findall(r"\x1b\[([\d;]+)m", colors_to_ansi(color, style, "default"))
    return "sgr:" + ";".join(codes) if codes else ""


def draw_series(figure: Figure, title: str, series: Sequence[Series], columns: int, looks: Looks) -> None:
    """Draw the lines of a metric.

    Args:
        figure: Where.
        title: What stands above.
        series: The lines; of a mean with a band, its borders are drawn too.
        columns: Room.
        looks: How.
    """
    drawn: list[tuple[float, float]] = []
    named: list[tuple[str, Points, Color]] = []
    is_whole = True
    for at, each in enumerate(series[:MOST]):
        color = looks.color_of(each.label, at, [line.label for line in series])
        points = _seen(each.points, looks)
        shown = smooth(points, looks.smoothing) if looks.smoothing else points
        faint = [points] if looks.smoothing else []
        for line in (*faint, _seen(each.low, looks), _seen(each.high, looks)):
            edge = thin(line, columns, log=looks.is_log, log_x=looks.is_log_x)
            _draw_line(figure, edge, looks.marker, "gray")
            drawn += edge
        line = thin(shown, columns, log=looks.is_log, log_x=looks.is_log_x)
        drawn += line
        is_whole = is_whole and all(float(x).is_integer() for x, _ in points)
        _draw_line(figure, line, looks.marker, color)
        named.append((cut(one_line(each.label), _LABEL), line, color))
    if len(series) > 1:
        _name_lines(figure, named, drawn, columns)
    if looks.place is not None and (not looks.is_log_x or looks.place > 0):
        figure.vline(math.log10(looks.place) if looks.is_log_x else looks.place, "gray")
    if drawn:
        xs, ys = [x for x, _ in drawn], [y for _, y in drawn]
        _label(figure.xticks, ticks(min(xs), max(xs), is_log=looks.is_log_x, is_whole=is_whole))
        _label(figure.yticks, ticks(min(ys), max(ys), is_log=looks.is_log))
    figure.title(cut(one_line(title), columns - LEFT - len(looks.words)) + looks.words)


def _name_lines(
    figure: Figure, named: Sequence[tuple[str, Points, Color]], drawn: Sequence[tuple[float, float]], columns: int
) -> None:
    """Write the label of each line where it ends, or before that where another label is."""
    if not drawn:
        return
    left, low = min(x for x, _ in drawn), min(y for _, y in drawn)
    wide, high = (max(x for x, _ in drawn) - left) or 1.0, (max(y for _, y in drawn) - low) or 1.0
    taken: list[tuple[float, float, int]] = []
    for label, line, color in named:
        room = width(label) + 2
        for x, y in (*reversed(line), *line[-1:]):
            column, row = (x - left) / wide * columns, (y - low) / high * _ROWS
            is_free = all(abs(column - at) >= max(room, other) or abs(row - its) >= 1 for at, its, other in taken)
            if is_free and column >= room:
                break
        if line:
            taken.append((column, row, room))
            figure.text(label, x, y, color=color, background="default", alignment="right")


def _seen(points: Points, looks: Looks) -> Points:
    if looks.limits is None:
        return points
    low, high = looks.limits
    return [point for point in points if low <= point[0] <= high]


def _label(axis: Callable[..., object], found: Sequence[tuple[float, str]]) -> None:
    """Write at places of an axis; where none are given, plotext chooses."""
    if found:
        axis([place for place, _ in found], [label for _, label in found])


def _draw_line(figure: Figure, points: Points, marker: str, color: Color) -> tuple[float, float] | None:
    """Draw a line, and return where it ends."""
    if not points:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    figure.plot(xs, ys, marker=marker, color=color)
    return xs[-1], ys[-1]


def draw_axes(figure: Figure, axes: Sequence[Axis], labels: Sequence[str], columns: int, looks: Looks) -> None:
    """Draw runs as lines over upright axes.

    Args:
        figure: Where.
        axes: The axes, with the place of each run.
        labels: Of the runs.
        columns: Room.
        looks: How.
    """
    most = max(2, columns // _AXIS)
    title = "parallel coordinates"
    if len(axes) > most:
        title += f", {most} of {len(axes)} axes"
        axes = [*axes[: most // 2], *axes[most // 2 - most :]]
    for at, label in enumerate(labels[:MOST]):
        found = [(x, axis.places[at]) for x, axis in enumerate(axes)]
        line = [(float(x), y) for x, y in found if y is not None]
        color = looks.color_of(label, at, labels)
        ends = _draw_line(figure, line, looks.marker, color)
        if ends is not None:
            figure.text(one_line(label), *ends, color=color, background="default", alignment="right")
    room = max(_AXIS - 1, (columns - 4) // max(1, len(axes)) - 1)
    short = [one_line(axis.name.rpartition("/")[2].rpartition(".")[2]) for axis in axes]
    for x, axis in enumerate(axes):
        name = short[x] if short.count(short[x]) == 1 else one_line(axis.name)
        figure.vline(x, "gray")
        figure.text(_shortened(axis.high, room), x, 1.06, color="default", background="default", alignment="center")
        figure.text(_shortened(axis.low, room), x, -0.06, color="default", background="default", alignment="center")
        figure.text(cut(name, room), x, -0.14, color="default", background="default", alignment="center")
    figure.ylim(-0.16, 1.1)
    figure.xlim(-0.4, len(axes) - 0.6)
    figure.yticks([], [])
    figure.xticks([], [])
    figure.title(title)


def _shortened(text: str, room: int) -> str:
    """Return a value in so many columns: a number with fewer digits, a word cut."""
    if width(text) > room:
        with suppress(ValueError):
            text = f"{float(text):.3g}"
    return cut(text, room)
