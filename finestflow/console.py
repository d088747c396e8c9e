"""What a program that calls a pipeline shows of the run: a line a task on the terminal, and what workers print.

Invariant: where stderr is no terminal nothing is written but what the tasks themselves print, so programs, tests and notebooks stay as quiet as
they are. ``workspace`` listens to the runs of plain Python with it; the command line has displays of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TextIO

from finestflow.text import duration, one_line, plural

__all__ = ["Console"]

_LINES_A_TASK = 10
"""Calls of one task that get a line each; the others are counted at the end."""


class Console:
    """Listens to one run.

    Args:
        out: Where the text of tasks goes; None when it goes there by itself.
        err: Where lines about tasks go; None for nowhere.
    """

    shows_remarks = False

    def __init__(self, out: TextIO | None, err: TextIO | None) -> None:
        self._out = out
        self._err = err
        self._rest: dict[str, str] = {}
        self._name = ""
        self._began = 0.0
        self._counts: Counter[str] = Counter()
        self._by_task: Counter[str] = Counter()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take an event of the run."""
        kind = event["e"]
        if kind == "text":
            self._take_text(event["node"], event["text"])
        elif kind == "node":
            self._end_text(event["path"])
            if event.get("kind", "task") == "task":
                self._show_node(event)
        elif kind == "run":
            self._name, self._began = event["name"], event["started"]
        elif kind == "end":
            for node in list(self._rest):
                self._end_text(node)
            self._show_end(event)

    def _take_text(self, node: str, text: str) -> None:
        if self._out is None:
            return
        if node:
            whole, end, self._rest[node] = (self._rest.get(node, "") + text).rpartition("\n")
            text = "".join(f"[{node}] {line}\n" for line in whole.split("\n")) if end else ""
        if text:
            self._out.write(text)
            self._out.flush()

    def _end_text(self, node: str) -> None:
        rest = self._rest.pop(node, "")
        if rest and self._out is not None:
            self._out.write(f"[{node}] {rest}\n")

    def _show_node(self, event: Mapping[str, Any]) -> None:
        status, task = str(event["status"]), str(event.get("task"))
        if status == "pending":
            return
        self._counts[status] += 1
        if status == "hit":  # counted at the end: a run that computes nothing is one line
            return
        self._by_task[task] += 1
        if status == "ok" and self._by_task[task] > _LINES_A_TASK:
            return
        reason = one_line(event.get("error") or event.get("why") or "")
        self._say(
            f"  {status:<7}  {duration(event.get('seconds')):>6}  {one_line(event['path']):<16}  {reason}".rstrip()
        )

    def _show_end(self, event: Mapping[str, Any]) -> None:
        seconds = max(0.0, event["ended"] - self._began)
        tasks, hits = plural(self._counts.total(), "task"), plural(self._counts["hit"], "hit")
        self._say(f"{one_line(self._name)}: {event['status']} in {duration(seconds)}, {tasks}, {hits}")

    def _say(self, line: str) -> None:
        if self._err is not None:
            self._err.write(line + "\n")
            self._err.flush()
