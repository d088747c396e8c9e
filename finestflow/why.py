"""Why a node of a recorded run ran, or where its hit came from, in sentences.

What was found at the time of the run is in its record; this adds the run that a hit came from and what the call depends on.
"""

from __future__ import annotations

from collections.abc import Callable

from finestflow.cache.components import WIRING
from finestflow.errors import NotFoundError, nearest_hint
from finestflow.model import NodeRecord, NodeStatus, Run, RunSummary

__all__ = ["explain_node"]

_SHOWN = 12


def explain_node(run: Run, path: str, resolve: Callable[[str], RunSummary]) -> list[str]:
    """Return sentences, the most important one first.

    Args:
        run: The run.
        path: Path of the node.
        resolve: Finds the run that a hit came from.

    Raises:
        NotFoundError: The run has no such node.
    """
    node = run.nodes.get(path)
    if node is None:
        raise NotFoundError(f"run {run.summary.name!r} has no node {path!r}", nearest_hint(path, run.nodes, "nodes"))
    lines = [node.why or _plain(node)]
    if node.status is NodeStatus.HIT and node.hit_of is not None:
        lines.append(_origin(node, resolve))
    if node.kind == "task" and node.status in {NodeStatus.OK, NodeStatus.FAILED}:
        lines += _dependencies(node)
    return [*lines, *node.notes]


def _plain(node: NodeRecord) -> str:
    if node.kind == "pipeline":
        return "the body of a pipeline always runs; its tasks are cached"
    return f"it is {node.status.value}"


def _origin(node: NodeRecord, resolve: Callable[[str], RunSummary]) -> str:
    assert node.hit_of is not None
    try:
        origin = resolve(node.hit_of)
    except NotFoundError:
        return f"computed by run {node.hit_of}, which is not in this journal"
    return f"computed by run {origin.name} ({origin.id})"


def _dependencies(node: NodeRecord) -> list[str]:
    names = [name for name in node.code if name != WIRING]
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"depends on {', '.join(names[:_SHOWN])}{more}"]
