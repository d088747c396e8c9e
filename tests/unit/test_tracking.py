"""How runs are recorded: what is derived of them may wait."""

from __future__ import annotations

from pathlib import Path

from finestflow.config import Config
from finestflow.errors import LockedError
from finestflow.journal.journal import Journal
from finestflow.journal.live import LiveFolder
from finestflow.model import Run
from finestflow.tracking import RepositoryTracking
from finestflow.workspace import Workspace
from tests.unit.journal.made import make_run, open_repository


def test_a_run_is_recorded_also_where_another_process_holds_the_index(repository: Path) -> None:
    repo, run = open_repository(repository), make_run()

    def take_in(_: Run) -> None:
        raise LockedError("another process is making the index of runs", "wait for it")

    tracking = RepositoryTracking(
        repository=repo,
        config=Config(),
        journal=lambda: Journal(repo),
        take_in=take_in,
        clock=Workspace(repository, {}, repo, Config()).clock,
        warn=lambda _: None,
    )
    live = LiveFolder.create(repo.state_dir, run.summary.id)
    tracking.publish(run, live)

    assert Journal(repo).find(run.summary.id) is not None
    assert not live.path.exists()
