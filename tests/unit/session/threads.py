"""An executor of real threads, and workspaces that use it: what a session does in parallel, without the cost of processes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finestflow.executor.perform import Performer
from finestflow.executor.protocol import Executor, Job, Outcome
from finestflow.options import RunOptions
from finestflow.pipeline.pipeline import Pipeline
from finestflow.runner import Finished
from finestflow.workspace import Workspace

__all__ = ["Lab", "ThreadExecutor", "join_threads"]

_NAME = "executor-of-a-test"


class ThreadExecutor:
    """Runs jobs in threads of this process, in the order in which they come.

    Args:
        workspace: Whose clock and root it uses.
        jobs: So many threads.
        one_at_a_time: Threads take turns, so that no call sees what another one draws of the process's random numbers.
    """

    name = "process"
    is_parallel = True

    def __init__(self, workspace: Workspace, jobs: int, *, one_at_a_time: bool = True) -> None:
        self.jobs = jobs
        self._workspace = workspace
        self._turn: Any = threading.Lock() if one_at_a_time else threading.Semaphore(jobs)
        self._queue: queue.SimpleQueue[tuple[Job, Callable[[Outcome], None]] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=_NAME, daemon=True) for _ in range(jobs)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        performer = Performer(self._workspace.clock, str(self._workspace.root))
        while (item := self._queue.get()) is not None:
            job, done = item
            with self._turn:
                outcome = performer.perform(job) if job.start() else None
            if outcome is not None:
                done(outcome)

    def submit(self, job: Job, done: Callable[[Outcome], None]) -> None:
        self._queue.put((job, done))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, call)
        timer.daemon = True
        timer.start()

    def process_ids(self) -> tuple[int, ...]:
        return ()

    def close(self, *, cancel: bool = False) -> None:
        for _ in self._threads:
            self._queue.put(None)
        if not cancel:
            for thread in self._threads:
                thread.join()


def join_threads() -> None:
    """Wait until what runs that were cancelled had begun is over."""
    for thread in threading.enumerate():
        if thread.name == _NAME:
            thread.join(30)


class Lab(Workspace):
    """A workspace whose executor ``process`` is one of threads."""

    one_at_a_time = True

    def open_executor(self, name: str, jobs: int) -> Executor:
        if name == "sequential":
            return super().open_executor(name, jobs)
        return ThreadExecutor(self, jobs, one_at_a_time=self.one_at_a_time)

    @classmethod
    def open(cls, folder: Path, environ: dict[str, str], *, one_at_a_time: bool = True) -> Lab:
        lab = cls.find(folder, environ, warn=lambda _: None)
        assert isinstance(lab, Lab)
        lab.one_at_a_time = one_at_a_time
        return lab

    def make(self, pipeline: Pipeline, *args: Any, jobs: int = 1, **options: Any) -> Finished:
        """Make a run: sequentially, or with more jobs in threads."""
        return self.run(pipeline, args, options=RunOptions(jobs=jobs, echo=False, **options))
