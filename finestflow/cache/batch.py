"""Rows on their way to the database: collected, and written together.

Invariants: a batch is written in one transaction, values before the entries that name them, when it is large, or after 100 ms; rows that come
so fast that each took next to nothing to compute wait up to 500 ms for others while nobody else wants them. The thread that adds rows writes it where it is busy adding, else a thread of its own does: two at once would fight for the interpreter. That thread lives
only while rows wait, and keeps the interpreter from exiting before they are written.

Called by :class:`finestflow.cache.store.Store` alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["BatchWriter"]

_ROWS = 8192
"""A transaction writes the pages that it changes, and rows lie on random ones: of 60,000 tasks 700 more cost 18 us each, 3,500 more 11 us."""
_BYTES_A_ROW = 2048
"""Larger rows count as several, so that no more than 16 MB wait."""
_SECONDS = 0.1
_PERIODS, _MANY = 5, 512
"""A batch waits so many periods as long as it gets so many rows in each."""
_GRACE = 0.02
"""How much longer the writer's thread waits for a busy one to write."""


class BatchWriter:
    """Collects rows by the name of their kind.

    Args:
        write: Writes a batch (kind to rows); false where it was not kept, because the database is busy.
        is_open: Whether there is any use in trying again.
        may_wait: Whether nobody else wants the rows.
    """

    def __init__(
        self,
        write: Callable[[dict[str, list[Any]]], bool],
        is_open: Callable[[], bool],
        may_wait: Callable[[], bool] = lambda: False,
    ) -> None:
        self._write = write
        self._is_open = is_open
        self._may_wait = may_wait
        self._pending: dict[str, list[Any]] = {}
        self._count = 0
        self._is_due = False
        self._written = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, kind: str, row: Any, size: int = 0) -> None:
        """Add a row of about that many bytes; it is written soon. Never writes itself, so it can be called with a lock held."""
        with self._lock:
            self._pending.setdefault(kind, []).append(row)
            self._count += 1 + size // _BYTES_A_ROW
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="finestflow-store")
                self._thread.start()

    def flush_if_due(self) -> None:
        """Write a batch that is large or has waited; called after rows were added."""
        if self._is_due or self._count >= _ROWS:
            self.flush()

    def pending(self, kind: str) -> list[Any]:
        """Return the rows of a kind that may not have been written yet."""
        with self._lock:
            return list(self._pending.get(kind, ()))

    def flush(self) -> None:
        """Write what waits, now."""
        with self._writing:
            with self._lock:
                batch, self._pending, self._count, self._is_due = self._pending, {}, 0, False
                self._written += 1
                self._closing.clear()
            if batch and not self._write(batch) and self._is_open():
                self._put_back(batch)

    def close(self) -> None:
        """Write what waits, and wait for the thread to end."""
        self.flush()
        self._closing.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _put_back(self, batch: dict[str, list[Any]]) -> None:
        """Keep a batch that was not written for the next time."""
        with self._lock:
            for kind, rows in self._pending.items():
                batch.setdefault(kind, []).extend(rows)
            self._pending = batch
            self._count = sum(map(len, batch.values()))

    def _run(self) -> None:
        while True:
            written = self._written
            for period in range(1, _PERIODS + 1):
                if self._closing.wait(_SECONDS) or self._count < period * _MANY or not self._may_wait():
                    break
            if written == self._written and not self._closing.is_set():
                self._is_due = True
                self._closing.wait(_GRACE)
            if self._is_due or self._closing.is_set():
                self.flush()
            with self._lock:
                if not self._pending:
                    self._thread = None
                    return
