"""Ctrl-C in the middle of many runs: what has ended stays, what has not is told, and it goes on."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Project

pytestmark = pytest.mark.stress


@pytest.fixture
def slow(project: Project) -> Project:
    """The pipeline, with a task that waits where a file says so."""
    project.edit(
        "numbers_pipeline.py",
        "self.log(total=sum(numbers))",
        "self.log(total=sum(numbers))\n        import os, time\n"
        "        if sum(numbers) > 9 and os.path.exists('/tmp/brake' + os.getcwd().replace('/', '-')): time.sleep(60)",
    )
    return project


def interrupt(project: Project, *words: str) -> str:
    """Start a command, interrupt it when its first slow run has begun, and return what it says."""
    brake = Path("/tmp/brake" + str(project.folder).replace("/", "-"))
    brake.touch()
    try:
        started = project.start(*words)
        while (
            sum(run["status"] == "running" and run["params"].get("scale.factor") != 1.0 for run in project.runs()) < 1
        ):
            time.sleep(0.1)
        started.send(signal.SIGINT)
        answer = started.wait()
    finally:
        brake.unlink()
    assert answer.code == 130
    return answer.err


def statuses(project: Project) -> list[str]:
    return sorted(run["status"] for run in project.runs())


def test_a_sweep_with_jobs_goes_on_from_the_queue(slow: Project):
    said = interrupt(slow, "run", "numbers_pipeline.py:Numbers", "-p", "scale.factor=1,2,3,4,5", "-j", "2")
    entries = slow.do("queue", "list", "--json").json["entries"]
    cancelled = [str(entry["entry"]) for entry in entries if entry["state"] == "cancelled"]
    assert f'"finestflow queue retry {" ".join(cancelled)}"' in said
    assert '"finestflow queue run" works off what waits' in said

    slow.do("queue", "retry", *cancelled)
    slow.do("queue", "run", "-j", "2")

    assert statuses(slow) == sorted(["ok"] * 5 + ["cancelled"] * len(cancelled))


def test_one_after_another_goes_on_by_the_same_command(slow: Project):
    words = ("run", "numbers_pipeline.py:Numbers", "-p", "scale.factor=1,2,3")
    assert "1 of 3 runs were made; the same command again finds them in the cache" in interrupt(slow, *words)
    slow.do(*words)
    assert statuses(slow) == ["cancelled", "ok", "ok", "ok", "ok"]
    assert {node["status"] for node in slow.show("@~2")["nodes"]} == {"hit"}


def test_a_search_goes_on_by_its_name(slow: Project):
    pytest.importorskip("optuna")
    words = ("run", "numbers_pipeline.py:Numbers", "-p", "scale.factor=2,3", "--trials", "3", "--metric", "total")
    said = interrupt(slow, *words, "--goal", "max", "-j", "2")
    tag = next(word for word in said.split() if word.startswith("search-")).rstrip(':"')
    assert f'"finestflow run --resume {tag} --trials 3" goes on' in said

    document = slow.do("run", "--resume", tag, "--trials", "3", "--json").out.splitlines()[-1]

    assert document.count('"state": "ok"') == 4  # three, and the best again
