"""Waiting for what other processes do: by looking often, never by sleeping for as long as it may take."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 60
"""Seconds after which what does not come to pass is a failure."""


def is_gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(predicate: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not predicate():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.005)
