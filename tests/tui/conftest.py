"""One repository of real runs for all tests of the terminal UI; those that change it get a copy."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import IDENTITY

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, home_of_session: Path) -> Path:
    """A repository with six runs: two equal ones, one that is noted and tagged, one that failed, two after an edit."""
    return _built("lab", tmp_path_factory, home_of_session)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, home_of_session: Path) -> Path:
    """A repository with five runs of two learning rates and two seeds, whose tasks log with levels and make a picture and a table."""
    return _built("study", tmp_path_factory, home_of_session)


def _built(name: str, factory: pytest.TempPathFactory, home: Path) -> Path:
    """Build a repository once for all processes that run tests, and return a copy for this one."""
    base = factory.getbasetemp()
    built = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built" / name
    built.parent.mkdir(exist_ok=True)
    with open(f"{built}.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            environ = {**os.environ, **IDENTITY, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
            command = [sys.executable, "-m", f"tests.tui.build_{name}", str(built)]
            subprocess.run(command, cwd=ROOT, env=environ, check=True)
    return Path(shutil.copytree(built, factory.mktemp("tui") / name))


@pytest.fixture
def own_lab(lab: Path, tmp_path: Path) -> Path:
    """A copy of the repository that a test may change."""
    return Path(shutil.copytree(lab, tmp_path / "lab"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that stores frames."""
    parser.addoption("--write-frames", action="store_true", help="Store the frames of the terminal UI anew.")
