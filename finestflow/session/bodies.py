"""The bodies of nested pipelines while they run: in threads where calls run in parallel, so that one that looks does not stop the others.

Invariant: what a body raises stays in its node; whoever waits for a body learns of its end, however it ends. The session makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextvars import Context, copy_context
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from finestflow.model import NodeStatus
from finestflow.session.node import Stopped
from finestflow.session.structure import Structure

if TYPE_CHECKING:
    from finestflow.session.session import Session

__all__ = ["Bodies"]

_MAX_THREADS = 64
"""So many bodies go on at a time; more run in the thread of their caller."""


class Bodies:
    """The nested pipelines of one run.

    Args:
        session: The run.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._schedule = session.schedule
        self._lock = session.schedule.lock
        self._threads = 0

    def open(self, node: Structure, body: Callable[[], None]) -> None:
        """Take up a nested pipeline and run its body."""
        with self._lock:
            self.take_up(node)
            has_thread = self._session.is_parallel and self._threads < _MAX_THREADS
            if has_thread:
                self._start_thread(node, body, copy_context())
        if has_thread:
            self._schedule.work()
        else:
            body()

    def take_up(self, node: Structure) -> None:
        """Take note of a nested pipeline or a fan-out; with the lock held."""
        if self._session.is_stopped:
            raise Stopped
        if node.parent is not None:
            node.parent.open_calls += 1
        self._session.nodes[node.path] = node
        self._begin(node)

    def begin_item(self, node: Structure, body: Callable[[], None], context: Context) -> None:
        """Let a nested pipeline begin that is an item of a fan-out; with the lock held."""
        self._begin(node)
        node.status = NodeStatus.RUNNING
        if self._session.is_parallel:
            self._start_thread(node, body, context)
        else:
            self._schedule.begin_work(partial(self._run_here, body), partial(self._give_up, node))

    def _begin(self, node: Structure) -> None:
        node.began = self._session.clock.monotonic()
        self._session.events.start(node, lazy=True)

    def _start_thread(self, node: Structure, body: Callable[[], None], context: Context) -> None:
        self._threads += 1
        target = partial(context.run, self._run, node, body)
        thread = Thread(target=target, name=f"finestflow {node.path}", daemon=True)
        self._schedule.begin_work(thread.start, partial(self._give_up, node))

    def _give_up(self, node: Structure, error: Exception) -> None:
        """Take note that a body could not begin: there are no more threads."""
        self._schedule.end_work()
        self.close(node, error)

    def _run_here(self, body: Callable[[], None]) -> None:
        self._schedule.run_apart(body)
        self._schedule.end_work()

    def _run(self, node: Structure, body: Callable[[], None]) -> None:
        """Run a body in a thread of its own; whatever it raises is known to the run."""
        try:
            body()
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - a thread that just ends would be waited for in vain
            self.close(node, error)
        with self._lock:
            self._threads -= 1
            self._schedule.end_work()
        self._schedule.work()

    def close(self, node: Structure, error: BaseException | None, seen: Collection[BaseException] = ()) -> None:
        """Take what became of a body: its error stays in its Output.

        Args:
            node: The nested pipeline.
            error: What its body raised.
            seen: Errors of its calls that it looked at and did not get over; its own error stands for them.
        """
        session = self._session
        with self._lock:
            if session.is_stopped:
                raise Stopped
            node.has_returned = True
            if error is not None:
                node.error = error
                session.failures.forget(seen, node)
                session.failures.add(node)
                self._schedule.wake()
            self._schedule.ended(node)
            if not node.open_calls or session.executor is None:
                self.complete(node)
        self._schedule.work()

    def complete(self, node: Structure) -> None:
        """Tell how a nested pipeline stands when its body and all its calls have ended; with the lock held."""
        if not node.has_returned:
            return
        session = self._session
        below = session.failures.below(node)
        if node.error is not None or below is not None:
            node.status = NodeStatus.FAILED
            node.why = f"{below.path!r} failed" if below is not None else ""
        else:
            is_skipped = node.has_skipped and session.failures.is_halting
            node.status = NodeStatus.SKIPPED if is_skipped else NodeStatus.OK
        node.seconds = session.clock.monotonic() - node.began
        session.end(node, None)
