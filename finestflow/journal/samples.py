"""What a run used of its machine, as rows of ``run.json``: it differs from run to run, as times do. Called by ``record``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from finestflow.model import Resource

__all__ = ["dump", "load"]

MOST_VALUES = 1000
Values = Sequence[tuple[float, float]]


def dump(resources: Mapping[str, Resource], started: float) -> dict[str, dict[str, Any]]:
    """Return a row each: mean, peak, and ``[seconds since the start, value]`` of each sample."""
    return {
        name: {
            "mean": round(each.mean, 3),
            "peak": _short(each.peak),
            "values": [[round(time - started, 3), _short(value)] for time, value in _thin(each.values)],
        }
        for name, each in resources.items()
    }


def load(rows: Mapping[str, Mapping[str, Any]], started: float, *, with_values: bool = True) -> dict[str, Resource]:
    """Return the resources that rows tell."""
    return {
        name: Resource(
            name=name,
            mean=float(row["mean"]),
            peak=float(row["peak"]),
            values=tuple((round(started + at, 3), float(value)) for at, value in row["values"]) if with_values else (),
        )
        for name, row in rows.items()
    }


def _short(value: float) -> float:
    """Return bytes as the whole number that they are."""
    return int(value) if value.is_integer() else value


def _thin(values: Values) -> Values:
    """Return at most a thousand samples: of more, the highest of each stretch, so that no peak is lost."""
    if len(values) <= MOST_VALUES:
        return values
    bounds = [at * len(values) // MOST_VALUES for at in range(MOST_VALUES + 1)]
    return [max(values[first:last], key=lambda sample: sample[1]) for first, last in pairwise(bounds)]
