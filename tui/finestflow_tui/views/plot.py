"""Series of metrics made thin enough to be drawn: at most two points a column, and no peak lost; smoothed, read at a place, laid on axes."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finestflow.comparison import SideBySide
from finestflow.model import Metric

__all__ = ["Axis", "Series", "axes_of", "nearest", "series_of", "smallest_multiples", "smooth", "thin", "ticks"]

Points = Sequence[tuple[float, float]]
_MOST_AXES = 8
_TICKS = 5
_KINDS = ("param", "input", "metric")


class Series(NamedTuple):
    """One line of a plot; ``label`` stands where it ends, so that it is known without colours."""

    label: str
    points: Points


def series_of(label: str, metric: Metric, *, by_time: bool = False, started: float = 0.0) -> Series:
    """Return a metric as (step, value); by seconds since the start where there are no steps, or when asked for."""
    steps = [step for step, _, _ in metric.values]
    if by_time or any(step is None for step in steps):
        has_times = by_time and started > 0
        return Series(
            label,
            [(time - started if has_times else float(at), value) for at, (_, value, time) in enumerate(metric.values)],
        )
    return Series(label, [(float(step), value) for step, value, _ in metric.values if step is not None])


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
