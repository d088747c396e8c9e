"""Runs that are going on: a folder each, with a lock, the events and the logs.

Owns ``live/<run id>/`` in the state folder. Invariant: the lock on ``alive`` is held exactly as long as the process of
the run lives, so nobody has to store, or guess, whether a run is still alive. The runner writes; recovery, ``logs -f`` and the
terminal UI read.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finestflow.errors import LockedError
from finestflow.journal.lock import hold_gate
from finestflow.journal.names import is_run_id, quote_name, unquote_name
from finestflow.model import RunId
from finestflow.processes import Process, load_process

__all__ = [
    "OUTPUT",
    "OUTPUT_AT",
    "EventReader",
    "LiveEntry",
    "LiveFolder",
    "adopt_output",
    "dump_event",
    "find_live",
    "iter_live",
    "read_events",
    "read_logs",
    "remove_leftovers",
    "take_over",
]

OUTPUT, OUTPUT_AT = "output", "output.at"
"""Files of a live folder: what C code and child processes print, and up to where that is in the logs, as eight bytes."""
_LAST_WORDS = 1 << 20
_LAZY_BYTES = 1 << 16
_LAZY_SECONDS = 0.05
_OPEN_LOGS = 64
_encode = json.JSONEncoder(separators=(",", ":"), default=repr, check_circular=False).encode
_open_folders: weakref.WeakSet[LiveFolder] = weakref.WeakSet()


def dump_event(event: Mapping[str, Any]) -> str:
    """Return an event as a line; what JSON cannot hold is written as its ``repr``."""
    return _encode(event) + "\n"


class LiveFolder:
    """The folder of a run of this process, locked until it is closed or the process ends."""

    def __init__(self, path: Path, run_id: RunId, alive: int) -> None:
        self.path = path
        self.run_id = run_id
        self.problem = ""
        """What went wrong with the last write that failed; a full disk must not end a run."""
        self._alive = alive
        self._events = os.open(path / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._logs: dict[str, int] = {}
        self._pending: list[str] = []
        self._pending_size = 0
        self._printing: str | None = None
        self._is_torn = False
        self._lock = threading.Lock()
        self._flusher: threading.Thread | None = None
        _open_folders.add(self)

    @classmethod
    def create(cls, state_dir: Path, run_id: RunId) -> LiveFolder:
        """Make the folder of a new run and lock it; while ``gc`` deletes, this waits.

        It is locked before it has its name, so nobody ever takes it for abandoned.
        """
        parent = state_dir / "live"
        parent.mkdir(parents=True, exist_ok=True)
        new = parent / f".new-{run_id}"
        path = parent / run_id
        with hold_gate(state_dir):
            new.mkdir()
            (new / "logs").mkdir()
            alive = _lock_alive(new, create=True)
            assert alive is not None
            with contextlib.suppress(OSError):  # on a full disk a run goes on, and only "stop" does not find it
                _write_all(alive, Process.of(os.getpid()).dump())
            new.rename(path)
        return cls(path, run_id, alive)

    @property
    def index_path(self) -> Path:
        """Where the snapshot's private git index may lie."""
        return self.path / "index"

    def emit(self, event: Mapping[str, Any], *, lazy: bool = False) -> None:
        """Append an event.

        Args:
            event: JSON data; what JSON cannot hold is written as its ``repr``.
            lazy: Write it together with the next event that is not lazy, at ``flush``, or after 50 ms by a thread of its own.
        """
        self.append(dump_event(event), lazy=lazy)

    def append(self, line: str, *, lazy: bool = False) -> None:
        """Append an event that is a line already."""
        with self._lock:
            if lazy:
                self._write_soon(line)
            else:
                self._write_line(line)

    def _write_soon(self, line: str) -> None:
        self._pending.append(line)
        self._pending_size += len(line)
        if self._pending_size >= _LAZY_BYTES:
            self._write_line("")
        elif self._flusher is None:
            self._flusher = threading.Thread(target=self._flush_later, name="finestflow-events", daemon=True)
            self._flusher.start()

    def _flush_later(self) -> None:
        """Write lazy events as long as there are any; then the thread ends."""
        while True:
            time.sleep(_LAZY_SECONDS)
            with self._lock:
                if not self._pending or self._alive < 0:
                    self._flusher = None
                    return
                self._write_line("")

    def flush(self) -> None:
        """Write the lazy events."""
        with self._lock:
            self._write_line("")

    def write_log(self, node: str, text: str | bytes) -> None:
        """Append to what a node has printed."""
        data = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
        with self._lock:
            if self._alive < 0:
                return
            try:
                log = self._log_of(node)
                if node != self._printing:  # so that a follower can put what several nodes print in order
                    self._printing = node
                    self._write_soon(_encode({"e": "log", "node": node, "at": os.lseek(log, 0, os.SEEK_END)}) + "\n")
                _write_all(log, data)
            except OSError as error:
                self.problem = f"the log of {node!r} could not be written: {error.strerror}"

    def close(self, *, remove: bool = False) -> None:
        """Let go of the lock; with ``remove`` the folder goes too, as nothing is left in it that the journal has not."""
        with self._lock:
            if self._alive < 0:
                return
            self._write_line("")
            if remove:
                _remove_folder(self.path)
            self._close_files()

    def _write_line(self, line: str) -> None:
        if self._pending:
            line = "".join(self._pending) + line
            self._pending.clear()
            self._pending_size = 0
        if not line or self._alive < 0:
            return
        try:
            _write_all(self._events, f"\n{line}".encode() if self._is_torn else line.encode())
            self._is_torn = False
        except OSError as error:
            self._is_torn = True
            self.problem = f"an event could not be written: {error.strerror}"

    def _log_of(self, node: str) -> int:
        descriptor = self._logs.get(node)
        if descriptor is None:
            if len(self._logs) >= _OPEN_LOGS:
                os.close(self._logs.pop(next(iter(self._logs))))
            path = _log_file(self.path, node)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            self._logs[node] = descriptor
        return descriptor

    def _close_files(self) -> None:
        for descriptor in (self._events, *self._logs.values(), self._alive):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._logs.clear()
        self._alive = self._events = -1
        _open_folders.discard(self)

    def _forget(self) -> None:
        """Close the inherited descriptors: a worker that outlives its parent would keep a dead run alive."""
        self._lock = threading.Lock()  # another thread of the parent may have held it at the fork
        self._flusher = None
        self._pending.clear()
        self._close_files()


def _forget_all() -> None:
    for folder in list(_open_folders):
        folder._forget()  # noqa: SLF001 - same module


os.register_at_fork(after_in_child=_forget_all)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEntry:
    """A live folder that somebody else may own; abandoned when its process is not alive."""

    run_id: RunId
    path: Path
    is_alive: bool

    @property
    def events_path(self) -> Path:
        """The file of its events."""
        return self.path / "events.jsonl"

    @property
    def owner(self) -> Process | None:
        """The process of the run; None when its folder does not name one, or is gone."""
        return load_process(_read(self.path / "alive") or b"")

    def is_locked(self) -> bool:
        """Whether the process lives now; ``is_alive`` is how it was when the folder was found."""
        return _is_alive(self.path)

    def log_path(self, node: str) -> Path:
        """Return the file of what a node has printed so far."""
        return _log_file(self.path, node)

    def read_log(self, node: str) -> bytes | None:
        """Read what a node has printed so far."""
        return _read(self.log_path(node))


def iter_live(state_dir: Path) -> Iterator[LiveEntry]:
    """Find the live folders, in the order of their ids, and try their locks."""
    try:
        names = sorted(os.listdir(state_dir / "live"))
    except OSError:
        return
    for name in names:
        path = state_dir / "live" / name
        if is_run_id(name) and path.is_dir():
            yield LiveEntry(run_id=RunId(name), path=path, is_alive=_is_alive(path))


def find_live(state_dir: Path, run_id: RunId) -> LiveEntry | None:
    """Find the live folder of a run."""
    path = state_dir / "live" / run_id
    return LiveEntry(run_id=run_id, path=path, is_alive=_is_alive(path)) if path.is_dir() else None


def take_over(entry: LiveEntry) -> int | None:
    """Lock an abandoned folder; None when its owner lives, or somebody else has just taken it over.

    Returns:
        A descriptor that holds the lock until it is closed.
    """
    alive = _lock_alive(entry.path, create=True)
    if alive is None:
        return None
    try:  # between listing and locking somebody else may have recovered and removed it
        is_same = os.fstat(alive).st_ino == (entry.path / "alive").stat().st_ino
    except OSError:
        is_same = False
    if not is_same:
        os.close(alive)
        return None
    return alive


def remove_folder(entry: LiveEntry) -> None:
    """Remove a folder that has been taken over and published."""
    _remove_folder(entry.path)


def remove_leftovers(state_dir: Path, *, older_than: float) -> None:
    """Remove folders that a crash left half made or half removed.

    Args:
        state_dir: The state folder of the repository.
        older_than: A time; a folder that is being made has no lock for a moment, so young ones are left alone.
    """
    for path in (state_dir / "live").glob(".*-*"):
        with contextlib.suppress(OSError):
            if path.name.startswith(".gone-") or path.stat().st_mtime < older_than:
                shutil.rmtree(path, ignore_errors=True)


class EventReader:
    """Reads events, from the first to those that are still to come.

    Lines that are damaged are skipped and counted; a last line without its end is left for the next time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        self._offset = 0

    def read_new(self, *, whole: bool = False) -> list[dict[str, Any]]:
        """Read the events since the last call.

        Args:
            whole: The writer is dead: nothing will come after the last line, torn or not.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        end = len(data) if whole else data.rfind(b"\n") + 1
        self._offset += end
        events = []
        for line in data[:end].split(b"\n"):
            if not line:
                continue
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict) and isinstance(event.get("e"), str):
                events.append(event)
            else:
                self.damaged += 1
        return events


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """Read all events of a file that nobody writes any more; damaged and torn lines are skipped."""
    return iter(EventReader(path).read_new(whole=True))


def read_logs(folder: Path, nodes: Iterable[str]) -> dict[str, bytes]:
    """Read the logs of a live folder, by node.

    Args:
        folder: The live folder.
        nodes: Nodes of the run: a long name cannot be told from the name of its file.
    """
    paths = sorted((folder / "logs").glob("*.txt"))
    names = {quote_name(node): node for node in nodes} if paths else {}
    logs = {}
    for path in paths:
        data = _read(path)
        if data:
            logs[names.get(path.stem) or unquote_name(path.stem)] = data
    return logs


def adopt_output(folder: Path, node: str) -> None:
    """Add to a node's log what was printed last by a process that is dead, and that it had no time to put there."""
    data = _read(folder / OUTPUT) or b""
    rest = data[int.from_bytes((_read(folder / OUTPUT_AT) or b"")[:8], "little") :][-_LAST_WORDS:]
    if rest:
        with _log_file(folder, node).open("ab") as log:
            log.write(rest)


def _log_file(folder: Path, node: str) -> Path:
    return folder / "logs" / f"{quote_name(node)}.txt"


def _lock_alive(folder: Path, *, create: bool = False) -> int | None:
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    try:
        descriptor = os.open(folder / "alive", flags, 0o644)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        message = f"{str(folder / 'alive')!r} cannot be locked: {error.strerror}"
        raise LockedError(message, "the file system of the repository must support flock") from error
    return descriptor


def _is_alive(folder: Path) -> bool:
    """Try a shared lock: two that look at once do not take each other for the owner."""
    try:
        descriptor = os.open(folder / "alive", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _remove_folder(path: Path) -> None:
    gone = path.with_name(f".gone-{path.name}")
    try:
        path.rename(gone)
    except FileNotFoundError:
        return
    except OSError:  # a leftover of that name is in the way
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        data = data[written:]
        written = os.write(descriptor, data)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
