"""The sequential executor: a task runs at the moment of its call, in this process and thread, so that a debugger just works.

What a task prints is seen where Python prints it: ``sys.stdout``, ``sys.stderr``, logging and warnings. What C code and child processes write to
the descriptors is taken where the run may have them, see ``descriptors``; else it goes to the terminal and to no log.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from finestflow.executor.perform import Expired, Performer
from finestflow.executor.protocol import Job, Outcome

__all__ = ["SequentialExecutor"]


def _expire(*_: Any) -> None:
    raise Expired


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
            done(self._performer.perform(job) if job.timeout is None else self._perform_in_time(job, job.timeout))

    def _perform_in_time(self, job: Job, seconds: float) -> Outcome:
        """Run a job and interrupt it when its time is over; code in C notices that when it returns."""
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
            outcome = self._performer.perform(job)
            outcome.notes.append("Meta.timeout is not kept outside the main thread; the process executor keeps it")
            return outcome
        before = signal.signal(signal.SIGALRM, _expire)
        rest, interval = signal.setitimer(signal.ITIMER_REAL, seconds)  # an alarm of somebody else's comes later
        try:
            return self._performer.perform(job)
        finally:
            signal.setitimer(signal.ITIMER_REAL, rest, interval)
            signal.signal(signal.SIGALRM, before)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Sleep, then make the call."""
        time.sleep(seconds)
        call()

    def process_ids(self) -> tuple[int, ...]:
        """Return nothing: all happens in the runner's process."""
        return ()

    def close(self, *, cancel: bool = False) -> None:
        """Do nothing: nothing is running."""
