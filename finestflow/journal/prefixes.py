"""The shortest beginnings of ids that name them alone.

Invariant: each has ``SHORTEST_PREFIX`` letters at least. Called by the index for every list of runs, so that it imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["SHORTEST_PREFIX", "common_length", "shortest_prefixes"]

SHORTEST_PREFIX = 4


def shortest_prefixes(ids: Iterable[str]) -> dict[str, str]:
    """Map each id to the shortest beginning, of 4 letters at least, that no other of them has."""
    ordered = sorted(set(ids))
    found, left = {}, SHORTEST_PREFIX
    for each, after in zip(ordered, [*ordered[1:], ""], strict=False):  # an id has most in common with its neighbours
        right = SHORTEST_PREFIX
        while each[:right] == after[:right]:
            right += 1
        found[each] = each[: max(left, right)]
        left = right
    return found


def common_length(left: str, right: str) -> int:
    """Count the letters that two texts begin with alike."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
