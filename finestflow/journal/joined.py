"""Tell something to a run that another process owns: a forked child, or the script of ``finestflow run script.py``.

Invariant: an event is one appended write of whole lines, so what two processes tell is never mixed, and nothing here can keep a run alive or
end it. The owner finds the mark ``joined`` when its run ends, and then folds the file instead of what it remembers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finestflow.blanking import Blanking
from finestflow.journal.journal import fold
from finestflow.journal.live import LiveEntry, LiveFolder, dump_event
from finestflow.journal.names import quote_name
from finestflow.model import Run

__all__ = ["JoinedFolder", "read_joined"]

_MARK = "joined"


class JoinedFolder:
    """The live folder of a run that somebody else owns.

    Args:
        path: The folder.
        hidden: Secrets of the environment, which are blanked.
    """

    def __init__(self, path: Path, hidden: tuple[str, ...] = ()) -> None:
        self.path = path
        self._blanking = Blanking(hidden=hidden)
        self.problem = ""
        """What went wrong with the last write that failed; the run may have ended."""
        self._opened: dict[str, int] = {}

    def emit(self, event: Mapping[str, Any], *, lazy: bool = False) -> None:
        """Append an event, at once: nobody would flush it when this process ends."""
        line = dump_event(event)
        if self._blanking.is_in(line):
            line = dump_event(self._blanking.blank(event))
        self._append("events.jsonl", line.encode())

    def write_log(self, node: str, text: str) -> None:
        """Append to what a node has printed."""
        self._append(
            f"logs/{quote_name(node)}.txt", self._blanking.blank(text, is_said=True).encode("utf-8", "backslashreplace")
        )

    def _append(self, name: str, data: bytes) -> None:
        try:
            if not self._opened:
                (self.path / _MARK).touch()
            descriptor = self._opened.get(name)
            if descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                descriptor = self._opened[name] = os.open(self.path / name, flags, 0o644)
            os.write(descriptor, data)
        except OSError as error:
            self.problem = f"{error.strerror}: {str(self.path)!r}"


def read_joined(live: LiveFolder) -> Run | None:
    """Return a run as its file tells it, when other processes have told something; None when its owner knows it all."""
    if not (live.path / _MARK).exists():
        return None
    live.flush()
    return fold(LiveEntry(run_id=live.run_id, path=live.path, is_alive=True))[0].run
