"""Folders for what a process needs only while it lives; those of processes that were killed go when the next one makes its own.

Invariant: a folder is removed only by its owner, or when nobody holds the lock of its file ``owner`` any more, which the system lets go with the
process. Folders of other users, and those without that file, are left alone. ``workspace`` makes one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["Scratch"]

_PREFIX = "finestflow-"
_OWNER = "owner"


class Scratch:
    """A temporary folder of this process.

    Args:
        parent: Where it is made; where the system has its temporary files when it is left out.
    """

    def __init__(self, parent: str | None = None) -> None:
        _sweep(parent or tempfile.gettempdir())
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            self._lock = os.open(self.path / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _is_ours(self._lock, self.path):
                break
            os.close(self._lock)
        self._pid = os.getpid()

    def close(self) -> None:
        """Remove it, with all that is in it; a forked child only lets go of it."""
        if self._lock < 0:
            return
        if self._pid == os.getpid():
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._lock = -1


def _is_ours(lock: int, folder: Path) -> bool:
    """Take the lock of a new folder; False when somebody took it for a leftover in that instant."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.stat(folder / _OWNER), os.fstat(lock))
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:  # there are no locks here: without the file, nobody takes it for a leftover
        with contextlib.suppress(OSError):
            os.unlink(folder / _OWNER)
        return True


def _sweep(parent: str) -> None:
    """Remove the folders of this user whose owners are gone."""
    try:
        with os.scandir(parent) as found:
            folders = [entry for entry in found if entry.name.startswith(_PREFIX)]
    except OSError:
        return
    for entry in folders:
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                _remove_if_left(entry.path)


def _remove_if_left(folder: str) -> None:
    lock = os.open(os.path.join(folder, _OWNER), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
