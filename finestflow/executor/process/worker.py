"""What a worker process does: take jobs from its channel, perform them, send back what came of them.

Invariant: one thread, the main one, runs the user's code, and nothing of the pool runs beside it; what a task forks never answers in its place.
Everything that is written to the descriptors of stdout and stderr, by whomever, is in the log of the worker. Started by ``pool``.
"""

from __future__ import annotations

import builtins
import ctypes
import faulthandler
import functools
import io
import logging
import os
import pickle
import signal
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, TextIO

from finestflow.cache.fingerprint import Fingerprinter, FolderDefinitionCache
from finestflow.cache.store import Encoded, Store
from finestflow.ending import Terminated
from finestflow.errors import TaskFailedError
from finestflow.executor.capture import LOG_FORMAT
from finestflow.executor.perform import Performer
from finestflow.executor.process.arrival import define
from finestflow.executor.process.channel import Channel, ChannelClosedError
from finestflow.executor.process.failure import take_apart
from finestflow.executor.process.imports import ProjectImports
from finestflow.executor.process.messages import Begin, Done, Equipment, Large, Live, Refused, Setup
from finestflow.executor.process.portable import Portable
from finestflow.executor.protocol import Job, NotPortableError, Outcome, Reference
from finestflow.pace import Row
from finestflow.pipeline.call import set_launcher
from finestflow.pipeline.context import Context
from finestflow.pipeline.output import take_part
from finestflow.pipeline.task import Task
from finestflow.processes import Meter

__all__ = ["DUMP_SIGNAL", "main", "preloaded"]

DUMP_SIGNAL = signal.SIGRTMIN + 7 if hasattr(signal, "SIGRTMIN") else signal.SIGUSR2
"""Makes a worker write the stacks of its threads into its log."""

preloaded: dict[str, str | None] = {}
"""The modules that were loaded before this process was forked, with their files; see ``serve``."""


class _Clock:
    """The clock of this process."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class _UnfitError(Exception):
    """What was loaded in advance is not what the runner has."""


class _Refusal(Exception):  # noqa: N818 - ends a job here, so that it runs in the runner
    """A job cannot run here."""


def main(end: Any, folder: str, log: str, equipment: Equipment) -> None:
    """Be a worker until the runner closes the channel.

    Args:
        end: The worker's end of the channel.
        folder: The folder of the pool.
        log: File that takes what is printed.
        equipment: What to work with.
    """
    os.setpgid(0, 0)
    output = _redirect(log)
    set_launcher(None)
    channel = Channel(end, folder)
    worker = _Worker(channel, folder, log, equipment, output)
    channel.send(pickle.dumps(None))
    try:
        while True:
            worker.take(pickle.loads(channel.receive()))
    except ChannelClosedError:
        os._exit(0)


def _redirect(log: str) -> int:
    """Send what is printed, by Python, by C or by a child, to a file, and let nobody read from the terminal; return the file's descriptor."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    _mend_streams(file)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.root.addHandler(handler)
    faulthandler.enable(2)
    if hasattr(faulthandler, "register"):
        faulthandler.register(DUMP_SIGNAL, file=2, all_threads=True)
    return file


def _mend_streams(file: int) -> None:
    """Let stdout and stderr lead to a file, also after a task has closed or redirected them: the next file would get their numbers."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        os.dup2(file, number)
        stream = _streams.get(name)
        if stream is None or stream.closed:
            stream = open(number, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
            _streams[name] = stream
        if getattr(sys, name) is not stream:
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


_streams: dict[str, TextIO] = {}


class _Worker:
    """The state of a worker between jobs."""

    def __init__(self, channel: Channel, folder: str, log: str, equipment: Equipment, output: int) -> None:
        self._channel = channel
        self._output = output
        self._log = log
        self._written: frozenset[str] = frozenset()
        self._remarks: list[str] = []
        self._pid = os.getpid()
        self._equipment = equipment
        self._scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=folder))
        self._imports = ProjectImports(equipment.root)
        self._imports.install()
        self._stores: dict[str, Store] = {}
        self._store = self._store_of("")
        self._fingerprinter = Fingerprinter(
            [equipment.root],
            digest=self._store.digest,
            definitions=FolderDefinitionCache(equipment.definitions),
            started=equipment.started,
            salt=equipment.salt,
        )
        self._performer = Performer(
            _Clock(), str(equipment.root), lambda job: (job.args, dict(job.kwargs)), Meter(has_peaks=True)
        )
        self._portable = Portable()
        self._tasks: dict[str, Task] = {}

    def _store_of(self, objects: str) -> Store:
        """Return what encodes to, and opens from, a folder of objects."""
        if objects not in self._stores:
            equipment = self._equipment
            self._stores[objects] = Store(
                self._scratch / "none.sqlite",
                Path(objects) if objects else equipment.objects,
                scratch=self._scratch,
                root=equipment.root,
                of_code=self._code_of,
                is_project=lambda code: self._fingerprinter.is_project(code),  # noqa: PLW0108 - made after the store
                verify_always=equipment.verify_always,
                inline=equipment.inline,
                warn=self._remarks.append,
                is_worker=True,
            )
        return self._stores[objects]

    def _code_of(self, code: Any) -> str:
        found = self._fingerprinter.of_class(code) if isinstance(code, type) else self._fingerprinter.of_function(code)
        return str(found.hash)

    # -- jobs --------------------------------------------------------------------------------------------------------------------------

    def take(self, begin: Begin) -> None:
        """Perform a job and answer."""
        try:
            job = self._job_of(begin)
        except BaseException as error:  # noqa: BLE001 - whatever the user's modules raise when they are imported: the runner knows better
            is_unfit = isinstance(error, _UnfitError)
            reason = str(error) if isinstance(error, _Refusal) else f"{type(error).__name__}: {error}"
            self._answer(Refused(begin.serial, reason, is_unfit=is_unfit))
            return
        try:
            outcome = self._performer.perform(job)
        except BaseException as error:
            outcome = Outcome(time.time())
            outcome.error = TaskFailedError(f"it was interrupted: {type(error).__name__}")
            if isinstance(error, Terminated):
                raise
        if os.getpid() != self._pid:  # the task forked, and this is the child
            os._exit(0)
        _flush()
        _mend_streams(self._output)
        outcome.notes += self._imports.notes
        self._imports.notes.clear()
        outcome.remarks += dict.fromkeys(self._remarks)
        self._remarks.clear()
        log = os.stat(self._log).st_size
        try:
            self._answer(self._done(begin, job, outcome, log))
        except OSError as error:  # what is large goes through a file, and the disk is full
            error.add_note("finestflow: this happened while its output was handed over")
            lost = Outcome(outcome.started, outcome.seconds, error=error, remarks=outcome.remarks)
            self._answer(self._done(begin, job, lost, log))
        except NotPortableError as error:
            self._answer(Refused(begin.serial, f"what it wrote to the context cannot travel: {error}", is_final=True))

    def _answer(self, message: Any) -> None:
        self._channel.send(pickle.dumps(message, 5))

    def _job_of(self, begin: Begin) -> Job:
        if begin.setup is not None:
            self._set_up(begin.setup)
        if begin.forgets:
            self._tasks.clear()
        for is_body in (False, True):
            for token, head, body in begin.definitions:
                define(token, head, body if is_body else None)
        task = self._task_of(begin)
        loaded = [(name, self._argument(value)) for name, value in begin.arguments]
        given, written, prefix = pickle.loads(begin.context) if begin.context is not None else ({}, {}, "")
        self._written = frozenset(written)
        return Job(
            path=begin.path,
            task=task,
            warm_key=begin.warm_key,
            args=tuple([value for name, value in loaded if name is None]),
            kwargs={name: value for name, value in loaded if name is not None},
            load=_refuse,
            refer=_refuse,
            encode=self._store_of(begin.store).encode,
            seed=begin.seed,
            setup_seed=begin.setup_seed,
            context=Context(given, written, prefix),
            sink=_Sink(self._channel, begin.serial),
            start=lambda: True,
        )

    def _task_of(self, begin: Begin) -> Task:
        """Return the task, whose code must be what the runner has."""
        if begin.task is None:
            return self._tasks[begin.warm_key]
        task: Task = pickle.loads(begin.task)
        if begin.code:
            self._fingerprinter.refresh()
            found = self._fingerprinter.of_task(task)
            if found.hash != begin.code:
                raise _Refusal(
                    "the code that a worker has is not the runner's: a module was edited or changed since its import"
                )
        self._tasks[begin.warm_key] = task
        return task

    def _argument(self, value: Any) -> Any:
        if type(value) is Large:
            buffers = [self._store.objects.open(name) for name in value.objects]
            return _Unpickler(io.BytesIO(value.data), self._open, buffers).load()
        return _Unpickler(io.BytesIO(value), self._open).load() if type(value) is bytes else value

    def _open(self, reference: Reference) -> Any:
        value = self._store_of(reference.store).open(Encoded(*reference.value))
        return take_part(value, reference.part) if reference.part else value

    def _done(self, begin: Begin, job: Job, outcome: Outcome, log: int) -> Done:
        context, effects = job.context, outcome.effects
        special: dict[str, Any] = {}
        if outcome.error is not None:
            special["error"] = take_apart(outcome.error, lambda value: self._portable.dump(value)[0])
        if effects.context:
            special["writes"] = effects.context
        if effects.artifacts:
            special["artifacts"] = effects.artifacts
        deleted = self._written - context.travel()[1].keys()
        if deleted:
            special["deleted"] = deleted
        if outcome.problem:
            special["shared"] = self._dump_shared(outcome.shared)
        fields = {
            "started": outcome.started,
            "seconds": outcome.seconds,
            "problem": outcome.problem,
            "drew_random": outcome.drew_random,
            "files": outcome.files,
            "folders": outcome.folders,
            "notes": outcome.notes,
            "remarks": outcome.remarks,
            "cpu": outcome.cpu,
            "memory": outcome.memory,
        }
        encoded = tuple(outcome.encoded) if outcome.encoded is not None else None
        data = self._portable.dump(special)[0] if special else None
        return Done(begin.serial, fields, encoded, effects.metrics, data, tuple(context.reads), context.is_hidden, log)

    def _dump_shared(self, value: Any) -> bytes | None:
        """Pickle an output that cannot be stored; None when it cannot travel either."""
        try:
            return self._portable.dump(value)[0]
        except Exception:  # noqa: BLE001 - locks, open files, generators: whatever they raise
            return None

    # -- set-up ------------------------------------------------------------------------------------------------------------------------

    def _set_up(self, setup: Setup) -> None:
        """Be like the runner: its path, folder, variables, warnings, logging and main module."""
        if preloaded:
            self._check_preloaded(setup)
        sys.path[:] = setup.path
        sys.argv[:] = setup.argv
        os.chdir(setup.folder)
        for name in os.environ.keys() - setup.variables.keys():
            del os.environ[name]
        os.environ.update(setup.variables)
        warnings.filters[:] = setup.filters  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001 - what warnings itself calls after such a change
        self._imports.tell(setup.loaded, setup.texts, setup.began)
        for logger, level in setup.levels.items():
            logging.getLogger(logger or None).setLevel(level)
        self._tasks.clear()
        main = sys.modules["__main__"]
        if getattr(main, "__finestflow_worker__", False):
            return
        module = types.ModuleType("__main__")
        name = setup.main.pop("spec", None)
        module.__dict__.update(setup.main, __builtins__=builtins, __finestflow_worker__=True)
        module.__spec__ = ModuleSpec(name, None) if name else None
        sys.modules["__main__"] = module

    def _check_preloaded(self, setup: Setup) -> None:
        """Raise if modules that were loaded in advance saw another environment or another path than those of the runner."""
        environ = dict(os.environ)
        if "LC_CTYPE" not in setup.variables:
            environ.pop("LC_CTYPE", None)  # an interpreter that starts in the C locale sets it itself: PEP 538
        if setup.variables != environ or any(preloaded.get(name) != file for name, file in setup.origins.items()):
            raise _UnfitError
        preloaded.clear()  # what changes from now on, changes in both


class _Unpickler(pickle.Unpickler):
    """Puts values in the place of references."""

    def __init__(self, stream: io.BytesIO, load: Callable[[Reference], Any], buffers: Iterable[Any] = ()) -> None:
        super().__init__(stream, buffers=buffers)
        self._load = load

    def persistent_load(self, pid: Any) -> Any:
        """Return the value of a reference, a private copy each time."""
        return self._load(Reference(*pid))


class _Sink:
    """Sends what a call reports to the runner; text gets there through the log."""

    def __init__(self, channel: Channel, serial: int) -> None:
        self._channel = channel
        self._serial = serial

    def _send(self, method: str, *values: Any) -> None:
        self._channel.send(pickle.dumps(Live(self._serial, method, values), 5))

    def metrics(self, path: str, rows: list[Row]) -> None:
        self._send("metrics", rows)

    def progress(self, path: str, done: float, total: float | None) -> None:
        self._send("progress", done, total)

    def note(self, path: str, text: str) -> None:
        self._send("note", text)

    def text(self, path: str, text: str) -> None:
        sys.stdout.write(text)


def _refuse(_: Any) -> Any:
    raise AssertionError("a worker has the values of all Outputs")


def _flush() -> None:
    """Write what streams still hold, those of C as well."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # the task closed or replaced it
            pass
    _libc().fflush(None)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
