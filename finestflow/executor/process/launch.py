"""How worker processes come to be: by a fork server of our own, by spawn, or by fork, on the ``multiprocess`` package.

Invariant: neither the main module of the user is run again (a script needs no ``__main__`` guard) nor anything of the user's own
``multiprocessing`` or ``multiprocess`` is touched. Called by ``pool``.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from multiprocess import (
    forkserver,
    popen_fork,
    popen_forkserver,
    popen_spawn_posix,
    process,
    resource_tracker,
    spawn,
    util,
)
from multiprocess.context import reduction, set_spawning_popen

from finestflow.errors import UsageError
from finestflow.executor.process.guard import Guard
from finestflow.executor.process.preload import Imports
from finestflow.executor.process.server import Server

__all__ = ["START_METHODS", "Launcher"]

START_METHODS = ("auto", "forkserver", "spawn", "fork")
_TRIES = 5
"""How often a process is asked of a fork server that somebody kills again and again."""

_environment_guard = threading.Lock()


class Launcher:
    """Starts processes in one way.

    Args:
        method: One of ``START_METHODS``; ``auto`` is a fork server on Linux and spawn elsewhere. A fork of the runner itself starts at once, but
            hangs where a library of the runner has threads, and takes over its hash seed.
        variables: Returns what the environment of the new processes has besides the runner's own.
        folder: The folder of the pool.
        root: Top of the project.
        guard: Ends a fork server that outlives the runner.
    """

    def __init__(
        self, method: str, variables: Callable[[], Mapping[str, str]], folder: str, root: Path, guard: Guard
    ) -> None:
        if method not in START_METHODS:
            raise UsageError(f"there is no start method {method!r}", f"one of {', '.join(START_METHODS)}")
        self.method = method if method != "auto" else "forkserver" if sys.platform == "linux" else "spawn"
        self._variables = variables
        self._folder = folder
        self._root = root
        self._guard = guard
        self._lock = threading.Lock()
        self._servers: list[Server] = []
        self._is_closed = False

    @property
    def server_pid(self) -> int | None:
        """The process of the fork server, when there is one."""
        return self._servers[-1].pid if self._servers else None

    def prepare(self, imports: Imports) -> None:
        """Start a fork server, unless there is one, which loads those modules; workers need not wait for one then."""
        if self.method == "forkserver":
            self._server(imports).ensure_running()

    def start_afresh(self) -> None:
        """Let the next processes come from a server that has loaded nothing in advance; those that live keep theirs."""
        with self._lock:
            if self._servers and self._servers[-1].modules:
                self._servers.append(self._make_server(Imports()))

    def start(self, target: Callable[..., None], args: tuple[Any, ...]) -> Any:
        """Start a process and return it, as ``multiprocess`` describes it."""
        for turn in range(_TRIES):
            made = _Process(target=target, args=args, daemon=False)
            made.launch = self._launch
            try:
                made.start()
                break
            except (OSError, EOFError):  # the fork server was killed just now
                if turn == _TRIES - 1 or self._is_closed:
                    raise
        process._children.discard(made)  # noqa: SLF001 - else it would be waited for when the interpreter ends
        return made

    def _launch(self, made: Any) -> Any:
        if self.method == "fork":
            return popen_fork.Popen(made)
        if self.method == "spawn":
            with _environment(self._variables()):
                return _SpawnPopen(made)
        return _ForkServerPopen(made, self._server())

    def _server(self, imports: Imports | None = None) -> Server:
        with self._lock:
            if self._is_closed:
                raise OSError("the pool is closed")
            if not self._servers:
                self._servers.append(self._make_server(imports or Imports()))
            return self._servers[-1]

    def _make_server(self, imports: Imports) -> Server:
        environ = {**os.environ, **self._variables()}
        return Server(self._folder, environ, imports, self._root, self._guard)

    def close(self) -> None:
        """End the fork server; its children are on their own."""
        with self._lock:
            self._is_closed = True
            servers, self._servers = self._servers, []
        for server in servers:
            server.close()

    def abandon(self) -> None:
        """Let go of the fork server in a forked child of the runner."""
        for server in self._servers:
            server.abandon()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have variables in the environment while an interpreter starts; ``multiprocess`` has no argument for them."""
    with _environment_guard:
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _preparation(name: str) -> dict[str, Any]:
    """Return what a new interpreter is told about this one, without its main module."""
    data: dict[str, Any] = spawn.get_preparation_data(name)
    return {
        key: value
        for key, value in data.items()
        if key not in {"init_main_from_name", "init_main_from_path", "start_method"}
    }


class _Process(process.BaseProcess):  # type: ignore[misc]
    """A process that a launcher starts."""

    _start_method = None
    launch: Callable[[Any], Any]

    @staticmethod
    def _Popen(made: Any) -> Any:  # noqa: N802 - the name that multiprocess calls
        return made.__dict__.pop("launch")(made)  # before the process is pickled: a launcher cannot be


class _SpawnPopen(popen_spawn_posix.Popen):  # type: ignore[misc]
    """A new interpreter that does not run the main module."""

    def _launch(self, made: Any) -> None:
        self._fds.append(resource_tracker.getfd())
        data = _dump(self, made)
        parent_r, child_w = os.pipe()
        child_r, parent_w = os.pipe()
        command = spawn.get_command_line(tracker_fd=resource_tracker.getfd(), pipe_handle=child_r)
        try:
            self._fds.extend([child_r, child_w])
            self.pid = util.spawnv_passfds(spawn.get_executable(), command, self._fds)
        finally:
            os.close(child_r)
            os.close(child_w)
        self.sentinel = parent_r
        self.finalizer = util.Finalize(self, util.close_fds, (parent_r, parent_w))
        with open(parent_w, "wb", closefd=False) as pipe:
            pipe.write(data)


class _ForkServerPopen(popen_forkserver.Popen):  # type: ignore[misc]
    """A child of our own fork server."""

    def __init__(self, made: Any, server: Any) -> None:
        self._server = server
        super().__init__(made)

    def _launch(self, made: Any) -> None:
        data = _dump(self, made)
        self.sentinel, pipe = self._server.connect_to_new_process(self._fds)
        parent = os.dup(pipe)  # while it is open, the child knows that the runner lives
        self.finalizer = util.Finalize(self, util.close_fds, (parent, self.sentinel))
        with open(pipe, "wb") as file:
            file.write(data)
        self.pid = forkserver.read_signed(self.sentinel)


def _dump(popen: Any, made: Any) -> bytes:
    stream = io.BytesIO()
    set_spawning_popen(popen)
    try:
        reduction.dump(_preparation(made.name), stream)
        reduction.dump(made, stream)
    finally:
        set_spawning_popen(None)
    return stream.getvalue()
