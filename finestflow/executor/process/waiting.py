"""The jobs that wait, and which of them goes to which worker.

Owns the order: first come, first served, but for a few jobs whose task an idle worker has initialised. Invariant: a job is sent ahead, behind
others in a worker, only where all of them are known to be quick, and only with what can be taken back. ``pool`` calls it with its lock held.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Sequence

from finestflow.executor.process.handle import Item, Owner, Worker

__all__ = ["QUICK", "Waiting"]

QUICK = 0.005
"""Jobs of a task whose median is below so many seconds are sent ahead."""
_AHEAD = 8
"""How many jobs a worker has at most."""
_FAIR = 8
"""How many jobs may be preferred to one that came before them."""
_SEEN = 5
"""How many durations of a task count."""


class Waiting:
    """The queue of a pool."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._durations: dict[str, deque[float]] = {}
        self._quick: set[str] = set()

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item) -> None:
        """Let a job wait."""
        self._items.append(item)

    def put_back(self, items: Sequence[Item]) -> None:
        """Let jobs that have waited before wait again, first of all."""
        self._items.extendleft(reversed(items))

    def take_all(self) -> Iterable[Item]:
        """Return all jobs; none waits any more."""
        taken, self._items = self._items, deque()
        return taken

    def drop(self, owner: Owner) -> None:
        """Forget the jobs of an owner."""
        self._items = deque([item for item in self._items if item.owner is not owner])

    def note_duration(self, item: Item, seconds: float) -> None:
        """Take note how long a job took."""
        key = item.job.warm_key
        seen = self._durations.setdefault(key, deque(maxlen=_SEEN))
        seen.append(seconds)
        if len(seen) > 2 and sorted(seen)[len(seen) // 2] < QUICK:
            self._quick.add(key)
        else:
            self._quick.discard(key)

    def choose(self, workers: Sequence[Worker]) -> tuple[Worker, Item] | None:
        """Take the job that is to be sent next; return it with the worker that gets it."""
        if not self._items:
            return None
        idle = [worker for worker in workers if worker.is_idle]
        found = self._match(idle) if idle else self._look_ahead(workers)
        if found is not None:
            self._items.remove(found[1])
        return found

    def _match(self, idle: Sequence[Worker]) -> tuple[Worker, Item]:
        """Return the first job whose task is initialised in an idle worker, or else the first, which is passed over a few times only."""
        first = self._items[0]
        if first.is_warm and first.passed_over < _FAIR:
            for item in itertools.islice(self._items, _FAIR):
                worker = next((worker for worker in idle if item.is_warm and item.job.warm_key in worker.warm), None)
                if worker is not None:
                    first.passed_over += item is not first
                    return worker, item
        return min(idle, key=lambda worker: len(worker.warm)) if first.is_warm else idle[0], first

    def _look_ahead(self, workers: Sequence[Worker]) -> tuple[Worker, Item] | None:
        """Return the first job, if it is quick, with the worker that has the fewest of those that have quick ones only."""
        item = self._items[0]
        if not self._is_quick(item):
            return None
        ready = [
            worker
            for worker in workers
            if worker.takes_more
            and len(worker.items) < _AHEAD
            and worker.has_all_for(item)
            and all(map(self._is_quick, worker.items))
        ]
        return (min(ready, key=lambda worker: len(worker.items)), item) if ready else None

    def _is_quick(self, item: Item) -> bool:
        return item.job.warm_key in self._quick and item.job.timeout is None
