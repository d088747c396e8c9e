"""Commands on a real terminal: a pseudo-terminal takes what a person would see."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys

import pytest

from tests.e2e import processes
from tests.waiting import wait_until


@pytest.fixture
def on_terminal():
    """Run a command on a pseudo-terminal and return (exit code, what it wrote)."""

    def call(*arguments: str, columns: int = 80) -> tuple[int, str]:
        leader, follower = pty.openpty()
        environ = dict(os.environ, TERM="xterm", COLUMNS=str(columns), LINES="24", PAGER="cat")
        command = [sys.executable, "-m", "finestflow", *arguments]
        process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environ)
        os.close(follower)
        chunks = []
        while True:
            ready, _, _ = select.select([leader], [], [], 30)
            try:
                data = os.read(leader, 65536) if ready else b""
            except OSError:
                data = b""
            if not data:
                break
            chunks.append(data)
        os.close(leader)
        return process.wait(), b"".join(chunks).decode()

    return call


def test_a_run_has_a_live_display_in_colour(project, on_terminal):
    code, text = on_terminal("run")

    assert code == 0
    assert "\x1b[32mok" in text
    assert "3 tasks, 0 hits" in text
    assert "loading 4 numbers" in text


@pytest.mark.slow
def test_a_table_fits_the_terminal(project, on_terminal, finestflow):
    finestflow("run", "--name", "some-name", "-m", "a note that is much longer than eighty columns can hold " * 2)
    _, wide = on_terminal("--color", "never", "log")
    _, narrow = on_terminal("--color", "never", "log", columns=60)

    assert max(map(len, wide.splitlines())) <= 80
    assert "…" in wide
    assert max(map(len, narrow.splitlines())) <= 60
    assert narrow.splitlines()[0].split()[:3] == ["id", "status", "name"]
    assert narrow.splitlines()[1].split()[1:3] == ["ok", "some-name"]


@pytest.mark.slow
def test_no_color_is_honoured(project, on_terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    _, text = on_terminal("run")

    assert "\x1b[32m" not in text


@pytest.mark.slow
def test_raw_logs_are_refused(project, on_terminal, finestflow):
    finestflow("run")
    code, text = on_terminal("logs", "--raw")

    assert code == 2
    assert "control characters" in text


SLOW = """\
import time

from finestflow import Pipeline, Task


class Wait(Task):
    def run(self) -> int:
        time.sleep(60)
        return 1


class Waiting(Pipeline):
    wait: Wait

    def __call__(self) -> int:
        return self.wait()
"""


@pytest.fixture
def waiting(project):
    """A run that goes on until it is stopped, with its task started."""
    (project / "waiting_pipeline.py").write_text(SLOW, encoding="utf-8")
    process = processes.start("-v", "run", "waiting_pipeline.py", cwd=project)
    wait_until(lambda: "started" in process.read_err())
    yield process
    process.kill()


class TestWhileARunGoes:
    def test_an_interrupt_is_130_and_the_run_is_recorded_as_cancelled(self, waiting, finestflow):
        waiting.send(signal.SIGINT)
        answer = waiting.wait()

        assert answer.code == 130
        (run,) = finestflow("log", "--json").json["runs"]
        assert run["status"] == "cancelled"
        said = f"finestflow: error: interrupted; run {run['name']} is recorded as cancelled\nhint: look at it with: finestflow show {run['name']}\n"
        assert answer.err.endswith(said)

    def test_it_is_listed_as_running(self, waiting, finestflow):
        assert finestflow("log", "--json").json["runs"][0]["status"] == "running"
        assert finestflow("show", "@", "--json", code=None).code in {0, 4}

    def test_killed_it_is_recorded_by_the_next_command(self, waiting, finestflow):
        waiting.kill()

        assert finestflow("log", "--json").json["runs"][0]["status"] == "killed"

    def test_gc_waits(self, waiting, finestflow):
        assert "going on" in finestflow("gc", "--no-wait", code=6).err

    def test_it_cannot_be_annotated_or_removed_yet(self, waiting, finestflow):
        name = finestflow("log", "--json").json["runs"][0]["name"]

        finestflow("tag", name, "x", code=6)
        finestflow("rm", name, code=6)
