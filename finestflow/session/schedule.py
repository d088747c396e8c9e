"""When the calls of a run go on: what waits for what, what is held back, and who waits for whom.

Owns the lock of a run. Calls become ready in a queue, so that a chain of a thousand hits is a loop and no recursion; what is to be asked of the
executor stands in a second one. Invariant: neither the executor nor code of the user is called while the lock is held, and a thread that waits is
woken only when a node that somebody waits for has changed; whatever a request raises is an answer to it, so that nobody waits for one in vain.
``session`` alone uses it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from finestflow.session.node import Node

__all__ = ["Schedule"]

_Request = tuple[Callable[[], None], Callable[[Exception], None]]
_PATIENCE = 0.5
"""Seconds after which who waits looks again: a signal that comes in the instant before a thread sleeps does not wake it."""


class Schedule:
    """The queues of one run.

    Args:
        advance: Takes a call on whose inputs are there; called with the lock held.
        is_parallel: Whether other threads finish calls. When not, who already works the queues off does so for all.
    """

    def __init__(self, advance: Callable[[Node], None], *, is_parallel: bool) -> None:
        self.lock = threading.RLock()
        self.held: dict[Node, None] = {}
        """Calls that may not start for now."""
        self._changed = threading.Condition(self.lock)
        self._advance = advance
        self._is_parallel = is_parallel
        self._ready: deque[Node] = deque()
        self._requests: deque[_Request] = deque()
        self._active = 0
        self._is_joined = False
        self._is_working = False

    # -- what becomes of a call: with the lock held ------------------------------------------------------------------------------------

    def defer(self, node: Node, origins: Iterable[Node]) -> None:
        """Let a call go on when all of these have ended."""
        node.waits_for = 0
        for origin in origins:
            node.waits_for += 1
            if origin.dependants is None:
                origin.dependants = [node]
            else:
                origin.dependants.append(node)

    def hold(self, node: Node) -> None:
        """Keep a call back until ``release``."""
        self.held[node] = None

    def release(self) -> None:
        """Let all calls that are held go on."""
        self._ready.extend(self.held)
        self.held.clear()

    def make_ready(self, node: Node) -> None:
        """Let a call go on."""
        self._ready.append(node)

    def ended(self, node: Node) -> None:
        """Let go on what waited for a call."""
        dependants = node.dependants
        if dependants is not None:
            node.dependants = None
            for dependant in dependants:
                dependant.waits_for -= 1
                if not dependant.waits_for:
                    self._ready.append(dependant)
        if node.is_awaited:
            self._changed.notify_all()

    def begin_work(self, request: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        """Ask something of the executor that ``end_work`` will answer.

        Args:
            request: Asks it.
            failed: Takes what asking raises; with the lock held.
        """
        self._active += 1
        self._requests.append((request, failed))

    def end_work(self) -> None:
        """Take note that something has been answered."""
        self._active -= 1
        if self._is_joined and not self._active:
            self._changed.notify_all()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._changed.notify_all()

    # -- going on: without the lock ----------------------------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether ``work`` has anything to do."""
        return bool(self._requests or self._ready)

    def work(self, *, is_nested: bool = False) -> None:
        """Advance what is ready and ask the executor for what is needed, until nothing is left.

        Args:
            is_nested: A call that is being computed cannot go on without; else it is left to who works already.
        """
        was_working = self._is_working
        if was_working and not (self._is_parallel or is_nested):
            return
        self._is_working = True
        try:
            while (found := self._next_request()) is not None:
                request, failed = found
                try:
                    request()
                except Exception as error:  # noqa: BLE001 - no more threads, no more memory, a mistake in an executor
                    with self.lock:
                        failed(error)
        finally:
            self._is_working = was_working

    def run_apart(self, body: Callable[[], None]) -> None:
        """Run a body that makes calls of its own, which are not left to who runs it."""
        was_working, self._is_working = self._is_working, False
        try:
            body()
        finally:
            self._is_working = was_working

    def _next_request(self) -> _Request | None:
        while True:
            with self.lock:
                if self._ready:
                    self._advance(self._ready.popleft())
                else:
                    return self._requests.popleft() if self._requests else None

    def wait(self, node: Node, check: Callable[[Node], None]) -> None:
        """Return when a node has ended.

        Args:
            node: The node.
            check: Raises when it will not end; asked each time that something has changed.
        """
        with self.lock:
            while node.is_open:
                check(node)
                node.is_awaited = True
                self._changed.wait(_PATIENCE)

    def join(self) -> None:
        """Return when nothing goes on any more: what is open then is held, or waits for what is held."""
        while True:
            self.work()
            with self.lock:
                if not (self._active or self.has_work):
                    return
                if self._active:
                    self._is_joined = True
                    self._changed.wait(_PATIENCE)
