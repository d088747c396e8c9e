"""Kills at random moments: every run ends, is recorded as it was, leaves no process and a whole store, and the next one completes from cache."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from finestflow.descendants import iter_descendants
from finestflow.errors import WorkerDiedError
from finestflow.model import NodeStatus, RunStatus
from finestflow.workspace import current
from tests.faults.storm import SIZE, Start, Storm, expected
from tests.faults.test_workers import PATIENCE, is_gone, wait_until

NODES = 2 * SIZE


@pytest.fixture
def workspace(repository, monkeypatch):
    monkeypatch.chdir(repository)
    workspace = current()
    yield workspace
    workspace.close()


def processes_of(session):
    """Return the processes of a session that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def kill_workers(workspace, moments, ended, counts):
    """Kill a worker at each of some moments, as long as the run goes; add how many were."""
    for moment in moments:
        if ended.wait(moment):
            break
        pool = workspace._pool
        workers = [worker.pid for worker in pool._workers] if pool is not None else []
        if workers:
            with contextlib.suppress(ProcessLookupError):  # it died just now
                os.kill(random.choice(workers), signal.SIGKILL)
                counts.append(1)


def check_run(run):
    """Check that a record tells what was: each task is ok, or failed because its worker was killed, or was skipped for that."""
    assert len(run.nodes) <= NODES
    failed = [node for node in run.nodes.values() if node.status is NodeStatus.FAILED]
    assert all("WorkerDiedError" in node.error and "signal 9" in node.error for node in failed)
    assert run.summary.status is (RunStatus.FAILED if failed else RunStatus.OK)
    open_ = {NodeStatus.RUNNING, NodeStatus.PENDING}
    assert not any(node.status in open_ for node in run.nodes.values())


def storm_workers(workspace, kills):
    """Kill workers until so many are dead; return how many runs that took."""
    killed, turn = 0, 0
    before = set(iter_descendants(os.getpid()))
    while killed < kills:
        turn += 1
        ended = threading.Event()
        moments = [random.uniform(0.01, 0.15) for _ in range(6)]
        counts: list[int] = []
        killer = threading.Thread(target=kill_workers, args=(workspace, moments, ended, counts))
        killer.start()
        storm = Storm(start=Start(turn=turn))
        finished = None
        try:
            finished = storm.options(jobs=2, keep_going=True)()
        except WorkerDiedError:
            pass
        finally:
            ended.set()
            killer.join()
        killed += len(counts)
        if finished is not None:
            assert finished == expected(turn)
        run = workspace.load_run("@")
        check_run(run)
        done = {path for path, node in run.nodes.items() if node.status in {NodeStatus.OK, NodeStatus.HIT}}
        assert storm.options(jobs=2)() == expected(turn)
        again = workspace.load_run("@").nodes
        assert {path for path, node in again.items() if node.status is NodeStatus.HIT} >= done
    assert list(workspace.verify(deep=True)) == []
    assert not workspace.live_runs()
    workspace.close()
    wait_until(lambda: all(map(is_gone, set(iter_descendants(os.getpid())) - before)))
    return turn


def storm_runners(folder, workspace, kills):
    """Kill runners at random moments, and complete each run."""
    shutil.copy(Path(__file__).with_name("storm.py"), folder / "storm.py")
    for turn in range(kills):
        command = [sys.executable, "storm.py", str(turn)]
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        process.stdout.readline()
        time.sleep(random.uniform(0, 1.2))
        process.kill()
        process.communicate()
        wait_until(lambda p=process: not processes_of(p.pid))
        assert subprocess.run(command, cwd=folder, timeout=PATIENCE, check=False, capture_output=True).returncode == 0
        workspace.refresh()
        first, *others = workspace.select(limit=2)
        assert first.status is RunStatus.OK
        assert all(run.status in {RunStatus.KILLED, RunStatus.OK} for run in others)
    assert not workspace.live_runs()
    assert list(workspace.verify(deep=True)) == []


@pytest.mark.slow
def test_runs_whose_workers_are_killed_end_and_the_next_ones_complete_them(workspace):
    storm_workers(workspace, 3)


@pytest.mark.slow
def test_a_run_that_is_killed_is_recorded_and_the_next_one_completes_it(repository, workspace):
    storm_runners(repository, workspace, 1)


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_two_hundred_killed_workers(workspace):
    storm_workers(workspace, 200)


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_two_hundred_killed_runners(repository, workspace):
    storm_runners(repository, workspace, 200)
