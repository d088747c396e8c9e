"""The workspace: options that are left open, and an index that others have not brought forward."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from finestflow.errors import ConfigError
from finestflow.gc import GcRules
from finestflow.journal.journal import Journal
from finestflow.options import RunOptions
from finestflow.workspace import Workspace
from tests.unit.journal.made import NOW, make_run


@pytest.fixture
def workspace(repository: Path):
    with closing(Workspace.find(repository, dict(os.environ))) as workspace:
        workspace.refresh()
        yield workspace


def append(workspace: Workspace, count: int = 1) -> list[str]:
    """Append runs behind the back of the index."""
    assert workspace.repository is not None
    runs = [make_run(started=NOW + at) for at in range(count)]
    for run in runs:
        Journal(workspace.repository).append(run)
    return [run.summary.id for run in runs]


def no_wait(run: str) -> None:
    raise AssertionError(run)


@pytest.mark.parametrize(
    ("settings", "options", "settled"),
    [
        ("", RunOptions(), ("sequential", 1)),
        ("", RunOptions(jobs=3), ("process", 3)),
        ("", RunOptions(executor="process", jobs=2), ("process", 2)),
        ('executor = "process"\njobs = 2', RunOptions(), ("process", 2)),
        ('executor = "process"\njobs = 2', RunOptions(executor="sequential"), ("sequential", 1)),
        ('executor = "sequential"\njobs = 4', RunOptions(), ("sequential", 1)),
        ("jobs = 2", RunOptions(), ("process", 2)),
        ("jobs = 2", RunOptions(jobs=1), ("sequential", 1)),
    ],
)
def test_options_that_are_left_open_come_from_the_settings(
    repository: Path, settings: str, options: RunOptions, settled: tuple[str, int]
) -> None:
    (repository / ".finestflow.toml").write_text(f"[run]\n{settings}\n")
    with closing(Workspace.find(repository, dict(os.environ))) as workspace:
        found = workspace.settle(options)
    assert (found.executor, found.jobs) == settled


def test_gc_counts_runs_that_the_index_does_not_know_yet_and_lists_none_that_are_gone(workspace: Workspace) -> None:
    append(workspace)
    workspace.refresh()
    [newest] = append(workspace)
    workspace.gc(lambda: GcRules(keep_last=1), no_wait)
    assert [run.id for run in workspace.index.summaries()] == [newest]


def test_what_people_say_is_in_the_index_at_once_and_what_they_take_back_is_not(workspace: Workspace) -> None:
    [run] = append(workspace)
    workspace.refresh()

    def is_starred() -> bool:
        found = workspace.index.get_summary(run)
        assert found is not None
        return found.star

    workspace.annotate([run], star=True)
    assert is_starred()
    workspace.undo()
    assert not is_starred()
    workspace.redo()
    assert is_starred()


def test_a_store_in_the_home_of_nobody_is_an_error_that_names_the_folder(workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match="~nobody-here/store"):
        workspace.open_store("~nobody-here/store")
