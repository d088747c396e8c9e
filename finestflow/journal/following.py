"""Following a run that is going on: its state as its events come, and what it prints, in the order in which it was printed.

Reads nothing but the live folder, so any process can follow any run. Invariant: following changes nothing, and bytes are given once, node by
node as they were written. ``Workspace`` lists live runs with it; ``logs -f`` and screens read on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finestflow.journal.live import EventReader, LiveEntry, iter_live
from finestflow.journal.prefixes import SHORTEST_PREFIX
from finestflow.journal.state import RunState
from finestflow.model import RunId, RunSummary

__all__ = ["LiveRun", "LogReader", "choose_live", "list_live_runs"]

Event = Mapping[str, Any]
_CHUNK = 1 << 20
_BODY = ""
"""The node that what is printed beside the tasks belongs to."""
_newest = re.compile(r"@(?:\{(?P<pipeline>[^}]*)\})?(?:~(?P<back>\d{0,9}))?")


class LiveRun:
    """A run that is going on, as far as its events have been read.

    Args:
        entry: Its live folder.
    """

    def __init__(self, entry: LiveEntry) -> None:
        self.entry = entry
        self.state = RunState()
        self.damaged = 0
        """How many events could not be read."""
        self._reader = EventReader(entry.events_path)
        self._lock = threading.Lock()

    def read_new(self, *, whole: bool = False) -> list[dict[str, Any]]:
        """Take in the events since the last call, and return them.

        Args:
            whole: The writer is dead: nothing will come after the last line, torn or not.
        """
        with self._lock:
            events = self._reader.read_new(whole=whole)
            for event in events:
                try:
                    self.state.apply(event)
                except (KeyError, TypeError, ValueError):
                    self.damaged += 1
        return events

    @property
    def summary(self) -> RunSummary:
        """What a list shows of it."""
        return self.state.run.summary


def list_live_runs(state_dir: Path, known: dict[RunId, LiveRun] | None = None) -> list[LiveRun]:
    """Return the runs whose process lives and that have begun, the newest first.

    Args:
        state_dir: The state folder of the repository.
        known: Those that were found before, by id: of them only what is new is read. It is brought up to date.
    """
    known = {} if known is None else known
    alive = {entry.run_id: entry for entry in iter_live(state_dir) if entry.is_alive}
    for gone in known.keys() - alive.keys():
        del known[gone]
    found = [known.setdefault(run_id, LiveRun(entry)) for run_id, entry in alive.items()]
    for run in found:
        run.read_new()
    begun = [run for run in found if run.state.has_begun]
    return sorted(begun, key=lambda run: -run.state.started)


def choose_live(runs: Sequence[LiveRun], name: str) -> LiveRun | str:
    """Return the one that a person means by an id, its beginning, a name, ``@``, ``@~2`` or ``@{digits}``.

    Those that are going on come before those that have ended: where it is none of them, what the name means among the others is returned.

    Args:
        runs: All that are going on, the newest first.
        name: What the person calls it.
    """
    newest = _newest.fullmatch(name)
    if newest is not None:
        pipeline = newest["pipeline"]
        meant = [run for run in runs if pipeline is None or run.summary.pipeline == pipeline]
        back = 0 if newest["back"] is None else int(newest["back"] or 1)
        if back < len(meant):
            return meant[back]
        return f"@{'' if pipeline is None else f'{{{pipeline}}}'}~{back - len(meant)}"
    for run in runs:
        known = run.entry.run_id
        if name in {known, run.summary.name} or (len(name) >= SHORTEST_PREFIX and known.startswith(name)):
            return run
    return name


class LogReader:
    """What the nodes of a live run print, merged in the order of writing.

    A node that goes on printing has one file; the events ``log`` say where another node began in between.
    """

    def __init__(self, entry: LiveEntry) -> None:
        self._entry = entry
        self._read: dict[str, int] = {}
        self._printing: str | None = None

    def read_new(self, events: Iterable[Event]) -> Iterator[tuple[str, bytes]]:
        """Yield (node, bytes) since the last call.

        Args:
            events: The events of the run since the last call.
        """
        parts: list[tuple[str, int | None]] = []
        ends: dict[str, int] = {}
        switches = [(str(event["node"]), int(event["at"])) for event in events if _is_switch(event)]
        for node, start in reversed(switches):
            parts.append((node, ends.get(node)))
            ends[node] = start
        if self._printing is not None:
            parts.append((self._printing, ends.get(self._printing)))
        for node, end in reversed(parts):
            yield from self._read_part(node, end)
            self._printing = node
        yield from self._read_part(_BODY, None)  # a process without a terminal writes there without a word

    def position(self, node: str) -> int:
        """Return how many bytes of a node have been given."""
        return self._read.get(node, 0)

    def _read_part(self, node: str, end: int | None) -> Iterator[tuple[str, bytes]]:
        try:
            file = self._entry.log_path(node).open("rb")
        except OSError:  # the run has ended and its folder is gone: the record has the rest
            return
        with file:
            at = self._read.get(node, 0)
            file.seek(at)
            while data := file.read(_CHUNK if end is None else min(_CHUNK, end - at)):
                at += len(data)
                self._read[node] = at
                yield node, data


def _is_switch(event: Event) -> bool:
    return event["e"] == "log" and isinstance(event.get("node"), str) and isinstance(event.get("at"), int)
