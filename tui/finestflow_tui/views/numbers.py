"""What plots show, as numbers: for those who do not see lines, shades and bands, and for pipes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from finestflow_tui.glyphs import sparkline
from finestflow_tui.text import Row, Span, columns_of, number, one_line
from finestflow_tui.views.plot import Series

__all__ = ["number_rows"]

_CHART = 24
_HEAD = ("metric", "line", "n", "first", "least", "median", "most", "last")


def number_rows(lines: Iterable[tuple[str, Series]]) -> list[Row]:
    """Return a row a line: where it begins, lies and ends, how it went; of the mean of a group also the deviation at its end.

    Args:
        lines: Each with the metric that it is of; those without a number are left out.
    """
    cells = [_cells(metric, line) for metric, line in lines]
    told = [each for each in cells if each]
    if not told:
        return []
    head: list[Span] = [*((name, "head") for name in _HEAD), ("", ""), ("", "")]
    return columns_of([head, *told], right=frozenset(range(2, len(_HEAD))))


def _cells(metric: str, line: Series) -> list[Span]:
    values = [value for _, value in line.points if math.isfinite(value)]
    if not values:
        return []
    deviation = f"±{line.high[-1][1] - line.points[-1][1]:.2g}" if line.high else ""
    numbers = (values[0], min(values), median(values), max(values), values[-1])
    return [
        (one_line(metric), "bold"),
        (one_line(line.label), ""),
        (str(len(line.points)), "dim"),
        *((number(value), "metric") for value in numbers),
        (deviation, "metric"),
        (sparkline([value for _, value in line.points], _CHART), "metric"),
    ]
