"""Reports that come faster than anybody can look: numbers in batches, progress thinned to its latest.

The first report of a call passes at once; what comes within a tenth of a second after it is held back and passed on together. Invariant: no
number is lost, and the latest progress is told within a tenth of a second, also when the call then falls silent. Whoever takes reports of
running code makes one ``Paced`` a call: a hundred thousand of them a second neither slow the code down nor fill a disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Paced", "Row"]

Row = tuple[str, float, float | None, float]
"""A number that was reported: name, value, step, time."""

_SECONDS = 0.1
_IDLE_TURNS = 20


class Paced:
    """What one call reports.

    Args:
        metrics: Takes numbers, in their order; from the caller's thread or another.
        progress: Takes (done, total), likewise.
    """

    __slots__ = ("_is_held", "_latest", "_lock", "_metrics", "_next", "_progress", "_rows")

    def __init__(self, metrics: Callable[[list[Row]], None], progress: Callable[[float, float | None], None]) -> None:
        self._metrics = metrics
        self._progress = progress
        self._rows: list[Row] = []
        self._latest: tuple[float, float | None] | None = None
        self._next = 0.0
        self._is_held = False
        self._lock = threading.Lock()

    def metric(self, name: str, value: float, step: float | None) -> None:
        """Take a number."""
        self._rows.append((name, value, step, time.time()))
        if not self._is_held:
            self._pass()

    def progress(self, done: float, total: float | None) -> None:
        """Take how far the call is."""
        self._latest = done, total
        if not self._is_held:
            self._pass()

    def _pass(self) -> None:
        if time.monotonic() >= self._next:
            self.flush()
        else:
            self._is_held = True
            _keeper.keep(self)

    def flush(self) -> None:
        """Pass on what was held back; the end of the call is a time to do so."""
        with self._lock:
            self._is_held = False
            self._next = time.monotonic() + _SECONDS
            rows = self._rows[:]  # what another thread appends from here on stays for the next time
            if rows:
                del self._rows[: len(rows)]
                self._metrics(rows)
            latest, self._latest = self._latest, None
            if latest is not None:
                self._progress(*latest)


class _Keeper:
    """Flushes what is held back in this process, from a thread that lives as long as there is anything to do."""

    def __init__(self) -> None:
        self._held: list[Paced] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def keep(self, paced: Paced) -> None:
        with self._lock:
            self._held.append(paced)
            if self._thread is None or not self._thread.is_alive():  # it ended, or this process is a fork
                self._thread = threading.Thread(target=self._work, name="finestflow-pace", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        idle = 0
        while idle < _IDLE_TURNS:
            time.sleep(_SECONDS)
            with self._lock:
                held, self._held = self._held, []
                idle = 0 if held else idle + 1
                if idle == _IDLE_TURNS:
                    self._thread = None
            for paced in held:
                paced.flush()


_keeper = _Keeper()
