"""What a live run prints, all nodes in the order of writing, read on as it comes. Imports nothing of Textual."""

from __future__ import annotations

from finestflow.journal.following import LiveRun, LogReader
from finestflow.journal.live import LiveEntry
from finestflow_tui.views.logs import LogRows, NodeLog

__all__ = ["LiveLog"]


class LiveLog:
    """The log of a run that is going on.

    Args:
        entry: Its live folder.
        pipeline: What the lines of the body are called.
    """

    def __init__(self, entry: LiveEntry, pipeline: str) -> None:
        self.rows = LogRows((), named=True)
        self._run = LiveRun(entry)  # read from the beginning: the events say in which order logs were written
        self._reader = LogReader(entry)
        self._pipeline = pipeline
        self._begun: dict[str, bytes] = {}

    def read_new(self) -> LogRows:
        """Take in what was printed since the last call, up to the last whole line of each node; returns all of it."""
        for node, data in self._reader.read_new(self._run.read_new()):
            whole, end, begun = (self._begun.pop(node, b"") + data).rpartition(b"\n")
            self._begun[node] = begun
            self.rows.add(NodeLog(whole + end, node or self._pipeline))
        return self.rows
