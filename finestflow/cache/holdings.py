"""What the store holds, value by value: what each would cost to compute again, how many entries name it, and which run made it.

Called by ``finestflow cache`` and the terminal UI.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from finestflow.cache.rows import Entry
from finestflow.cache.store import ValueInfo

__all__ = ["Held", "find_held", "join_held"]


class Held(NamedTuple):
    """A value of the store.

    Attributes:
        info: What the store says of it.
        seconds: What it took to compute.
        entries: How many cache entries name it.
        run: The run that made it; empty where that is not known.
    """

    info: ValueInfo
    seconds: float
    entries: int
    run: str


def join_held(values: Iterable[ValueInfo], entries: Iterable[Entry]) -> list[Held]:
    """Join values with the entries that name them."""
    cost: dict[str, float] = {}
    count: dict[str, int] = {}
    made: dict[str, str] = {}
    for entry in entries:
        cost[entry.value] = max(cost.get(entry.value, 0.0), entry.seconds)
        count[entry.value] = count.get(entry.value, 0) + 1
        made.setdefault(entry.value, entry.run)
    return [
        Held(info, cost.get(info.digest, 0.0), count.get(info.digest, 0), made.get(info.digest, "")) for info in values
    ]


def find_held(held: Iterable[Held], prefix: str) -> list[Held]:
    """Return the values whose digest begins so."""
    return [each for each in held if each.info.digest.startswith(prefix.lower())]
