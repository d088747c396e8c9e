"""The metrics that say most of a run, on one line: ``f1=0.98  loss=0.2``.

Invariant: which ones depends on the names alone. Called by ``message`` and the index, and by whatever shows a run to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

__all__ = ["choose_metrics", "format_headline", "format_number"]


def choose_metrics(metrics: Mapping[str, float], count: int = 3) -> list[tuple[str, float]]:
    """Return the metrics that say most of a run, with a label each.

    Those of the pipeline itself come first, then those of its last nodes; those of the items of a fan-out only where there are no others.
    A node's name is left out where nobody can mistake it.
    """
    return [(label, metrics[name]) for label, name in _choose_names(tuple(metrics), count)]


@lru_cache(maxsize=1024)
def _choose_names(metrics: tuple[str, ...], count: int) -> tuple[tuple[str, str], ...]:
    """Return (label, name); the runs of one pipeline all have the same names."""
    from finestflow.journal.names import family_of  # which a list never needs: its headlines are in the index

    of_tasks = [name for name in reversed(metrics) if "/" in name]
    of_items = {name for name in of_tasks if family_of(name.rpartition("/")[0])}
    names = [name for name in metrics if "/" not in name] + [
        name for name in of_tasks if name not in of_items
    ] or of_tasks
    short = [name.rsplit("/", 1)[-1] for name in metrics]
    labels = [name.rsplit("/", 1)[-1] for name in names[:count]]
    return tuple((label if short.count(label) == 1 else name, name) for label, name in zip(labels, names, strict=False))


def format_headline(metrics: Mapping[str, float], count: int = 3) -> str:
    """Return the metrics that say most of a run as one line; their names are as they came."""
    return "  ".join([f"{label}={format_number(value)}" for label, value in choose_metrics(metrics, count)])


def format_number(value: float | None) -> str:
    """Return a metric with at most five significant digits."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.5g}"
    return text if "e" not in text or abs(value) >= 1e15 or abs(value) < 1e-4 else f"{value:.0f}"
