"""The sequential executor: a task runs at the moment of its call, in this process and thread, so that a debugger just works."""

from __future__ import annotations

import time
from collections.abc import Callable

from finestflow.executor.perform import Performer
from finestflow.executor.protocol import Job, Outcome

__all__ = ["SequentialExecutor"]


class SequentialExecutor:
    """Runs each job inside ``submit``.

    Args:
        performer: Performs the jobs.
    """

    name = "sequential"
    jobs = 1
    is_parallel = False

    def __init__(self, performer: Performer) -> None:
        self._performer = performer

    def submit(self, job: Job, done: Callable[[Outcome], None]) -> None:
        """Run the job now."""
        if job.start():
            done(self._performer.perform(job))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Sleep, then make the call."""
        time.sleep(seconds)
        call()

    def process_ids(self) -> tuple[int, ...]:
        """Return nothing: all happens in the runner's process."""
        return ()

    def close(self, *, cancel: bool = False) -> None:
        """Do nothing: nothing is running."""
