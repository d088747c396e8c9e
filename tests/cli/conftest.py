"""Commands as a user types them, in a repository of their own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finestflow.cli import main
from tests.e2e.processes import Answer

PIPELINE = '''\
from finestflow import Param, Pipeline, Task


class Load(Task):
    """Read the numbers."""

    def run(self, n: int) -> list[int]:
        print(f"loading {n} numbers")
        return list(range(n))


class Scale(Task):
    """Multiply them."""

    factor: float = Param(2.0, help="by how much")

    def run(self, numbers: list[int]) -> list[float]:
        return [self.factor * number for number in numbers]


class Total(Task):
    """Add them up."""

    def run(self, numbers: list[float]) -> float:
        total = float(sum(numbers))
        self.log(total=total)
        return total


class Numbers(Pipeline):
    """Scale numbers and add them up."""

    load: Load
    scale: Scale = Scale()
    total: Total

    class Meta:
        name = "numbers"

    def __call__(self, n: int = 4) -> float:
        return self.total(self.scale(self.load(n)))


class Broken(Pipeline):
    """Fails."""

    load: Load
    total: Total

    def __call__(self) -> float:
        return self.total([*self.load(2), "three"])
'''

SETTINGS = """\
default-pipeline = "numbers"

[pipelines.numbers]
target = "numbers_pipeline.py:Numbers"

[pipelines.broken]
target = "numbers_pipeline.py:Broken"
"""


@pytest.fixture
def project(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a small pipeline and settings; the working directory of the test."""
    (repository / "numbers_pipeline.py").write_text(PIPELINE, encoding="utf-8")
    (repository / ".finestflow.toml").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.chdir(repository)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = list(sys.path)
    yield repository
    sys.path[:] = path
    sys.modules.pop("numbers_pipeline", None)


@pytest.fixture
def finestflow(capfd: pytest.CaptureFixture[str]):
    """Call the command line in this process: ``finestflow("log", "--json").json``."""

    def call(*arguments: str, code: int | None = 0) -> Answer:
        capfd.readouterr()
        given = main(arguments)
        out, err = capfd.readouterr()
        if code is not None:
            assert given == code, f"exit {given}\n{out}\n{err}"
        return Answer(given, out, err)

    return call


@pytest.fixture(scope="session")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, ...]], Path]:
    """Where what the project is after some commands is kept, for all tests that begin there."""
    folder = tmp_path_factory.mktemp("after")
    places: dict[tuple[str, ...], Path] = {}
    return lambda commands: places.setdefault(commands, folder / str(len(places)))


@pytest.fixture
def after(project: Path, finestflow, left_behind):
    """Bring the project to where commands leave it: ``after("run", "run -p n=9")``; a copy takes a tenth of the time of running them."""

    def call(*commands: str) -> None:
        place = left_behind(commands)
        if place.exists():
            shutil.copytree(place, project, dirs_exist_ok=True)
            return
        for command in commands:
            finestflow(*shlex.split(command))
        shutil.copytree(project, place)

    return call


@pytest.fixture
def spawn():
    """Call the command line in a process of its own."""

    def call(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "finestflow", *arguments]
        options.setdefault("env", dict(os.environ))
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    return call
