"""The process executor: the jobs of one run on the workers of a pool.

Owns how a job is packed for another process and how what comes back becomes an ``Outcome``. Invariant: a job that cannot travel runs in a
thread of the runner, with a note; so does one whose output cannot come back. Made by ``runner``, one a run.
"""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import queue
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from finestflow.cache.codec import Encoded
from finestflow.errors import TaskFailedError, describe_error
from finestflow.executor.perform import Clock, Performer
from finestflow.executor.process.failure import revive
from finestflow.executor.process.handle import Item
from finestflow.executor.process.messages import Done, Large, Setup
from finestflow.executor.process.portable import Portable
from finestflow.executor.protocol import Effects, Job, NotPortableError, Outcome, Reference
from finestflow.pipeline.output import Output, holds_output, resolve
from finestflow.pipeline.task import Task

if TYPE_CHECKING:
    from finestflow.executor.process.pool import Pool

__all__ = ["ProcessExecutor"]

_LARGE = 128 << 10
"""From so many bytes on a buffer is mapped and not sent."""
_AS_THEY_ARE = frozenset({int, float, str, bool, type(None)})
_Finished = Callable[[Outcome], None]


class ProcessExecutor:
    """Runs the jobs of one run in the processes of a pool.

    Args:
        pool: The workers.
        performer: Performs what cannot travel, in the runner.
        clock: Where the time comes from.
        code_of: Fingerprint of a task's code; a worker whose code differs gives the task back. Empty: it is not compared.
    """

    name = "process"
    is_parallel = True

    def __init__(
        self, pool: Pool, performer: Performer, clock: Clock, *, code_of: Callable[[Task], str] = lambda _: ""
    ) -> None:
        self.jobs = pool.jobs
        self._pool = pool
        self._clock = clock
        self._code_of = code_of
        self._portable = Portable(pool.definitions)
        self._home = _Home(performer)
        self._at_home: dict[str, str] = {}
        self._tasks: dict[str, tuple[bytes, frozenset[str], str]] = {}
        self._setup: Setup | None = None
        pool.sources.look()  # the run begins: this is the version of the code
        self._guard = threading.Lock()

    def submit(self, job: Job, done: _Finished) -> None:
        """Send the job to a worker, now or when one is idle."""
        reason = self._at_home.get(job.warm_key)
        if reason is None:
            try:
                self._pool.submit(self._pack(job, done))
                return
            except NotPortableError as error:
                reason = str(error)
        self._home.take(job, done, reason)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Make the call from the thread of the pool, after that time."""
        self._pool.later(seconds, call)

    def process_ids(self) -> tuple[int, ...]:
        """Return the workers that have jobs of this run."""
        return self._pool.process_ids(self)

    def close(self, *, cancel: bool = False) -> None:
        """Leave the pool as it is; with ``cancel``, first end the workers that have jobs of this run, and all that belongs to them."""
        if cancel:
            self._home.interrupt()
            self._pool.cancel(self)
        self._home.close()

    # -- packing -----------------------------------------------------------------------------------------------------------------------

    def _pack(self, job: Job, done: _Finished) -> Item:
        with self._guard:  # definitions are made once, whichever thread needs them first
            if self._setup is None:
                self._setup = self._make_setup()
            task, needs, code = self._tasks.get(job.warm_key) or self._pack_task(job)
            wanted = set(needs)
            arguments: list[tuple[str | None, Any]] = [
                (None, self._pack_value(value, job, wanted)) for value in job.args
            ]
            arguments += [(name, self._pack_value(value, job, wanted)) for name, value in job.kwargs.items()]
            context = job.context.travel()
            data = None
            if any(context):
                data, more = self._portable.dump(context)
                wanted |= more
            definitions = self._portable.definitions(wanted) if wanted else []
        is_warm = type(job.task).initialize is not Task.initialize
        return Item(self, job, done, self._setup, definitions, task, code, arguments, data, is_warm)

    def _pack_task(self, job: Job) -> tuple[bytes, frozenset[str], str]:
        data, needs = self._portable.dump(job.task)
        packed = self._tasks[job.warm_key] = data, needs, self._code_of(job.task)
        return packed

    def _pack_value(self, value: Any, job: Job, wanted: set[str]) -> Any:
        """Return an argument as it travels; note what has to be defined for it."""
        if type(value) in _AS_THEY_ARE:
            return value
        has_references = holds_output(value)
        if has_references:
            value = resolve(value, lambda output: self._refer(output, job, wanted))
        objects: list[str] = []
        keep = partial(self._keep_buffer, objects)
        data, needs = self._portable.dump(value, has_references=has_references, keep=keep)
        wanted |= needs
        return Large(data, objects) if objects else data

    def _keep_buffer(self, objects: list[str], buffer: pickle.PickleBuffer) -> bool:
        """Write a large buffer to the store, where the worker maps it; return whether it has to stay in the pickle."""
        raw = buffer.raw()
        if raw.nbytes < _LARGE:
            return True
        try:
            objects.append(self._pool.objects.write([raw], in_memory=True)[0])
        except OSError:  # no room
            return True
        return False

    def _refer(self, output: Output, job: Job, wanted: set[str]) -> Any:
        found = job.refer(output)
        if type(found) is Reference:
            wanted |= {token for name in found.value.classes if (token := self._portable.name_class(name)) is not None}
        return found

    def _make_setup(self) -> Setup:
        pool = self._pool
        sources = pool.sources
        pool.definitions.refresh()
        texts = f"{pool.open()}/sources"
        loaded = sources.look()
        sources.write(texts)
        main = sys.modules["__main__"]
        named = {name: getattr(main, name) for name in ("__file__", "__package__", "__doc__") if hasattr(main, name)}
        return Setup(
            number=pool.next_number(),
            path=[os.path.abspath(place) for place in sys.path],
            folder=os.getcwd(),
            argv=list(sys.argv),
            variables={**os.environ, **pool.variables},
            filters=list(warnings.filters),
            levels=_levels(),
            main={**named, "spec": getattr(getattr(main, "__spec__", None), "name", None)},
            loaded=loaded,
            texts=texts,
            began=self._clock.time(),
            origins=pool.origins(),
        )

    # -- what the pool tells -----------------------------------------------------------------------------------------------------------

    def finished(self, item: Item, done: Done) -> None:
        """Make an outcome of what a worker says."""
        job = item.job
        outcome = Outcome(**done.outcome)
        special: dict[str, Any] = {}
        try:
            special = pickle.loads(done.special) if done.special is not None else {}
            if outcome.problem:
                outcome.shared = pickle.loads(special["shared"])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever making a value of the user raises
            reason = outcome.problem or describe_error(error)
            self._at_home[job.warm_key] = f"its output cannot come back from another process: {reason}"
            self._home.take(job, item.done, self._at_home[job.warm_key], is_started=True)
            return
        outcome.encoded = Encoded(*done.encoded) if done.encoded is not None else None
        outcome.effects = Effects(done.metrics, special.get("writes", {}), item.text, special.get("artifacts", {}))
        if "error" in special:
            outcome.error = revive(special["error"], pickle.loads)
        writes, deleted = outcome.effects.context, special.get("deleted", ())
        job.context.absorb(done.reads, writes, deleted, is_hidden=done.is_hidden)
        item.done(outcome)

    def refused(self, item: Item, reason: str) -> None:
        """Run a job in the runner that no worker can begin; the next ones of its task as well."""
        self._at_home[item.job.warm_key] = reason
        self._home.take(item.job, item.done, reason, is_started=item.is_started)

    def died(self, item: Item, error: Exception) -> None:
        """Tell that the worker of a job has ended."""
        now = self._clock.time()
        seconds = time.monotonic() - item.began if item.began else 0.0
        outcome = Outcome(now - seconds, seconds)
        outcome.error = error
        outcome.effects = Effects(text=item.text)
        item.done(outcome)


class _Home:
    """A thread of the runner for the jobs that cannot leave it, one at a time."""

    def __init__(self, performer: Performer) -> None:
        self._performer = performer
        self._jobs: queue.SimpleQueue[tuple[Job, _Finished, str, bool] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_interrupted = False

    def take(self, job: Job, done: _Finished, reason: str, *, is_started: bool = False) -> None:
        """Run a job when those before it have ended."""
        self._jobs.put((job, done, reason, is_started))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="finestflow-home", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (found := self._jobs.get()) is not None:
            job, done, reason, is_started = found
            if self._is_interrupted or not (is_started or job.start()):
                continue
            outcome = self._perform(job)
            if self._is_interrupted:
                return
            outcome.notes.append(f"ran in the process of the run, one at a time: {reason}")
            if job.timeout is not None:
                outcome.notes.append("Meta.timeout was not kept there")
            try:
                done(outcome)
            except Exception:  # noqa: BLE001 - the next jobs do not depend on it
                traceback.print_exc()

    def _perform(self, job: Job) -> Outcome:
        """Perform a job, whatever it raises."""
        outcome = Outcome(0.0)
        try:
            return self._performer.perform(job)
        except BaseException as error:  # noqa: BLE001 - an interrupt of the run, or one that the task has raised
            outcome.error = TaskFailedError(f"it was interrupted: {describe_error(error)}")
        return outcome

    def interrupt(self) -> None:
        """Raise ``KeyboardInterrupt`` in the job that is running; code in C notices it when it returns."""
        self._is_interrupted = True
        thread = self._thread
        if thread is not None and thread.ident is not None and thread is not threading.current_thread():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
            )

    def close(self) -> None:
        """Let the thread end."""
        self._jobs.put(None)


def _levels() -> dict[str, int]:
    """Return the levels of the loggers that have one."""
    loggers = logging.root.manager.loggerDict
    named = {
        name: logger.level for name, logger in loggers.items() if isinstance(logger, logging.Logger) and logger.level
    }
    return {"": logging.root.level, **named}
