"""Stop a run that is going on: ask its process, wait, and kill what does not answer when that is wanted.

Invariant: a signal goes only to the process that holds the run's lock, on this host, with the start time that the run wrote down. Called by
the workspace, which records the run afterwards.
"""

from __future__ import annotations

import signal
import time

from finestflow.descendants import iter_descendants
from finestflow.errors import LockedError
from finestflow.journal.live import LiveEntry
from finestflow.processes import Process, ProcessHandle

__all__ = ["stop_process"]

_PAUSE = 0.02
_LONGEST_END = 10.0
"""Seconds that a process may take to go after SIGKILL: one that waits for a disk or a network is not gone at once."""


def stop_process(entry: LiveEntry, name: str, *, patience: float, kills: bool, number: int = signal.SIGINT) -> None:
    """Return when the process of a run has let go of it.

    It is interrupted as by Ctrl-C, so that it ends its tasks and records the run; where it ignores that, it gets SIGTERM.

    Args:
        entry: The run's live folder.
        name: What the run is called, for errors.
        patience: Seconds to wait for it.
        kills: Whether a process that has not ended then is killed, with all that it has started.
        number: The signal that interrupts it.

    Raises:
        LockedError: It must not be signalled, or has not ended.
    """
    owner = entry.owner
    if owner is None and entry.is_locked():
        raise LockedError(f"run {name!r} does not say which process it is", _finding(entry))
    if owner is None:
        return
    if not owner.is_here:
        raise LockedError(f"run {name!r} goes on at host {owner.host!r}", "stop it there")
    with ProcessHandle(owner) as process:
        if not entry.is_locked():
            return
        if not owner.is_there:
            raise LockedError(
                f"process {owner.pid}, which began run {name!r}, is gone; another one holds it", _finding(entry)
            )
        try:
            process.send(signal.SIGTERM if process.ignores(number) else number)
            if _has_ended(entry, patience):
                return
            if not kills:
                raise LockedError(
                    f"run {name!r} (process {owner.pid}) has not ended within {patience:g} s", "kill it with --now"
                )
            _kill(process, owner.pid)
        except PermissionError:
            raise LockedError(f"run {name!r} (process {owner.pid}) belongs to another user", "ask its owner") from None
    if not _has_ended(entry, _LONGEST_END):
        raise LockedError(
            f"process {owner.pid} of run {name!r} does not go", "it may be waiting for a disk; look with: ps l"
        )


def _finding(entry: LiveEntry) -> str:
    return f"find it with: fuser -v {entry.path / 'alive'}"


def _kill(process: ProcessHandle, pid: int) -> None:
    """Kill a process, then what it had started: these would go on without it."""
    started = [Process.of(child) for child in iter_descendants(pid)]
    process.send(signal.SIGKILL)
    for child in started:
        with ProcessHandle(child) as handle:
            handle.send(signal.SIGKILL)


def _has_ended(entry: LiveEntry, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while entry.is_locked():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True
