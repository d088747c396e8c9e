"""What C code and child processes print in the process of a run: it belongs to the call that ran, in the order in which it came."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.conftest import Project

PIPELINE = r"""
import ctypes, logging, multiprocessing, os, subprocess, sys, time
from finestflow import Pipeline, Task

logging.basicConfig(level=logging.INFO)

def work():
    print("forked child", flush=True)

class Loud(Task):
    n: int = 0

    def run(self):
        print("python", self.n)
        subprocess.run(["echo", f"child {self.n}"], check=True)
        ctypes.CDLL(None).printf(b"c code %d\n", self.n)
        ctypes.CDLL(None).fflush(None)  # when C does it by itself depends on what its stdout was at first
        os.write(2, b"descriptor %d\n" % self.n)
        logging.info("logged %d", self.n)
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
        print("last", self.n)

class Crash(Task):
    how: str = ""

    def run(self):
        os.write(2, b"no line end, and no more time")
        if self.how == "kill":
            os.kill(os.getpid(), 9)
        if self.how == "crash":
            ctypes.string_at(0)
        if self.how == "close":
            os.close(1)
            print("still heard")

class Noise(Pipeline):
    first: Loud = Loud(n=1)
    second: Loud = Loud(n=2)
    crash: Crash

    def __call__(self):
        subprocess.run(["echo", "in the body"], check=True)
        self.first()
        self.second()
        self.crash()
        subprocess.run(["echo", "at the end"], check=False)
"""

LOUD = ["python {0}", "child {0}", "c code {0}", "descriptor {0}", "INFO:root:logged {0}", "forked child", "last {0}"]


@pytest.fixture
def noise(repository) -> Project:
    project = Project(repository)
    project.write("noise.py", PIPELINE)
    return project


def test_it_is_in_the_log_of_its_call_and_shown_in_order(noise: Project):
    answer = noise.do("run", "noise.py")

    first, second = ([line.format(n) for line in LOUD] for n in (1, 2))
    assert noise.do("logs", "@:first").out.splitlines() == first
    assert noise.do("logs", "@:second").out.splitlines() == second
    shown = ["in the body", *first, *second, "no line end, and no more time", "at the end"]
    assert answer.out.splitlines() == shown

    noise.do("run", "noise.py")
    assert noise.do("logs", "@:first").out.splitlines()[1:] == first  # a hit tells it again


@pytest.mark.parametrize(
    ("how", "number"), [("kill", signal.SIGKILL), pytest.param("crash", signal.SIGSEGV, marks=pytest.mark.slow)]
)
def test_the_last_words_of_a_run_that_dies_are_in_the_log_of_its_call(noise: Project, how: str, number: int):
    assert noise.do("run", "noise.py", "-p", f"crash.how={how}", code=-number).out.startswith("in the body\n")

    assert noise.show()["status"] == "killed"
    assert noise.do("logs", "@:crash").out == "no line end, and no more time\n"


def test_a_task_that_closes_stdout_goes_on(noise: Project):
    noise.do("run", "noise.py", "-p", "crash.how=close")
    assert noise.do("logs", "@:crash").out.endswith("still heard\n")


def test_the_descriptors_are_left_alone_when_that_is_asked_for(noise: Project):
    answer = noise.do("run", "noise.py", env={**os.environ, "FINESTFLOW_RUN_CAPTURE": "python"})
    assert "child 1" in answer.out
    assert "child 1" not in noise.do("logs", "@:first").out
