"""No orphans: whatever ends the runner ends its workers and what they have started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finestflow.model import RunStatus
from finestflow.workspace import Workspace
from tests.sampling import slow
from tests.waiting import PATIENCE, is_gone, wait_until


@pytest.fixture
def program(repository, tmp_path, monkeypatch):
    """Start the program; return it and a function that returns all its processes."""
    shutil.copy(Path(__file__).with_name("workers.py"), repository / "busy.py")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    started = []

    def start(*args):
        process = subprocess.Popen(
            [sys.executable, "busy.py", *args], cwd=repository, stderr=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        files = [repository / f"{how}.pids" for how in ("asleep", "gil")]
        wait_until(lambda: all(file.exists() for file in files) or process.poll() is not None)
        assert process.poll() is None, process.stderr.read().decode()
        return process, [int(pid) for file in files for pid in file.read_text().split()]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_killed_runner_takes_along_workers_in_c_code_and_their_children(program, tmp_path):
    process, pids = program()
    assert len(list(tmp_path.glob("finestflow-*/pool-*"))) == 1
    process.kill()
    wait_until(lambda: all(map(is_gone, pids)))
    wait_until(lambda: not list(tmp_path.glob("finestflow-*/pool-*")))


@pytest.mark.slow
def test_an_interpreter_that_ends_ends_what_is_running(program):
    process, pids = program("leave")
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    wait_until(lambda: all(map(is_gone, pids)))


@pytest.mark.parametrize("number", [signal.SIGINT, *slow([signal.SIGTERM, signal.SIGHUP])])
@pytest.mark.slow
def test_an_interrupted_runner_ends_its_workers_and_records_the_run(program, number, repository):
    process, pids = program()
    os.kill(process.pid, number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    wait_until(lambda: all(map(is_gone, pids)))
    workspace = Workspace.find(repository, os.environ)
    summary = workspace.load_run("@").summary
    workspace.close()
    assert summary.status is RunStatus.CANCELLED
    assert number is signal.SIGINT or summary.error == f"Terminated: {number.name}"
