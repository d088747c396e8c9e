"""Tasks that stop, ignore signals, fork, leave threads and processes behind, or use a library that must not be forked: one run with all of them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
import types

import pytest

from finestflow import Pipeline, Task
from finestflow.model import NodeStatus
from finestflow.options import RunOptions
from finestflow.workspace import Workspace
from tests.waiting import is_gone, wait_until

pytestmark = pytest.mark.slow

DEVICE = """
import os
import resource

owner = None

def use():
    global owner
    owner = owner or os.getpid()
    if owner != os.getpid():
        raise RuntimeError("cannot re-initialize in a forked child")
    return "computed"
"""


class Stopped(Task):
    """Stopped by somebody, and never continued."""

    class Meta:
        timeout = 0.5

    def run(self):
        os.kill(os.getpid(), signal.SIGSTOP)


class Deaf(Task):
    class Meta:
        timeout = 0.5

    def run(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(60)


class Forks(Task):
    def run(self):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        return "the parent" if child else "the child"


class Threads(Task):
    def run(self):
        for is_daemon in (True, False):
            threading.Thread(target=time.sleep, args=(600,), daemon=is_daemon).start()
        return threading.active_count()


class Serves(Task):
    def run(self):
        return subprocess.Popen(["sleep", "600"]).pid


class Computes(Task):
    def run(self):
        import forkless_device

        return forkless_device.use()


class Hard(Pipeline):
    stopped: Stopped
    deaf: Deaf
    forks: Forks
    threads: Threads
    serves: Serves
    computes: Computes

    def __call__(self):
        self.stopped()
        self.deaf()
        return self.forks(), self.threads(), self.serves(), self.computes()


@pytest.fixture(scope="module")
def hard(tmp_path_factory, home_of_session):
    """The run, what it returned, and the server that one of its tasks left."""
    folder = tmp_path_factory.mktemp("hard")
    environ = {**os.environ, "HOME": str(home_of_session), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "--quiet", folder], check=True, env=environ)
    (folder / "forkless_device.py").write_text(DEVICE)
    sys.path.insert(0, str(folder))
    device = types.ModuleType("forkless_device")
    try:
        import forkless_device as device

        assert device.use() == "computed"  # the parent has it in use when workers start
        workspace = Workspace.find(folder, environ)
        finished = workspace.run(Hard(), options=RunOptions(jobs=2, keep_going=True, echo=False))
        values = [output.value for output in finished.result]
        workspace.close()
        yield finished.run, values
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(device.__name__, None)


@pytest.mark.parametrize("name", ["stopped", "deaf"])
@pytest.mark.slow
def test_a_task_that_does_not_end_is_ended(hard, name):
    node = hard[0].nodes[name]
    assert node.status is NodeStatus.FAILED
    assert node.error.startswith("TaskTimeoutError: it took longer than 0.5 s")


def test_only_the_parent_of_a_fork_answers(hard):
    assert hard[1][0] == "the parent"


def test_threads_that_go_on_are_no_obstacle(hard):
    assert hard[0].nodes["threads"].status is NodeStatus.OK
    assert hard[1][1] >= 3


def test_a_library_that_must_not_be_forked_is_used_afresh_in_workers(hard):
    assert hard[1][3] == "computed"


def test_what_a_task_left_running_ends_with_the_workers(hard):
    wait_until(lambda: is_gone(hard[1][2]))


class Moves(Task):
    def run(self, folder):
        os.chdir(folder)


class Mutes(Task):
    def run(self):
        sys.stdout = sys.stderr = None


class ExitsInReduce(Task):
    def run(self):
        return Exits()


class Exits:
    def __reduce__(self):
        sys.exit(7)


class ForksAndExits(Task):
    def run(self):
        child = os.fork()
        if not child:
            sys.exit("the child has its own end")
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Speaks(Task):
    def run(self):
        print("heard")
        return os.getcwd()


class Rude(Pipeline):
    moves: Moves
    mutes: Mutes
    exits: ExitsInReduce
    forks: ForksAndExits
    speaks: Speaks

    def __call__(self, folder: str):
        self.moves(folder)
        self.mutes()
        self.exits()
        return self.forks(), self.speaks()


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_task_does_to_its_process_is_not_the_business_of_others(
    repository, environ, tmp_path, monkeypatch, jobs
):
    monkeypatch.chdir(repository)
    workspace = Workspace.find(repository, environ)
    finished = workspace.run(Rude(), (str(tmp_path),), options=RunOptions(jobs=jobs, keep_going=True, echo=False))
    nodes = finished.run.nodes

    assert [output.value for output in finished.result] == [int(jobs == 1), str(repository)]
    assert workspace.read_log("@", "speaks") == b"heard\n"
    assert [path for path, node in nodes.items() if node.status is NodeStatus.FAILED] == ["exits"]
    assert nodes["exits"].error == "TaskFailedError: it called exit(7)"
    assert nodes["moves"].notes == ("run() changed the working directory, which all calls share: it was put back",)
    workspace.close()


class Fills(Task):
    """Its worker can write no large file any more, as on a full disk."""

    def run(self):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        return b"x" * 5_000_000


class Full(Pipeline):
    fills: Fills

    def __call__(self):
        return self.fills()


def test_on_a_full_disk_a_worker_says_so_in_one_line_and_its_call_fails(repository, environ):
    workspace = Workspace.find(repository, environ)
    run = workspace.run(Full(), options=RunOptions(jobs=2, echo=False)).run
    log = workspace.read_log("@", "fills")
    workspace.close()

    assert run.nodes["fills"].error == "OSError: [Errno 27] File too large"
    assert any("results are kept in memory" in note for note in run.nodes["fills"].notes)
    assert b"RuntimeWarning" not in log
    assert b"Traceback" not in log
