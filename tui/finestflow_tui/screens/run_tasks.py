"""The tasks of a run, as lanes with times or as a drawing; items of a fan-out are folded until they are opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from finestflow.errors import FinestflowError
from finestflow.model import NodeRecord, NodeStatus, Run, RunStatus
from finestflow_tui.keys import Choice
from finestflow_tui.layout.dag import Drawing
from finestflow_tui.text import Span, duration, row
from finestflow_tui.views import tasks

if TYPE_CHECKING:
    from finestflow_tui.screens.run import RunScreen

__all__ = ["TaskTab"]

_LOOKED = 0.5
"""Seconds after which a run is looked at, and not passed on the way to another."""
_ASIDE = 46
"""Columns of the pane beside the tasks, before it has been laid out."""
_MOST_NODES = 60
"""Nodes of a drawing that is made at once, and of a run whose fan-outs may be open from the start."""


class TaskTab:
    """The tabs of tasks and of the graph.

    Args:
        screen: The screen that they are on.
    """

    def __init__(self, screen: RunScreen) -> None:
        self._screen = screen
        self.wanted = ""
        """The node to begin with."""
        self.unfolded: set[str] = set()
        self._whys: dict[str, list[str]] = {}
        """Why the nodes ran, of those that were looked at: to name the run that a value is from takes the index."""
        self._shape: tasks.Shape | None = None
        self._saved: dict[str, dict[str, float]] = {}
        """What hits saved, by run and node, as far as it was looked up."""
        self._drawn: tuple[tasks.Shape, tuple[bool, ...], Drawing] | None = None
        """The last drawing, of what, and how: see ``drawing_of``."""
        self._is_turned = False
        self._is_timed = False
        self._is_boxed = False
        self._follows = False

    def load(self, run: Run) -> None:
        """Take in another run, or what is new of one."""
        self._whys.clear()
        self._shape = tasks.shape_of(run, () if len(run.nodes) > _MOST_NODES else self.unfolded)

    def show(self, run: Run, *, keep: bool) -> None:
        """List the tasks."""
        assert self._shape is not None
        screen = self._screen
        now, saved = screen.ff.workspace.clock.time(), self._saved.get(run.summary.id, {})
        live = screen.ff.history.find_live(run.summary.id)

        def progress(path: str) -> str:
            return "  ".join(live.progress_of(path, now)).rstrip() if live is not None else ""

        rows = tasks.task_rows(run, self._shape, screen.columns, now, saved, progress)
        empty = "no task has begun yet" if run.summary.status is RunStatus.RUNNING else "no tasks are recorded"
        screen.list.show(rows or [row((empty, "dim"))], keep=keep)
        if self.wanted and screen.list.choose(self.wanted):
            self.wanted = ""
        screen.show_detail()

    def show_graph(self) -> None:
        """Draw them; a large graph in a worker."""
        assert self._shape is not None
        screen, shape = self._screen, self._shape
        how, draw = self._pen(shape)

        def show(drawing: Drawing) -> None:
            self._drawn = shape, how, drawing
            if shape is self._shape:
                screen.graph.show(drawing, shape, {line.path: line.status.value for line in shape.lines})
                running = next((line.path for line in shape.lines if line.status is NodeStatus.RUNNING), "")
                if self._follows and running:
                    screen.graph.choose(running)
                screen.show_detail()

        if self._drawn is not None and self._drawn[0] is shape and self._drawn[1] == how:
            screen.place_panes()
            show(self._drawn[2])
        elif len(shape.lines) <= _MOST_NODES:
            screen.place_panes()
            show(draw())
        else:
            screen.slow_for_tab(draw, show)

    def _pen(self, shape: tasks.Shape) -> tuple[tuple[bool, bool, bool], Callable[[], Drawing]]:
        """Return how a graph is to be drawn, and what draws it."""
        turned, timed, boxed = how = self._is_turned, self._is_timed, self._is_boxed
        return how, partial(tasks.drawing_of, shape, turned=turned, timed=timed, boxed=boxed)

    def draw_soon(self) -> None:
        """Draw a small graph before it is asked for, when its run has been looked at for a moment; not where no terminal is, as in a test."""
        screen, shape = self._screen, self._shape
        if screen.app.is_headless or shape is None or len(shape.lines) > _MOST_NODES:
            return
        how, draw = self._pen(shape)

        def keep(drawing: Drawing) -> None:
            self._drawn = shape, how, drawing

        def begin() -> None:
            if shape is self._shape and (self._drawn is None or self._drawn[0] is not shape):
                screen.slow(draw, keep, group="drawing")

        screen.soon(_LOOKED, begin)

    def turn(self) -> None:
        """Draw the graph from left to right, or top down."""
        self._is_turned = not self._is_turned
        self.show_graph()

    def turn_times(self) -> None:
        """Say of each node how long it took, or not."""
        self._is_timed = not self._is_timed
        self.show_graph()

    def turn_boxes(self) -> None:
        """Draw nodes in boxes, or not."""
        self._is_boxed = not self._is_boxed
        self.show_graph()

    def turn_following(self) -> None:
        """Keep the node that runs under the cursor, or not."""
        self._follows = not self._follows
        self._screen.say("the node that runs is followed" if self._follows else "nodes are not followed")
        self.show_graph()

    def options(self) -> list[Choice]:
        """Return what else a graph can do."""
        return [
            Choice("v", "top down or left to right", "view"),
            Choice("d", "how long each node took, or not", "task('turn_times')"),
            Choice("b", "nodes in boxes, or not", "task('turn_boxes')"),
            Choice("f", "follow the node that runs, or not", "task('turn_following')"),
        ]

    def show_node(self, run: Run, path: str) -> None:
        """Show a node in full."""
        now = self._screen.ff.workspace.clock.time()
        whys, is_folded = self.whys(run, path), path not in self.unfolded
        saved = self._saved.get(run.summary.id, {}).get(path, 0.0)
        pane = self._screen.detail
        room = pane.room or _ASIDE
        pane.show(tasks.node_rows(run, path, whys, now, is_folded=is_folded, saved=saved, columns=room))

    def _find_saved(self, node: NodeRecord) -> float:
        """Return how long a hit took when it was computed; 0 where that is not known any more."""
        with suppress(
            FinestflowError, OSError, sqlite3.Error
        ):  # a store that cannot be read is no reason to show nothing
            entries = self._screen.ff.history.workspace.store.find_entries(node.key) if node.key else ()
            digest = node.output.digest if node.output is not None else None
            return max((entry.seconds for entry in entries if entry.value == digest), default=0.0)
        return 0.0

    def find_all_saved(self, run: Run) -> None:
        """Look up what the hits of a run have saved, for its heading, its table and each node."""
        hits = [node for node in run.nodes.values() if node.status is NodeStatus.HIT]
        if run.summary.status is RunStatus.RUNNING or run.summary.id in self._saved or not hits:
            return

        def show(found: dict[str, float]) -> None:
            self._saved[run.summary.id] = found
            screen = self._screen
            if screen.whole is not run:
                return
            screen.head.update()
            if screen.tab == "tasks":
                self.show(run, keep=True)
            elif screen.tab == "graph":
                screen.show_detail()

        self._screen.slow(lambda: {node.path: self._find_saved(node) for node in hits}, show, group="saved")

    def saved_spans(self, run_id: str) -> list[Span]:
        """Return what the heading says of that."""
        seconds = sum(self._saved.get(run_id, {}).values())
        return [(f"  saved {duration(seconds)}  ", "hit")] if seconds else []

    def whys(self, run: Run, node: str) -> list[str]:
        """Return why a node ran, in sentences."""
        if node not in run.nodes:
            return []
        if node not in self._whys:
            try:
                self._whys[node] = self._screen.ff.history.workspace.why(run, node)
            except FinestflowError as error:
                self._whys[node] = [error.message]
        return self._whys[node]

    def fold(self, run: Run, path: str) -> bool:
        """Open or fold the fan-out that a node belongs to; returns whether there is one."""
        base = tasks.base_of(run, path)
        is_several = sum(tasks.base_of(run, each) == base for each in run.nodes) > 1
        if not is_several and base not in self.unfolded:
            return False
        self.unfolded.symmetric_difference_update({base})
        self._shape = tasks.shape_of(run, self.unfolded)
        return True
