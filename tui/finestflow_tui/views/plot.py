"""Series of metrics made thin enough to be drawn: at most two points a column, and no peak lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finestflow.model import Metric

__all__ = ["Series", "series_of", "smallest_multiples", "thin"]

Points = Sequence[tuple[float, float]]


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


def thin(points: Points, columns: int, *, log: bool = False) -> Points:
    """Keep the least and the greatest value of each column, in the order in which they came.

    Args:
        points: (x, y); what is no finite number is left out.
        columns: Columns of the plot.
        log: The logarithm of positive values is drawn.
    """
    clean = [
        (x, math.log10(y) if log else y)
        for x, y in points
        if math.isfinite(y) and math.isfinite(x) and (not log or y > 0)
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
