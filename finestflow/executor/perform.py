"""Perform one job in this process: load, seed, initialise, run, digest and store.

Every executor ends here, in the runner's process or in a worker, so that values, errors, effects and digests are the same in all of them.
Invariant: whatever the user's code raises becomes part of the ``Outcome``; only ``KeyboardInterrupt`` and ``Terminated`` pass.
"""

from __future__ import annotations

import copy
import operator
import pickle
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Any, Protocol, Self

from finestflow.ending import Terminated
from finestflow.errors import (
    FinestflowError,
    TaskFailedError,
    TaskTimeoutError,
    ValueNotStorableError,
    describe_error,
)
from finestflow.executor.descriptors import drain
from finestflow.executor.protocol import Effects, Job, Outcome
from finestflow.executor.randomness import SeededGenerators
from finestflow.executor.watch import Watch
from finestflow.pace import Paced
from finestflow.pipeline.call import ACTIVE_SCOPES, FRAME, SCOPE
from finestflow.pipeline.output import Output, holds_output, resolve
from finestflow.pipeline.reports import as_step, iter_metrics, named_artifact
from finestflow.pipeline.task import Task
from finestflow.processes import Meter

_IMMUTABLE = frozenset({int, float, str, bool, bytes, type(None), complex})
_SHORT = 4096
"""Bytes of a number or text that stays in memory."""
_MEASURED = 0.001
"""Seconds from which on it is worth a microsecond, and a place in the record, what a call used."""
Arguments = tuple[tuple[Any, ...], dict[str, Any]]

__all__ = ["CallScope", "Clock", "Expired", "Performer", "WarmTasks", "own_value"]


class Clock(Protocol):
    """Where the time comes from."""

    def time(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never jump."""


class Expired(BaseException):
    """The time of a call is over: an executor raises it inside the call. No ``Exception``, as a task may catch all of these."""


class CallScope:
    """Where ``self.log``, ``self.progress``, ``self.context`` and prints of one call go."""

    __slots__ = ("_job", "_paced", "_warned", "context", "effects", "has_read_seed")

    def __init__(self, job: Job) -> None:
        self._job = job
        self._paced: Paced | None = None
        self._warned = False
        self.context = job.context
        self.has_read_seed = False
        self.effects = Effects()

    @property
    def seed(self) -> int:
        """The seed of the call; who asks for it depends on the seed of the run."""
        self.has_read_seed = True
        return self._job.seed

    def log(self, values: Mapping[str, Any], step: float | None) -> None:
        """Report metrics; what is no number is warned about once and left out."""
        at = as_step(step)
        for name, number in iter_metrics(values, self._warn_of_metric):
            self.effects.metrics.append((name, number, at))
            (self._paced or self._make_paced()).metric(name, number, at)

    def save(self, value: Any, name: str) -> None:
        """Keep an artifact; what cannot be kept is warned about once."""
        try:
            what, label = named_artifact(value, name)
            self.effects.artifacts[label] = self._job.encode(what)
        except (FinestflowError, OSError) as error:
            self._warn(f"task {self._job.path!r}: {name or str(value)[:80]!r} is not saved: {error}")

    def progress(self, done: float, total: float | None) -> None:
        """Report how far the call is."""
        (self._paced or self._make_paced()).progress(done, total)

    def close(self) -> None:
        """Pass on what was reported last."""
        if self._paced is not None:
            self._paced.flush()

    def _make_paced(self) -> Paced:
        sink, path = self._job.sink, self._job.path
        self._paced = Paced(partial(sink.metrics, path), partial(sink.progress, path))
        return self._paced

    def write(self, text: str) -> None:
        """Take what the call prints."""
        self.effects.text.append(text)
        self._job.sink.text(self._job.path, text)

    def _warn_of_metric(self, text: str) -> None:
        self._warn(f"task {self._job.path!r}: {text}", depth=6)

    def _warn(self, text: str, *, depth: int = 4) -> None:
        """Warn once, at the line of the user's code that is so many calls up."""
        if not self._warned:
            self._warned = True
            warnings.warn(text, stacklevel=depth)


@dataclass(slots=True)
class _Warm:
    """A task whose ``initialize`` has run, with the seed that counted if it drew random numbers."""

    task: Task
    seed: int
    drew_random: bool
    files: list[str]
    folders: list[str]


class WarmTasks:
    """Tasks whose ``initialize`` has run in this process, the least recently used one dropped first."""

    def __init__(self, size: int = 4) -> None:
        self._size = size
        self._tasks: OrderedDict[str, _Warm] = OrderedDict()

    def get(self, job: Job, root: str) -> _Warm:
        """Return an initialised task; ``initialize`` runs only when there is none of that key and, if it draws, seed.

        Args:
            job: The job that wants it.
            root: Top of the project.
        """
        kept = self._tasks.get(job.warm_key)
        if kept is None or (kept.drew_random and kept.seed != job.setup_seed):
            task = job.task.copy()  # the caller's object may get other params later
            with Watched(job.setup_seed, root) as watched:
                task.initialize()
            kept = _Warm(task, job.setup_seed, watched.drew_random, *watched.read())
            self._tasks[job.warm_key] = kept
            if len(self._tasks) > self._size:
                self._tasks.popitem(last=False)
        self._tasks.move_to_end(job.warm_key)
        return kept


class Watched:
    """The user's code while it runs: its generators seeded, its files observed.

    Args:
        seed: Seed of the global generators.
        root: Top of the project.
    """

    def __init__(self, seed: int, root: str) -> None:
        self._seed = seed
        self._watch = Watch(root)
        self.drew_random = False
        self.has_moved = False
        """Whether it changed the working directory, which is put back."""
        self.read = self._watch.read

    def __enter__(self) -> Self:
        self._generators = SeededGenerators(self._seed)
        self._watch.open()
        self._streams = sys.stdout, sys.stderr
        return self

    def __exit__(self, *error: object) -> None:
        self._watch.close()
        self.drew_random = self._generators.finish()
        if sys.stdout is not self._streams[0] or sys.stderr is not self._streams[1]:
            sys.stdout, sys.stderr = self._streams  # or nothing more would be heard of the tasks that follow
        self.has_moved = self._watch.go_back()


class Performer:
    """Performs jobs in this process, one at a time.

    Args:
        clock: Where the time comes from.
        root: Top of the project; files below it that a task opens are observed.
        arguments: Returns the task's own copies of positional arguments and of those by name.
        meter: Measures what calls use.
    """

    def __init__(
        self,
        clock: Clock,
        root: str,
        arguments: Callable[[Job], Arguments] | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._clock = clock
        self._root = root
        self._arguments = arguments or _arguments
        self._meter = meter or Meter()
        self._warm = WarmTasks()

    def perform(self, job: Job) -> Outcome:
        """Run the job and return what came of it."""
        scope = CallScope(job)
        outcome = Outcome(self._clock.time(), effects=scope.effects)
        begin = self._clock.monotonic()
        frame, call = FRAME.set(None), SCOPE.set(scope)
        drain()
        ACTIVE_SCOPES.append(scope)
        self._meter.begin()
        try:
            self._run(job, outcome)
        except Expired as expired:
            outcome.encoded = None
            outcome.error = TaskTimeoutError(
                f"it took longer than {job.timeout:g} s (Meta.timeout)", "its traceback says what it was doing"
            ).with_traceback(expired.__traceback__)
        finally:
            drain()
            ACTIVE_SCOPES.remove(scope)
            SCOPE.reset(call)
            FRAME.reset(frame)
            scope.close()
        outcome.seconds = self._clock.monotonic() - begin
        if outcome.seconds >= _MEASURED:
            outcome.cpu, outcome.memory = self._meter.end()
        outcome.drew_random = outcome.drew_random or scope.has_read_seed
        outcome.effects.context = job.context.writes
        return outcome

    def _run(self, job: Job, outcome: Outcome) -> None:
        task = job.task
        try:
            args, kwargs = self._arguments(job)
            warm = None
            if type(task).initialize is not Task.initialize:
                warm = self._warm.get(job, self._root)
                task = warm.task
            before = dict(task.__dict__)
            with Watched(job.seed, self._root) as watched:
                value = task.run(*args, **kwargs)
            outcome.drew_random = watched.drew_random
            outcome.files, outcome.folders = watched.read()
            if watched.has_moved:
                outcome.notes.append("run() changed the working directory, which all calls share: it was put back")
            if warm is not None:
                outcome.drew_random = outcome.drew_random or warm.drew_random
                outcome.files += warm.files
                outcome.folders += warm.folders
        except SystemExit as stop:
            if isinstance(stop, Terminated):
                raise
            outcome.error = TaskFailedError(f"it called exit({stop.code!r})", "raise an error instead")
            return
        except (Expired, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - a task may raise anything; it is recorded
            outcome.error = error
            if not isinstance(error, Exception):  # such as asyncio.CancelledError: it ends the task, not the run
                outcome.error = TaskFailedError(f"it raised {describe_error(error)}")
                outcome.error.__cause__ = error
            _call_hook(task, "on_failure", error, outcome)
            return
        _check_attributes(task, before, outcome)
        try:
            outcome.encoded = job.encode(value)  # before the hook, which may change it
            if type(value) in _IMMUTABLE and outcome.encoded.size <= _SHORT:
                outcome.plain = (value,)
        except ValueNotStorableError as error:
            outcome.shared = value
            outcome.problem = str(error)
        except Terminated:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a full disk, no more memory, an exit in __reduce__
            outcome.error = (
                error if isinstance(error, Exception) else TaskFailedError(f"it called exit({error.code!r})")
            )
            outcome.error.add_note("finestflow: this happened while its output was stored")
            return
        _call_hook(task, "on_success", value, outcome)


def _call_hook(task: Task, hook: str, value: Any, outcome: Outcome) -> None:
    """Call a hook, which must never break a run; what went wrong with it is a remark."""
    problem = task.call_hook(hook, value)
    if problem:
        outcome.remarks.append(problem)


def _arguments(job: Job) -> Arguments:
    load = job.load
    args = tuple([load(value) if type(value) is Output else own_value(value, load) for value in job.args])
    return args, {name: own_value(value, load) for name, value in job.kwargs.items()} if job.kwargs else {}


def own_value(value: Any, load: Callable[[Output], Any]) -> Any:
    """Return the task's own copy of a value that the pipeline's body gives: what is done to it, nobody else sees.

    What cannot be copied (a lock, an open file) is passed as it is.
    """
    if type(value) in _IMMUTABLE or isinstance(value, PurePath):
        return value
    if holds_output(value):
        return resolve(value, load)
    try:
        return pickle.loads(pickle.dumps(value, 5))
    except Exception:  # noqa: BLE001 - whatever a value of the user raises
        try:
            return copy.deepcopy(value)
        except Exception:  # noqa: BLE001
            return value


def _check_attributes(task: Task, before: dict[str, Any], outcome: Outcome) -> None:
    after = task.__dict__
    if after.keys() == before.keys() and all(map(operator.is_, after.values(), before.values())):
        return
    changed = sorted(
        name for name, value in after.items() if not name.startswith("_") and before.get(name, outcome) is not value
    )
    if changed:
        names = ", ".join(f"self.{name}" for name in changed)
        outcome.notes.append(
            f"run() sets {names}: a hit or another process will not see it; return it, or set it in initialize()"
        )
