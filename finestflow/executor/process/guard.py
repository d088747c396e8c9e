"""The guard: a tiny process that outlives the runner by a moment, and takes its workers along.

A worker that is in C code cannot see that the runner is gone, and its children never do. The guard reads the process groups of the workers
from a pipe that only the runner can write to; when the pipe ends, they are killed, and the folder of the pool is removed. Invariant: a worker
is known here before it gets its first job. Started by ``pool``.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys

__all__ = ["Guard"]

_PROGRAM = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
groups = set()
for line in sys.stdin.buffer:
    (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
for folder, folders, files in os.walk(sys.argv[1], topdown=False):
    for name in files + folders:
        path = os.path.join(folder, name)
        try:
            os.unlink(path) if name in files or os.path.islink(path) else os.rmdir(path)
        except OSError:
            pass
try:
    os.rmdir(sys.argv[1])
except OSError:
    pass
"""


class Guard:
    """The guard of one pool.

    Args:
        folder: The folder of the pool.
    """

    def __init__(self, folder: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin
        self.fileno = self._pipe.fileno

    def add(self, group: int) -> None:
        """Watch over a process group."""
        self._tell(b"+%d\n" % group)

    def drop(self, group: int) -> None:
        """Forget a process group that has ended: its number may be somebody else's soon."""
        self._tell(b"-%d\n" % group)

    def _tell(self, line: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # somebody killed the guard
            self._pipe.write(line)
            self._pipe.flush()

    def abandon(self) -> None:
        """Let go of the pipe in a forked child of the runner, whose end is not the runner's."""
        self._pipe.close()
        self._process.returncode = 0

    def close(self) -> None:
        """Let the guard do its work and end."""
        with contextlib.suppress(OSError):
            self._pipe.close()
        self._process.wait()
