"""Items of a fan-out and repeated calls in comparisons: where there are many, they are shown as one.

Owns which names belong together, by the names alone: ``embed/0/score`` and ``embed/1/score`` are ``embed/*/score``, ``fit[0]`` and ``fit[1]`` are
``fit[*]``. Called by ``compare`` and ``comparison``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["gather_families", "mean_of"]

_MOST = 5
"""So many members of a family are shown one by one."""
_place = re.compile(r"(?<=/)\d+(?=/|$)|(?<=\[)\d+(?=\])").sub


def gather_families(names: Iterable[str], *, of_metrics: bool = False) -> dict[str, list[str]]:
    """Return names by what they are shown as: those of a large family together, each other one by itself; in the order of the first ones.

    Args:
        names: Of nodes, or of metrics.
        of_metrics: Whether the last part of a name is that of a metric, of a node the rest.
    """
    shown = dict(_shown(dict.fromkeys(names), of_metrics=of_metrics))
    families: dict[str, list[str]] = {}
    for name, family in shown.items():
        families.setdefault(family, []).append(name)
    found: dict[str, list[str]] = {}
    for name, family in shown.items():
        if len(families[family]) > _MOST:
            found[family] = families[family]
        else:
            found[name] = [name]
    return found


def mean_of(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are there; None without any."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _shown(names: Iterable[str], *, of_metrics: bool) -> Iterator[tuple[str, str]]:
    for name in names:
        node, slash, metric = name.rpartition("/") if of_metrics else (name, "", "")
        yield name, _place("*", node) + slash + metric
