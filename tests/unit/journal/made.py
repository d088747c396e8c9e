"""Runs made up for tests of the journal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from finestflow.git.repository import Repository, find_repository
from finestflow.journal.live import LiveFolder
from finestflow.journal.names import new_run_id
from finestflow.journal.state import RunState
from finestflow.model import Run, RunId, RunStatus, RunSummary

NOW = 1_795_339_000.0


def new_id() -> RunId:
    return new_run_id(os.urandom(6))


def open_repository(folder: Path) -> Repository:
    repo = find_repository(folder, dict(os.environ))
    assert repo is not None
    return repo


def make_summary(**fields: Any) -> RunSummary:
    told = {"id": new_id(), "name": "brisk-lynx-41", "pipeline": "digits", "status": RunStatus.OK, "started": NOW - 100}
    return RunSummary(**{**told, "seconds": 1.5, **fields})


def make_run(**fields: Any) -> Run:
    return Run(summary=make_summary(**fields))


def make_events(run_id: str, tree: str | None = None, *, started: float = NOW - 100, status: str = "ok") -> list[dict]:
    """The events of a run of two tasks; without a status it has not ended."""
    begin = {"e": "run", "id": run_id, "name": "brisk-lynx-41", "pipeline": "digits", "started": started}
    events = [{**begin, "params": {"svm.C": 1.0}, "argv": ["digits.py"], "seed": 7}]
    if tree is not None:
        events.append({"e": "snapshot", "tree": tree, "base": None, "changed": 2, "untracked": 1})
    load = {"path": "load", "task": "digits:Load"}
    fit = {"path": "fit", "task": "digits:Fit"}
    events += [
        {"e": "start", **load, "t": started + 1},
        {"e": "node", **load, "status": "ok", "t": started + 2, "seconds": 1.0, "output": {"digest": "a" * 64}},
        {"e": "start", **fit, "t": started + 3},
        {"e": "metric", "node": "fit", "name": "loss", "value": 0.5, "step": 1, "t": started + 4},
        {"e": "metric", "name": "f1", "value": 0.9, "t": started + 5},
    ]
    if status:
        events.append({"e": "node", **fit, "status": "ok", "t": started + 6, "seconds": 3.0})
        events.append({"e": "end", "status": status, "ended": started + 7})
    return events


def fold(events: Iterable[dict]) -> RunState:
    state = RunState()
    for event in events:
        state.apply(event)
    return state


def make_live(repo: Repository, events: Iterable[dict]) -> LiveFolder:
    """A live folder of this process with these events and a log."""
    events = list(events)
    live = LiveFolder.create(repo.state_dir, events[0]["id"])
    for event in events:
        live.emit(event)
    live.write_log("load", "loaded\n")
    return live
