"""Rows on their way to the database: collected, and written together.

Invariants: a batch is written in one transaction, values before the entries that name them; after 256 rows by the thread that
filled it, after 100 ms by a thread of its own. That thread lives only while rows wait, and keeps the interpreter from exiting
before they are written.

Called by :class:`finestflow.cache.store.Store` alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["BatchWriter"]

_ROWS = 256
_SECONDS = 0.1


class BatchWriter:
    """Collects rows by the name of their kind.

    Args:
        write: Writes a batch (kind to rows); false where it was not kept, because the database is busy.
        is_open: Whether there is any use in trying again.
    """

    def __init__(self, write: Callable[[dict[str, list[Any]]], bool], is_open: Callable[[], bool]) -> None:
        self._write = write
        self._is_open = is_open
        self._pending: dict[str, list[Any]] = {}
        self._count = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._full = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, kind: str, row: Any) -> None:
        """Add a row; it is written soon. Never writes itself, so it can be called with a lock held."""
        with self._lock:
            self._pending.setdefault(kind, []).append(row)
            self._count += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="finestflow-store")
                self._thread.start()

    def flush_if_full(self) -> None:
        """Write a full batch in the thread that filled it: a busy thread and the writer would fight for the interpreter."""
        if self._count >= _ROWS:
            self.flush()

    def pending(self, kind: str) -> list[Any]:
        """Return the rows of a kind that may not have been written yet."""
        with self._lock:
            return list(self._pending.get(kind, ()))

    def flush(self) -> None:
        """Write what waits, now."""
        with self._writing:
            with self._lock:
                batch, self._pending, self._count = self._pending, {}, 0
                self._full.clear()
            if batch and not self._write(batch) and self._is_open():
                self._put_back(batch)

    def close(self) -> None:
        """Write what waits, and wait for the thread to end."""
        self.flush()
        self._full.set()
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
            self._full.wait(_SECONDS)
            self.flush()
            with self._lock:
                if not self._pending:
                    self._thread = None
                    return
