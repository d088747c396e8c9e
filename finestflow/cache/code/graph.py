"""The graph of what code reaches, and its canonical digest.

Owns nodes and how a graph of them becomes text. Invariant: the digest depends on what the nodes are and how
they are linked from the root, not on when or in which order they were found, so recursion ends and every
process agrees. Called by ``reach``, which makes the nodes, and ``fingerprint``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from finestflow.cache.code.canonical import Hash
from finestflow.cache.components import WIRING

__all__ = ["ABSENT", "Graph", "Node", "read_graph"]

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "ABSENT"})()
"""Stands for a name that is not bound."""


_NO_EDGES: dict[str, Any] = {}
_NOTHING_SEEN: list[Any] = []
_ADDITIONS = ("", ".", "[")
_NONE: frozenset[tuple[str, str]] = frozenset()


class Node:
    """One thing that code reaches.

    Attributes:
        name: How people call it; empty where that depends on what leads to it.
        own: What it is by itself, without what it leads to.
        shown: A short text of its value, for constants.
        is_shown: Whether it is a component of its own; libraries are shown by their version.
        edges: What it leads to.
        calls: How it calls those of them that have no name: absolute, or an addition to its own name.
        distributions: Name and version of the libraries it belongs to.
        notes: What about it cannot be seen; ``{name}`` stands for its name.
        reads, stores: Attributes of ``self`` that a method reads and sets.
        seen: Bindings that were followed: mapping, key, value; and the next three. Flat, because the garbage
            collector looks at every tuple.
    """

    __slots__ = (
        "_arguments", "_checks", "_expand", "_held", "calls", "distributions", "edges", "is_fresh_in", "is_shown",
        "name", "notes", "own",
        "reads", "seen", "shown", "stores",
    )  # fmt: skip

    def __init__(self, name: str, expand: Callable[..., None] | None, *arguments: object) -> None:
        self.name = name
        self.own = ""
        self.shown = ""
        self.is_shown = True
        # Most nodes are constants: what only few have is shared until it is needed.
        self.edges: dict[str, Node] = {} if expand is not None else _NO_EDGES
        self.seen: list[Any] = [] if expand is not None else _NOTHING_SEEN
        self.calls: dict[str, str] = _NO_EDGES if expand is None else {}
        self.distributions: frozenset[tuple[str, str]] = _NONE
        self.notes: tuple[str, ...] = ()
        self.reads: tuple[str, ...] = ()
        self.stores: tuple[str, ...] = ()
        self.is_fresh_in = 0
        self._checks: tuple[Callable[[], bool], ...] = ()
        self._held: tuple[Any, ...] = ()
        self._expand = expand
        self._arguments = arguments

    def expand(self) -> None:
        """Fill the node, the first time."""
        expand, self._expand = self._expand, None
        if expand is not None:
            expand(self, *self._arguments)
            self._arguments = ()

    def link(self, label: str, target: Node, call: str = "") -> None:
        """Add what the node leads to."""
        self.edges[label] = target
        if call and not target.name:
            self.calls[label] = call

    def hold(self, owner: object, attribute: str, value: object) -> None:
        """Remember that an attribute had a value."""
        self._held += (owner, attribute, value)

    def check(self, is_same: Callable[[], bool]) -> None:
        """Add a condition under which the node is as it was."""
        self._checks = (*self._checks, is_same)

    def note(self, text: str) -> None:
        """Say what of the node cannot be seen."""
        self.notes = (*self.notes, text)

    def belong(self, versions: Iterable[tuple[str, str]]) -> None:
        """Add libraries that the node belongs to."""
        self.distributions = self.distributions.union(versions)

    def is_as_it_was(self) -> bool:
        """Return whether all that was followed from this node is still bound to the same things."""
        seen = iter(self.seen)
        for mapping, key, value in zip(seen, seen, seen, strict=True):
            if mapping.get(key, ABSENT) is not value:
                return False
        try:
            held = iter(self._held)
            for owner, attribute, value in zip(held, held, held, strict=True):
                if getattr(owner, attribute, ABSENT) is not value:
                    return False
        except ValueError:  # an empty cell
            return False
        return all(check() for check in self._checks)


@dataclass(frozen=True, slots=True)
class Graph:
    """All that a root reaches, in canonical order.

    Attributes:
        hash: Digest of the whole.
        components: What it is made of, by name.
        notes: What cannot be seen.
        nodes: The nodes, the root first.
    """

    hash: str
    components: Mapping[str, str]
    notes: tuple[str, ...]
    nodes: tuple[Node, ...]

    def is_as_it_was(self, generation: int) -> bool:
        """Return whether no node has changed; each is looked at once in a generation."""
        for node in self.nodes:
            if node.is_fresh_in != generation:
                if not node.is_as_it_was():
                    return False
                node.is_fresh_in = generation
        return True


def read_graph(root: Node, hash_: Hash, generation: int, name: str = "") -> Graph:
    """Return the graph below a root, expanding its nodes.

    Nodes are numbered in the order in which a depth-first walk along sorted edges meets them: a rooted graph
    with named edges has exactly one such numbering. It also decides how a thing without a name is called.
    """
    numbers: dict[Node, int] = {}
    labels: list[list[str]] = []
    names: list[str] = []
    stack = [(root, root.name or name)]
    while stack:
        node, name = stack.pop()
        if node in numbers:
            continue
        numbers[node] = len(numbers)
        names.append(name)
        node.expand()
        node.is_fresh_in = generation
        edges = node.edges
        sorted_labels = sorted(edges)
        labels.append(sorted_labels)
        for label in reversed(sorted_labels):
            target = edges[label]
            if target not in numbers:
                stack.append((target, target.name or _call(name, node.calls.get(label, ""))))
    lines = []
    versions: set[tuple[str, str]] = set()
    for node, sorted_labels in zip(numbers, labels, strict=True):
        edges = node.edges
        lines.append("\t".join([node.own, *[f"{label}>{numbers[edges[label]]}" for label in sorted_labels]]))
        if node.distributions:
            versions |= node.distributions
    order = list(numbers)
    lines += [f"{name} {version}" for name, version in sorted(versions)]
    digest = hash_("\n".join(lines).encode("utf-8", "surrogatepass"))
    named = list(zip(names, order, strict=True))
    notes = dict.fromkeys(note.replace("{name}", name) for name, node in named for note in node.notes)
    return Graph(digest, _components(named, versions, digest, hash_), tuple(notes), tuple(order))


def _call(name: str, call: str) -> str:
    return name + call if call[:1] in _ADDITIONS else call


def _components(
    named: list[tuple[str, Node]], versions: set[tuple[str, str]], digest: str, hash_: Hash
) -> dict[str, str]:
    together: dict[str, list[Node]] = {}
    for name, node in named:
        if node.is_shown:
            together.setdefault(name, []).append(node)
    found: dict[str, str] = {}
    for name, nodes in together.items():
        own = nodes[0].own
        if len(nodes) > 1 or len(own) != 64:
            own = hash_("\n".join([node.own for node in nodes]).encode("utf-8", "surrogatepass"))
        shown = {node.shown for node in nodes}
        found[name] = f"{own} {shown.pop()}".rstrip() if len(shown) == 1 else own
    for name, version in sorted(versions):
        found[name] = f"{found[name]}, {version}" if name in found else version
    found[WIRING] = digest
    return found
