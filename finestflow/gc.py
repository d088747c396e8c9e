"""Drop removed runs for good, and free what no kept run reaches.

Owns the rules of what is kept, and what a run reaches. Invariant: what a kept run reaches is never deleted, a starred run is never dropped by a
rule, no run goes on or begins while something is deleted, and a plan changes nothing. Interrupted at any point, what is left verifies: runs go
first, then entries and values, then files. ``workspace`` calls it; ``du`` measures runs and tasks with it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finestflow.model import NodeRecord, Run, RunId, RunSummary

if TYPE_CHECKING:
    from finestflow.cache.store import Store
    from finestflow.config import GcConfig
    from finestflow.git.repository import Repository

__all__ = [
    "NEEDED_FILES",
    "GcPlan",
    "GcRules",
    "Reach",
    "Share",
    "choose_oldest",
    "choose_runs",
    "collect",
    "drop_runs",
    "hold_still",
    "measure_runs",
    "measure_tasks",
    "plan",
    "rules_of",
]

NEEDED_FILES = ("run.json", "inputs.json", "tasks.json", "graph.json", "config.toml")
"""Of a record: what tells which values its run reaches, and of which task they are."""
_LEFT_SECONDS = 3600.0
"""A file that nothing names is left by a killed writer when it is older; no writer takes so long from file to row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GcRules:
    """Which runs are kept besides the starred ones; without any rule all that are not removed.

    Attributes:
        keep_last: This many of the newest.
        keep: These runs.
        started_before: Only runs that started before this time are dropped.
        most_bytes: Of the runs that the other rules do not name, the oldest go until the outputs of the rest are no larger.
    """

    keep_last: int | None = None
    keep: frozenset[RunId] | None = None
    started_before: float | None = None
    most_bytes: int | None = None

    @property
    def has_choice(self) -> bool:
        """Whether a rule chooses runs by what they are."""
        return self.keep_last is not None or self.keep is not None or self.started_before is not None

    def names(self, run: RunSummary, position: int) -> bool:
        """Say whether a run is one of those to be kept; ``position`` counts from the newest, which is 1."""
        return (
            run.star
            or (self.keep_last is not None and position <= self.keep_last)
            or (self.keep is not None and run.id in self.keep)
            or (self.started_before is not None and run.started >= self.started_before)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GcPlan:
    """What goes.

    Attributes:
        runs: The runs that leave this clone's journal.
        values: Digests of outputs that no kept run reaches.
        bytes: Size of those outputs; what was freed, once it is done.
        kept_bytes: Size of the outputs that stay.
        kept_objects: Files that kept runs name, also such as this clone knows no values of yet: git-lfs or dvc may have brought them.
    """

    runs: tuple[RunSummary, ...]
    values: tuple[str, ...]
    bytes: int
    kept_bytes: int = 0
    kept_objects: frozenset[str] = frozenset()


class Share(NamedTuple):
    """What a run, or all calls of a task, have in the store.

    Attributes:
        name: Of the run, or the task's identity.
        run: Id of the run; empty for a task.
        started: When the run started.
        values: How many outputs.
        bytes: Their size.
        alone: Size of those that no other one has.
    """

    name: str
    run: str
    started: float
    values: int
    bytes: int
    alone: int


class Reach:
    """What runs reach in a store, as it is when this is made.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self.sizes = {info.digest: info.size for info in store.iter_values()}
        self._of_key: dict[str, set[str]] = {}
        for entry in store.iter_entries():
            values = self._of_key.setdefault(entry.key, set())
            values.add(entry.value)
            values.update(_named(entry.effects))
            values.update(_named(entry.about))

    def of_run(self, run: Run) -> frozenset[str]:
        """Return the digests of what is there of its inputs and outputs, and of what a hit on one of its calls would replay."""
        reached = {*run.input_digests.values(), *_described(run.description)}
        for node in run.nodes.values():
            reached.update(self._of_node(node))
        return frozenset(reached & self.sizes.keys())

    def of_tasks(self, run: Run) -> dict[str, set[str]]:
        """Return the digests of what the calls of each task gave, by the task's identity."""
        found: dict[str, set[str]] = {}
        for node in run.nodes.values():
            if node.kind != "pipeline":
                found.setdefault(node.task, set()).update(self._of_node(node) & self.sizes.keys())
        return found

    def size(self, digests: Iterable[str]) -> int:
        """Return how many bytes some values have."""
        return sum(map(self.sizes.__getitem__, digests))

    def _of_node(self, node: NodeRecord) -> AbstractSet[str]:
        reached = set(self._of_key.get(node.key, ())) if node.key is not None else set()
        if node.output is not None and node.output.digest is not None:
            reached.add(node.output.digest)
        return reached


def measure_runs(runs: Iterable[Run], reach: Reach) -> list[Share]:
    """Return what each run has in the store, the largest first."""
    found = {run.summary.id: (run.summary, reach.of_run(run)) for run in runs}
    users = Counter(digest for _, digests in found.values() for digest in digests)
    shares = [
        _share(summary.name, digests, users, reach, run=summary.id, started=summary.started)
        for summary, digests in found.values()
    ]
    return sorted(shares, key=lambda share: (-share.bytes, share.name))


def measure_tasks(runs: Iterable[Run], reach: Reach) -> list[Share]:
    """Return what the calls of each task have in the store, the largest first."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for task, digests in reach.of_tasks(run).items():
            found.setdefault(task, set()).update(digests)
    users = Counter(digest for digests in found.values() for digest in digests)
    shares = [_share(task, digests, users, reach) for task, digests in found.items()]
    return sorted(shares, key=lambda share: (-share.bytes, share.name))


def _share(
    name: str, digests: AbstractSet[str], users: Mapping[str, int], reach: Reach, *, run: str = "", started: float = 0.0
) -> Share:
    alone = reach.size(digest for digest in digests if users[digest] == 1)
    return Share(name, run, started, len(digests), reach.size(digests), alone)


def rules_of(
    config: GcConfig, find: Callable[[str], Iterable[RunSummary]], now: float, *, most_bytes: int | None = None
) -> GcRules:
    """Return the rules that settings, or flags in their place, mean.

    Args:
        config: What is kept.
        find: Finds the runs of a query.
        now: The time.
        most_bytes: As in ``GcRules``.
    """
    return GcRules(
        keep_last=config.keep_last,
        keep=frozenset(run.id for run in find(config.keep)) if config.keep else None,
        started_before=None if config.older_than is None else now - config.older_than,
        most_bytes=most_bytes,
    )


def plan(
    runs: Sequence[RunSummary], load: Callable[[list[RunSummary]], Iterable[Run]], store: Store, rules: GcRules
) -> GcPlan:
    """Find out what goes.

    Args:
        runs: All runs, removed ones too.
        load: Reads runs whole.
        store: Where the values are.
        rules: What is kept.

    Raises:
        CorruptionError: A kept run cannot be read, so what it reaches is unknown.
    """
    runs = sorted(runs, key=lambda run: -run.started)
    gone = {run.id: run for run in choose_runs(runs, rules)}
    kept = [run for run in runs if run.id not in gone]
    reach = Reach(store)
    reached, objects = {}, dict[RunId, set[str]]()
    for run in load(kept):
        reached[run.summary.id] = reach.of_run(run)
        objects[run.summary.id] = {
            node.output.object for node in run.nodes.values() if node.output and node.output.object
        }
    if rules.most_bytes is not None:
        named = {run.id for position, run in enumerate(kept, 1) if rules.names(run, position)}
        droppable = [run.id for run in reversed(kept) if run.id not in named]
        oldest = choose_oldest(droppable, reached, reach.sizes, rules.most_bytes)
        gone.update((run.id, run) for run in kept if run.id in oldest)
    needed = frozenset[str]().union(*(digests for run_id, digests in reached.items() if run_id not in gone))
    unreached = tuple(reach.sizes.keys() - needed)
    return GcPlan(
        runs=tuple(run for run in runs if run.id in gone),
        values=unreached,
        bytes=reach.size(unreached),
        kept_bytes=reach.size(needed),
        kept_objects=frozenset[str]().union(*(names for run_id, names in objects.items() if run_id not in gone)),
    )


def choose_runs(runs: Sequence[RunSummary], rules: GcRules) -> list[RunSummary]:
    """Return the runs that go: removed ones, and those that the rules do not keep.

    Args:
        runs: All runs, removed ones too, newest first.
        rules: What is kept.
    """
    gone = []
    position = 0
    for run in runs:
        if run.removed:
            gone.append(run)
            continue
        position += 1
        if rules.has_choice and not rules.names(run, position):
            gone.append(run)
    return gone


def choose_oldest(
    droppable: Sequence[RunId], reached: Mapping[RunId, AbstractSet[str]], sizes: Mapping[str, int], most: int
) -> set[RunId]:
    """Return the runs without which what the others reach has at most so many bytes.

    Args:
        droppable: The runs that may go, oldest first.
        reached: What each run reaches, of those that may not go too.
        sizes: Bytes of each value.
        most: How many bytes may stay.
    """
    users = Counter(digest for digests in reached.values() for digest in digests)
    total = sum(map(sizes.__getitem__, users))
    gone = set()
    for run_id in droppable:
        if total <= most:
            break
        gone.add(run_id)
        for digest in reached[run_id]:
            users[digest] -= 1
            if not users[digest]:
                total -= sizes[digest]
    return gone


def _described(description: object) -> Iterable[str]:
    if isinstance(description, dict):
        if isinstance(description.get("$digest"), str):
            yield description["$digest"]
        for value in description.values():
            yield from _described(value)
    elif isinstance(description, list):
        for value in description:
            yield from _described(value)


def _named(text: str) -> Iterable[str]:
    """Yield the digests of values that the effects of an entry name, or what ``why`` compares with."""
    told = json.loads(text) if text else {}
    for name in ("about", "log"):
        if name in told:
            yield told[name]
    for name in ("context", "classes", "saved"):
        yield from told.get(name, {}).values()


@contextmanager
def hold_still(state_dir: Path, busy: Callable[[RunId], None]) -> Iterator[None]:
    """Hold a repository in which no run goes on; one that begins meanwhile waits for the end of the block.

    Args:
        state_dir: Its state folder.
        busy: Called with a run that is going on, as often as one is; it waits a little, or raises.
    """
    from finestflow.journal.live import iter_live
    from finestflow.journal.lock import hold_gate

    while True:
        with hold_gate(state_dir, is_closed=True):
            going = next((entry for entry in iter_live(state_dir) if entry.is_alive), None)
            if going is None:
                yield
                return
        busy(going.run_id)


def drop_runs(repository: Repository, gone: Iterable[RunId]) -> None:
    """Take runs out of this clone's chain; the commits after the oldest of them get new ids."""
    from finestflow.git.maintenance import expire_reflog, rewrite_chain
    from finestflow.git.refs import JOURNAL_REF
    from finestflow.journal.lock import hold_lock
    from finestflow.journal.message import run_id_of

    ids = set(gone)
    if not ids:
        return
    with hold_lock(repository.state_dir):
        tip = rewrite_chain(
            repository,
            JOURNAL_REF,
            lambda commit: run_id_of(commit.message) in ids,
            message=f"gc: drop {len(ids)} runs",
        )
        if tip is not None:  # else the ref is gone with its reflog
            expire_reflog(repository, JOURNAL_REF)


def collect(store: Store, plan: GcPlan, *, now: float) -> int:
    """Delete the values of a plan, and the files that killed writers left; returns the bytes that were freed.

    Args:
        store: Where the values are.
        plan: What goes, and what stays.
        now: The time: a young file without a row may belong to a writer that is about to add it.
    """
    freed = store.remove_values(plan.values)
    unused = (file for file in store.iter_unused_objects() if file.name not in plan.kept_objects)
    old = [file for file in unused if file.modified < now - _LEFT_SECONDS]
    store.remove_objects([file.name for file in old])
    store.objects.remove_abandoned(before=now - _LEFT_SECONDS)
    return freed + sum(file.size for file in old)
