"""The protocol of executors: what a job is, what comes back, and what an executor promises.

The runner makes a ``Job`` for each call that is no hit and hands it over with a callback. An executor loads the inputs, seeds the generators,
calls ``initialize`` (once) and ``run``, stores the output as an object, and answers with an ``Outcome``. Invariant: the callback is called
exactly once for each job that started, whatever happens to it, from any thread; only the runner writes metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from finestflow.cache.codec import Encoded
    from finestflow.pace import Row
    from finestflow.pipeline.context import Context
    from finestflow.pipeline.output import Output, Part
    from finestflow.pipeline.task import Task

__all__ = ["Effects", "Executor", "Job", "NotPortableError", "Outcome", "Reference", "Sink"]


class NotPortableError(Exception):
    """A value is in this process only, because it cannot be stored: a job that needs it cannot run anywhere else."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What travels to another process in place of an Output: where its value is stored.

    Attributes:
        value: What is known of the stored value; a small one has its bytes with it.
        part: Which part of the value is meant.
        store: Folder of the store that has its object; empty for the run's own.
    """

    value: Encoded
    part: Part = ()
    store: str = ""


class Sink(Protocol):
    """Where what a call reports goes while it runs: a few times a second at most, from the thread of the call or another one."""

    def metrics(self, path: str, rows: list[Row]) -> None:
        """Take numbers: (name, value, step, time) of each."""

    def progress(self, path: str, done: float, total: float | None) -> None:
        """Take how far the call is."""

    def text(self, path: str, text: str) -> None:
        """Take what the call printed."""

    def note(self, path: str, text: str) -> None:
        """Take a remark for people."""


@dataclass(slots=True)
class Effects:
    """What a call did besides returning: replayed by a hit."""

    metrics: list[tuple[str, float, float | None]] = field(default_factory=list)
    context: dict[str, Any] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    artifacts: dict[str, Encoded] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """One call of a task that has to be computed.

    Attributes:
        path: Path of the node.
        task: The task; an executor may use another object with the same ``warm_key``.
        warm_key: Identity of an initialised task: code and all params.
        args: Positional arguments; Outputs in them stand for values, ``load`` gets those.
        kwargs: Arguments by name, likewise.
        load: Returns a private copy of the value that an Output stands for.
        refer: Returns what travels in place of an Output: a ``Reference``, or a plain value with References inside. Raises NotPortableError.
        encode: Digests and stores the output.
        store: Folder of the store that the output goes to; empty for the run's own.
        seed: Seed of the call, below 2**32.
        setup_seed: Seed of ``initialize``: the same for all calls that share an initialised task.
        context: This call's view of the run's context.
        sink: Where metrics, progress and text go; safe to call from any thread.
        start: Called by the executor when the job really begins; False: it is not wanted any more, drop it without an outcome.
        timeout: Seconds after which the call is ended; None is never.
    """

    path: str
    task: Task
    warm_key: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    load: Callable[[Output], Any]
    refer: Callable[[Output], Any]
    encode: Callable[[Any], Encoded]
    seed: int
    setup_seed: int
    context: Context
    sink: Sink
    start: Callable[[], bool]
    store: str = ""
    timeout: float | None = None


@dataclass(slots=True)
class Outcome:
    """What came of a job.

    Attributes:
        started: When it began, in seconds since the epoch.
        seconds: How long ``initialize`` and ``run`` took.
        encoded: The output, digested and stored; None when it failed or cannot be stored.
        shared: The output itself, when it cannot be stored.
        problem: Why the output cannot be stored.
        plain: The output itself, alone in a tuple, when it is a number or a short text: nobody can change it, so it need not be read back.
        error: What was raised.
        drew_random: Whether it drew from a global random number generator.
        files: Files of the project that it opened by itself, by absolute path.
        folders: Folders of the project that it listed.
        effects: What it reported.
        notes: Remarks for people, kept with the node.
        remarks: Remarks that a person is told at once, too.
        cpu: CPU seconds, with those of child processes that have ended; None for a call of less than a millisecond.
        memory: The most memory that the worker had meanwhile, in bytes; None likewise, and in the runner.
    """

    started: float
    seconds: float = 0.0
    encoded: Encoded | None = None
    shared: Any = None
    problem: str = ""
    plain: tuple[Any, ...] = ()
    error: BaseException | None = None
    drew_random: bool = False
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    cpu: float | None = None
    memory: int | None = None


class Executor(Protocol):
    """Runs jobs.

    ``submit`` may return before the job has started. Errors of a task are an ``Outcome``, never an exception of the executor. Who waits for an
    outcome is the session's business.

    Attributes:
        name: Its name in options and records.
        jobs: How many calls run at a time.
        is_parallel: Whether ``submit`` returns before the outcome is there.
    """

    name: str
    jobs: int
    is_parallel: bool

    def submit(self, job: Job, done: Callable[[Outcome], None]) -> None:
        """Run a job now or later; ``done`` gets its outcome."""

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Make a call after that time: from another thread where ``is_parallel``, else after sleeping."""

    def process_ids(self) -> tuple[int, ...]:
        """Return the processes that work for this run besides the runner's own."""

    def close(self, *, cancel: bool = False) -> None:
        """Finish, or with ``cancel`` end at once, what is still running; an ended job has no outcome."""
