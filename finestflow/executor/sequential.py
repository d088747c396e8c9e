"""The sequential executor: a task runs at the moment of its call, in this process and thread, so that a debugger just works."""

from __future__ import annotations

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

    def __init__(self, performer: Performer) -> None:
        self._performer = performer

    def submit(self, job: Job, done: Callable[[Outcome], None]) -> None:
        """Run the job now."""
        done(self._performer.perform(job))

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Return at once: whatever was submitted is done."""

    def close(self, *, cancel: bool = False) -> None:
        """Do nothing: nothing is running."""
