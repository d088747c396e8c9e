"""What the store holds, value by value: what each is, would cost to compute again, how many entries name it, and which run made it.

Called by ``finestflow cache`` and the terminal UI.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from finestflow.cache.rows import Entry
from finestflow.cache.store import ValueInfo

__all__ = ["CODE", "LOG", "Held", "find_held", "join_held"]

LOG, CODE = "log of a call", "what a call depends on"


class Held(NamedTuple):
    """A value of the store.

    Attributes:
        info: What the store says of it.
        seconds: What it took to compute.
        entries: How many cache entries have it as their output, or name it beside that.
        run: The run that made it; empty where that is not known.
        kind: What it is where it is no output: ``LOG``, which a hit prints again, or ``CODE``, which ``why`` compares a later call with.
    """

    info: ValueInfo
    seconds: float
    entries: int
    run: str
    kind: str = ""

    @property
    def type(self) -> str:
        """The type of an output; of another value what it is."""
        return self.kind or self.info.type


def join_held(values: Iterable[ValueInfo], entries: Iterable[Entry]) -> list[Held]:
    """Join values with the entries that name them."""
    cost: dict[str, float] = {}
    count: dict[str, int] = {}
    made: dict[str, str] = {}
    kinds: dict[str, str] = {}
    outputs: set[str] = set()
    for entry in entries:
        outputs.add(entry.value)
        cost[entry.value] = max(cost.get(entry.value, 0.0), entry.seconds)
        kinds.update(beside := dict(_beside(entry)))
        for digest in {entry.value, *beside}:
            count[digest] = count.get(digest, 0) + 1
            made.setdefault(digest, entry.run)
    return [
        Held(
            info,
            cost.get(info.digest, 0.0),
            count.get(info.digest, 0),
            made.get(info.digest, ""),
            "" if info.digest in outputs else kinds.get(info.digest, ""),
        )
        for info in values
    ]


def _beside(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield what an entry names beside its output, with its kind."""
    log = json.loads(entry.effects).get("log") if '"log"' in entry.effects else None
    if log:
        yield log, LOG
    about = json.loads(entry.about) if entry.about else {}
    for digest in (about.get("about"), *about.get("classes", {}).values()):
        if digest:
            yield digest, CODE


def find_held(held: Iterable[Held], prefix: str) -> list[Held]:
    """Return the values whose digest begins so."""
    return [each for each in held if each.info.digest.startswith(prefix.lower())]
