"""The series of metrics: their values in CSV files, their times in ``run.json``.

Each metric has a file of its own, but the items of a fan-out share one: ten thousand small files would take longer to write than the run took.
Times differ between two runs that are equal, so they are kept apart from the values. Called by ``record``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise

from finestflow.journal.encode import natural_order
from finestflow.journal.names import family_of, quote_name
from finestflow.model import Metric

__all__ = ["dump", "dump_times", "has_file", "load", "path_of", "read_rows"]

MOST_TIMES = 1000
Values = tuple[tuple[float | None, float, float], ...]
Rows = Sequence[tuple[float | None, float]]
_MANY = "metric,step,value\n"
"""The header of a file that several metrics share."""


def has_file(metric: Metric) -> bool:
    """Say whether a metric is more than one number without a step."""
    return len(metric.values) > 1 or any(step is not None for step, _, _ in metric.values)


def path_of(name: str) -> str:
    """Return the path of a metric's series in the record."""
    family = family_of(name)
    return f"series/{quote_name(name if family is None else family + '/')}.csv"


def dump(metrics: Mapping[str, Metric]) -> dict[str, bytes]:
    """Return the files of the series, by path: ``step,<name>`` and a row a value, or ``metric,step,value`` for what belongs together."""
    texts: dict[str, list[str]] = {}
    for name in sorted(metrics, key=natural_order):
        metric = metrics[name]
        if not has_file(metric):
            continue
        shown = _quote(name)
        label = "" if family_of(name) is None else f"{shown},"
        lines = texts.setdefault(path_of(name), [_MANY if label else f"step,{shown}\n"])
        lines += [f"{label}{'' if step is None else repr(step)},{value!r}\n" for step, value, _ in metric.values]
    return {path: "".join(lines).encode("utf-8", "surrogatepass") for path, lines in texts.items()}


def _quote(name: str) -> str:
    if any(sign in name for sign in ',"\r\n'):  # csv.writer leaves a carriage return bare, and then cannot read it
        return '"' + name.replace('"', '""') + '"'
    return name


def dump_times(metric: Metric, started: float) -> list[float]:
    """Return when the values came, in seconds since the start; about a thousand of them, evenly spread, stand for more."""
    times = [round(time - started, 3) for _, _, time in metric.values]
    if len(times) <= MOST_TIMES:
        return times
    return [times[at] for at in _spread(len(times))]


def read_rows(data: bytes) -> dict[str, Rows]:
    """Return step and value of each row of a file, by metric.

    Raises:
        ValueError: The file is damaged.
    """
    lines = csv.reader(io.StringIO(data.decode("utf-8", "surrogatepass"), newline=""))
    head = next(lines, ["step", ""])
    found: dict[str, list[tuple[float | None, float]]] = {}
    if len(head) == len(_MANY.split(",")):
        for name, step, value in lines:
            found.setdefault(name, []).append((_number(step) if step else None, float(value)))
    else:
        found[head[1]] = [(_number(step) if step else None, float(value)) for step, value in lines]
    return dict(found)


def load(rows: Rows, times: Sequence[float], started: float, count: int) -> Values:
    """Return the values of a series.

    Args:
        rows: What its file has of it.
        times: What ``dump_times`` gave.
        started: The start of the run.
        count: How many values there must be.

    Raises:
        ValueError: The file is damaged.
    """
    if len(rows) != count:
        message = f"a series has {len(rows)} of {count} values"
        raise ValueError(message)
    moments = _fill(times, count)
    return tuple((step, value, round(started + at, 6)) for (step, value), at in zip(rows, moments, strict=True))


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
