"""A project in a repository of its own, worked on by real commands in real processes."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_git
from tests.e2e import processes

PIPELINE = """
import finestflow
from finestflow import Param, Pipeline, Task

class Load(Task):
    def run(self, n: int) -> list[int]:
        print("loading", n)
        return list(range(n))

class Scale(Task):
    factor: float = Param(2.0)

    def run(self, numbers: list[int]) -> list[float]:
        return [self.factor * number for number in numbers]

class Total(Task):
    def run(self, numbers: list[float]) -> float:
        self.log(total=sum(numbers))
        return sum(numbers)

class Numbers(Pipeline):
    load: Load
    scale: Scale
    total: Total

    def __call__(self, n: int = 4) -> float:
        return self.total(self.scale(self.load(n)))
"""


class Project:
    """A work tree and what a user does in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def begun(cls, folder: Path) -> Project:
        """Return a project with a committed pipeline: ``numbers_pipeline.py:Numbers``."""
        made = cls(folder)
        made.write("numbers_pipeline.py", PIPELINE)
        made.commit()
        return made

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file; a text may be indented."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).lstrip("\n").encode())
        return file

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that a file has once."""
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, (old, text)
        (self.folder / path).write_text(text.replace(old, new))

    def git(self, *words: str) -> str:
        """Run git and return what it prints."""
        return run_git(self.folder, *words)

    def commit(self) -> None:
        """Commit all files."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "work")

    def do(self, *argv: str, code: int | None = 0, cwd: str = ".", **options: Any) -> processes.Answer:
        """Run a finestflow command to its end."""
        return processes.run(*argv, cwd=self.folder / cwd, code=code, **options)

    def start(self, *argv: str, **options: Any) -> processes.Started:
        """Start a finestflow command."""
        return processes.start(*argv, cwd=self.folder, **options)

    def runs(self) -> list[dict[str, Any]]:
        """Return what ``log`` lists."""
        return self.do("log", "--json").json["runs"]

    def show(self, run: str = "@") -> dict[str, Any]:
        """Return what ``show`` tells of a run."""
        return self.do("show", run, "--json").json["run"]

    def nodes(self, run: str = "@") -> dict[str, dict[str, Any]]:
        """Return the nodes of a run by path."""
        return {node["path"]: node for node in self.show(run)["nodes"]}

    def statuses(self, run: str = "@") -> dict[str, str]:
        """Return how each node of a run ended."""
        return {path: node["status"] for path, node in self.nodes(run).items()}

    def clone(self, folder: Path) -> Project:
        """Clone the repository as from afar, and fetch the journal and nothing else of ours."""
        run_git(self.folder.parent, "clone", "--quiet", "--no-local", str(self.folder), str(folder))
        run_git(folder, "fetch", "--quiet", "origin", "refs/refs/finestflow:refs/refs/finestflow")
        return Project(folder)


@pytest.fixture
def project(repository: Path) -> Project:
    """A repository with a committed pipeline: ``numbers_pipeline.py:Numbers``."""
    return Project.begun(repository)
