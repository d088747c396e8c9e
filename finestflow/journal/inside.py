"""What is inside of runs, as queries ask for it: calls, outputs, and what changed since the run before it.

Invariant: the index makes its rows with these functions and ``conditions`` asks them of runs that go on, so that SQL and Python see the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from finestflow.journal.compared import fold_text, same_text
from finestflow.journal.names import family_of

if TYPE_CHECKING:
    from finestflow.model import Run

__all__ = [
    "NOTHING",
    "Call",
    "Inside",
    "Version",
    "call_of",
    "changes_between",
    "inside_of",
]


class Call(NamedTuple):
    """A call of a task, or the calls with its items that ended alike; texts are folded.

    ``name`` is the last part of ``path``, ``task`` the last word of what the task is called.
    """

    path: str
    name: str
    task: str
    status: str


class Inside(NamedTuple):
    """What one run has inside: digests are whole, names of changes and paths folded."""

    calls: frozenset[Call] = frozenset()
    outputs: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()


NOTHING = Inside()


class Version(NamedTuple):
    """What a run is compared by with the one before it: params by path, code by task, the tree of its files."""

    params: Mapping[str, Any]
    code: Mapping[str, frozenset[str]]
    tree: str


def call_of(path: str, task: str, status: str) -> Call:
    """Return a call as queries see it: an item of a fan-out is one of its family."""
    path = fold_text(family_of(path) or path)
    return Call(path, path.rpartition("/")[2], fold_text(task.rpartition(":")[2].rpartition(".")[2]), status)


def inside_of(run: Run) -> Inside:
    """Return what a run that goes on has inside so far; what changed is told of runs that have ended."""
    nodes = run.nodes.values()
    return Inside(
        calls=frozenset(call_of(node.path, node.task, node.status.value) for node in nodes),
        outputs=frozenset(node.output.digest for node in nodes if node.output is not None and node.output.digest),
    )


def changes_between(before: Version, after: Version) -> set[str]:
    """Return what changed, folded: params by path and by its last part, tasks whose code did, and ``code`` where any file did."""
    params = {path for path in before.params.keys() | after.params.keys() if _differ(before.params, after.params, path)}
    tasks = {task for task in before.code.keys() & after.code.keys() if before.code[task] != after.code[task]}
    names = {*params, *(path.rpartition(".")[2] for path in params), *tasks}
    if before.tree != after.tree:
        names.add("code")
    return set(map(fold_text, names))


def _differ(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> bool:
    return path not in before or path not in after or same_text(before[path]) != same_text(after[path])
