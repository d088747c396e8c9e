"""Workspaces whose runs are sequential or in threads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.session.threads import Lab


@pytest.fixture
def lab(tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A folder to run in, outside of a repository: a run that is not recorded takes a third of the time; threads take turns."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    made = Lab.open(folder, environ)
    yield made
    made.close()


@pytest.fixture
def recording_lab(repository: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A repository to run in, for what is to be read back from the record."""
    monkeypatch.chdir(repository)
    made = Lab.open(repository, environ)
    yield made
    made.close()


@pytest.fixture
def free_lab(lab: Lab) -> Lab:
    """A folder to run in, where calls really overlap."""
    lab.one_at_a_time = False
    return lab


@pytest.fixture(params=[1, 3], ids=["sequential", "threads"])
def jobs(request: pytest.FixtureRequest) -> int:
    """How many calls run at a time."""
    return request.param
