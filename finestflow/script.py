"""A program that does not know finestflow, run as it is and recorded: ``finestflow run script.py --lr 0.1``.

The program runs in a process of its own, with its stdin, and with pipes for stdout and stderr, whose bytes are shown and kept as they come.
Invariant: it gets every signal that this process is sent, and SIGTERM when this process is killed (on Linux); its exit code is handed on, and its
end is recorded as it was. A program that makes runs itself is not recorded a second time. ``workspace`` makes one of these a run; the command
line asks for it.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from finestflow.dotenv import hidden_here
from finestflow.ending import INTERRUPTS, deferring
from finestflow.errors import FinestflowError
from finestflow.given import Command, is_python, parse_words
from finestflow.handed import Handed, has_made_runs
from finestflow.journal.joined import read_joined
from finestflow.model import Run, RunId, RunStatus
from finestflow.processes import make_follower_of_parent
from finestflow.reporter import artifact_event, store_value
from finestflow.telling import Telling, tell_record

if TYPE_CHECKING:
    from finestflow.cache.store import Store
    from finestflow.executor.perform import Clock
    from finestflow.journal.live import LiveFolder
    from finestflow.tracking import RepositoryTracking

__all__ = ["FinishedScript", "ScriptRequest", "ScriptRunner"]

_QUIET_SECONDS = 0.1
"""How long a pipe is listened to after the program's end: something that it left behind may hold it open for ever."""
_KEPT_BYTES = 64 << 10
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ENDED_POLITELY = frozenset(
    {-signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP, 128 + signal.SIGINT, 128 + signal.SIGTERM}
)
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRequest:
    """What to run.

    Attributes:
        command: The words; ``python`` as the first one is this interpreter.
        node: What the run's node and pipeline are called.
        run_id: Identity of the run to be made.
        name: Its name.
        note: What to remember of it.
        tags: Words to find it by.
        folder: Where the program works, relative to the root.
        save: Patterns of files to keep as artifacts when the program has ended, relative to where it works.
        reproduces: The run that this one runs again.
        judge: Asked at the end how the run compares; its answer is recorded.
        streams: Where stdout and stderr of the program are shown; nowhere when empty.
    """

    command: Command
    node: str
    run_id: RunId
    name: str
    note: str = ""
    tags: Sequence[str] = ()
    folder: str = "."
    save: Sequence[str] = ()
    reproduces: RunId | None = None
    judge: Callable[[Run], dict[str, Any]] | None = None
    streams: Sequence[BinaryIO] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedScript:
    """A program that has ended.

    Attributes:
        code: Its exit code, as a shell tells it.
        run: What is recorded of it; None where it has made runs of its own.
    """

    code: int
    run: Run | None


@dataclass(slots=True)
class _End:
    """How a program ended: ``code`` as the operating system tells it, negative for a signal."""

    code: int = 0
    asked: int = 0
    error_text: bytearray = field(default_factory=bytearray)

    @property
    def status(self) -> RunStatus:
        if self.code == 0:
            return RunStatus.OK
        if self.code == -signal.SIGKILL:
            return RunStatus.KILLED
        return RunStatus.CANCELLED if self.asked or self.code in _ENDED_POLITELY else RunStatus.FAILED

    def traceback(self) -> str:
        """Return the traceback that the program printed last; empty when it ended well, or printed none."""
        text = self.error_text.decode("utf-8", "replace")
        found = list(_TRACEBACK.finditer(text)) if self.status is RunStatus.FAILED else []
        return text[found[-1].start() :] if found else ""

    def message(self) -> str:
        """Return in one line why it failed."""
        if self.code == 0:
            return ""
        lines = self.traceback().strip().splitlines()
        if lines:
            return lines[-1]
        return f"exit code {self.code}" if self.code > 0 else f"ended by {signal.Signals(-self.code).name}"


class ScriptRunner:
    """Runs programs with what a workspace has.

    Args:
        root: Top of the project.
        environ: The environment that programs get.
        clock: Where the time comes from.
        environment: What ``read_environment`` found; asked for once a run.
        store: Opens where artifacts are kept.
        warn: Says something to the person at the terminal.
        sample: Opens what tells, while a run goes, what it uses of the machine.
    """

    def __init__(
        self,
        *,
        root: Path,
        environ: Mapping[str, str],
        clock: Clock,
        environment: Callable[[], Mapping[str, Any]],
        store: Callable[[], Store],
        warn: Callable[[str], None],
        sample: Callable[[Callable[[dict[str, Any]], None]], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> None:
        self._sample = sample
        self._root = root
        self._environ = environ
        self._clock = clock
        self._environment = environment
        self._store = store
        self._warn = warn

    def run(
        self,
        request: ScriptRequest,
        tracking: RepositoryTracking,
        listener: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> FinishedScript:
        """Run a program to its end and record it; how it ended is in the result."""
        live = tracking.open_live(request.run_id)
        words = parse_words(request.command.words)
        telling = Telling(live, listener, words.secrets, hidden_here(self._environ, self._root))
        telling.emit(self._begin(request))
        try:
            if live is not None:
                snapshot = tracking.snapshot(request.run_id, live)
                left_out = telling.tell_snapshot(snapshot) if snapshot is not None else ""
                if left_out:
                    self._warn(left_out)
            telling.emit({"e": "start", "path": request.node, "task": request.node, "t": self._clock.time()})
            handed = Handed(
                live=str(live.path) if live is not None else "",
                root=str(self._root),
                node=request.node,
                name=request.name,
                note=request.note,
                tags=tuple(request.tags),
            )
            with self._sample(telling.emit):
                end = self._run_program(request, handed, telling)
            self._save(request, telling)
        except BaseException as error:
            if live is not None:
                self._cut(error, telling, live, tracking)
            raise
        if live is not None and has_made_runs(live.path) and read_joined(live) is None:
            tracking.discard(live)
            return FinishedScript(code=_shell_code(end.code), run=None)
        with deferring():
            self._tell_end(request, telling, end)
            run = (read_joined(live) if live is not None else None) or telling.state.run
            if live is not None:
                self._publish(run, live, tracking)
        return FinishedScript(code=_shell_code(end.code), run=run)

    def _cut(self, error: BaseException, telling: Telling, live: LiveFolder, tracking: RepositoryTracking) -> None:
        """Record a run that was interrupted before its program began, or after it had ended."""
        try:
            if isinstance(error, INTERRUPTS):
                run = telling.cut(error, self._clock.time())
                if self._publish(run, live, tracking):
                    tell_record(error, run)
        finally:
            live.close()

    def _begin(self, request: ScriptRequest) -> dict[str, Any]:
        words = request.command.words
        params = parse_words(_arguments(words)).params
        return {
            "e": "run",
            "id": request.run_id,
            "name": request.name,
            "pipeline": request.node,
            "target": request.command.target,
            "started": self._clock.time(),
            "argv": list(parse_words(words).shown),
            "params": params,
            "environment": self._environment(),
            "settings": {"made-by": "script", "folder": request.folder, "save": list(request.save)},
            "tags": list(request.tags),
            "note": request.note,
            "reproduces": request.reproduces,
        }

    def _run_program(self, request: ScriptRequest, handed: Handed, telling: Telling) -> _End:
        first, *rest = request.command.words
        words = [sys.executable if first == "python" else first, *rest]
        end = _End()
        try:
            child = subprocess.Popen(
                words,
                cwd=self._root / request.folder,
                env={"PYTHONUNBUFFERED": "1", **self._environ, **handed.environment()},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=make_follower_of_parent(),  # noqa: PLW1509 - made for a process with threads
            )
        except OSError as error:
            end.code = 127 if isinstance(error, FileNotFoundError) else 126
            end.error_text += f"{first}: {error.strerror}\n".encode()
            telling.emit({"e": "text", "node": request.node, "text": end.error_text.decode()})
            self._warn(f"{first!r} cannot be run: {error.strerror}")
            return end
        with _forwarding(child, end), child:
            _pump(child, request, telling, end)
            end.code = child.wait()
        return end

    def _save(self, request: ScriptRequest, telling: Telling) -> None:
        """Keep the files that the patterns name."""
        folder = self._root / request.folder
        for pattern in request.save:
            paths = sorted(folder.glob(pattern))
            if not paths:
                self._warn(f"no file matches {pattern!r}, which was to be saved")
            for path in paths:
                name = path.relative_to(folder).as_posix()
                try:
                    encoded = store_value(self._store(), path)
                except (FinestflowError, OSError) as error:
                    self._warn(f"{name!r} is not saved: {error}")
                    continue
                node = f"{request.node}/{name}"
                telling.emit(artifact_event(node, encoded, self._clock.time(), by=request.node))

    def _tell_end(self, request: ScriptRequest, telling: Telling, end: _End) -> None:
        now, status, message = self._clock.time(), end.status.value, end.message()
        begun = telling.state.run.summary.started
        node = {"path": request.node, "task": request.node, "seconds": now - begun, "status": status, "error": message}
        telling.emit({"e": "node", **node, "t": now})
        reproduction = request.judge(telling.state.run) if request.judge is not None else {}
        end_event = {"status": status, "ended": now, "error": message, "traceback": end.traceback()}
        telling.emit({"e": "end", **end_event, "reproduction": reproduction})

    def _publish(self, run: Run, live: LiveFolder, tracking: RepositoryTracking) -> bool:
        """Append the run to the journal; return whether it is there now."""
        try:
            tracking.publish(run, live)
        except (FinestflowError, OSError) as error:
            live.close()
            self._warn(
                f"run {run.summary.name} could not be recorded: {error}; the next finestflow command tries again"
            )
            return False
        return True


def _arguments(words: Sequence[str]) -> Sequence[str]:
    """Return the words that are params: what follows the program, and for Python what follows its script or module."""
    if not is_python(words[0]):
        return words[1:]
    for at, word in enumerate(words[1:], 1):
        if word in {"-m", "-c"}:
            return words[at + 2 :]
        if not word.startswith("-"):
            return words[at + 1 :]
    return ()


def _shell_code(code: int) -> int:
    return 128 - code if code < 0 else code


def _pump(child: subprocess.Popen[bytes], request: ScriptRequest, telling: Telling, end: _End) -> None:
    """Show and keep what a program prints, in the order in which it comes, until it and its pipes have ended."""
    decode = [codecs.getincrementaldecoder("utf-8")("backslashreplace").decode for _ in range(2)]
    streams: list[BinaryIO | None] = [*request.streams] if request.streams else [None, None]
    with selectors.DefaultSelector() as selector:
        for index, pipe in enumerate((child.stdout, child.stderr)):
            assert pipe is not None
            selector.register(pipe, selectors.EVENT_READ, index)
        while selector.get_map():
            ready = selector.select(_QUIET_SECONDS)
            if not ready and child.poll() is not None:
                return
            for key, _ in ready:
                data, index = os.read(key.fd, _KEPT_BYTES), key.data
                text = decode[index](data, not data)  # at the end what is no whole character comes out too
                if text:
                    telling.emit({"e": "text", "node": request.node, "text": text})
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                streams[index] = _show(streams[index], data)
                if index == 1:
                    end.error_text += data
                    del end.error_text[:-_KEPT_BYTES]


def _show(stream: BinaryIO | None, data: bytes) -> BinaryIO | None:
    """Write to a stream of ours; None when nobody reads it any more."""
    if stream is None:
        return None
    try:
        stream.write(data)
        stream.flush()
    except (OSError, ValueError):
        return None
    return stream


@contextlib.contextmanager
def _forwarding(child: subprocess.Popen[bytes], end: _End) -> Iterator[None]:
    """Hand signals on; a Ctrl-C at the terminal reaches the program by itself, as it is in the same group of processes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def forward(number: int, _frame: object) -> None:
        end.asked = number
        if number != signal.SIGINT or not _is_in_foreground():
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_in_foreground() -> bool:
    """Whether the terminal that this process is at sends it its keys."""
    for descriptor in range(3):
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(descriptor) == os.getpgrp()
    return False
