"""The shape of a run: nodes, and the named edges between them.

Plain data: made from the records of a run, or by ``pipeline.trace`` before one; ``drawing`` shows it. Invariant: an edge joins nodes of the
graph, and the nodes are in the order of their calls, so that no edge goes up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from finestflow.model import NodeRecord

__all__ = ["Edge", "Graph", "GraphNode", "fold", "fold_items", "graph_of_nodes", "in_order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """One call.

    Attributes:
        path: Its path, such as ``train/fit``.
        task: Identity of the task.
        kind: ``task``, ``pipeline`` or ``map``.
        status: How it stands in a run or plan; empty where nobody knows.
        seconds: How long it took.
        is_maybe: Whether only some branches of the body make the call.
        count: How many nodes it stands for; 0 is a number that nobody knows yet.
    """

    path: str
    task: str = ""
    kind: str = "task"
    status: str = ""
    seconds: float = 0.0
    is_maybe: bool = False
    count: int = 1


class Edge(NamedTuple):
    """An output that goes to an input.

    ``part`` is ``[0]`` or ``.x`` where only a part of it does. ``kind`` is ``data``; ``text`` where the body made something of the value before
    it went on, such as a text; ``control`` where the body looked at the output before it made the call.
    """

    source: str
    target: str
    name: str = ""
    part: str = ""
    kind: str = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes and edges; ``stopped`` says why and where the graph ends too early, when it does."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[Edge, ...]
    stopped: str = ""


def graph_of_nodes(nodes: Mapping[str, NodeRecord], status_of: Callable[[NodeRecord], str] | None = None) -> Graph:
    """Return the graph of recorded or planned nodes.

    Args:
        nodes: By path, in the order of their calls.
        status_of: What to call the status of a node; its own when not given.
    """
    drawn = {
        node.path: GraphNode(
            path=node.path,
            task=node.task,
            kind=node.kind,
            status=node.status.value if status_of is None else status_of(node),
            seconds=node.seconds,
        )
        for node in nodes.values()
    }
    edges: dict[Edge, None] = {}
    for node in nodes.values():
        given = set()
        for name, item in node.inputs.items():
            source = item.source or ""
            path = source if source in nodes else _path_of(source, nodes)
            if path:
                given.add(path)
                edges[Edge(path, node.path, name, source[len(path) :])] = None
        for path in node.after:
            is_inside = any(path.startswith(other + "/") for other in node.after)
            if path in nodes and path not in given and not is_inside:
                edges[Edge(path, node.path, kind="control")] = None
    return Graph(nodes=tuple(in_order(drawn, edges)), edges=tuple(edges))


def in_order(nodes: Mapping[str, GraphNode], edges: Iterable[Edge]) -> Iterator[GraphNode]:
    """Yield the nodes so that each comes after those that it takes from and the pipeline that it is in, else in the order given."""
    above: dict[str, set[str]] = {path: {path[:at] for at in _slashes(path)} & nodes.keys() for path in nodes}
    for edge in edges:
        if edge.kind != "control" and edge.source in nodes and edge.target in nodes:
            above[edge.target].add(edge.source)
    below: dict[str, list[str]] = {path: [] for path in nodes}
    for path, sources in above.items():
        for source in sources:
            below[source].append(path)
    position = {path: index for index, path in enumerate(nodes)}
    ready = [(position[path], path) for path, sources in above.items() if not sources]
    heapify(ready)
    while ready:
        path = heappop(ready)[1]
        yield nodes[path]
        for target in below[path]:
            above[target].discard(path)
            if not above[target]:
                heappush(ready, (position[target], target))


def _slashes(path: str) -> list[int]:
    return [match.start() for match in re.finditer("/", path)]


def _path_of(source: str, nodes: Mapping[str, NodeRecord]) -> str:
    """Return the node that a source such as ``load[0].x`` is a part of."""
    path = source
    while path:
        path = path[: max(path.rfind("["), path.rfind("."), 0)]
        if path in nodes:
            return path
    return ""


def fold(graph: Graph, depth: int) -> Graph:
    """Return the graph with one node for each pipeline that lies so deep inside others; 0 folds all of them."""
    pipelines = {node.path for node in graph.nodes if node.kind == "pipeline"}

    def place(path: str) -> str:
        inside = [path[:at] for at in _slashes(path) if path[:at] in pipelines]
        return inside[depth] if len(inside) > depth else path

    return _joined(graph, place)


def fold_items(graph: Graph, least: int) -> Graph:
    """Return the graph with one node for all items of a fan-out, where there are at least so many; so for repeated calls that take from the same and go to the same."""
    names: dict[str, str] = {}
    for fan in [node.path for node in graph.nodes if node.kind == "map"]:
        inside = [node.path for node in graph.nodes if node.path.startswith(fan + "/")]
        if sum("/" not in path[len(fan) + 1 :] for path in inside) >= least:
            names.update(dict.fromkeys(inside, fan))
    above: dict[str, set[str]] = {}
    below: dict[str, set[str]] = {}
    for edge in graph.edges:
        above.setdefault(edge.target, set()).add(edge.source)
        below.setdefault(edge.source, set()).add(edge.target)
    groups: dict[tuple[Any, ...], list[str]] = {}
    for node in graph.nodes:
        if node.kind == "task" and node.path not in names:
            joined = frozenset(above.get(node.path, ())), frozenset(below.get(node.path, ()))
            groups.setdefault((re.sub(r"\[\d+\]$", "", node.path), node.task, *joined), []).append(node.path)
    names.update({path: base for (base, *_), paths in groups.items() if len(paths) >= least for path in paths})
    return _joined(graph, lambda path: names.get(path, path))


def _joined(graph: Graph, place: Callable[[str], str]) -> Graph:
    """Return the graph with the nodes of one place as one."""
    groups: dict[str, list[GraphNode]] = {}
    for node in graph.nodes:
        groups.setdefault(place(node.path), []).append(node)
    nodes = []
    for path, members in groups.items():
        first = members[0]
        if len(members) == 1:
            nodes.append(first)
            continue
        inside = [member for member in members if member.kind == "task"]
        status = first.status if first.kind == "pipeline" else _status_of(inside or members)
        nodes.append(
            replace(
                first,
                path=path,
                status=status,
                seconds=first.seconds or sum(member.seconds for member in inside),
                is_maybe=all(member.is_maybe for member in members),
                count=1 if first.kind == "pipeline" else sum(member.count for member in inside),
            )
        )
    edges: dict[Edge, None] = {}
    for edge in graph.edges:
        source, target = place(edge.source), place(edge.target)
        if source != target:
            is_whole = len(groups[source]) == 1
            name = edge.name if is_whole else re.sub(r"\[[^\]]*\]$", "", edge.name)
            edges[Edge(source, target, name, edge.part if is_whole else "", edge.kind)] = None
    return replace(graph, nodes=tuple(nodes), edges=tuple(edges))


def _status_of(nodes: Iterable[GraphNode]) -> str:
    """Return the status that says most of several nodes."""
    found = {node.status for node in nodes}
    order = ("failed", "killed", "cancelled", "running", "pending", "run", "unknown", "skipped", "ok", "hit")
    return next((status for status in order if status in found), "")
