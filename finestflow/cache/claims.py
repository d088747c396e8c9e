"""Claims: who computes a key while other runs want it too.

A claim is a lock on one byte of the file ``claims`` beside the database; the byte's offset comes from the key. It belongs to an
open file (``F_OFD_SETLK``), so two runs exclude each other also inside one process, and it ends with its owner, however that
dies. Two keys may share a byte (1 in 2**60): then one run waits without need.

To take and release one costs 8 us. A run that is alone, and whose calls take less than that many times over, locks all bytes at once instead;
``narrow`` gives back those of keys that nobody is computing. Invariant: the claims on keys that are being computed are never let go meanwhile.

Where the system or the file system has no such locks every claim is granted: two runs then compute the same value, and the
store keeps one. Called by the runner, which makes claims only while another run is live.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from struct import Struct

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

__all__ = ["Claims"]

_FLOCK = Struct("@hhqqi0q")
_TAKE, _RELEASE = getattr(fcntl, "F_WRLCK", 0), getattr(fcntl, "F_UNLCK", 0)
_POLL = 0.005
_MAX_POLL = 0.1
_ALL = 0
"""A length of 0 is up to the end, however large the file may become."""
_TAKEN = {errno.EAGAIN, errno.EACCES}


class Claims:
    """The claims of one run; its file is opened with the first of them.

    Args:
        path: The file.
        narrow_soon: Sees to it that ``narrow`` is called within a second, from any thread; called when all keys have been claimed.
    """

    def __init__(self, path: Path, narrow_soon: Callable[[Claims], None] = lambda _: None) -> None:
        self._path = path
        self._narrow_soon = narrow_soon
        self._descriptor: int | None = None
        self._held: set[int] = set()
        self._has_all = False
        self._guard = threading.Lock()
        _OPEN.add(self)
        self._works = hasattr(fcntl, "F_OFD_SETLK")  # not on Windows, where fcntl is None

    def take(self, key: str, wait: float = 0.0, *, with_all: bool = False) -> bool:
        """Claim a key; return whether it is now this run's (also if it was before).

        Args:
            key: Key of a call, 64 hexadecimal digits.
            wait: Seconds to wait for another run that has it.
            with_all: Claim all others with it, if nobody has any: nobody else wants them, and there will be many.
        """
        pause, at = _POLL, int(key[:15], 16)
        while not self._take(at, with_all=with_all):
            if wait <= 0:
                return False
            time.sleep(min(pause, wait))
            wait -= pause
            pause = min(2 * pause, _MAX_POLL)
        return True

    def release(self, key: str) -> None:
        """Give a key back."""
        with self._guard:
            at = int(key[:15], 16)
            self._held.discard(at)
            if self._descriptor is not None and not self._has_all:
                self._lock(_RELEASE, at)

    def narrow(self) -> None:
        """Give back all keys that were claimed with others; those that were asked for stay claimed."""
        with self._guard:
            self._narrow()

    def _narrow(self) -> None:
        if not self._has_all:
            return
        self._has_all = False
        begin = 0
        for at in sorted(self._held):
            if at > begin:
                self._lock(_RELEASE, begin, at - begin)
            begin = at + 1
        self._lock(_RELEASE, begin, _ALL)

    def _take(self, at: int, *, with_all: bool) -> bool:
        with self._guard:
            if self._has_all:
                self._held.add(at)
                if not with_all:
                    self._narrow()
                return True
            if with_all and self._lock(_TAKE, 0, _ALL):
                self._has_all = True
                self._narrow_soon(self)
            elif not self._lock(_TAKE, at):
                return False
            self._held.add(at)
            return True

    def close(self) -> None:
        """Give everything back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, kind: int, at: int, length: int = 1) -> bool:
        if not self._works:
            return True
        request = _FLOCK.pack(kind, os.SEEK_SET, at, length, 0)
        try:
            if self._descriptor is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, request)
        except OSError as error:
            if error.errno in _TAKEN and self._descriptor is not None:
                return False
            self._works = False
            with suppress(OSError):
                self.close()
        return True


_OPEN: weakref.WeakSet[Claims] = weakref.WeakSet()


def _let_go() -> None:
    """Close the files in a forked child: the claims stay the parent's, and end with it."""
    for claims in _OPEN:
        claims.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
