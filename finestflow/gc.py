"""Drop removed runs for good, and free what no kept run reaches.

Owns the rules of what is kept. Invariant: what a kept run reaches is never deleted, a starred run is never dropped by a rule, nothing happens
while a run is going on, and a plan changes nothing. Interrupted at any point, what is left verifies: runs go first, then entries and
values, then files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finestflow.model import Run, RunId, RunSummary

if TYPE_CHECKING:
    from finestflow.cache.store import Store
    from finestflow.git.repository import Repository

__all__ = ["GcPlan", "GcRules", "choose_runs", "collect", "drop_runs", "plan_values"]

_LEFT_SECONDS = 3600.0
"""A file that nothing names is left by a killed writer when it is older; no writer takes so long from file to row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GcRules:
    """Which runs are kept besides the starred ones; without any rule all that are not removed.

    Attributes:
        keep_last: This many of the newest.
        keep: The runs that a query finds.
        started_before: Only runs that started before this time are dropped.
    """

    keep_last: int | None = None
    keep: Callable[[RunSummary], bool] | None = None
    started_before: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GcPlan:
    """What would go.

    Attributes:
        runs: The runs that leave this clone's journal.
        values: Digests of outputs that no kept run reaches.
        bytes: Size of those outputs.
    """

    runs: tuple[RunSummary, ...]
    values: tuple[str, ...]
    bytes: int


def choose_runs(runs: Sequence[RunSummary], rules: GcRules) -> list[RunSummary]:
    """Return the runs that go: removed ones, and those that the rules do not keep.

    Args:
        runs: All runs, removed ones too, newest first.
        rules: What is kept.
    """
    has_rule = rules.keep_last is not None or rules.keep is not None or rules.started_before is not None
    gone = []
    position = 0
    for run in runs:
        if run.removed:
            gone.append(run)
            continue
        position += 1
        if not has_rule or run.star:
            continue
        is_kept = (
            (rules.keep_last is not None and position <= rules.keep_last)
            or (rules.keep is not None and rules.keep(run))
            or (rules.started_before is not None and run.started >= rules.started_before)
        )
        if not is_kept:
            gone.append(run)
    return gone


def plan_values(kept: Iterable[Run], store: Store) -> tuple[list[str], int]:
    """Return the digests of values that none of the kept runs reaches, and their size in bytes.

    A run reaches its inputs and outputs, and what a hit on one of its calls would replay.
    """
    reached: set[str] = set()
    keys: set[str] = set()
    for run in kept:
        reached.update(run.input_digests.values())
        reached.update(_described(run.description))
        for node in run.nodes.values():
            if node.output is not None and node.output.digest is not None:
                reached.add(node.output.digest)
            if node.key is not None:
                keys.add(node.key)
    for entry in store.iter_entries():
        if entry.key in keys:
            reached.add(entry.value)
            reached.update(_named(entry.effects))
            reached.update(_named(entry.about))
    size = 0
    unreached = []
    for info in store.iter_values():
        if info.digest not in reached:
            unreached.append(info.digest)
            size += info.size
    return unreached, size


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
        rewrite_chain(
            repository,
            JOURNAL_REF,
            lambda commit: run_id_of(commit.message) in ids,
            message=f"gc: drop {len(ids)} runs",
        )
        expire_reflog(repository, JOURNAL_REF)


def collect(store: Store, plan: GcPlan, *, now: float) -> int:
    """Delete the values of a plan, and the files that killed writers left; returns the bytes that were freed.

    Args:
        store: Where the values are.
        plan: What goes.
        now: The time: a young file without a row may belong to a writer that is about to add it.
    """
    freed = store.remove_values(plan.values)
    old = [file for file in store.iter_unused_objects() if file.modified < now - _LEFT_SECONDS]
    store.remove_objects([file.name for file in old])
    store.objects.remove_abandoned(before=now - _LEFT_SECONDS)
    return freed + sum(file.size for file in old)
