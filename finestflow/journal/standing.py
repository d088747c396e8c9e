"""How far a run that is going on has come: nodes done, nodes running, how long they may still take, the last metric.

Invariant: computed from the folded state alone, so every process that watches a run says the same. The items of a fan-out count as one
node here that has come so far. The list of runs and screens show it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from finestflow.journal.state import RunState
from finestflow.model import NodeRecord, NodeStatus

__all__ = ["RunningNode", "Standing", "count_groups", "group_of", "remaining", "standing_of"]

_OPEN = frozenset({NodeStatus.PENDING, NodeStatus.RUNNING})
_index = re.compile(r"\[\d+\]|/\d+(?=/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningNode:
    """A node that is being computed, or the items of a fan-out together.

    ``done`` of ``total`` is what it says of itself, or the items that have ended; ``seconds`` it has taken, ``left`` it may still take.
    """

    path: str
    seconds: float
    done: float | None = None
    total: float | None = None
    left: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a run has come: tasks that have ended, of those that are known so far or that the run before had."""

    done: int
    known: int
    running: tuple[RunningNode, ...] = ()
    metric: tuple[str, float] | None = None


def group_of(path: str) -> str:
    """Return what the items of a fan-out have in common: their path without numbers."""
    return _index.sub("", path)


def count_groups(paths: Iterable[str]) -> dict[str, int]:
    """Return how many nodes each group has."""
    return dict(Counter(map(group_of, paths)))


def remaining(seconds: float, done: float | None, total: float | None) -> float | None:
    """Return how many seconds are left when the rest goes as what has been done; None where that cannot be said."""
    if not done or not total or not 0 < done <= total:
        return None
    return max(0.0, seconds) * (total - done) / done


def standing_of(state: RunState, now: float) -> Standing:
    """Return how far a run has come.

    Args:
        state: Its events, folded.
        now: The time, in seconds since the epoch.
    """
    nodes = [node for node in state.run.nodes.values() if node.kind == "task"]
    groups: dict[str, list[NodeRecord]] = {}
    for node in nodes:
        groups.setdefault(group_of(node.path), []).append(node)
    running = [
        _running(path, group, state, now)
        for path, group in groups.items()
        if any(node.status is NodeStatus.RUNNING for node in group)
    ]
    known = sum(max(len(groups.get(path, ())), state.expected.get(path, 0)) for path in {**groups, **state.expected})
    return Standing(done=_count_done(nodes), known=known, running=tuple(running), metric=state.last_metric)


def _count_done(nodes: Iterable[NodeRecord]) -> int:
    return sum(node.status not in _OPEN for node in nodes)


def _running(path: str, group: list[NodeRecord], state: RunState, now: float) -> RunningNode:
    started = min((node.started for node in group if node.started is not None), default=now)
    seconds = max(0.0, now - started)
    size = max(len(group), state.expected.get(path, 0))
    done: float | None
    total: float | None
    if size > 1:
        done, total = _count_done(group), size
    else:
        path = group[0].path
        done, total = state.progress.get(path, (None, None))
    return RunningNode(path=path, seconds=seconds, done=done, total=total, left=remaining(seconds, done, total))
