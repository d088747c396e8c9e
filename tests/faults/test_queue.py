"""A queue whose workers and runs are killed: each entry runs once, and what is said of it is true."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from finestflow.processes import Process, ProcessHandle, load_process
from finestflow.queue import ENDED, Entry, Queue
from finestflow.workspace import Workspace

PATIENCE = 60
PIPELINE = """\
import time
from finestflow import Pipeline, Task


class Work(Task):
    number: int

    def run(self) -> int:
        with open({ran!r}, "a") as file:
            file.write(f"{{self.number}}\\n")
        time.sleep({seconds})
        return self.number


class Busy(Pipeline):
    work: Work

    def __call__(self) -> int:
        return self.work()
"""


class Lab:
    """A repository with a queue of so many runs, each of which writes its number to a file."""

    def __init__(self, folder: Path, ran: Path, count: int, seconds: float) -> None:
        self.folder = folder
        self._ran = ran
        ran.touch()
        (folder / "busy.py").write_text(PIPELINE.format(ran=str(ran), seconds=seconds))
        self._state = folder / ".git" / "finestflow"
        self.queue = Queue(self._state / "queue.sqlite", time.time)
        words = [["busy.py:Busy", "-p", f"work.number={number}"] for number in range(count)]
        self.queue.add(words, folder=folder, batch="all")

    def work(self, jobs: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "finestflow", "queue", "run", "-j", str(jobs), "--keep-going"]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def running(self) -> list[Process]:
        """Return the processes that have an entry now."""
        with closing(sqlite3.connect(self._state / "queue.sqlite", timeout=30)) as database:
            rows = database.execute("SELECT owner FROM entry WHERE state = 'running'").fetchall()
        return [process for (owner,) in rows if (process := load_process(owner)) is not None and process.is_there]

    def settle(self) -> list[Entry]:
        """Return the entries when none of them goes on any more."""
        end = time.monotonic() + PATIENCE
        while any(entry.state not in ENDED for entry in self.queue.entries()):
            assert time.monotonic() < end, Counter(entry.state for entry in self.queue.entries())
            time.sleep(0.05)
        return self.queue.entries()

    def begun(self) -> Counter[int]:
        """Count how often each task has begun."""
        return Counter(map(int, self._ran.read_text().split()))

    def check(self, environ) -> Counter[str]:
        """Assert that each entry ran once, or was killed and says so; return how many ended in which way."""
        entries, begun = self.settle(), self.begun()
        with closing(Workspace.find(self.folder, environ)) as workspace:
            workspace.refresh()
            runs = workspace.select()
        by_number = {run.params["work.number"]: run for run in runs}
        assert len(by_number) == len(runs)
        assert {number for number, times in begun.items() if times > 1} == set()
        for number, entry in enumerate(entries):
            run = by_number.get(number)
            if entry.state == "ok":
                assert run is not None
                assert (entry.run, run.status, begun[number]) == (run.id, "ok", 1)
            else:  # its process was killed: before it had a run, in it, or when that was recorded and the queue not told yet
                assert entry.state == "killed"
                assert run is None or run.status in {"killed", "ok"}
        return Counter(entry.state for entry in entries)


@pytest.fixture
def lab(repository, tmp_path_factory):
    return lambda count, seconds: Lab(repository, tmp_path_factory.mktemp("ran") / "ran.txt", count, seconds)


def wait_for(predicate):
    end = time.monotonic() + PATIENCE
    while not predicate():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.02)


def kill(process: Process) -> None:
    with ProcessHandle(process) as handle:
        handle.send(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.slow
def test_after_a_run_and_the_worker_are_killed_the_next_worker_does_the_rest(lab, environ):
    """What the killed worker had started goes on by itself; what it had only taken is taken again."""
    made = lab(4, 0.2)
    worker = made.work(2)
    wait_for(lambda: made.begun() and made.running())
    kill(made.running()[0])
    worker.kill()
    worker.wait()

    assert made.work(2).wait() == 0
    ended = made.check(environ)
    assert ended["ok"] >= 3
    assert sum(ended.values()) == 4


@pytest.mark.stress
def test_a_hundred_entries_run_once_however_often_workers_and_runs_are_killed(lab, environ):
    """Six at a time; every second or so either the worker dies, with six entries taken, or one of the runs."""
    rng = random.Random(5)
    made = lab(100, 0.3)
    worker, killed = made.work(6), Counter[str]()
    while any(entry.state not in ENDED for entry in made.queue.entries()):
        time.sleep(0.5 + rng.random() * 2)
        if worker.poll() is not None:
            worker = made.work(6)
        elif rng.random() < 0.4:
            worker.kill()
            worker.wait()
            killed["worker"] += 1
        elif running := made.running():
            kill(rng.choice(running))
            killed["run"] += 1
    worker.wait()

    ended = made.check(environ)
    assert sum(ended.values()) == 100
    assert ended["killed"] <= killed["run"]
    assert min(killed["worker"], killed["run"]) > 3
