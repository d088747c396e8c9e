"""Whatever happens at the same time, each job gets exactly one outcome."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from pathlib import Path

import pytest

from finestflow.errors import TaskFailedError
from tests.unit.executor.process import tasks
from tests.unit.executor.process.lab import Lab
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[4]
HOWS = ("_exit", "exit", "kill", "segfault", "abort")


def some_job(lab):
    """Submit one of many kinds of jobs."""
    number = random.randrange(100)
    if number < 60:
        return lab.submit(tasks.Add(k=random.randrange(3)), number)
    if number < 70:
        return lab.submit(tasks.Model(k=random.randrange(6)), number)
    if number < 75:
        return lab.submit(tasks.Children())
    if number < 80:
        return lab.submit(tasks.Give(), "lock")
    if number < 85:
        return lab.submit(tasks.Held(), threading.Lock())
    if number < 90:
        return lab.submit(tasks.Change(), [0], lab.output([float(number)] * 9000))
    return lab.submit(tasks.End(), random.choice(HOWS))


def kill_some(lab, ended):
    """Kill workers, and now and then the fork server, until told to stop."""
    while not ended.wait(random.uniform(0.005, 0.1)):
        workers = [worker.pid for worker in list(lab.pool._workers)]
        server = getattr(getattr(lab.pool, "_launcher", None), "server_pid", None)
        if server is not None and random.random() < 0.1:
            workers = [server]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(workers), random.choice([signal.SIGKILL, signal.SIGTERM]))


def endure(lab, rounds):
    ended = threading.Event()
    killer = threading.Thread(target=kill_some, args=(lab, ended))
    killer.start()
    try:
        for _ in range(rounds):
            pending = [some_job(lab) for _ in range(40)]
            for each in pending:
                outcome = each.wait()
                assert outcome.error is None or isinstance(outcome.error, TaskFailedError)
    finally:
        ended.set()
        killer.join(PATIENCE)
    pending = [lab.submit(tasks.Add(), x) for x in range(50)]
    assert [lab.value(each.wait()) for each in pending] == list(range(1, 51))


@pytest.mark.slow
def test_each_of_some_jobs_has_an_outcome_while_processes_are_killed(tmp_path):
    lab = Lab(tmp_path / "lab", ROOT)
    endure(lab, 2)
    lab.close()


@pytest.mark.stress
@pytest.mark.timeout(900)
@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
def test_each_of_many_jobs_has_an_outcome_while_processes_are_killed(tmp_path, method):
    lab = Lab(tmp_path / "lab", ROOT, jobs=3, start_method=method)
    endure(lab, 40)
    lab.close()
