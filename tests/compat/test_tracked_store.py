"""A store inside the work tree, tracked by git-lfs and by dvc: pushed to a remote, a fresh clone gets the outputs back.

The real tools do the work. ``make slow`` installs dvc into an environment of its own (40 s, once); git-lfs is no Python package, and where one of them is
missing its test is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PIPELINE = """\
import numpy
from finestflow import Pipeline, Task


class Load(Task):
    def run(self) -> numpy.ndarray:
        return numpy.arange(100_000)


class Total(Task):
    def run(self, numbers: numpy.ndarray) -> int:
        return int(numbers.sum())


class Sums(Pipeline):
    load: Load
    total: Total

    def __call__(self) -> int:
        return self.total(self.load())
"""


def run(*words: str, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, env=environ())
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def environ() -> dict[str, str]:
    who = {"GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@example.org"}
    who |= {"GIT_COMMITTER_NAME": "T", "GIT_COMMITTER_EMAIL": "t@example.org", "GIT_CONFIG_COUNT": "1"}
    return {**os.environ, **who, "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always"}


def finestflow(*words: str, cwd: Path) -> str:
    return run(sys.executable, "-m", "finestflow", *words, cwd=cwd)


@pytest.fixture
def work(tmp_path):
    """A repository with its store in ``artifacts``, and a bare one to push to."""
    run("git", "init", "-q", "--bare", "-b", "main", "remote.git", cwd=tmp_path)
    run("git", "init", "-q", "-b", "main", "work", cwd=tmp_path)
    folder = tmp_path / "work"
    (folder / "sums.py").write_text(PIPELINE)
    (folder / ".finestflow.toml").write_text('[store]\npath = "artifacts"\n')
    run("git", "remote", "add", "origin", "../remote.git", cwd=folder)
    return folder


def clone_of(work: Path) -> Path:
    run("git", "clone", "-q", "remote.git", "clone", cwd=work.parent)
    clone = work.parent / "clone"
    run("git", "fetch", "-q", "origin", "+refs/refs/*:refs/refs/*", cwd=clone)
    return clone


def outputs_of(folder: Path) -> tuple[str, str]:
    run(sys.executable, "-m", "finestflow", "get", "@:load", "-o", "load.csv", cwd=folder)
    return finestflow("get", "@:total", cwd=folder), (folder / "load.csv").read_text()


DVC = shutil.which("dvc", path=os.pathsep.join((f"{sys.prefix}/peers/bin", os.environ.get("PATH", ""))))


def has_lfs() -> bool:
    return subprocess.run(["git", "lfs", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(
    not has_lfs(), reason="git-lfs is not installed, and pip cannot: apt install git-lfs, brew install git-lfs"
)
def test_git_lfs_brings_the_outputs_to_a_fresh_clone(work):
    run("git", "lfs", "install", "--local", cwd=work)
    run("git", "lfs", "track", "artifacts/**", cwd=work)
    finestflow("run", "sums.py", cwd=work)
    run("git", "add", "-A", cwd=work)
    run("git", "commit", "-qm", "with outputs", cwd=work)
    run("git", "push", "-q", "origin", "main", "refs/finestflow", cwd=work)

    clone = clone_of(work)
    run("git", "lfs", "install", "--local", cwd=clone)
    run("git", "lfs", "pull", cwd=clone)

    assert "artifacts/" in run("git", "lfs", "ls-files", cwd=work)
    assert outputs_of(clone) == outputs_of(work)
    assert outputs_of(clone)[0] == "4999950000\n"


@pytest.mark.skipif(DVC is None, reason="dvc is not installed: make slow does that, into .venv/peers")
def test_dvc_brings_the_outputs_to_a_fresh_clone(work):
    def dvc(*words: str, cwd: Path) -> str:
        return run(str(DVC), *words, cwd=cwd)

    run("git", "commit", "-q", "--allow-empty", "-m", "begin", cwd=work)
    dvc("init", "-q", cwd=work)
    dvc("remote", "add", "-d", "here", str(work.parent / "dvc-remote"), cwd=work)
    finestflow("run", "sums.py", cwd=work)
    dvc("add", "-q", "artifacts", cwd=work)
    dvc("push", "-q", cwd=work)
    run("git", "add", "-A", cwd=work)
    run("git", "commit", "-qm", "with outputs", cwd=work)
    run("git", "push", "-q", "origin", "main", "refs/finestflow", cwd=work)

    clone = clone_of(work)
    dvc("pull", "-q", cwd=clone)

    assert outputs_of(clone) == outputs_of(work)
    finestflow("run", "sums.py", "--force", cwd=work)  # dvc's files are not in the way of another run
    assert "modified" in dvc("status", cwd=work) or "up to date" in dvc("status", cwd=work)


def test_outputs_that_nobody_fetched_are_named_with_what_to_do(work):
    finestflow("run", "sums.py", cwd=work)
    run("git", "add", "sums.py", ".finestflow.toml", cwd=work)
    run("git", "commit", "-qm", "without outputs", cwd=work)
    run("git", "push", "-q", "origin", "main", "refs/finestflow", cwd=work)

    clone = clone_of(work)
    done = subprocess.run(
        [sys.executable, "-m", "finestflow", "get", "@:total"], cwd=clone, capture_output=True, text=True, check=False
    )

    assert done.returncode == 4
    assert "git-lfs, dvc" in done.stderr
