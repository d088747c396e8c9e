"""A pool and the executor of a run, without a run: jobs are made by hand."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import finestflow
from finestflow.cache.fingerprint import Fingerprinter
from finestflow.cache.store import Store
from finestflow.executor.perform import Performer
from finestflow.executor.process.executor import ProcessExecutor
from finestflow.executor.process.messages import Equipment
from finestflow.executor.process.pool import Pool
from finestflow.executor.protocol import Job, NotPortableError, Reference
from finestflow.pipeline.context import Context
from finestflow.pipeline.output import Output
from tests.waiting import PATIENCE


class Clock:
    def time(self):
        return time.time()

    def monotonic(self):
        return time.monotonic()


class Sink:
    """Keeps what a job reports; ``told`` is set by each report."""

    def __init__(self):
        self.rows, self.steps, self.texts, self.notes = [], [], [], []
        self.told = threading.Event()

    def metrics(self, path, rows):
        self.rows += [(name, value, step) for name, value, step, _ in rows]
        self.told.set()

    def progress(self, path, done, total):
        self.steps.append((done, total))
        self.told.set()

    def text(self, path, text):
        self.texts.append(text)
        self.told.set()

    def note(self, path, text):
        self.notes.append(text)


class Handle:
    """What stands behind an Output: a value that was encoded, or one that cannot be."""

    path = "before"

    def __init__(self, encoded=None, shared=None):
        self.encoded, self.shared = encoded, shared


class Pending:
    """A job that has been submitted."""

    def __init__(self, job):
        self.job = job
        self.sink = job.sink
        self._ended = threading.Event()
        self.outcomes = []

    def done(self, outcome):
        self.outcomes.append(outcome)
        self._ended.set()

    def wait(self):
        assert self._ended.wait(PATIENCE), "the job has no outcome"
        assert len(self.outcomes) == 1
        return self.outcomes[0]


class Lab:
    """Everything that jobs need, in a folder."""

    def __init__(self, folder: Path, root: Path, *, jobs: int = 2, start_method: str = "auto"):
        self.root = root
        self.folder = folder
        self.store = Store(folder / "store.sqlite", folder / "objects", scratch=folder, root=root)
        self.fingerprinter = Fingerprinter([root], digest=self.store.digest, started=finestflow.STARTED)
        self.store.of_code = lambda code: (
            (self.fingerprinter.of_class(code) if isinstance(code, type) else self.fingerprinter.of_function(code)).hash
        )
        self.store.is_project = self.fingerprinter.is_project
        equipment = Equipment(
            root=root,
            objects=folder / "objects",
            definitions=folder / "definitions",
            scratch=folder,
            started=finestflow.STARTED,
            salt=self.fingerprinter.salt,
        )
        self.pool = Pool(equipment, jobs=jobs, start_method=start_method)
        self.executor = self.open_run()

    def open_run(self):
        self.fingerprinter.refresh()
        return ProcessExecutor(self.pool, self.performer(), Clock(), code_of=self.code_of)

    def performer(self):
        return Performer(Clock(), str(self.root))

    def code_of(self, task):
        return self.fingerprinter.of_task(task).hash

    def job(self, task, *args, context=None, start=lambda: True, timeout=None, **kwargs):
        params = sorted(task.__getstate__().items(), key=str)
        return Job(
            path="node",
            task=task,
            warm_key=f"{id(type(task))} {params} {self.code_of(task)}",
            args=args,
            kwargs=kwargs,
            load=self.load,
            refer=self.refer,
            encode=self.store.encode,
            seed=11,
            setup_seed=12,
            context=context if context is not None else Context({}),
            sink=Sink(),
            start=start,
            timeout=timeout,
        )

    def submit(self, task, *args, executor=None, **options):
        pending = Pending(self.job(task, *args, **options))
        (executor or self.executor).submit(pending.job, pending.done)
        return pending

    def run(self, task, *args, **options):
        """Run a job in a worker; return its outcome."""
        return self.submit(task, *args, **options).wait()

    def run_here(self, task, *args, **options):
        """Run a job in this process; return its outcome."""
        return self.performer().perform(self.job(task, *args, **options))

    def value(self, outcome):
        if outcome.error is not None:
            raise outcome.error
        return self.store.open(outcome.encoded)

    def output(self, value):
        """Return an Output that stands for a value."""
        return Output(Handle(self.store.encode(value)))

    def load(self, output):
        handle = output._finestflow_handle
        return handle.shared if handle.encoded is None else self.store.open(handle.encoded)

    def refer(self, output):
        handle = output._finestflow_handle
        if handle.encoded is None:
            raise NotPortableError("it is shared")
        return Reference(handle.encoded, output._finestflow_part)

    def close(self):
        self.pool.close()
        self.store.close()
