"""Series of metrics made thin enough to be drawn: at most two points a column, and no peak lost.

They are over steps, epochs or seconds, smoothed, read at a place, averaged by groups, told as shades, laid on axes.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from finestflow.comparison import SideBySide
from finestflow.model import Metric

__all__ = [
    "PLACES",
    "Axis",
    "Series",
    "axes_of",
    "band",
    "bands",
    "nearest",
    "series_of",
    "shades",
    "smallest_multiples",
    "smooth",
    "thin",
    "ticks",
]

Points = Sequence[tuple[float, float]]
_MOST_AXES = 8
_TICKS = 5
_KINDS = ("param", "input", "metric")


class Series(NamedTuple):
    """One line of a plot; ``label`` stands where it ends, so that it is known without colours.

    ``low`` and ``high`` are the borders of the band around the mean of a group.
    """

    label: str
    points: Points
    low: Points = ()
    high: Points = ()


PLACES = ("steps", "epochs", "seconds")
"""What a metric can be plotted over."""


def series_of(
    label: str,
    metric: Metric,
    *,
    over: str = "steps",
    started: float = 0.0,
    metrics: Mapping[str, Metric] | None = None,
) -> Series:
    """Return a metric as (place, value); counted where it has no steps.

    Args:
        label: What it is called.
        metric: The metric.
        over: ``steps``, ``epochs`` or ``seconds`` since the start.
        started: When the run began.
        metrics: All of the run: a metric called ``epoch``, beside this one, says at which step which epoch was.
    """
    values = metric.values
    if over == "seconds" and started > 0:
        return Series(label, [(time - started, value) for _, value, time in values])
    if any(step is None for step, _, _ in values):
        return Series(label, [(float(at), value) for at, (_, value, _) in enumerate(values)])
    points = [(float(step), value) for step, value, _ in values if step is not None]
    epochs = _epochs_beside(metric.name, metrics or {}) if over == "epochs" else []
    if epochs:
        near = [(nearest(epochs, step), value) for step, value in points]
        points = [(epoch[1], value) for epoch, value in near if epoch is not None]
    return Series(label, points)


def _epochs_beside(name: str, metrics: Mapping[str, Metric]) -> Points:
    """Return (step, epoch) as the task that reports a metric, or the run, tells them."""
    found = metrics.get(f"{name.rpartition('/')[0]}/epoch") or metrics.get("epoch")
    values = found.values if found is not None else ()
    return sorted((step, value) for step, value, _ in values if step is not None and math.isfinite(value))


def band(label: str, lines: Sequence[Points], columns: int) -> Series:
    """Return the mean of several lines, and one standard deviation below and above it.

    Args:
        label: What the group is called.
        lines: Its lines.
        columns: Places that are told apart where the lines have more: what lies between is averaged first.
    """
    finite = [[(x, y) for x, y in line if math.isfinite(y)] for line in lines]
    places = sorted({x for line in finite for x, _ in line})
    if len(places) > columns:
        low, span = places[0], (places[-1] - places[0]) or 1.0
        finite = [
            _averaged((low + (int((x - low) / span * columns) + 0.5) * span / columns, y) for x, y in line)
            for line in finite
        ]
        places = sorted({x for line in finite for x, _ in line})
    at: dict[float, list[float]] = {x: [] for x in places}
    for line in finite:
        for x, y in line:
            at[x].append(y)
    means = [(x, sum(ys) / len(ys)) for x, ys in at.items()]
    deviations = [(sum((y - mean) ** 2 for y in at[x]) / len(at[x])) ** 0.5 for x, mean in means]
    low_edge = [(x, mean - each) for (x, mean), each in zip(means, deviations, strict=True)]
    high_edge = [(x, mean + each) for (x, mean), each in zip(means, deviations, strict=True)]
    return Series(label, means, low_edge, high_edge) if len(lines) > 1 else Series(label, means)


def bands(lines: Iterable[tuple[str, Points]], columns: int) -> list[Series]:
    """Return the mean of the lines of each group, which is told by a text; see ``band``."""
    groups: dict[str, list[Points]] = {}
    for group, points in lines:
        groups.setdefault(group, []).append(points)
    return [band(group if len(own) == 1 else f"{group} ×{len(own)}", own, columns) for group, own in groups.items()]


def _averaged(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points of which no two have the same place."""
    at: dict[float, list[float]] = {}
    for x, y in points:
        at.setdefault(x, []).append(y)
    return [(x, sum(ys) / len(ys)) for x, ys in at.items()]


_SHADES = " ░▒▓█"


def shades(series: Sequence[Series], columns: int, *, log: bool = False) -> tuple[list[str], float, float]:
    """Return each series as a line of shades, the greatest value of all the darkest, and the least and the greatest value.

    Args:
        series: The series.
        columns: Room of a line.
        log: Logarithms of positive values are compared.
    """
    clean = [
        [(x, y) for x, y in each.points if math.isfinite(y) and math.isfinite(x) and (not log or y > 0)]
        for each in series
    ]
    xs = [x for points in clean for x, _ in points]
    if not xs or columns < 1:
        return ["" for _ in series], math.nan, math.nan
    start, span = min(xs), (max(xs) - min(xs)) or 1.0
    lines = [
        dict(_averaged((float(min(columns - 1, int((x - start) / span * columns))), y) for x, y in points))
        for points in clean
    ]
    values = [value for line in lines for value in line.values()]
    low, high = min(values), max(values)

    def shade(value: float) -> str:
        value, least, most = (math.log10(each) if log else each for each in (value, low, high))
        return _SHADES[round((value - least) / ((most - least) or 1.0) * (len(_SHADES) - 1))]

    drawn = []
    for line in lines:
        told, last = "", "·"
        for at in range(columns):  # a place between two points has the shade of the one before it
            last = shade(line[at]) if at in line else last if at < max(line, default=-1) else "·"
            told += last
        drawn.append(told)
    return drawn, low, high


def thin(points: Points, columns: int, *, log: bool = False, log_x: bool = False) -> Points:
    """Keep the least and the greatest value of each column, in the order in which they came.

    Args:
        points: (x, y); what is no finite number is left out.
        columns: Columns of the plot.
        log: The logarithm of positive values is drawn.
        log_x: The logarithm of positive places is.
    """
    clean = [
        (math.log10(x) if log_x else x, math.log10(y) if log else y)
        for x, y in points
        if math.isfinite(y) and math.isfinite(x) and (not log or y > 0) and (not log_x or x > 0)
    ]
    if len(clean) <= 2 * columns or not clean:
        return clean
    clean.sort(key=lambda point: point[0])
    low, span = clean[0][0], (clean[-1][0] - clean[0][0]) or 1.0
    kept: list[tuple[float, float]] = []
    column, bucket = 0, [clean[0]]
    for point in clean[1:]:
        at = min(columns - 1, int((point[0] - low) / span * columns))
        if at != column:
            kept += _ends(bucket)
            column, bucket = at, []
        bucket.append(point)
    return kept + _ends(bucket)


def _ends(bucket: list[tuple[float, float]]) -> list[tuple[float, float]]:
    least, most = min(bucket, key=lambda point: point[1]), max(bucket, key=lambda point: point[1])
    return [least] if least == most else sorted((least, most))


def ticks(low: float, high: float, *, is_log: bool = False, is_whole: bool = False) -> list[tuple[float, str]]:
    """Return places on an axis and what is written there: the value, also where its logarithm is drawn.

    Args:
        low: Where the axis begins, as it is drawn.
        high: Where it ends.
        is_log: Logarithms are drawn.
        is_whole: There are whole numbers only.
    """
    from finestflow_tui.text import number

    if is_log:
        places = [low + (high - low) * at / (_TICKS - 1) for at in range(_TICKS)]
        labels = {number(10**place): place for place in places}
        return [(place, label) for label, place in labels.items()]
    if is_whole:
        step = max(1, math.ceil((high - low) / (_TICKS - 1)))
        return [(float(at), str(at)) for at in range(math.ceil(low), math.floor(high) + 1, step)]
    return []


def smooth(points: Points, weight: float) -> Points:
    """Return a series as its exponential moving mean, not biased towards its beginning; what is no finite number is left out.

    Args:
        points: (x, y).
        weight: Of the mean so far, from 0 (as it is) to below 1.
    """
    mean, total = 0.0, 0.0
    made = []
    for x, y in points:
        if math.isfinite(y):
            mean, total = weight * mean + (1 - weight) * y, weight * total + (1 - weight)
            made.append((x, mean / total))
    return made


def nearest(points: Points, place: float) -> tuple[float, float] | None:
    """Return the point of a series that is the nearest to a place; the points are in the order of their places."""
    if not points:
        return None
    at = bisect_left(points, place, key=lambda point: point[0])
    beside = points[max(0, at - 1) : at + 1] or points[-1:]
    return min(beside, key=lambda point: abs(point[0] - place))


def smallest_multiples(runs: Mapping[str, Mapping[str, Metric]]) -> list[str]:
    """Return names of metrics with a course, those that differ most between runs first."""
    spread: dict[str, float] = {}
    names = dict.fromkeys(
        name for metrics in runs.values() for name, metric in metrics.items() if len(metric.values) > 1
    )
    for name in names:
        lasts = [
            metrics[name].last for metrics in runs.values() if name in metrics and math.isfinite(metrics[name].last)
        ]
        scale = max((abs(value) for value in lasts), default=0.0) or 1.0
        spread[name] = (max(lasts) - min(lasts)) / scale if lasts else 0.0
    return sorted(names, key=lambda name: -spread[name])


class Axis(NamedTuple):
    """An upright axis of parallel coordinates: what its ends are, and where each run is on it, from 0 to 1; None where it has no value."""

    name: str
    low: str
    high: str
    places: tuple[float | None, ...]


def axes_of(table: SideBySide) -> list[Axis]:
    """Return the params and then the metrics that differ between runs, as axes; words are in the order of the alphabet."""
    lines = [line for kind in _KINDS for line in table.rows if line.kind == kind and not line.is_uniform]
    axes = [axis for line in lines if (axis := _axis(line.name, line.values)) is not None]
    return axes if len(axes) <= _MOST_AXES else [*axes[: _MOST_AXES - 2], *axes[-2:]]


def _axis(name: str, values: Sequence[object]) -> Axis | None:
    from finestflow_tui.text import number, value_text

    known = [value for value in values if value is not None]
    if known and all(isinstance(value, (int, float)) and math.isfinite(value) for value in known):
        numbers = [float(value) if isinstance(value, (int, float)) else None for value in values]
        low, high = min(each for each in numbers if each is not None), max(each for each in numbers if each is not None)
        span = (high - low) or 1.0
        return Axis(name, number(low), number(high), tuple(None if v is None else (v - low) / span for v in numbers))
    words = sorted({value_text(value) for value in known})
    if not words:
        return None
    last = max(1, len(words) - 1)
    places = tuple(None if value is None else words.index(value_text(value)) / last for value in values)
    return Axis(name, words[0], words[-1], places)
