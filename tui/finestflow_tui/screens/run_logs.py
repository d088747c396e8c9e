"""The log of a run: all nodes under their names in the order of writing, or one of them, from a level on; followed while the run goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finestflow.model import RunStatus
from finestflow_tui.keys import Choice
from finestflow_tui.screens.choose import Chooser, Entry
from finestflow_tui.text import one_line, row
from finestflow_tui.views.logs import LEVELS, LogRows, NodeLog, by_stamp, frame_in, merged

if TYPE_CHECKING:
    from finestflow_tui.livelog import LiveLog
    from finestflow_tui.screens.run import RunScreen

__all__ = ["LogTab"]


class LogTab:
    """The tab of logs.

    Args:
        screen: The screen that it is on.
    """

    def __init__(self, screen: RunScreen) -> None:
        self._screen = screen
        self.node: str | None = None
        """The node whose log is shown; None for all."""
        self._level = ""
        """The level from which on lines are shown; all are without one."""
        self._by_stamp = False
        self._live: tuple[str, LiveLog] | None = None
        self._shown = ""
        """The run whose log was shown last."""

    def reset(self) -> None:
        """Begin as a new tab would: with all nodes, at the end of a log that grows."""
        self.node, self._shown, self._level, self._by_stamp = None, "", "", False

    @property
    def said(self) -> str:
        """What is left out, in some words; empty where all is shown."""
        words = [one_line(self.node)] if self.node else []
        words += [f"from {self._level} on"] if self._level else []
        return ", ".join([*words, "by time"] if self._by_stamp else words)

    def show(self, *, keep: bool) -> None:
        """Read and show it."""
        screen, node, level, by_time = self._screen, self.node, self._level, self._by_stamp
        run, workspace = screen.whole, screen.ff.history.workspace
        assert run is not None
        is_live = run.summary.status is RunStatus.RUNNING
        if is_live and not (keep and self._shown == run.summary.id):
            screen.list.follows = True
        self._shown = run.summary.id

        def read() -> LogRows:
            if node is not None:
                return LogRows([NodeLog(workspace.read_log(run.summary, node), node)])
            live = self._live_log() if is_live and not by_time else None
            if live is not None:
                return live.read_new().copy()
            return (by_stamp if by_time else merged)(run, workspace.read_logs(run))

        def show(rows: LogRows) -> None:
            nothing = f"no line tells of {level} or louder: ,l shows all" if level else "nothing was printed"
            screen.list.show(rows if len(rows) else [row((nothing, "dim"))], keep=keep)

        screen.head.update()
        screen.slow_for_tab(lambda: read().from_level(level), show)

    def _live_log(self) -> LiveLog | None:
        """Return the log of a run that goes on, read on from where it was."""
        from finestflow_tui.livelog import LiveLog

        summary = self._screen.summary
        if self._live is None or self._live[0] != summary.id:
            found = self._screen.ff.history.workspace.find_live(summary.id)
            if found is None:
                return None
            self._live = summary.id, LiveLog(found.entry, summary.pipeline)
        return self._live[1]

    def choose(self) -> None:
        """Ask for the node whose log is shown."""
        screen = self._screen
        if screen.whole is None:
            return
        entries = [Entry((("all tasks", "bold"),), "\0")]
        entries += [
            Entry(((one_line(path), ""), (f"  {node.status.value}", node.status.value)), path)
            for path, node in screen.whole.nodes.items()
        ]

        def choose(path: str | None) -> None:
            if path is not None:
                self.node = None if path == "\0" else path
                self.show(keep=False)

        screen.app.push_screen(Chooser("the log of", entries, enter="shows it"), choose)

    def choose_level(self) -> None:
        """Ask from which level on lines are shown."""
        choices = [Choice(level[0], f"{level} and louder", f"log('show_from', {level!r})") for level in LEVELS]
        self._screen.menu("lines of the log", [Choice("a", "all lines", "log('show_from', '')"), *choices])

    def show_from(self, level: str) -> None:
        """Show lines that tell of a level or a louder one; without a level, all."""
        self._level = level
        self.show(keep=False)

    def turn_order(self) -> None:
        """Put lines in the order of the times that stand in them, or node after node."""
        self._by_stamp = not self._by_stamp
        self.node = None
        self.show(keep=False)

    def options(self) -> list[Choice]:
        """Return what else a log can do."""
        return [
            Choice("l", "from which level on", "log('choose_level')"),
            Choice("m", "all nodes by the times in their lines, or node after node", "log('turn_order')"),
            Choice("f", "one task, or all", "only(True)"),
            Choice("e", "in the editor", "edit"),
        ]

    def search(self, pattern: str, step: int) -> bool:
        """Go to the next line that has a text, or tells of an error; returns whether there is one."""
        view = self._screen.list
        if not isinstance(view.rows, LogRows):
            return False
        at = view.rows.find(pattern, view.scroll_offset.y, step)
        view.pattern = pattern.lower()
        view.refresh()
        if at is not None:
            view.follows = False
            view.scroll_to(y=at, animate=False, immediate=True)
        return at is not None

    def edit(self, line: int | None = None) -> None:
        """Open the file of the last frame of a traceback that is seen, as it was in the run; else the log.

        Args:
            line: Only the frame of this line, and nothing where it is none.
        """
        screen, view = self._screen, self._screen.list
        top, count = (view.scroll_offset.y, view.size.height) if line is None else (line, 1)
        frame = frame_in(view.rows[top : top + count])
        if frame is not None:
            name = screen.files.name_in_project(frame[0])
            data = screen.files.read(name) if name else b""
            if data:
                screen.ff.edit_text(name, data.decode("utf-8", "replace"), frame[1])
                return
        if line is None:
            screen.ff.edit_text("log.txt", self.text())

    def text(self) -> str:
        """Return all that is shown."""
        rows = self._screen.list.rows
        return rows.text if isinstance(rows, LogRows) else ""
