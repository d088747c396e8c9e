"""The lock under which the tips of the journal and of the annotations move, and the gate that runs go through when they begin.

The lock spares writers retries; correctness rests on compare-and-swap of the ref. Called by ``journal`` and ``annotations``. The gate is open
but while ``gc`` deletes: a run that began then could find what is about to go. Called by ``live`` and ``gc``.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finestflow.errors import LockedError

__all__ = ["hold_gate", "hold_lock"]

_PATIENCE = 60.0
_PAUSE = 0.002


@contextmanager
def hold_lock(state_dir: Path, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Hold the lock of a repository.

    Args:
        state_dir: The state folder of the repository.
        patience: Seconds to wait for another process.

    Raises:
        LockedError: Another process held it all that time.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait(descriptor, patience, state_dir / "lock")
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, patience: float, path: Path) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                message = f"another process has held {str(path)!r} for {patience:.0f} s"
                raise LockedError(message, "see what it is with: fuser -v " + str(path)) from None
            time.sleep(_PAUSE)
        else:
            return


@contextmanager
def hold_gate(state_dir: Path, *, is_closed: bool = False) -> Iterator[None]:
    """Keep the gate of a repository open, or closed, until the end of the block; waits as long as others hold it the other way.

    Args:
        state_dir: The state folder of the repository.
        is_closed: No other process, and no other call in this one, gets through meanwhile.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state_dir / "gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if is_closed else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
