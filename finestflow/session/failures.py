"""The failures of a run that no body has got over: what they stop, and with which the run ends.

Invariant: a failure counts until a body that was shown its error goes on; the nested pipelines in between have then failed all the same.
Every method is called with the lock of the run held; the session makes one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from finestflow.session.node import Node
from finestflow.session.structure import Structure

__all__ = ["Failures"]


class Failures:
    """The failures of one run.

    Args:
        keep_going: Whether what does not depend on them still runs.
    """

    def __init__(self, *, keep_going: bool) -> None:
        self.body_error: BaseException | None = None
        """What the body of the outermost pipeline raised."""
        self._keep_going = keep_going
        self._nodes: dict[Node, None] = {}

    @property
    def is_halting(self) -> bool:
        """Whether nothing new may start."""
        return not self._keep_going and (bool(self._nodes) or self.body_error is not None)

    def add(self, node: Node) -> None:
        """Take note of a failure."""
        self._nodes[node] = None

    def forget(self, errors: Collection[BaseException], body: Structure | None) -> None:
        """Take note that a body got over these errors.

        Args:
            errors: What it was shown.
            body: The nested pipeline whose body it is; None for the outermost.
        """
        for node in [each for each in self._nodes if any(each.error is error for error in errors)]:
            del self._nodes[node]
            parent = node.parent
            while parent is not None and parent is not body:
                parent.failed = parent.failed or node
                parent = parent.parent

    def below(self, node: Structure) -> Node | None:
        """Return a failure inside a nested pipeline that its body has not got over."""
        return node.failed or next((each for each in self._nodes if each.path.startswith(node.path + "/")), None)

    def first(self, nodes: Mapping[str, Node]) -> Node | None:
        """Return the failure that the run ends with: the first in the order of calls, whichever came first.

        Args:
            nodes: The nodes of the run; the calls of one body stand in their order.
        """
        if len(self._nodes) < 2:
            return next(iter(self._nodes), None)
        places = {path: place for place, path in enumerate(nodes)}

        def order(node: Node) -> list[int]:
            names = node.path.split("/")
            return [places["/".join(names[:depth])] for depth in range(1, len(names) + 1)]

        return min(self._nodes, key=order)

    def error(self, nodes: Mapping[str, Node]) -> BaseException | None:
        """Return why nothing new may start."""
        first = self.first(nodes)
        return self.body_error if first is None else first.error
