"""Commands on a real terminal: a pseudo-terminal takes what a person would see."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys

import pytest


@pytest.fixture
def on_terminal():
    """Run a command on a pseudo-terminal and return (exit code, what it wrote)."""

    def call(*arguments: str) -> tuple[int, str]:
        leader, follower = pty.openpty()
        environ = dict(os.environ, TERM="xterm", COLUMNS="80", LINES="24", PAGER="cat")
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


def test_a_table_fits_the_terminal(project, on_terminal, finestflow):
    finestflow("run", "-m", "a note that is much longer than eighty columns can hold " * 2)
    _, text = on_terminal("--color", "never", "log")

    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" in text


def test_no_color_is_honoured(project, on_terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    _, text = on_terminal("run")

    assert "\x1b[32m" not in text


def test_raw_logs_are_refused(project, on_terminal, finestflow):
    finestflow("run")
    code, text = on_terminal("logs", "--raw")

    assert code == 2
    assert "control characters" in text
