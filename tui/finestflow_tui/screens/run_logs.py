"""The log of a run: all nodes under their names in the order of writing, or one of them; followed while the run goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finestflow.model import RunStatus
from finestflow_tui.screens.choose import Chooser, Entry
from finestflow_tui.text import one_line, row
from finestflow_tui.views.logs import LogRows, NodeLog, frame_in, merged

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
        self._live: tuple[str, LiveLog] | None = None
        self._shown = ""
        """The run whose log was shown last."""

    def reset(self) -> None:
        """Begin as a new tab would: with all nodes, at the end of a log that grows."""
        self.node, self._shown = None, ""

    def show(self, *, keep: bool) -> None:
        """Read and show it."""
        screen, node = self._screen, self.node
        run, workspace = screen.whole, screen.ff.history.workspace
        assert run is not None
        is_live = run.summary.status is RunStatus.RUNNING
        if is_live and not (keep and self._shown == run.summary.id):
            screen.list.follows = True
        self._shown = run.summary.id

        def work() -> LogRows:
            if node is not None:
                return LogRows([NodeLog(workspace.read_log(run.summary, node), node)])
            live = self._live_log() if is_live else None
            return live.read_new().copy() if live is not None else merged(run, workspace.read_logs(run))

        def show(rows: LogRows) -> None:
            screen.list.show(rows if len(rows) else [row(("nothing was printed", "dim"))], keep=keep)

        screen.slow_for_tab(work, show)

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

        screen.app.push_screen(Chooser("the log of", entries), choose)

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

    def edit(self) -> None:
        """Open the file of the last frame of a traceback that is seen, as it was in the run; else the log."""
        screen, view = self._screen, self._screen.list
        top = view.scroll_offset.y
        frame = frame_in(view.rows[top : top + view.size.height])
        if frame is not None:
            name = screen.files.name_in_project(frame[0])
            data = screen.files.read(name) if name else b""
            if data:
                screen.ff.edit_text(name, data.decode("utf-8", "replace"), frame[1])
                return
        screen.ff.edit_text("log.txt", self.text())

    def text(self) -> str:
        """Return all that is shown."""
        rows = self._screen.list.rows
        return rows.text if isinstance(rows, LogRows) else ""
