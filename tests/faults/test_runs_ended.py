"""Runs that fail, are interrupted or are killed: all are recorded, and the next run reuses what had finished."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Project
from tests.e2e.processes import Started
from tests.waiting import wait_until

STEPS = """
import os, pathlib, time
from finestflow import Pipeline, Task

def note(name):
    with open(os.environ["NOTES"], "a") as file:
        file.write(name + "\\n")

class First(Task):
    def run(self):
        note("first")
        print("first is done")
        self.log(score=1.5)
        return "one"

class Second(Task):
    def run(self, text: str):
        note("second")
        print("second begins")
        wait_for = os.environ.get("WAIT_FOR")
        while wait_for and not os.path.exists(wait_for):
            time.sleep(0.01)
        if os.environ.get("FAIL"):
            raise ValueError("second cannot " + os.environ["FAIL"])
        return text + " two"

class Third(Task):
    def run(self, text: str):
        note("third")
        return text + " three"

class Steps(Pipeline):
    first: First
    second: Second
    third: Third

    def __call__(self):
        return self.third(self.second(self.first()))
"""


@pytest.fixture
def steps(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A pipeline of three tasks, ``steps.py:Steps``: the second waits or fails as the environment says."""
    project = Project(repository)
    project.write("steps.py", STEPS)
    project.commit()
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    (tmp_path / "notes").touch()
    return project


def notes(tmp_path: Path) -> list[str]:
    return (tmp_path / "notes").read_text().split()


def started_second(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: str = "never") -> Started:
    """Start a run and return when its second task is running; it goes on when a file is there."""
    monkeypatch.setenv("WAIT_FOR", str(tmp_path / until))
    started = project.start("run", "steps.py:Steps")
    end = time.monotonic() + 30
    while "second" not in notes(tmp_path):
        assert time.monotonic() < end, started.read_err()
        time.sleep(0.01)
    time.sleep(
        0.2
    )  # a run that is alone writes what it has computed every 100 ms, and claims only what it is computing
    monkeypatch.delenv("WAIT_FOR")
    return started


def check_record(project: Project, status: str) -> None:
    """What had been done is in the record of the newest run: nodes, log, metric."""
    run = project.show()
    assert run["status"] == status
    nodes = {node["path"]: node for node in run["nodes"]}
    assert nodes["first"]["status"] == "ok"
    assert nodes["first"]["digest"]
    assert project.do("logs", "@:first").out == "first is done\n"
    assert project.do("logs", "@:second").out == "second begins\n"
    assert run["metrics"] == {"first/score": 1.5} or run["metrics"]["score"] == 1.5
    assert f"Status: {status}" in project.git("log", "-1", "--format=%B", "refs/finestflow")


def check_next_run(project: Project, tmp_path: Path) -> None:
    """The next run takes the first task from the cache and does the rest."""
    (tmp_path / "notes").write_text("")
    project.do("run", "steps.py:Steps")
    assert notes(tmp_path) == ["second", "third"]
    assert project.statuses() == {"first": "hit", "second": "ok", "third": "ok"}


def test_a_failed_run_is_recorded_with_its_traceback(steps: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Exit 1; the record has the error, the user's traceback, the finished tasks, their logs; errors are not cached."""
    monkeypatch.setenv("FAIL", "do it")
    answer = steps.do("run", "steps.py:Steps", code=1)

    assert "ValueError: second cannot do it" in answer.err
    assert 'steps.py", line' in answer.err
    assert "finestflow/session/session.py" not in answer.err
    check_record(steps, "failed")
    run = steps.show()
    assert "ValueError: second cannot do it" in run["error"]
    statuses = steps.statuses()
    assert (statuses["second"], statuses.get("third", "skipped")) == ("failed", "skipped")
    assert "steps.py" in steps.git("show", "refs/finestflow:.finestflow/traceback.txt")
    assert steps.do("run", "steps.py:Steps", code=1).code == 1
    monkeypatch.delenv("FAIL")
    check_next_run(steps, tmp_path)


@pytest.mark.slow
def test_a_killed_run_is_recorded_by_the_next_command(steps: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """After ``kill -9`` any command records the run as killed, once, with all that was known."""
    started = started_second(steps, tmp_path, monkeypatch)
    assert [run["status"] for run in steps.runs()] == ["running"]
    started.send(signal.SIGKILL)
    assert started.wait().code == -signal.SIGKILL

    assert [run["status"] for run in steps.runs()] == ["killed"]
    check_record(steps, "killed")
    assert steps.statuses()["second"] == "killed"
    assert [run["status"] for run in steps.runs()] == ["killed"]
    check_next_run(steps, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        (signal.SIGHUP, 129),
    ],
)
def test_an_interrupted_run_is_cancelled(
    steps: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
):
    """Ctrl-C, a polite end and a terminal that goes away record the run before the process goes, with the signal, without a traceback."""
    started = started_second(steps, tmp_path, monkeypatch)
    started.send(number)
    answer = started.wait()

    assert answer.code == code
    assert "Traceback" not in answer.err
    assert steps.git("log", "-1", "--format=%(trailers:key=Status,valueonly)", "refs/finestflow").strip() == "cancelled"
    check_record(steps, "cancelled")
    run = steps.show()
    assert run["error"] == ("KeyboardInterrupt" if number == signal.SIGINT else f"Terminated: {number.name}")
    assert f"run {run['name']} is recorded as cancelled" in answer.err
    assert steps.statuses()["second"] == "cancelled"
    check_next_run(steps, tmp_path)


def wait_for_waiting(tmp_path: Path, processes: list[Started]) -> None:
    """Return when each of the processes waits for another one."""
    begun = notes(tmp_path).count("second") or 1
    end = time.monotonic() + 30
    while not all("waiting: another run" in process.read_err() for process in processes):
        assert notes(tmp_path).count("second") <= begun, "computed twice"
        assert time.monotonic() < end, [process.read_err() for process in processes]
        time.sleep(0.02)


@pytest.mark.slow
def test_runs_at_once_compute_each_task_once(steps: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """All are recorded; those that come later wait for the task that the first is computing, and take its result."""
    first = started_second(steps, tmp_path, monkeypatch, "go")
    monkeypatch.setenv("WAIT_FOR", str(tmp_path / "go"))
    started = [steps.start("run", "steps.py:Steps") for _ in range(2)]
    wait_for_waiting(tmp_path, started)
    (tmp_path / "go").touch()
    assert [process.wait().code for process in (first, *started)] == [0, 0, 0]

    assert sorted(notes(tmp_path)) == ["first", "second", "third"]
    runs = steps.runs()
    assert [run["status"] for run in runs] == ["ok"] * 3
    assert steps.git("rev-list", "--count", "refs/finestflow") == "3"
    digests = {tuple(node["digest"] for node in steps.show(run["id"])["nodes"]) for run in runs}
    assert len(digests) == 1
    steps.do("verify", "--deep")


@pytest.mark.slow
def test_a_run_of_many_short_calls_holds_nobody_up_but_who_wants_what_it_computes(
    steps: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It claims all keys at once while it is alone; in a long call it has given back all others."""
    steps.write(
        "many.py",
        """
from finestflow import Pipeline, Task
from steps import Second, note

class Short(Task):
    def run(self, number: int):
        note("short")
        return number

class Many(Pipeline):
    short: Short
    second: Second

    def __call__(self, begin: int, count: int, last: int):
        numbers = [self.short(begin + number) for number in range(count)]
        return self.second(str(numbers[-1].value)) if last else numbers[-1]
""",
    )
    monkeypatch.setenv("WAIT_FOR", str(tmp_path / "go"))
    many = ("run", "many.py:Many", "-p", "begin=0", "-p", "count=300", "-p", "last=1")
    first = steps.start(*many)
    wait_until(lambda: (tmp_path / "notes").exists() and "second" in notes(tmp_path))

    steps.do("run", "many.py:Many", "-p", "begin=1000", "-p", "count=5", "-p", "last=0")

    second = steps.start(*many)
    wait_for_waiting(tmp_path, [second])
    (tmp_path / "go").touch()
    assert (first.wait().code, second.wait().code) == (0, 0)
    assert notes(tmp_path).count("short") == 305
    assert notes(tmp_path).count("second") == 1


@pytest.mark.slow
def test_who_waits_goes_on_when_the_other_is_killed(steps: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A claim dies with its owner: the run that waited computes the task itself."""
    first = started_second(steps, tmp_path, monkeypatch)
    second = steps.start("run", "steps.py:Steps")
    wait_for_waiting(tmp_path, [second])
    first.send(signal.SIGKILL)
    first.wait()

    assert second.wait().code == 0
    assert notes(tmp_path) == ["first", "second", "second", "third"]
    assert sorted(run["status"] for run in steps.runs()) == ["killed", "ok"]


@pytest.mark.stress
def test_many_runs_at_once(steps: Project, tmp_path: Path):
    """Twelve processes at once, some of them killed: every run is recorded once, and no value is torn."""
    for turn in range(5):
        steps.write("salt.txt", str(turn))
        started = [steps.start("run", "--force", "first", "steps.py:Steps") for _ in range(12)]
        time.sleep(0.1 * turn)
        for process in started[::4]:
            process.send(signal.SIGKILL)
        for process in started:
            process.wait()
        steps.runs()
    count = int(steps.git("rev-list", "--count", "refs/finestflow"))
    runs = steps.runs()
    assert len(runs) == count
    assert {run["status"] for run in runs} <= {"ok", "killed"}
    steps.do("verify", "--deep")
