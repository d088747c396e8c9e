"""Garbage collection beside runs, and killed at any moment: what a kept run reaches is always there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from finestflow.errors import LockedError
from finestflow.workspace import Workspace
from tests.conftest import run_git

pytestmark = pytest.mark.stress

PIPELINE = """\
import sys, time, random
import finestflow
from finestflow import Pipeline, Task


class Large(Task):
    def run(self, n: int) -> bytes:
        return bytes([n]) * 100_000


class Small(Task):
    def run(self, large: bytes, n: int) -> list:
        self.log(n=n)
        return [len(large), n]


class Both(Pipeline):
    large: Large
    small: Small

    def __call__(self, n: int) -> list:
        return self.small(self.large(n), n)


if __name__ == "__main__":
    rng = random.Random(int(sys.argv[1]))
    for turn in range(int(sys.argv[2])):
        Both()(rng.randrange(6))
        time.sleep(rng.random())
"""
_LOOP = "import sys; from finestflow.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def lab(repository: Path, environ) -> Path:
    (repository / "both.py").write_text(PIPELINE)
    run_git(repository, "add", "-A")
    run_git(repository, "commit", "-qm", "begin")
    return repository


@contextmanager
def opened(folder: Path, environ) -> Iterator[Workspace]:
    with closing(Workspace.find(folder, environ)) as workspace:
        workspace.refresh()
        yield workspace


def check(folder: Path, environ) -> int:
    """Assert that the store verifies, and that all outputs of all runs that are kept can be read; return how many runs there are."""
    with opened(folder, environ) as workspace:
        assert list(workspace.verify(deep=True)) == []
        runs = [workspace.load_run(run) for run in workspace.select()]
        for run in runs:
            for path, node in run.nodes.items():
                if node.output is not None and node.kind == "task":
                    assert workspace.load_output(run, path) is not None
    return len(runs)


def remove_some(workspace: Workspace, rng: random.Random) -> None:
    runs = [run for run in workspace.select() if run.commit]
    if len(runs) > 1:
        workspace.annotate([run.id for run in rng.sample(runs, len(runs) // 2)], removed=True)


def _refuse(run: str) -> None:
    raise LockedError(f"run {run!r} is going on", "")


def test_what_a_kept_run_reaches_stays_beside_ten_processes_that_make_runs(lab: Path, environ):
    """They hit each other's outputs all the time, half of the runs are removed again and again, and gc gets its turns in between."""
    rng = random.Random(7)
    makers = [
        subprocess.Popen([sys.executable, "both.py", str(seed), "6"], cwd=lab, stderr=subprocess.PIPE, text=True)
        for seed in range(10)
    ]
    collected = dropped = 0
    with opened(lab, environ) as workspace:
        while any(maker.poll() is None for maker in makers):
            try:
                workspace.refresh()
                remove_some(workspace, rng)
                plan = workspace.gc(None, _refuse)
            except LockedError:
                time.sleep(rng.random() * 0.01)
                continue
            collected += 1
            dropped += len(plan.values)
    said = [maker.communicate()[1] for maker in makers]

    assert [maker.returncode for maker in makers] == [0] * 10, said
    assert collected > 3
    assert dropped > 0
    assert check(lab, environ) > 0


def test_killed_at_any_moment_it_leaves_a_store_that_verifies_and_the_next_one_finishes(lab: Path, environ):
    rng = random.Random(11)
    for turn in range(40):
        subprocess.run([sys.executable, "both.py", str(turn), "3"], cwd=lab, check=True, capture_output=True)
        with opened(lab, environ) as workspace:
            remove_some(workspace, rng)
        child = subprocess.Popen([sys.executable, "-c", _LOOP, "gc"], cwd=lab, stderr=subprocess.PIPE)
        try:
            child.wait(0.2 + rng.random() * 0.6)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        child.communicate()
        check(lab, environ)
    with opened(lab, environ) as workspace:
        workspace.gc(None, _refuse)
        plan = workspace.plan_gc()

    assert (plan.runs, plan.values) == ((), ())
    check(lab, environ)
