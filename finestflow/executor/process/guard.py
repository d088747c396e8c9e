"""The guard: a tiny process that outlives the runner by a moment, and takes its workers along.

A worker that is in C code cannot see that the runner is gone, and its children never do. The guard reads the process groups of the workers
from a pipe that only the runner can write to; when the pipe ends, they are killed, and the folder of the pool is removed. Invariant: a worker
is known here before it gets its first job. Started by ``pool``, which runs this file alone: it imports nothing but what Python starts with.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["Guard"]

_PATIENCE = 5.0
"""Seconds for the guard to do its work."""


class Guard:
    """The guard of one pool.

    Args:
        folder: The folder of the pool.
    """

    def __init__(self, folder: str) -> None:
        import subprocess

        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin

    def add(self, group: int) -> None:
        """Watch over a process group."""
        self._tell(b"+%d\n" % group)

    def drop(self, group: int) -> None:
        """Forget a process group that has ended: its number may be somebody else's soon."""
        self._tell(b"-%d\n" % group)

    def _tell(self, line: bytes) -> None:
        try:
            self._pipe.write(line)
            self._pipe.flush()
        except (OSError, ValueError):  # somebody killed the guard
            pass

    def abandon(self) -> None:
        """Let go of the pipe in a forked child of the runner, whose end is not the runner's."""
        self._pipe.close()
        self._process.returncode = 0

    def close(self) -> None:
        """Let the guard do its work and end."""
        try:
            self._pipe.close()
        except OSError:
            pass
        import subprocess

        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:  # somebody has stopped it, or the folder lies on a disk that does not answer
            self._process.kill()


def main(folder: str) -> None:
    """Be the guard."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        (groups.add if line.startswith(b"+") else groups.discard)(int(line[1:]))
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:  # gone
            pass
    _remove(folder)


def _remove(folder: str) -> None:
    for path, folders, files in os.walk(folder, topdown=False):
        for name in files + folders:
            place = os.path.join(path, name)
            try:
                os.rmdir(place) if os.path.isdir(place) and not os.path.islink(place) else os.unlink(place)
            except OSError:
                pass
    try:
        os.rmdir(folder)
    except OSError:
        pass


if __name__ == "__main__":
    main(sys.argv[1])
