"""Locks that killed processes left: when one is stale, and how it goes away.

Invariant: only the clock of the file system counts, so that neither this machine's clock nor a network drive's can make
a fresh lock look old. Called by ``refs``, for locks of what is finestflow's own only.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["STALE_SECONDS", "remove_stale_lock"]

STALE_SECONDS = 5
"""Git and dulwich hold a lock for milliseconds."""


def remove_stale_lock(lock: Path) -> bool:
    """Remove a lock that is older than a few seconds, by comparing it with a file made now in the same folder."""
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=lock.parent, prefix=".now-") as now:
            if os.fstat(now.fileno()).st_mtime - lock.stat().st_mtime < STALE_SECONDS:
                return False
        lock.unlink()
    except OSError:
        return False
    return True
