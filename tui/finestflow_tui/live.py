"""Runs that are going on, followed through their events: what the live strip and the rows on top of the list show.

Invariant: following only reads; a poll with nothing new costs some system calls a live run. Called by ``history`` four times a second.
Imports nothing of Textual, and nothing of the journal but its live part.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from finestflow.model import NodeStatus, Run, RunSummary

if TYPE_CHECKING:
    from finestflow.journal.live import EventReader
    from finestflow.journal.state import RunState

__all__ = ["LiveRun", "LiveRuns"]


class LiveRun:
    """One run that is going on."""

    def __init__(self, run_id: str, path: Path) -> None:
        from finestflow.journal.live import EventReader
        from finestflow.journal.state import RunState

        self.id = run_id
        self.path = path
        self.reader: EventReader = EventReader(path / "events.jsonl")
        self.state: RunState = RunState()
        self.is_alive = True
        self._seen = -1
        self._run: Run | None = None

    def read(self) -> bool:
        """Take in what happened since; returns whether anything did."""
        for event in self.reader.read_new():
            try:
                self.state.apply(event)
            except (KeyError, TypeError, ValueError):
                continue
        is_new, self._seen = self.state.version != self._seen, self.state.version
        if is_new:
            self._run = None
        return is_new

    @property
    def run(self) -> Run:
        """The run as far as it has come."""
        if self._run is None:
            self._run = self.state.run
        return self._run

    @property
    def summary(self) -> RunSummary:
        """What a list shows of it."""
        return self.run.summary

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many nodes are done, known, and hits."""
        tasks = [node for node in self.run.nodes.values() if node.kind == "task"]
        open_ones = {NodeStatus.RUNNING, NodeStatus.PENDING}
        done = sum(node.status not in open_ones for node in tasks)
        return done, len(tasks), sum(node.status is NodeStatus.HIT for node in tasks)

    @property
    def current(self) -> str:
        """The node that runs, the latest where several do."""
        running = [
            node.path for node in self.run.nodes.values() if node.status is NodeStatus.RUNNING and node.kind == "task"
        ]
        return running[-1] if running else ""


class LiveRuns:
    """All runs that are going on in a repository.

    Args:
        folder: Where their folders are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: dict[str, LiveRun] = {}
        self.has_abandoned = False
        """A process was killed and left its folder: the journal should take it over."""

    @property
    def runs(self) -> list[LiveRun]:
        """Those that have begun and whose process lives, newest first."""
        alive = [run for run in self._runs.values() if run.is_alive and run.state.has_begun]
        return sorted(alive, key=lambda run: -run.summary.started)

    def find(self, run_id: str) -> LiveRun | None:
        """Return a run that is going on."""
        found = self._runs.get(run_id)
        return found if found is not None and found.is_alive and found.state.has_begun else None

    def poll(self) -> bool:
        """Look again; returns whether anything is new."""
        try:
            names = os.listdir(self._folder)
        except OSError:
            names = []
        if not names and not self._runs:
            return False
        from finestflow.journal.live import iter_live

        entries = {str(entry.run_id): entry for entry in iter_live(self._folder.parent)}
        changed = entries.keys() != self._runs.keys()
        self._runs = {
            run_id: self._runs.get(run_id) or LiveRun(run_id, entry.path) for run_id, entry in entries.items()
        }
        for run_id, run in self._runs.items():
            changed |= run.is_alive != entries[run_id].is_alive
            run.is_alive = entries[run_id].is_alive
            changed |= run.read()
        self.has_abandoned = any(not run.is_alive for run in self._runs.values())
        return changed
