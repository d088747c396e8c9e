"""Claims: who computes a key while other runs want it too.

A claim is a lock on one byte of the file ``claims`` beside the database; the byte's offset comes from the key. It belongs to an
open file (``F_OFD_SETLK``), so two runs exclude each other also inside one process, and it ends with its owner, however that
dies. Taking one costs 1-2 us. Two keys may share a byte (1 in 2**60): then one run waits without need.

Where the system or the file system has no such locks every claim is granted: two runs then compute the same value, and the
store keeps one. Called by the runner, which makes claims only while another run is live.
"""

from __future__ import annotations

import errno
import os
import time
import weakref
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
_TAKEN = {errno.EAGAIN, errno.EACCES}


class Claims:
    """The claims of one run; its file is opened with the first of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        _OPEN.add(self)
        self._works = hasattr(fcntl, "F_OFD_SETLK")  # not on Windows, where fcntl is None

    def take(self, key: str, wait: float = 0.0) -> bool:
        """Claim a key; return whether it is now this run's (also if it was before).

        Args:
            key: Key of a call, 64 hexadecimal digits.
            wait: Seconds to wait for another run that has it.
        """
        pause = _POLL
        while not self._lock(key, _TAKE):
            if wait <= 0:
                return False
            time.sleep(min(pause, wait))
            wait -= pause
            pause = min(2 * pause, _MAX_POLL)
        return True

    def release(self, key: str) -> None:
        """Give a key back."""
        if self._descriptor is not None:
            self._lock(key, _RELEASE)

    def close(self) -> None:
        """Give everything back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, key: str, kind: int) -> bool:
        if not self._works:
            return True
        request = _FLOCK.pack(kind, 0, int(key[:15], 16), 1, 0)  # from the beginning of the file
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
