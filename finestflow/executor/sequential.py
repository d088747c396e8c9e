"""The sequential executor: a task runs at the moment of its call, in this process and thread, so that a debugger just works.

What a task prints is seen where Python prints it: ``sys.stdout``, ``sys.stderr``, logging and warnings. What C code and child processes write to
the descriptors is taken where the run may have them, see ``descriptors``; else it goes to the terminal and to no log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from finestflow.executor.perform import Expired, Performer
from finestflow.executor.protocol import Job, Outcome

__all__ = ["SequentialExecutor"]


def _expire(*_: Any) -> None:
    raise Expired


def _leave(error: BaseException | None) -> NoReturn:
    """End a child that a task has forked and that comes back from it."""
    if error is not None:
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(error is not None)


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
        self._process = os.getpid()

    def submit(self, job: Job, done: Callable[[Outcome], None]) -> None:
        """Run the job now."""
        if not job.start():
            return
        outcome = self._performer.perform(job) if job.timeout is None else self._perform_in_time(job, job.timeout)
        if os.getpid() != self._process:  # the task forked, and this is the child: the run is not its business
            _leave(outcome.error)
        done(outcome)

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
