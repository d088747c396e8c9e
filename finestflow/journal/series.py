"""The series of a metric: its values in a CSV file, their times in ``run.json``.

Times differ between two runs that are equal, so they are kept apart from the values. Called by ``record``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import pairwise

from finestflow.journal.names import quote_name
from finestflow.model import Metric

__all__ = ["dump", "dump_times", "has_file", "load", "path_of"]

MOST_TIMES = 1000
Values = tuple[tuple[float | None, float, float], ...]


def has_file(metric: Metric) -> bool:
    """Say whether a metric is more than one number without a step."""
    return len(metric.values) > 1 or any(step is not None for step, _, _ in metric.values)


def path_of(name: str) -> str:
    """Return the path of a metric's series in the record."""
    return f"series/{quote_name(name)}.csv"


def dump(metric: Metric) -> bytes:
    """Return the values as CSV: ``step,<name>`` and a row each."""
    name = metric.name
    if any(sign in name for sign in ',"\r\n'):  # csv.writer leaves a carriage return bare, and then cannot read it
        name = '"' + name.replace('"', '""') + '"'
    rows = [f"{'' if step is None else repr(step)},{value!r}\n" for step, value, _ in metric.values]
    return f"step,{name}\n{''.join(rows)}".encode("utf-8", "surrogatepass")


def dump_times(metric: Metric, started: float) -> list[float]:
    """Return when the values came, in seconds since the start; about a thousand of them, evenly spread, stand for more."""
    times = [round(time - started, 3) for _, _, time in metric.values]
    if len(times) <= MOST_TIMES:
        return times
    return [times[at] for at in _spread(len(times))]


def load(data: bytes, times: Sequence[float], started: float, count: int) -> Values:
    """Return the values of a series.

    Args:
        data: The CSV file.
        times: What ``dump_times`` gave.
        started: The start of the run.
        count: How many values there must be.

    Raises:
        ValueError: The file is damaged.
    """
    rows = csv.reader(io.StringIO(data.decode("utf-8", "surrogatepass"), newline=""))
    next(rows, None)
    values = [(_number(step) if step else None, float(value)) for step, value in rows]
    if len(values) != count:
        message = f"a series has {len(values)} of {count} values"
        raise ValueError(message)
    moments = _fill(times, count)
    return tuple((step, value, round(started + at, 6)) for (step, value), at in zip(values, moments, strict=True))


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _spread(count: int) -> list[int]:
    return [at * (count - 1) // (MOST_TIMES - 1) for at in range(MOST_TIMES)]


def _fill(times: Sequence[float], count: int) -> Sequence[float]:
    """Put the times that were left out on a straight line between their neighbours."""
    if len(times) == count:
        return times
    if len(times) != MOST_TIMES:
        return [0.0] * count
    filled = [0.0] * count
    for (left, right), (early, late) in zip(pairwise(_spread(count)), pairwise(times), strict=True):
        for index in range(left, right + 1):
            filled[index] = early + (late - early) * (index - left) / max(1, right - left)
    return filled
