"""The runner's side of one worker: its process, its channel, its log, and the jobs that it has.

Invariant: all state is changed under the lock of the pool, but for the log, which only the pool's thread reads. Made by ``pool``.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import pickle
import signal
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from finestflow.errors import TaskTimeoutError, WorkerDiedError
from finestflow.executor.process.channel import Channel, ChannelClosedError, open_pair
from finestflow.executor.process.messages import Begin, Done, Equipment, Refused, Setup
from finestflow.executor.process.portable import Definition
from finestflow.executor.process.worker import DUMP_SIGNAL, main
from finestflow.executor.protocol import Job, Outcome

if TYPE_CHECKING:
    from finestflow.executor.process.launch import Launcher

__all__ = ["Item", "Owner", "Worker"]

_WARM = 4
"""As many initialised tasks as ``WarmTasks`` keeps."""
_TASKS = 64
"""Tasks that a worker keeps, initialised or not."""
_START = 120.0
"""Seconds for a worker to get ready: a forked one may be stuck with a lock that another thread of the runner had."""
_DUMP = 0.15
"""Seconds for a worker to write its stacks before it is killed."""
_LAST_LINES = 5
_UNKNOWN = 255
"""What ``multiprocess`` says when the fork server is gone."""


class Owner(Protocol):
    """Who submits jobs; called from the thread of the pool, without its lock."""

    def finished(self, item: Item, done: Done) -> None:
        """Take what came of a job."""

    def refused(self, item: Item, reason: str) -> None:
        """Take a job that cannot run in a worker; nothing of it has run."""

    def died(self, item: Item, error: Exception) -> None:
        """Take a job whose worker has ended."""


@dataclass(slots=True, eq=False)
class Item:
    """A job in the pool.

    Attributes:
        owner: Who submitted it.
        job: What it was made of.
        done: Takes its outcome.
        setup: The set-up of its run.
        definitions: What has to be defined before.
        task: The pickled task.
        code: Fingerprint of the task's code.
        arguments: See ``Begin``.
        context: See ``Begin``.
        is_warm: Whether its task has an ``initialize``.
        serial: Its number in the pool.
        began: When a worker began it, as far as the runner knows.
        text: What it has printed.
    """

    owner: Owner
    job: Job
    done: Callable[[Outcome], None]
    setup: Setup
    definitions: list[Definition]
    task: bytes
    code: str
    arguments: list[tuple[str | None, Any]]
    context: bytes | None
    is_warm: bool = False
    serial: int = 0
    is_started: bool = False
    is_cancelled: bool = False
    passed_over: int = 0
    refusals: int = 0
    began: float = 0.0
    text: list[str] = field(default_factory=list)


class Worker:
    """One worker process.

    Args:
        folder: The folder of the pool.
        launcher: Starts the process.
        equipment: What it works with.
    """

    def __init__(self, folder: str, launcher: Launcher, equipment: Equipment) -> None:
        ours, theirs = open_pair()
        self._log_path = f"{folder}/worker-{ours.fileno()}-{time.monotonic_ns()}.log"
        with open(self._log_path, "xb"):
            pass
        self.channel = Channel(ours, folder)
        try:
            self._process = launcher.start(main, (theirs, folder, self._log_path, equipment))
        except BaseException:
            ours.close()
            theirs.close()
            raise
        self.pid: int = self._process.pid
        self.sentinel: int = _open_sentinel(self._process)
        self._peer = Channel(theirs, folder)  # so that the pool can read what the worker has not
        self._log = os.open(self._log_path, os.O_RDONLY | os.O_CLOEXEC)
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.items: deque[Item] = deque()
        self.warm: OrderedDict[str, None] = OrderedDict()
        self._setup = 0
        self._tasks: set[str] = set()
        self._known: dict[str, Definition] = {}
        self.is_ready = self.is_sending = self.is_ending = self.is_dead = False
        self.is_fresh = True
        self.began = self.next_look = 0.0
        self.deadline: float | None = None
        self.kill_at: float | None = time.monotonic() + _START
        self._is_late = False

    @property
    def is_idle(self) -> bool:
        """Whether it can begin a job now."""
        return self.is_ready and not self.items and not self.is_sending and not self.is_ending

    @property
    def takes_more(self) -> bool:
        """Whether jobs can be sent to it behind those it has."""
        return self.is_ready and not self.is_sending and not self.is_ending

    def item_of(self, serial: int) -> Item | None:
        """Return the job of a number."""
        return next((item for item in self.items if item.serial == serial), None)

    # -- sending -----------------------------------------------------------------------------------------------------------------------

    def has_all_for(self, item: Item) -> bool:
        """Whether nothing but the job itself has to be sent: only then it can be taken back."""
        return (
            item.setup.number == self._setup
            and item.job.warm_key in self._tasks
            and all(self._known.get(definition.token) == definition for definition in item.definitions)
        )

    def send(self, item: Item, *, wait: bool) -> bool:
        """Send a job with all that the worker lacks for it; return False when it cannot take it."""
        missing = [definition for definition in item.definitions if self._known.get(definition.token) != definition]
        if any(definition.token in self._known for definition in missing):
            return False  # it has another version of a class: nothing can be said of what it would do
        is_new = item.setup.number != self._setup
        forgets = len(self._tasks) >= _TASKS
        has_task = item.job.warm_key in self._tasks and not is_new and not forgets
        job = item.job
        begin = Begin(
            item.serial,
            item.setup if is_new else None,
            [definition[:3] for definition in missing],
            forgets,
            job.path,
            None if has_task else item.task,
            item.code,
            job.warm_key,
            item.arguments,
            job.seed,
            job.setup_seed,
            job.store,
            item.context,
        )
        self._trim_log()
        if len(self.items) == 1:
            self.begin_next()
        if not self.channel.send(pickle.dumps(begin, 5), wait=wait):
            return False
        self._known.update((definition.token, definition) for definition in missing)
        self._setup = item.setup.number
        if is_new or forgets:
            self._tasks.clear()
        self._tasks.add(item.job.warm_key)
        return True

    def begin_next(self) -> None:
        """Take note that the first of its jobs begins now."""
        self.began = time.monotonic()
        self.next_look = self.began + 0.1
        timeout = None
        if self.items:
            self.items[0].began = self.began
            timeout = self.items[0].job.timeout
        self.deadline = None if timeout is None else self.began + timeout

    def take_back(self) -> list[Item]:
        """Return the jobs that the worker has not begun, and let go of them."""
        found = []
        with contextlib.suppress(ChannelClosedError):
            while (data := self._peer.receive(wait=False)) is not None:
                item = self.item_of(pickle.loads(data).serial)
                if item is not None:
                    self.items.remove(item)
                    if not item.is_cancelled:
                        found.append(item)
        return found

    def cancel(self, owner: Owner | None) -> bool:
        """End the jobs of an owner, or of all; return whether the worker ends with them."""
        is_concerned = bool(self.items) and owner in {None, self.items[0].owner}
        for item in self.items:
            item.is_cancelled = item.is_cancelled or owner in {None, item.owner}
        if is_concerned:
            self.kill()
        return is_concerned

    def note_warm(self, item: Item) -> None:
        """Take note that it has initialised the task of a job."""
        self.is_fresh = False
        if item.is_warm:
            self.warm[item.job.warm_key] = None
            self.warm.move_to_end(item.job.warm_key)
            if len(self.warm) > _WARM:
                self.warm.popitem(last=False)

    def refuse(self, item: Item, refused: Refused) -> None:
        """Take note that it could not run a job: what it knows is in doubt, as it may have an older version of something."""
        self._tasks.discard(item.job.warm_key)
        if refused.is_unfit:
            self.kill()
        elif not refused.is_final and (not self.is_fresh or item.definitions):
            self.is_ending = True
            if not self.items:
                self.kill()

    def retire_unless_busy(self) -> None:
        """End it, when it is idle and could not take a job."""
        if not self.items:
            self.kill()

    # -- its log -----------------------------------------------------------------------------------------------------------------------

    def tell_text(self, item: Item | None = None, end: int | None = None) -> None:
        """Pass on what has been printed since the last look, up to a place in the log."""
        item = item or (self.items[0] if self.items else None)
        if item is None:
            return
        data = b""
        size = os.fstat(self._log).st_size if end is None else end
        while self._read < size and (part := os.pread(self._log, min(size - self._read, 1 << 20), self._read)):
            data += part
            self._read += len(part)
        text = self._decoder.decode(data, final=end is not None)
        if text:
            item.text.append(text)
            item.job.sink.text(item.job.path, text)

    def _trim_log(self) -> None:
        """Empty a log that has grown large, while the worker does nothing."""
        if self._read > 16 << 20 and len(self.items) == 1:
            os.truncate(self._log_path, 0)
            self._read = 0

    def last_words(self) -> str:
        """Return the last lines of its log."""
        size = os.fstat(self._log).st_size
        text = os.pread(self._log, 4096, max(0, size - 4096)).decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-_LAST_LINES:])

    # -- ending ------------------------------------------------------------------------------------------------------------------------

    def note_ready(self) -> None:
        """Take note that it waits for its first job."""
        self.is_ready = True
        self.kill_at = None

    def keep_deadline(self, now: float) -> None:
        """End a job that takes too long, after the worker has told where it is; likewise a worker that never gets ready."""
        if self.kill_at is not None:
            if now >= self.kill_at:
                self.kill_at = None
                self._signal(signal.SIGKILL)
        elif self.deadline is not None and now >= self.deadline and not self._is_late:
            self._is_late = True
            self.deadline = None
            self.kill_at = now + _DUMP
            with contextlib.suppress(OSError):
                os.kill(self.pid, DUMP_SIGNAL)

    def kill(self) -> None:
        """End its process group at once."""
        self.is_ending = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except OSError:  # it does not lead a group yet, or is gone
            with contextlib.suppress(OSError):
                if not self.is_dead:
                    os.kill(self.pid, number)

    def end(self) -> int:
        """Kill what is left of its group; return the exit status."""
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.join(1)
        status: int | None = self._process.exitcode
        return _UNKNOWN if status is None else status

    def verdict(self, item: Item, status: int) -> Exception:
        """Return why a job has no result."""
        error: Exception
        if self._is_late:
            error = TaskTimeoutError(
                f"it took longer than {item.job.timeout:g} s (Meta.timeout)", "its log ends with what it was doing"
            )
        elif status < 0:
            name = signal.Signals(-status).name if -status in signal.valid_signals() else "a signal"
            error = WorkerDiedError(
                f"its worker was killed by signal {-status} ({name}){_REASONS.get(-status, '')}",
                _HINTS.get(-status, ""),
            )
        elif status == _UNKNOWN:
            error = WorkerDiedError("its worker has ended, and so has the process that knew how", "run it again")
        else:
            error = WorkerDiedError(
                f"its worker exited with status {status}", "raise an error instead of ending the process"
            )
        lines = "".join(item.text).splitlines()[-_LAST_LINES:]
        if lines:
            error.add_note("the last that it printed:\n" + "\n".join(f"  {line}" for line in lines))
        return error

    def close(self) -> None:
        """Let go of what belongs to it."""
        self.channel.close()
        self._peer.close()
        os.close(self._log)
        with contextlib.suppress(OSError):
            os.unlink(self._log_path)
        if self.sentinel != self._process.sentinel:
            os.close(self.sentinel)
        with contextlib.suppress(ValueError):  # it cannot be killed just now, as in a system call on a dead disk
            self._process.close()

    def abandon(self) -> None:
        """Let go of the descriptors in a forked child of the runner."""
        self.channel.close()
        self._peer.close()
        os.close(self._log)


_REASONS: dict[int, str] = {signal.SIGKILL: ": most often the kernel, when memory runs out"}
_HINTS: dict[int, str] = {
    signal.SIGKILL: "run fewer at a time with fewer jobs, or make its parts smaller",
    signal.SIGSEGV: "a library in C crashed; the stack is in its log",
    signal.SIGABRT: "a library in C gave up; the stack is in its log",
    signal.SIGBUS: "a file that was mapped into memory became shorter, or the disk is full",
}


def _open_sentinel(process: Any) -> int:
    """Return a descriptor that can be read once a process has ended, whoever else lives on with its descriptors, or dies, as the fork server may."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(process.pid)
    found: int = process.sentinel
    return found
