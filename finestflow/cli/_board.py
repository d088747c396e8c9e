"""What a live display knows of a run: a row a node, one row for all items of a fan-out, and counts.

Folded from the events, each in constant time, so that 10,000 items cost no more than their events. Invariant: rows stand in the order in
which their first node began. ``_follow`` feeds it, ``_frame`` draws it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from finestflow.cli._text import one_line
from finestflow.journal.standing import group_of

__all__ = ["Board", "Row"]

Event = Mapping[str, Any]


class Row:
    """A node, or the items of a fan-out."""

    def __init__(self, group: str, path: str) -> None:
        self.group = group
        self.path = path
        self.members: set[str] = set()
        self.counts: Counter[str] = Counter()
        """How many of its nodes ended how."""
        self.running: dict[str, float] = {}
        """When its running nodes began."""
        self.expected = 0
        """How many nodes there may be here: those that the run before had, until a fan-out tells how many it has."""
        self.progress: tuple[float, float | None] | None = None
        self.metric: tuple[str, float] | None = None
        self.began: float | None = None
        self.ended: float | None = None
        self.seconds = 0.0
        self.remark = ""
        """Why the node ran, or the error that came last."""
        self.order = 0
        """The later it ended, the higher."""

    @property
    def size(self) -> int:
        """How many nodes it stands for."""
        return len(self.members)

    @property
    def total(self) -> int | None:
        """How many nodes there will be, as far as can be said."""
        return max(self.size, self.expected) if self.expected else None

    @property
    def done(self) -> int:
        """How many of them have ended."""
        return self.counts.total()

    @property
    def label(self) -> str:
        """Its name for people."""
        return f"{one_line(self.group)} \N{MULTIPLICATION SIGN}{self.size:,}" if self.size > 1 else one_line(self.path)

    @property
    def status(self) -> str:
        """How it stands: of many nodes, what wants most attention."""
        if self.running:
            return "running"
        if self.done < self.size or not self.counts:
            return "pending"
        return max(self.counts, key=_WEIGHTS.index)


_WEIGHTS = ("hit", "ok", "skipped", "cancelled", "killed", "failed")


class Board:
    """A run as its display shows it."""

    def __init__(self) -> None:
        self.name = ""
        self.rows: dict[str, Row] = {}
        self.counts: Counter[str] = Counter()
        self.expected: dict[str, int] = {}
        self.metric: tuple[str, float] | None = None
        self.running = 0
        self.is_parallel = False
        """Whether several nodes may run at a time, so that it must be said which one printed a line."""
        self._ended = 0

    @property
    def known(self) -> int:
        """How many tasks there are, as far as is known."""
        sizes = {group: row.size for group, row in self.rows.items()}
        return sum(max(sizes.get(group, 0), self.expected.get(group, 0)) for group in {**sizes, **self.expected})

    def apply(self, event: Event) -> None:
        """Take an event in; what it does not know it leaves alone.

        Raises:
            KeyError, TypeError, ValueError: The event lacks what its kind needs.
        """
        kind = event["e"]
        if kind == "node":
            self._end_node(event)
        elif kind == "start":
            self._begin_node(event)
        elif kind == "metrics":
            for name, value, *_ in event["rows"][-1:]:
                self._take_metric(event.get("node"), str(name), float(value))
        elif kind == "metric":
            self._take_metric(event.get("node"), str(event["name"]), float(event["value"]))
        elif kind == "progress":
            row = self.rows.get(group_of(event["node"]))
            if row is not None:
                row.progress = event["done"], event.get("total")
        elif kind == "run":
            self.name = str(event["name"])
            self.is_parallel = (event.get("settings") or {}).get("jobs", 1) not in {1, None}
        elif kind == "expect":
            for path, count in event["nodes"].items():
                group = group_of(str(path))
                self.expected[group] = int(count)
                if group in self.rows:
                    self.rows[group].expected = int(count)

    def _row_of(self, path: str) -> Row:
        group = group_of(path)
        row = self.rows.get(group)
        if row is None:
            row = self.rows[group] = Row(group, path)
            row.expected = self.expected.get(group, 0)
        row.members.add(path)
        return row

    def _begin_node(self, event: Event) -> None:
        if event.get("kind", "task") != "task":
            return
        row, began = self._row_of(event["path"]), float(event["t"])
        if event["path"] not in row.running:
            self.running += 1
        row.running[event["path"]] = began
        row.began = began if row.began is None else row.began

    def _end_node(self, event: Event) -> None:
        kind, path, status = event.get("kind", "task"), event["path"], str(event["status"])
        if kind != "task" or status == "pending":
            return
        row = self._row_of(path)
        if row.running.pop(path, None) is not None:
            self.running -= 1
        row.counts[status] += 1
        self.counts[status] += 1
        row.seconds += event.get("seconds") or 0.0
        row.ended = event.get("t")
        row.progress = None
        self._ended += 1
        row.order = self._ended
        if event.get("error"):
            row.remark = one_line(event["error"])
        elif not row.counts["failed"]:
            row.remark = one_line(event.get("why") or "")

    def _take_metric(self, node: str | None, name: str, value: float) -> None:
        self.metric = name, value
        row = self.rows.get(group_of(node)) if node else None
        if row is not None:
            row.metric = name, value
