"""Runs that are going on, followed through their events: what the live strip and the rows on top of the list show.

Invariant: following only reads; a poll with nothing new costs some system calls a live run. Called by ``history`` four times a second.
Imports nothing of Textual, and nothing of the journal but its live part.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from finestflow.model import NodeStatus, Run, RunSummary
from finestflow_tui.text import duration

if TYPE_CHECKING:
    from finestflow.journal.live import EventReader
    from finestflow.journal.state import RunState

__all__ = ["LiveRun", "LiveRuns"]

_MINUTE = 60
_MISSED = 10
"""Looks after which a run that has left its folder and is in no index is none any more."""


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
        """Whether its process lives; whoever records what a killed one left holds its lock for a moment, so none comes to life again."""
        self.missed = 0
        """How often its folder was not found: it is removed some milliseconds before the index has the run."""
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

    def progress_of(self, path: str, now: float) -> tuple[str, str]:
        """Return how far a node has come, such as ``28/100``, and ``eta 19s``: when it would be done if it went on like that.

        Args:
            path: The node.
            now: The time.
        """
        known, node = self.state.progress.get(path), self.run.nodes.get(path)
        if known is None or node is None or node.status is not NodeStatus.RUNNING:
            return "", ""
        done, total = known
        if not total or node.started is None or not 0 < done <= total:
            return f"{done:g}" + (f"/{total:g}" if total else ""), ""
        left = round((now - node.started) * (total - done) / done)
        return f"{done:g}/{total:g}", f"eta {left}s" if left < _MINUTE else f"eta {duration(left)}"


class LiveRuns:
    """All runs that are going on in a repository.

    Args:
        folder: Where their folders are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: dict[str, LiveRun] = {}
        self._shown: set[str] = set()
        self._told: set[str] = set()
        self.is_recovering = False
        """Whether what killed processes left is being recorded: until that is there, their runs are shown as they were, instead of being gone."""

    @property
    def runs(self) -> list[LiveRun]:
        """Those that have begun and whose process lives, newest first."""
        return sorted(filter(self._is_shown, self._runs.values()), key=lambda run: -run.summary.started)

    def find(self, run_id: str) -> LiveRun | None:
        """Return a run that is going on."""
        found = self._runs.get(run_id)
        return found if found is not None and self._is_shown(found) else None

    def _is_shown(self, run: LiveRun) -> bool:
        return (run.is_alive or self.is_recovering) and run.state.has_begun

    def take_abandoned(self) -> bool:
        """Say, once for each, whether a process was killed and left its folder: the journal should take it over."""
        dead = {run.id for run in self._runs.values() if not run.is_alive}
        is_new, self._told = not dead <= self._told, dead
        return is_new

    def poll(self, is_recorded: Callable[[str], bool]) -> bool:
        """Look again; returns whether anything is new.

        Args:
            is_recorded: Whether the index has a run.
        """
        try:
            names = os.listdir(self._folder)
        except OSError:
            names = []
        if not names and not self._runs:
            return False
        from finestflow.journal.live import iter_live

        entries = {str(entry.run_id): entry for entry in iter_live(self._folder.parent)}
        changed = entries.keys() != self._runs.keys()
        for run_id, entry in entries.items():
            run = self._runs.setdefault(run_id, LiveRun(run_id, entry.path))
            run.is_alive &= entry.is_alive
            changed |= run.read()
        for run in list(self._runs.values()):
            run.missed = 0 if run.id in entries else run.missed + 1
            if run.missed > (_MISSED if run.is_alive and not is_recorded(run.id) else 0):
                del self._runs[run.id]
        before, self._shown = self._shown, {run.id for run in self.runs}
        return changed or self._shown != before
