"""The calls of pipelines inside pipelines: nodes whose result is what a body returned, made of the outputs of others.

Invariant: a part of the result is told without waiting for the rest, as soon as the body has ended; what it is made of waits for itself.
``body`` and ``fanout`` make them, ``bodies`` opens and closes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finestflow.cache.fingerprint import task_identity
from finestflow.model import NodeStatus
from finestflow.pipeline.output import Output, Part, handle_of, iter_outputs, part_of, resolve
from finestflow.pipeline.parts import located
from finestflow.session.node import BlockedError, Node, open_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from finestflow.pipeline.task import Task
    from finestflow.session.session import Session

__all__ = ["Structure"]


class Structure(Node):
    """One call of a pipeline inside another one: its result is whatever its body returned, with Outputs inside.

    Attributes:
        has_returned: Whether the body has ended.
        result: What it returned.
        open_calls: How many of its calls have not ended.
        has_skipped: Whether one of them was skipped.
        failed: One that failed and that its body did not get over.
    """

    kind = "pipeline"
    status = NodeStatus.RUNNING
    began = 0.0
    result: Any = None
    open_calls = 0
    has_skipped = False
    failed: Node | None = None

    def __init__(self, path: str, session: Session, task: Task, identity: str = "") -> None:
        super().__init__(
            path, identity or type(task).__finestflow_meta__.name or task_identity(type(task)), session, task
        )

    def child_ended(self, node: Node) -> bool:
        """Take note that one of its calls has ended; return whether all have."""
        self.open_calls -= 1
        self.has_skipped |= node.status is NodeStatus.SKIPPED
        return not self.open_calls

    @property
    def is_open(self) -> bool:
        """Whether the body still goes on; what it has called may take longer."""
        return not self.has_returned

    def find_open(self, part: Part, found: dict[Node, None]) -> None:
        """Add itself while its body goes on, then what has not ended of that part of the result."""
        if self.is_open:
            found[self] = None
        elif self.error is None:
            try:
                result = self.take(part)
            except Exception:  # noqa: BLE001 - there is no such part; who asks for its value is told
                return
            open_nodes([result], found)

    def find_unsized(self, part: Part, found: dict[Node, None]) -> None:
        """Add itself while its body goes on, then what that part of the result comes from."""
        if self.is_open:
            found[self] = None
        elif self.error is None:
            try:
                result = self.take(part)
            except Exception:  # noqa: BLE001 - see ``find_open``
                return
            if type(result) is Output:
                handle_of(result).find_unsized(part_of(result), found)  # type: ignore[attr-defined]

    def find_bodies(self, part: Part, found: dict[Node, None]) -> None:
        """Add itself while its body goes on, then those that its result comes from."""
        if self.is_open:
            found[self] = None
        elif self.error is None:
            try:
                outputs = iter_outputs(self.take(part))
            except Exception:  # noqa: BLE001 - see ``find_open``
                return
            for each in outputs:
                handle_of(each).find_bodies(part_of(each), found)  # type: ignore[attr-defined]

    def origins(self, part: Part) -> Iterable[Node]:
        """Return the nodes whose outputs that part of the result is made of; none while the body goes on."""
        if self.is_open or self.error is not None:
            return ()
        try:
            outputs = iter_outputs(self.take(part))
        except Exception:  # noqa: BLE001 - see ``find_open``
            return ()
        return [node for each in outputs for node in handle_of(each).origins(part_of(each))]  # type: ignore[attr-defined]

    def elements(self, part: Part) -> Sequence[Any]:
        """Return the items of that part of the result."""
        result = self.take(part)
        if type(result) is not Output:
            return list(result)
        origin: Node = handle_of(result)  # type: ignore[assignment]
        origin.require()
        return origin.elements(part_of(result))

    def require(self) -> None:
        """Raise when the body has raised, or in a plan is not known."""
        if self.error is not None or self.is_open:
            raise BlockedError(self)

    def take(self, part: Part) -> Any:
        """Return that part of the result: an Output where the body returned one, or else what is there."""
        value = self.result
        part = located(value, part, self.task)
        for index, (kind, key) in enumerate(part):
            if type(value) is Output:
                return Output(handle_of(value), (*part_of(value), *part[index:]))
            value = value[key] if kind == "item" else getattr(value, key)
        return value

    def load(self, part: Part) -> Any:
        """Return a private copy of a part of the result, for a task."""
        return resolve(self.take(part), self.session.load)

    def refer(self, part: Part) -> Any:
        """Return what travels to another process in place of a part of the result."""
        return resolve(self.take(part), self.session.refer)

    def value_unseen(self, part: Part) -> Any:
        """Return a part of the result, every Output in it looked at; raise what the body raised."""
        self.session.wait(self)
        if self.error is not None:
            self.session.raised(self.error)
            raise self.error
        return resolve(self.take(part))

    def children(self, part: Part) -> tuple[Any, ...] | None:
        """Return the indexes of a tuple or list."""
        self.session.look(self)
        if self.error is not None:
            self.session.raised(self.error)
            raise self.error
        value = self.take(part)
        if type(value) is Output:
            return handle_of(value).children(part_of(value))
        return tuple(range(len(value))) if isinstance(value, (tuple, list)) else None

    def describe(self) -> str:
        """Return a few words on how it stands."""
        return self.status.value
