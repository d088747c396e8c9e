"""The processes that a process has started, and those that these have started.

Pure but for ``/proc``, and imports next to nothing: every command looks for what it has left behind when it ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

__all__ = ["iter_descendants"]


def iter_descendants(pid: int) -> Iterator[int]:
    """Yield the ids of the processes that a process has started, and of theirs; nothing where ``/proc`` does not tell."""
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{parent}/task")
        except OSError:
            continue
        for thread in threads:
            try:
                with open(f"/proc/{parent}/task/{thread}/children", "rb") as file:
                    data = file.read()
            except OSError:
                continue
            children = [int(word) for word in data.split()]
            yield from children
            waiting += children
