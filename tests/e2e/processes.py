"""Commands in processes of their own, at the price of a fork.

``run("log", cwd=folder)`` is what a user types. The processes are forked from one that has imported finestflow already (see
``server``), because a fresh interpreter costs half a second; the user's modules are imported anew in each of them.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """What a process left: its exit code (negative for a signal), stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Started:
    """A process that has been started."""

    def __init__(self, server: _Server, pid: int, folder: str) -> None:
        self._server = server
        self.pid = pid
        self._folder = Path(folder)
        self._answer: Answer | None = None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def read_err(self) -> str:
        """Return what it has written to stderr so far."""
        return (self._folder / "err").read_text("utf-8", "replace")

    def kill(self) -> None:
        """End it, unless it has ended."""
        if self._answer is None:
            self.send(signal.SIGKILL)
            self.wait()

    def wait(self) -> Answer:
        """Wait for its end."""
        if self._answer is None:
            code = self._server.ask(wait=self.pid)
            texts = [(self._folder / name).read_text("utf-8", "replace") for name in ("out", "err")]
            self._answer = Answer(code, *texts)
        return self._answer


class _Server:
    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="processes-")
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.server"],
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ask()
        atexit.register(self.close)

    def ask(self, **request: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if request:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the server of processes has ended: {self._process.poll()}"
        return json.loads(answer)

    def start(self, **request: Any) -> Started:
        self._count += 1
        folder = os.path.join(self._folder.name, str(self._count))
        os.mkdir(folder)
        for name in ("out", "err"):
            Path(folder, name).touch()
        pid = self.ask(**request, out=os.path.join(folder, "out"), err=os.path.join(folder, "err"))
        return Started(self, pid, folder)

    def close(self) -> None:
        self._process.communicate()
        self._folder.cleanup()


def environment() -> dict[str, str]:
    """Return the environment of the test, for fresh interpreters."""
    return dict(os.environ)


@cache
def _server() -> _Server:
    return _Server()


def start(*argv: str, cwd: Path, env: Mapping[str, str] | None = None, code: str | None = None) -> Started:
    """Start a finestflow command, or Python ``code``, in a process of its own."""
    request: dict[str, Any] = {"argv": argv, "cwd": str(cwd), "env": dict(os.environ if env is None else env)}
    return _server().start(**request, **({} if code is None else {"code": code}))


def run(*argv: str, cwd: Path, env: Mapping[str, str] | None = None, code: int | None = 0) -> Answer:
    """Run a finestflow command to its end; ``code`` is the exit code that it must have, None takes any."""
    answer = start(*argv, cwd=cwd, env=env).wait()
    assert code is None or answer.code == code, (
        f"finestflow {' '.join(argv)}: exit {answer.code}\n{answer.out}\n{answer.err}"
    )
    return answer


def run_code(text: str, *argv: str, cwd: Path, env: Mapping[str, str] | None = None, code: int | None = 0) -> Answer:
    """Run Python code to its end, finestflow being imported already."""
    answer = start(*argv, cwd=cwd, env=env, code=text).wait()
    assert code is None or answer.code == code, f"exit {answer.code}\n{answer.out}\n{answer.err}"
    return answer


def python(*argv: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Answer:
    """Run a fresh interpreter, where it matters how it was started."""
    done = subprocess.run(
        [sys.executable, *argv], cwd=cwd, env=env, input=stdin, capture_output=True, text=True, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)
