"""Runs that go on: followed, listed, stopped and started in the background by other processes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import processes
from tests.e2e.conftest import Project
from tests.e2e.processes import Started

STEPS = """
import os, subprocess, sys, time
from finestflow import Pipeline, Task

class First(Task):
    def run(self):
        print("first is\\x1b[31m done\\x1b[0m")
        self.log(score=1.5)

class Wait(Task):
    def run(self, first):
        for done in range(5):
            self.progress(done, 10)
        print("no line end yet", end="")
        while not os.path.exists("go"):
            time.sleep(0.01)
        print(" ... ended", b"\\x00\\xff")

class Deaf(Task):
    def run(self):
        child = subprocess.Popen(["sleep", "60"])
        print("deaf", child.pid, flush=True)
        while True:
            try:
                time.sleep(60)
            except (KeyboardInterrupt, SystemExit):
                pass

class Steps(Pipeline):
    first: First
    wait: Wait

    class Meta:
        name = "steps"

    def __call__(self):
        print("the body")
        return self.wait(self.first())

class Stubborn(Pipeline):
    deaf: Deaf

    def __call__(self):
        return self.deaf()

class Quick(Pipeline):
    first: First

    def __call__(self):
        return self.first()
"""


@pytest.fixture
def steps(repository: Path) -> Project:
    """A pipeline whose second task waits for the file ``go``."""
    project = Project(repository)
    project.write("steps.py", STEPS)
    project.write(".gitignore", "go\n")
    project.commit()
    return project


def wait_for(found: Callable[[], Any]) -> Any:
    """Return what is found as soon as there is something."""
    end = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return value


def read_out(started: Started) -> str:
    return (started._folder / "out").read_text("utf-8", "replace")


def live_log(project: Project, node: str) -> str:
    found = list((project.folder / ".git/finestflow/live").glob(f"*/logs/{node}.txt"))
    return found[0].read_text("utf-8", "replace") if found else ""


def start_waiting(project: Project, *words: str) -> Started:
    """Start the pipeline and return when its second task has printed."""
    started = project.start("run", "steps.py:Steps", *words)
    wait_for(lambda: "no line end" in live_log(project, "wait") or started.read_err().count("error"))
    (events,) = (project.folder / ".git/finestflow/live").glob("*/events.jsonl")
    wait_for(lambda: '"done":4' in events.read_text())  # what is told fast is told a tenth of a second later
    return started


@pytest.mark.slow
def test_a_run_is_listed_shown_followed_and_stopped_by_other_processes(steps: Project) -> None:
    run = start_waiting(steps)
    followers = [steps.start("logs", "-f"), steps.start("logs", "@:wait", "-f"), steps.start("logs", "@:none", "-f")]
    by_line = steps.start("logs", "-f", "--json")

    listed = steps.do("log", "is:live", "--json").json["runs"]
    assert [each["status"] for each in listed] == ["running"]
    standing = listed[0]["live"]
    assert (standing["done"], standing["known"]) == (1, 2)
    assert [(each["path"], each["done"], each["total"]) for each in standing["running"]] == [("wait", 4, 10)]
    assert standing["metric"] == {"name": "first/score", "value": 1.5}
    assert "1/2  wait 4/10 eta" in steps.do("log").out
    shown = steps.do("show").out
    assert "so far      1/2  wait 4/10 eta" in shown
    assert "first/score  1.5" in shown
    assert steps.do("logs", "@:first").out == "first is done\n"

    wait_for(lambda: "first is done" in read_out(followers[0]) and "first is" in read_out(by_line))
    stopped = steps.do("stop", listed[0]["name"], "--json").json["run"]
    assert stopped["status"] == "cancelled"
    assert stopped["commit"]
    assert run.wait().code == 130

    whole, one, none = (follower.wait() for follower in followers)
    assert whole.out == "[steps] the body\n[first] first is done\n[wait] no line end yet\n"
    assert one.out == "no line end yet\n"
    lines = [json.loads(line) for line in by_line.wait().out.splitlines()]
    texts = [(line["node"], line["text"]) for line in lines[:-1]]  # as they were written
    assert texts == [("", "the body"), ("first", "first is\x1b[31m done\x1b[0m"), ("wait", "no line end yet")]
    assert (lines[-1]["kind"], lines[-1]["run"]["status"]) == ("run.end", "cancelled")
    assert "cancelled in" in whole.err
    assert (whole.code, one.code, none.code) == (0, 0, 4)
    assert "has no node 'none'" in none.err
    assert "is not going on: it ended cancelled" in steps.do("stop", "@", code=2).err
    assert "no run matches" in steps.do("stop", "nobody", code=4).err


@pytest.mark.slow
def test_a_run_that_is_killed_is_followed_to_its_end(steps: Project) -> None:
    run = start_waiting(steps)
    follower = steps.start("logs", "-f")
    wait_for(lambda: "first is done" in read_out(follower))
    run.send(signal.SIGKILL)
    run.wait()

    answer = follower.wait()
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "[wait] no line end yet"
    assert ": killed in" in answer.err
    assert [each["status"] for each in steps.runs()] == ["killed"]


def test_who_follows_can_leave(steps: Project) -> None:
    run = start_waiting(steps)
    follower = steps.start("logs", "-f")
    wait_for(lambda: "first is done" in read_out(follower))
    follower.send(signal.SIGINT)

    answer = follower.wait()
    assert answer.code == 130
    assert "goes on; stop it with: finestflow stop" in answer.err
    assert "error" not in answer.err
    (steps.folder / "go").touch()
    assert run.wait().code == 0
    ended = steps.do("logs", "-f", "@:wait")
    assert ended.out == "no line end yet ... ended b'\\x00\\xff'\n"
    assert "has ended: " in ended.err


def test_a_run_goes_on_in_the_background(steps: Project) -> None:
    """What is edited after the start is neither in the record nor in what runs."""
    steps.edit("steps.py", '"the body"', '"another body"')
    answer = steps.do("run", "steps.py:Steps", "--detach", "--name", "far away")
    (live,) = steps.do("log", "is:live", "--json").json["runs"]

    assert answer.out.strip() == live["id"]
    assert "finestflow logs far away -f" in answer.err
    assert live["dirty"]["changed"] == 1
    steps.edit("steps.py", " ... ended", " ... edited")
    follower = steps.start("logs", "-f")
    wait_for(lambda: "another body" in read_out(follower))
    (steps.folder / "go").touch()
    assert "[steps] another body\n" in follower.wait().out
    assert steps.show()["status"] == "ok"
    assert steps.do("logs", "@:wait").out.startswith("no line end yet ... ended")
    assert "edited" not in steps.git("show", "refs/finestflow:steps.py")


def test_the_background_says_what_keeps_a_run_from_beginning(steps: Project, tmp_path: Path) -> None:
    assert "no file 'nothing.py'" in steps.do("run", "nothing.py", "--detach", code=2).err
    steps.write("broken.py", "1 / 0\nclass P(Pipeline): pass\n")
    assert "ZeroDivisionError" in steps.do("run", "broken.py", "--detach", code=None).err
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "steps.py").write_text(STEPS)
    answer = steps.start("-C", str(tmp_path / "bare"), "run", "steps.py:Quick", "--detach").wait()
    assert answer.code == 4
    assert "no git repository" in answer.err
    assert steps.runs() == []


@pytest.mark.slow
def test_a_run_in_the_background_is_stopped_though_a_deaf_script_started_it(steps: Project) -> None:
    """As a shell makes whatever a script starts behind ``&``."""
    steps.write(
        "deaf.py",
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from finestflow.cli import main\nsys.exit(main(sys.argv[1:]))\n",
    )
    words = ["deaf.py", "run", "steps.py:Steps", "--detach", "--name", "far away"]
    assert processes.python(*words, cwd=steps.folder, env=processes.environment()).code == 0
    wait_for(lambda: "no line end" in live_log(steps, "wait"))
    assert ": cancelled in" in steps.do("stop", "far away").err
    assert [each["status"] for each in steps.runs()] == ["cancelled"]


@pytest.mark.slow
def test_a_run_in_the_background_that_does_not_answer_is_killed_with_what_it_started(steps: Project) -> None:
    told = steps.do("run", "steps.py:Stubborn", "--detach", "--json").json["run"]
    child = int(wait_for(lambda: live_log(steps, "deaf").split())[1])
    assert os.getsid(told["pid"]) == told["pid"]
    answer = steps.do("stop", told["name"], "--now")

    assert ": killed in" in answer.err
    assert steps.runs()[0]["status"] == "killed"
    wait_for(
        lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split(")")[1]
    )


@pytest.mark.slow
def test_a_folder_that_another_process_holds_is_not_signalled(steps: Project) -> None:
    run = start_waiting(steps)
    (alive,) = (steps.folder / ".git/finestflow/live").glob("*/alive")
    named = alive.read_bytes()
    for wrong, message in (
        (named.replace(b'"start": "', b'"start": "1'), "is gone; another one holds it"),
        (named.replace(b'"host": "', b'"host": "not-'), "goes on at host 'not-"),
        (b"", "does not say which process it is"),
    ):
        alive.write_bytes(wrong)
        assert message in steps.do("stop", "@", code=6).err
    (steps.folder / "go").touch()
    assert run.wait().code == 0


@pytest.mark.slow
def test_a_program_shows_what_workers_print_and_is_quiet_otherwise(steps: Project) -> None:
    code = "from steps import Quick\nQuick().options(jobs=JOBS, cache=False)()"
    for jobs, printed in ((1, "first is\x1b[31m done\x1b[0m\n"), (2, "[first] first is\x1b[31m done\x1b[0m\n")):
        answer = processes.run_code(code.replace("JOBS", str(jobs)), cwd=steps.folder)
        assert (answer.out, answer.err) == (printed, "")
