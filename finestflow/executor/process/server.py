"""The runner's side of the fork server: its start, and its end.

Invariant: it has an environment of its own, that of the runner is never changed for it; and a process group of its own, so that Ctrl-C does not
reach it. Made by ``launch``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multiprocess import forkserver, spawn, util
from multiprocess.context import reduction

from finestflow.executor.process.guard import Guard
from finestflow.executor.process.preload import Imports

__all__ = ["Server"]

_LONGEST_ADDRESS = 100
"""What the address of a local socket has room for, everywhere."""
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[-1])['path'];"
    " from finestflow.executor.process.serve import main; main()"
)


class Server(forkserver.ForkServer):  # type: ignore[misc]
    """A fork server.

    Args:
        folder: The folder of the pool, where its socket is.
        environ: Its environment.
        imports: What it loads, where a process can tell how many threads it has.
        root: Top of the project.
        guard: Ends it, when it outlives the runner.
    """

    def __init__(
        self,
        folder: str,
        environ: Mapping[str, str],
        imports: Imports,
        root: Path,
        guard: Guard,
    ) -> None:
        super().__init__()
        self._forkserver_alive_fd: int | None = None
        self.modules = imports.modules if os.path.isdir("/proc/self/task") else ()
        self._environ = dict(environ)
        self._given = {
            "path": [place for place in sys.path if place],
            "imports": self.modules,
            "import_path": imports.path,
            "root": str(root),
        }
        self._folder = folder
        self._directory = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        self._no_tracker = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._process: Any = None  # a Popen
        self._guard = guard
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """Its process, when it has been started."""
        return None if self._process is None else self._process.pid

    def ensure_running(self) -> None:
        """Start it, unless it runs."""
        with self._lock:
            if self._is_closed:
                raise OSError("the pool is closed")
            if self._process is None or self._process.poll() is not None:
                self._forget()
                self._start()

    def connect_to_new_process(self, fds: list[int]) -> tuple[int, int]:
        """Have a process forked; return where its number and its end can be read, and where what it is to do can be written.

        As in ``multiprocess``, but for its tracker of shared memory: that would be a process more, which outlives the pool.
        """
        self.ensure_running()
        told, child_tells = os.pipe()
        child_reads, writes = os.pipe()
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self._forkserver_address)
                alive = self._forkserver_alive_fd
                reduction.sendfds(client, [child_reads, child_tells, alive, self._no_tracker, *fds])
        except BaseException:
            os.close(told)
            os.close(writes)
            raise
        finally:
            os.close(child_reads)
            os.close(child_tells)
        return told, writes

    def _start(self) -> None:
        alive, self._forkserver_alive_fd = os.pipe()
        self._forkserver_address = self._address()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._forkserver_address)
            listener.listen()
            given = json.dumps({**self._given, "listener": listener.fileno(), "alive": alive})
            try:
                self._process = subprocess.Popen(
                    [spawn.get_executable(), *util._args_from_interpreter_flags(), "-c", _CODE, given],  # noqa: SLF001
                    stdin=subprocess.DEVNULL,
                    pass_fds=(listener.fileno(), alive),
                    env=self._environ,
                    process_group=0,
                )
            finally:
                os.close(alive)
        self._guard.add(self._process.pid)

    def _address(self) -> str:
        """Return a new address; of a folder whose name is too long by its descriptor."""
        name = f"fork-{time.monotonic_ns()}"
        address = os.path.join(self._folder, name)
        return address if len(os.fsencode(address)) < _LONGEST_ADDRESS else f"/proc/self/fd/{self._directory}/{name}"

    def close(self) -> None:
        """End it for good; its children are on their own."""
        with self._lock:
            self._is_closed = True
            if self._process is not None:
                self._process.kill()  # it would wait for all that its children have started
                self._process.wait()
            self._forget()
            os.close(self._directory)
            os.close(self._no_tracker)

    def abandon(self) -> None:
        """Let go of it in a forked child of the runner."""
        if self._process is not None:
            self._process.returncode = 0

    def _forget(self) -> None:
        alive, self._forkserver_alive_fd = self._forkserver_alive_fd, None
        if self._process is not None:
            self._guard.drop(self._process.pid)
            self._process = None
        if alive is not None:
            with contextlib.suppress(OSError):
                os.close(alive)
