"""What a run tells while it goes: how its nodes stand, and what its calls report.

Invariant: every method may be called from any thread, and waits for nothing but the writing. The session makes one; the calls that are computed
have it as their sink.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from finestflow.journal.node_events import dump_start
from finestflow.model import NodeStatus
from finestflow.reporter import artifact_event

if TYPE_CHECKING:
    from finestflow.cache.codec import Encoded
    from finestflow.executor.perform import Clock
    from finestflow.pace import Row
    from finestflow.session.lookup import Static
    from finestflow.session.node import Node

__all__ = ["Events"]


class Events:
    """The events of one run.

    Args:
        emit: Takes an event; ``lazy`` ones may be written later.
        emit_node: Takes, likewise, how a node stands.
        clock: Where the time comes from.
    """

    def __init__(self, emit: Callable[..., None], emit_node: Callable[..., None], clock: Clock) -> None:
        self.emit = emit
        self.emit_node = emit_node
        self.clock = clock
        self._described: set[str] = set()

    def start(self, node: Node, *, lazy: bool = False) -> None:
        """Tell that a node begins, or another try of it."""
        now = self.clock.time()
        if node.started is None:
            node.started = now
        event = {"e": "start", "path": node.path, "task": node.identity, "key": node.key, "t": now}
        if node.kind == "task":
            self.emit(event, lazy=lazy, line=dump_start(node.path, node.identity, node.key, now))
        else:
            self.emit({**event, "kind": node.kind}, lazy=lazy)

    def tell(self, node: Node, static: Static | None, log: str | None = None) -> None:
        """Emit what became of a node; what all calls of its task share is told once."""
        now, name = self.clock.time(), ""
        if static is not None:
            name = static.hash
            if name not in self._described:
                self._described.add(name)
                self.emit({"e": "static", "id": name, "params": static.params, "code": dict(static.code)}, lazy=True)
        is_lazy = node.status is not NodeStatus.FAILED  # the end of a run is told at once, after all that it cancels
        self.emit_node(node.record(static, now), now, static=name, log=log, lazy=is_lazy)

    def metrics(self, path: str, rows: list[Row]) -> None:
        """Emit numbers of a call."""
        self.emit({"e": "metrics", "node": path, "rows": rows}, lazy=True)

    def artifact(self, path: str, name: str, encoded: Encoded, status: NodeStatus = NodeStatus.OK) -> None:
        """Emit what a call has saved, or would have, as a node below its own."""
        place = f"{path}/{name}" if path else name
        self.emit(artifact_event(place, encoded, self.clock.time(), by=path) | {"status": status.value}, lazy=True)

    def progress(self, path: str, done: float, total: float | None) -> None:
        """Emit how far a call is."""
        self.emit({"e": "progress", "node": path, "done": done, "total": total, "t": self.clock.time()}, lazy=True)

    def text(self, path: str, text: str) -> None:
        """Emit what a call printed."""
        self.emit({"e": "text", "node": path, "text": text})

    def note(self, path: str, text: str) -> None:
        """Emit a remark."""
        self.emit({"e": "note", "node": path, "text": text})
