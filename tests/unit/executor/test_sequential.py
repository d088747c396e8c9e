"""What the sequential executor does besides performing: it keeps the time."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from finestflow import Pipeline, Task
from finestflow.errors import TaskTimeoutError


class Slow(Task):
    class Meta:
        timeout = 0.2

    def run(self, forever):
        print("begun")
        while forever:
            try:
                time.sleep(60)
            except Exception:
                pass
        return "quick"


class Once(Pipeline):
    slow: Slow

    def __call__(self, forever):
        return self.slow(forever)


@pytest.fixture(autouse=True)
def _in_repository(repository, monkeypatch):
    monkeypatch.chdir(repository)


def test_a_task_that_takes_too_long_is_interrupted_and_nothing_is_left_of_the_alarm():
    before, is_set = signal.getsignal(signal.SIGALRM), any(signal.getitimer(signal.ITIMER_REAL))
    once = Once()
    assert once(False) == "quick"
    with pytest.raises(TaskTimeoutError, match=r"0\.2 s"):
        once(True)
    assert signal.getsignal(signal.SIGALRM) is before
    assert any(signal.getitimer(signal.ITIMER_REAL)) is is_set
    assert once.last_run.log("slow") == "begun\n"


def test_outside_the_main_thread_the_time_is_not_kept_and_a_note_says_so():
    once = Once()
    thread = threading.Thread(target=once, args=(False,))
    thread.start()
    thread.join()
    assert "not kept outside the main thread" in once.last_run.nodes["slow"].notes[0]
