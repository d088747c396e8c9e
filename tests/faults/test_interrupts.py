"""Ctrl-C at every moment of a run: it ends, is recorded as it was, and a second one ends it at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from finestflow import Pipeline, Task
from finestflow.ending import Terminated
from finestflow.model import NodeStatus, RunStatus
from finestflow.workspace import Workspace
from tests.e2e.conftest import Project
from tests.faults.test_workers import is_gone, wait_until


def press(number=signal.SIGINT):
    """Send a signal to this very process: it is raised before the next line."""
    os.kill(os.getpid(), number)


class Quick(Task):
    def run(self, presses: int = 0):
        for _ in range(presses):
            press()
        return presses


class Inner(Pipeline):
    quick: Quick

    def __call__(self, presses: int = 0):
        return self.quick(presses)


class Outer(Pipeline):
    quick: Quick
    inner: Inner

    def __call__(self, in_body: bool = False, presses: int = 0):
        first = self.quick(0)
        if in_body:
            press()
        return [first, self.inner(presses)]


@pytest.fixture
def workspace(repository, environ):
    workspace = Workspace.find(repository, environ)
    yield workspace
    workspace.close()


def interrupted(workspace, listener=None, kind=KeyboardInterrupt, **inputs):
    """Make a run that is interrupted; return what it raises."""
    with pytest.raises(kind) as caught:
        workspace.run(Outer(), (), inputs, listener=listener)
    workspace.refresh()
    return caught.value


def pressing_at(*kinds, number=signal.SIGINT):
    """Return a listener that presses Ctrl-C when it is told an event of these kinds."""
    waiting = list(kinds)

    def listen(event):
        if waiting and event["e"] == waiting[0]:
            waiting.pop(0)
            press(number)

    return listen


@pytest.mark.parametrize(
    ("moment", "inputs"),
    [("run", {}), ("snapshot", {}), (None, {"in_body": True}), (None, {"presses": 1})],
    ids=["at the begin", "after the snapshot", "in the body", "in a task of a nested pipeline"],
)
def test_a_run_that_is_interrupted_anywhere_is_cancelled(workspace, moment, inputs):
    error = interrupted(workspace, pressing_at(moment), **inputs)

    run = workspace.load_run("@")
    assert run.summary.status is RunStatus.CANCELLED
    assert run.summary.error == "KeyboardInterrupt"
    assert f"run {run.summary.name} is recorded as cancelled" in error.__notes__
    assert all(node.status in {NodeStatus.OK, NodeStatus.CANCELLED} for node in run.nodes.values())
    assert not workspace.live_runs()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_being_recorded_is_recorded_first(workspace, number):
    kind = KeyboardInterrupt if number == signal.SIGINT else Terminated
    error = interrupted(workspace, pressing_at("end", number=number), kind)

    run = workspace.load_run("@")
    assert run.summary.status is RunStatus.OK
    assert f"run {run.summary.name} is recorded as ok" in error.__notes__
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("moments", [("cancel",), ("end",), ("cancel", "end")], ids=lambda each: " then ".join(each))
def test_a_second_one_ends_at_once_and_the_next_command_records_the_run(workspace, moments):
    error = interrupted(workspace, pressing_at(*moments), in_body=True)

    told = "".join(getattr(error, "__notes__", ()))
    assert len(moments) > 1 or "is recorded by the next finestflow command" in told
    run = workspace.load_run("@")
    assert run.summary.status is RunStatus.CANCELLED
    assert {path: node.status for path, node in run.nodes.items()} == {"quick": NodeStatus.OK}
    assert workspace.run(Outer()).run.nodes["quick"].status is NodeStatus.HIT  # what the first had claimed is free


STUBBORN = """
import os, pathlib, time
from finestflow import Pipeline, Task

class Stubborn(Task):
    def run(self):
        tell("begun")
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            tell("caught")
        time.sleep(600)

class Waiting(Pipeline):
    stubborn: Stubborn

    def __call__(self):
        output = self.stubborn()
        try:
            return output.value
        except KeyboardInterrupt:
            tell("caught")
            time.sleep(600)

def tell(what):
    pathlib.Path(what).write_text(str(os.getpid()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_on_the_command_line_the_second_ends_what_swallows_the_first(repository, jobs):
    project = Project(repository)
    project.write("stubborn.py", STUBBORN)
    started = project.start("run", "-j", jobs, "stubborn.py:Waiting")
    wait_for(repository / "begun", started)
    worker = int((repository / "begun").read_text())
    started.send(signal.SIGINT)
    wait_for(repository / "caught", started)
    started.send(signal.SIGINT)

    answer = started.wait()
    assert answer.code == 130
    assert answer.err.endswith("interrupted twice; the next finestflow command records the run\n")
    assert [run["status"] for run in project.runs()] == ["killed"]
    end = time.monotonic() + 30
    while jobs == "2" and os.path.exists(f"/proc/{worker}"):
        assert time.monotonic() < end
        time.sleep(0.01)


def wait_for(path, started):
    end = time.monotonic() + 30
    while not path.exists() or not path.read_text():
        assert time.monotonic() < end, started.read_err()
        time.sleep(0.01)


@pytest.mark.parametrize(("moment", "status"), [("snapshot", "cancelled"), ("end", "ok")])
def test_a_program_that_is_run_is_recorded_when_it_is_interrupted_before_and_after_it(workspace, moment, status):
    with pytest.raises(KeyboardInterrupt) as caught:
        workspace.run_script([sys.executable, "-c", "pass"], listener=pressing_at(moment))

    workspace.refresh()
    summary = workspace.load_run("@").summary
    assert summary.status.value == status
    if status == "cancelled":
        assert f"run {summary.name} is recorded as cancelled" in caught.value.__notes__


LEAVING = """
import subprocess, sys, threading, time
from finestflow import Pipeline, Task

class Leaves(Task):
    def run(self):
        threading.Thread(target=time.sleep, args=(600,)).start()
        return subprocess.Popen(["sleep", "600"]).pid

class Waits(Task):
    def run(self, left):
        print("left", left)
        time.sleep(600)

class Leaving(Pipeline):
    leaves: Leaves
    waits: Waits

    def __call__(self):
        return self.waits(self.leaves())
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_threads_and_processes_that_tasks_have_left_end_with_the_command(repository, number):
    """In one process too; the time of the task that was cut is how long it ran."""
    project = Project(repository)
    project.write("leaving.py", LEAVING)
    process = subprocess.Popen(
        [sys.executable, "-m", "finestflow", "run", "leaving.py"], cwd=repository, stdout=subprocess.PIPE, text=True
    )
    left = int(process.stdout.readline().split()[1])
    process.send_signal(number)
    process.communicate(timeout=30)

    wait_until(lambda: is_gone(left))
    nodes = {node["path"]: node for node in project.show()["nodes"]}
    assert nodes["waits"]["status"] == "cancelled"
    assert nodes["waits"]["seconds"] > 0
