"""A graph as lines of text: a node a line, its edges as lanes on the left.

Invariant: every edge from a node to a later one runs in a lane, and nodes that take from the same and go to the same share one, so that a
fan-out of a hundred branches is as narrow as one of two. Dotted lanes lead to calls that the body only makes after a look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from finestflow.graph import Edge, Graph, GraphNode

__all__ = ["Row", "draw_rows", "holders", "inputs_text", "marks"]


class Row(NamedTuple):
    """One line: the lanes, the node with its name as deep inside pipelines as it is, and what goes into it."""

    lanes: str
    node: GraphNode
    label: str
    inputs: str


@dataclass(slots=True)
class _Lane:
    """An open edge: whose outputs it carries, from where they came, and who still takes them."""

    members: set[str]
    above: frozenset[str]
    below: frozenset[str]
    left: set[str]

    def is_dotted(self, controls: set[tuple[str, str]]) -> bool:
        """Whether only looks are left to be told of."""
        return all((member, target) in controls for member in self.members for target in self.left)


def draw_rows(graph: Graph) -> Iterator[Row]:
    """Yield the lines of a graph, from the first call to the last."""
    holding = holders(graph)
    into: dict[str, list[Edge]] = {}
    above: dict[str, set[str]] = {}
    below: dict[str, set[str]] = {}
    position = {node.path: index for index, node in enumerate(graph.nodes)}
    for edge in graph.edges:
        into.setdefault(edge.target, []).append(edge)
        if position[edge.source] < position[edge.target]:
            above.setdefault(edge.target, set()).add(edge.source)
            below.setdefault(edge.source, set()).add(edge.target)
    data = {(edge.source, edge.target) for edge in graph.edges if edge.kind != "control"}
    controls = {(edge.source, edge.target) for edge in graph.edges} - data
    lanes = _Lanes(controls)
    for node in graph.nodes:
        if node.path in holding:
            drawn = lanes.pass_by()
        else:
            drawn = lanes.place(node, frozenset(above.get(node.path, ())), frozenset(below.get(node.path, ())))
        inside = [path for path in holding if node.path.startswith(path + "/")]
        label = node.path[max((len(path) + 1 for path in inside), default=0) :]
        opened = "▾ " if node.path in holding else ""
        yield Row(drawn, node, "  " * len(inside) + opened + label, inputs_text(into.get(node.path, [])))


def holders(graph: Graph) -> set[str]:
    """Return the paths of pipelines and fan-outs that are drawn with what is in them."""
    paths = {node.path for node in graph.nodes if node.kind != "task"}
    above = {node.path[:at] for node in graph.nodes for at, sign in enumerate(node.path) if sign == "/"}
    return paths & above


_MOST_ROOTS = 8
"""Calls that take from nothing have lanes of their own up to here: in one lane they look like a chain."""


class _Lanes:
    """The lanes beside the rows, from left to right."""

    def __init__(self, controls: set[tuple[str, str]]) -> None:
        self._controls = controls
        self._lanes: list[_Lane | None] = []
        self._ended = -1

    def pass_by(self) -> str:
        """Return the lanes beside a line without a node."""
        self._ended = -1
        return " ".join(map(self._upright, self._lanes))

    def place(self, node: GraphNode, above: frozenset[str], below: frozenset[str]) -> str:
        """Return the lanes beside a node, and open and close what it opens and closes."""
        feeding = [at for at, lane in enumerate(self._lanes) if lane is not None and lane.members & above]
        closing = []
        dotted = set()
        for at in feeding:
            lane = self._lane(at)
            if all((member, node.path) in self._controls for member in lane.members & above):
                dotted.add(at)
            lane.left.discard(node.path)
            if not lane.left:
                closing.append(at)
        column = self._column(above, below, feeding, sorted(closing, key=lambda at: (at in dotted, at)))
        drawn = self._drawn(node, column, feeding, closing, dotted)
        for at in closing:
            self._lanes[at] = None
        if below:
            shared = self._lanes[column]
            if shared is None:
                self._lanes[column] = _Lane({node.path}, above, below, set(below))
            else:
                shared.members.add(node.path)
        while self._lanes and self._lanes[-1] is None:
            self._lanes.pop()
        self._ended = column if not below else -1
        return drawn

    def _lane(self, at: int) -> _Lane:
        lane = self._lanes[at]
        assert lane is not None  # it is one of those that are open
        return lane

    def _column(
        self, above: frozenset[str], below: frozenset[str], feeding: Sequence[int], closing: Sequence[int]
    ) -> int:
        """Return where a node stands: with its likes, in a lane that ends, or in a free one."""
        may_share = below and (above or len(self._lanes) >= _MOST_ROOTS)
        for at, lane in enumerate(self._lanes):
            if may_share and lane is not None and (lane.below, lane.above) == (below, above) and at not in feeding:
                return at
        if closing:
            return closing[0]
        least = max(feeding, default=-1) + 1 if feeding else 0
        for at in range(least, len(self._lanes)):
            if self._lanes[at] is None and at != self._ended:
                return at
        at = max(least, len(self._lanes))
        at += at == self._ended
        self._lanes.extend([None] * (at + 1 - len(self._lanes)))
        return at

    def _drawn(
        self, node: GraphNode, column: int, feeding: Sequence[int], closing: Sequence[int], dotted: set[int]
    ) -> str:
        ends = [*feeding, column]
        low, high = min(ends), max(ends)
        text = ""
        for at, lane in enumerate(self._lanes):
            if at == column:
                text += "○" if node.is_maybe else "●"
            elif at in feeding:
                text += _joint(is_left=at < column, is_end=at in closing, is_outer=at in {low, high})
            elif lane is not None:
                text += self._upright(lane)
            else:
                text += _line(at, column, feeding, dotted) if low < at < high else " "
            text += _line(at + 0.5, column, feeding, dotted) if low <= at < high else " "
        return text.rstrip()

    def _upright(self, lane: _Lane | None) -> str:
        return " " if lane is None else "┊" if lane.is_dotted(self._controls) else "│"


def _joint(*, is_left: bool, is_end: bool, is_outer: bool) -> str:
    """Return how a lane gives its output away to the side."""
    if is_outer:
        return ("╰" if is_left else "╯") if is_end else ("├" if is_left else "┤")
    return "┴" if is_end else "┼"


def _line(at: float, column: int, feeding: Sequence[int], dotted: set[int]) -> str:
    """Return a piece of the line to a node: dotted where only looks pass."""
    passing = [lane for lane in feeding if min(lane, column) < at < max(lane, column)]
    return "┄" if passing and all(lane in dotted for lane in passing) else "─"


def inputs_text(edges: Sequence[Edge]) -> str:
    """Return what goes into a node: ``train=split.train, models=[svm, forest], after score``."""
    texts: dict[str, list[str]] = {}
    brackets: dict[str, str] = {}
    for edge in edges:
        if edge.kind == "control":
            continue
        name, _, key = edge.name.partition("[")
        texts.setdefault(name, []).append(("~" if edge.kind == "text" else "") + edge.source + edge.part)
        if key:
            brackets[name] = "[]" if re.fullmatch(r"\d+\]", key) else "{}"
    shown = [f"{name}={_listed(sources, brackets.get(name, ''))}" for name, sources in texts.items()]
    after = list(dict.fromkeys(edge.source for edge in edges if edge.kind == "control"))
    return ", ".join([*shown, *([f"after {', '.join(after)}"] if after else [])])


_MOST_SHOWN = 5


def _listed(sources: Sequence[str], brackets: str) -> str:
    shown = list(sources[:_MOST_SHOWN])
    if len(sources) > _MOST_SHOWN:
        shown.append(f"... {len(sources) - _MOST_SHOWN} more")
    if brackets:
        return f"{brackets[0]}{', '.join(shown)}{brackets[1]}"
    return " | ".join(shown)


def marks(node: GraphNode) -> str:
    """Return what is special about a node: how many it stands for, and whether it is only made in some branches."""
    count = "" if node.count == 1 else f" ×{node.count or 'N'}"  # noqa: RUF001 - it is meant
    return count + (" maybe" if node.is_maybe else "")
