"""Fan-out in a run: one node of kind ``map``, and below it a node an item.

Owns which items have begun. Invariants: at most so many items are open at a time, so that ten thousand cost little more than their nodes; an item
refers to its value as a part of the list, nothing is copied before it runs. ``body`` makes a fan, the session has it go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from finestflow.errors import FinestflowError
from finestflow.model import NodeStatus, OutputRecord
from finestflow.pipeline.output import Output, Part, handle_of, part_of
from finestflow.session.node import BlockedError, Call, Node
from finestflow.session.structure import Structure

if TYPE_CHECKING:
    from finestflow.model import NodeRecord
    from finestflow.pipeline.pipeline import Pipeline
    from finestflow.pipeline.task import Task
    from finestflow.session.lookup import Static
    from finestflow.session.session import Session

__all__ = ["Fan", "PipelineFan", "TaskFan"]

_KEPT = 1024
"""Bytes of an item's output that stay in memory."""
_AHEAD = 64
"""So many calls are open for each that may go on at a time: enough to keep workers busy, and to send tiny ones together."""
_AT_ONCE = 256
"""So many items are begun before others may have the lock of the run."""


class Fan(Structure):
    """One call of ``each``.

    Args:
        path: Path of its node.
        session: The run.
        task: What is called with each item.
        source: The items, or an Output of them.
        room: How many items may be open at a time.
        identity: Identity of the task.
    """

    kind = "map"
    status = NodeStatus.PENDING

    def __init__(self, path: str, session: Session, task: Task, source: Any, *, room: int, identity: str = "") -> None:
        super().__init__(path, session, task, identity)
        self.items: list[Node] = []
        self.token_of_all = ""
        self._source = source
        self._values: list[Any] = []
        self._room = room
        self._next = 0
        self._begun = 0
        self._is_stepping = False
        self._is_queued = False

    def make(self, path: str) -> Node:
        """Return the node of an item."""
        raise NotImplementedError

    def begin(self, item: Any, value: Any) -> None:
        """Let an item begin."""
        raise NotImplementedError

    # -- going on: with the lock of the run held ---------------------------------------------------------------------------------------

    def step(self) -> None:
        """Find out what the items are, then let as many begin as may be open."""
        self._is_queued = False
        if not self.has_returned and not self._expand():
            return
        self._is_stepping = True
        try:
            self._begin_some()
        finally:
            self._is_stepping = False

    def _expand(self) -> bool:
        """Make the nodes of the items; False when nobody knows yet what they are, or never will."""
        session, source = self.session, self._source
        if type(source) is Output:
            handle: Node = handle_of(source)  # type: ignore[assignment]
            unsized: dict[Node, None] = {}
            handle.find_unsized(part_of(source), unsized)
            if unsized and session.computing is None:
                session.block(self, next(iter(unsized)))
                return False
            if unsized:
                session.defer(self, unsized)
                return False
            try:
                handle.require()
                source = handle.elements(part_of(source))
            except BlockedError as blocked:
                session.block(self, blocked.node)
                return False
            except (FinestflowError, LookupError, AttributeError, TypeError) as error:
                session.block(self, error)
                return False
        if session.is_partial or session.computing is None:
            self._room = len(source)  # what nobody needs stays open to the end
        self._values = source
        self._source = None
        self.items = [self.make(f"{self.path}/{index}") for index in range(len(source))]
        for item in self.items:
            item.parent = self
        self.result = [Output(item) for item in self.items]
        self.open_calls = len(source)
        self.has_returned = True
        self.status = NodeStatus.RUNNING
        session.take_items(self, self.items)
        return True

    def _begin_some(self) -> None:
        session, count = self.session, len(self.items)
        until = min(self._next + _AT_ONCE, count)
        while self._next < until and self._begun < self._room:
            if session.failures.is_halting:
                session.hold(self)
                return
            item, value = self.items[self._next], self._values[self._next]
            self._values[self._next] = None
            self._next += 1
            self._begun += 1
            self.begin(item, value)
        if self._next < count and self._begun < self._room:
            self._go_on_later()

    def _go_on_later(self) -> None:
        if not self._is_queued:
            self._is_queued = True
            self.session.schedule.make_ready(self)

    def child_ended(self, node: Node) -> bool:
        """Take note that an item has ended; return whether all have."""
        self._begun -= 1
        if node.info is not None and node.info.data is not None and node.info.size > _KEPT:
            node.info = node.info._replace(data=None)  # the store has it; ten thousand would fill the memory
        if self._next < len(self.items) and not self._is_stepping:
            self._go_on_later()
        return super().child_ended(node)

    @property
    def unstarted(self) -> Sequence[Node]:
        """The items that have not begun; itself when nobody knows them yet."""
        return self.items[self._next :] if self.has_returned else (self,)

    # -- what an Output asks -----------------------------------------------------------------------------------------------------------

    @property
    def parts(self) -> Sequence[Node]:
        """The items; before they are known, what they come from."""
        source = self._source
        if self.has_returned or type(source) is not Output:
            return self.items
        origin: Node = handle_of(source)  # type: ignore[assignment]
        return tuple(origin.origins(part_of(source)))

    def origins(self, part: Part) -> Iterable[Node]:
        """Return itself for all items together, and while nobody knows them."""
        return super().origins(part) if part and not self.is_open else (self,)

    def find_bodies(self, part: Part, found: dict[Node, None]) -> None:
        """Add what its items come from."""
        if part and not self.is_open:
            super().find_bodies(part, found)

    def find_unsized(self, part: Part, found: dict[Node, None]) -> None:
        """Add itself until it is known how many items there are."""
        if part:
            self.find_open(part, found)
        elif self.is_open:
            found[self] = None

    def find_open(self, part: Part, found: dict[Node, None]) -> None:
        """Add what has not ended of that part; all items together are waited for at once."""
        if part:
            super().find_open(part, found)
        elif self.is_open or self.open_calls:
            found[self] = None

    def value(self, part: Part) -> Any:
        """Return the results of all items, or of one; raise the first error in their order."""
        if part:
            return super().value(part)
        self.session.look(self)
        if self.error is not None:
            self.session.raised(self.error)
            raise self.error
        return [item.value_unseen(()) for item in self.items]

    def describe(self) -> str:
        """Return a few words on how it stands."""
        ended = len(self.items) - self.open_calls
        return f"{ended} of {len(self.items)} items" if self.open_calls else f"{len(self.items)} items"

    def record(self, static: Static | None, now: float) -> NodeRecord:
        """Return how it stands; its output is those of its items."""
        record = super().record(static, now)
        if self.error is not None:
            return record
        note = "each item has an output of its own"
        return record._replace(output=OutputRecord(None, type="list", preview=self.describe(), note=note))


class TaskFan(Fan):
    """A fan-out whose items are calls of a task.

    Args:
        path: Path of its node.
        session: The run.
        task: What is called with each item.
        source: The items, or an Output of them.
        limit: How many calls may go on at a time.
        call: The call of an item, without its value.
    """

    def __init__(self, path: str, session: Session, task: Task, source: Any, limit: int | None, call: Call) -> None:
        static = call.static
        room = limit or (_AHEAD * session.jobs if session.is_parallel else 1)
        own = static.own_task(task) if session.is_parallel else task
        super().__init__(path, session, own, source, room=room, identity=static.identity)
        self._call = call._replace(is_own=True)

    def make(self, path: str) -> Node:
        """Return the node of a call."""
        return Node(path, self.identity, self.session, self.task)

    def begin(self, item: Node, value: Any) -> None:
        """Let the call of an item go on."""
        self.session.begin_item(item, self._call._replace(args=(value, *self._call.args)))


class PipelineFan(Fan):
    """A fan-out whose items are nested pipelines, each with a body of its own.

    Args:
        path: Path of its node.
        session: The run.
        pipeline: What is called with each item.
        source: The items, or an Output of them.
        limit: How many bodies may go on at a time.
        body_of: Returns what runs the body of an item, its node and value given.
    """

    def __init__(
        self,
        path: str,
        session: Session,
        pipeline: Pipeline,
        source: Any,
        limit: int | None,
        body_of: Callable[[Structure, Any], Callable[[], None]],
    ) -> None:
        super().__init__(path, session, pipeline, source, room=limit or 2 * session.jobs)
        self._body_of = body_of
        self._context = copy_context()

    def make(self, path: str) -> Structure:
        """Return the node of a nested pipeline."""
        item = Structure(path, self.session, self.task, self.identity)
        item.status = NodeStatus.PENDING
        return item

    def begin(self, item: Structure, value: Any) -> None:
        """Let the body of an item begin."""
        self.session.bodies.begin_item(item, self._body_of(item, value), self._context.copy())
