"""The environments that ``reproduce --env`` has built: how much room they take, when they were last used, and which of them go.

Owns the layout of their folder: one folder each, in which ``ready`` names the virtual environment and is as young as its last use, and ``bytes`` is its
size. Invariant: none is deleted while it is built or used. ``provision`` builds them; ``du`` and ``gc`` ask here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from finestflow.errors import LockedError
from finestflow.journal.lock import hold_lock

__all__ = ["Built", "find_ready", "iter_built", "mark_ready", "remove_built", "used"]


class Built(NamedTuple):
    """An environment that was built.

    Attributes:
        home: Its folder.
        packages: How many packages it has.
        bytes: Its size, what it shares with others included.
        used: When it was last used, in seconds since the epoch.
    """

    home: Path
    packages: int
    bytes: int
    used: float


def find_ready(home: Path) -> Path | None:
    """Return the finished virtual environment in a folder, if it still works; it counts as used now."""
    try:
        place = home / (home / "ready").read_text("utf-8")
        os.utime(home / "ready")
    except OSError:
        return None
    return place if (place / "bin" / "python").exists() else None


def mark_ready(home: Path, place: Path, lock: Iterable[str]) -> None:
    """Name a virtual environment as the finished one of a folder."""
    (home / "requirements.txt").write_text("".join(f"{line}\n" for line in lock), "utf-8")
    (home / "bytes").write_text(str(_size_of(place)), "utf-8")
    (home / "new").write_text(place.name, "utf-8")
    (home / "new").replace(home / "ready")


@contextlib.contextmanager
def used(home: Path) -> Iterator[None]:
    """Keep an environment from being deleted until the end of the block."""
    with _open_gate(home) as gate:
        fcntl.flock(gate, fcntl.LOCK_SH)
        yield


def iter_built(folder: Path) -> Iterator[Built]:
    """Yield the environments in a folder, those that were not used for longest first."""
    found = []
    for ready in folder.glob("*/ready"):
        with contextlib.suppress(OSError, ValueError):  # it goes just now
            home = ready.parent
            size = home / "bytes"
            if not size.exists():  # it was built before that was written
                size.write_text(str(_size_of(home)), "utf-8")
            packages = len((home / "requirements.txt").read_text("utf-8").splitlines())
            found.append(Built(home, packages, int(size.read_text("utf-8")), ready.stat().st_mtime))
    yield from sorted(found, key=lambda built: built.used)


def remove_built(built: Built) -> bool:
    """Delete an environment; return whether it is gone: one that somebody builds or uses stays."""
    try:
        with hold_lock(built.home, patience=0), _open_gate(built.home) as gate:
            fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (built.home / "ready").unlink(missing_ok=True)
            for path in built.home.iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name != "lock":  # for which another process may wait
                    path.unlink()
    except (BlockingIOError, LockedError):
        return False
    return True


@contextlib.contextmanager
def _open_gate(home: Path) -> Iterator[int]:
    gate = os.open(home / "gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield gate
    finally:
        os.close(gate)


def _size_of(folder: Path) -> int:
    return sum(os.lstat(os.path.join(parent, name)).st_size for parent, _, names in os.walk(folder) for name in names)
