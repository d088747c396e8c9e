"""``reproduce --env``: the packages of the record, from a real index, whatever is installed now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.e2e import processes
from tests.e2e.conftest import Project

pytestmark = pytest.mark.stress

FLOW = """
from importlib.metadata import version
from finestflow import Pipeline, Task

class Tell(Task):
    def run(self) -> str:
        import iniconfig, mine
        return f"{version('iniconfig')} {version('mine')} {mine.NUMBER}"

class Flow(Pipeline):
    tell: Tell
    def __call__(self) -> str:
        return self.tell()
"""
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "mine"
version = "0.3.0"
[tool.hatch.build.targets.wheel]
packages = ["src/mine"]
"""


def needed(name: str, found: dict[str, str]) -> dict[str, str]:
    """Return what a distribution of this environment needs, with versions."""
    from packaging.requirements import Requirement

    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found[requirement.name] = distribution(requirement.name).version
            needed(requirement.name, found)
    return found


@pytest.fixture
def then(tmp_path: Path, project: Project) -> Path:
    """The interpreter of an environment with an old package, and with the project installed to be edited."""
    project.write("pyproject.toml", PROJECT)
    project.write("src/mine/__init__.py", "NUMBER = 1\n")
    project.write("flow.py", FLOW)
    project.write(
        "see.py",
        FLOW.split("\n\n", maxsplit=1)[0].replace(
            "from finestflow import Pipeline, Task", "import iniconfig, mine; print(version('mine'))"
        ),
    )
    project.commit()
    python = tmp_path / "then" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "then")], check=True)
    lock = [f"{name}=={version}" for name, version in needed("finestflow", {}).items()]
    words = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "iniconfig==2.0.0",
        *lock,
        "-e",
        str(project.folder),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no index can be reached: {done.stderr[-200:]}")
    next((tmp_path / "then").glob("lib/*/site-packages")).joinpath("own.pth").write_text(f"{processes.ROOT}\n")
    return python


@pytest.mark.timeout(600)
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_the_recorded_packages_are_what_it_runs_with(project: Project, then: Path, tmp_path: Path, installer: str):
    """A pipeline and a program; the project itself is that of the record; the second time nothing is built."""
    folder = tmp_path / "bin"
    folder.mkdir()
    if installer == "uv":
        if shutil.which("uv") is None:
            pytest.skip("there is no uv")
        (folder / "uv").symlink_to(shutil.which("uv"))
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": f"{folder}:/usr/bin:/bin"}

    def do(python: str | Path, *words: str, code: int = 0) -> processes.Answer:
        argv = [str(python), "-m", "finestflow", *words]
        done = subprocess.run(argv, cwd=project.folder, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return processes.Answer(done.returncode, done.stdout, done.stderr)

    do(then, "run", "flow.py:Flow", "--name", "flow")
    do(then, "run", "see.py")
    assert "-e .  # mine==0.3.0" in do(sys.executable, "env", "flow", "--requirements").out
    project.write("src/mine/__init__.py", "NUMBER = 2\n")
    project.edit("pyproject.toml", "0.3.0", "0.4.0")

    do(sys.executable, "reproduce", "flow", code=3)
    first = do(sys.executable, "reproduce", "flow", "--env")
    second = do(sys.executable, "reproduce", "@{see}", "--env", "--json")

    assert "identical: all 1" in first.out
    assert f"packages, with {installer}" in first.err
    assert "package mine is installed from the run's own files (-e .)" in first.err
    assert "building" not in second.err
    assert second.json["identical"]
    assert do(sys.executable, "env", "@", "--json").json["environment"]["packages"]["iniconfig"] == "2.0.0"
