"""What can be done with what a tab of a run shows: search in it, open it in the editor or outside, save it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finestflow.model import Run, RunSummary
from finestflow_tui.actions import RunScreenActions
from finestflow_tui.text import file_stem
from finestflow_tui.widgets.dagview import DagView
from finestflow_tui.widgets.rows import RowsView

if TYPE_CHECKING:
    from finestflow_tui.screens.run_files import FileTabs
    from finestflow_tui.screens.run_logs import LogTab
    from finestflow_tui.screens.run_outputs import OutputTab

__all__ = ["RunContent"]


class RunContent(RunScreenActions):
    """The content of the tabs; the screen of a run makes them."""

    summary: RunSummary
    whole: Run | None
    tab: str
    list: RowsView
    graph: DagView
    detail: RowsView
    logs: LogTab
    outputs: OutputTab
    files: FileTabs
    pattern = ""
    """What was searched last."""

    @property
    def key(self) -> Any:
        """What the cursor is on: a node, a metric, a file."""
        return self.graph.key if self.tab == "graph" else self.list.key

    def action_filter(self) -> None:
        """Search in the pane."""

        def search(text: str | None) -> None:
            self.pattern = text or ""
            self._search(1)

        self.ask("search", "n and N go on", self.pattern, search)

    def action_match(self, step: int) -> None:
        """Go to the next match; without a search, to the next error of a log."""
        self._search(step)

    def _search(self, step: int) -> None:
        pattern = self.pattern
        view = self.detail if self.focused is self.detail else self.list
        if self.tab == "graph":
            found = next(
                (
                    path
                    for path in self.graph.drawing.boxes
                    if pattern and pattern.lower() in path.lower() and path != self.graph.key
                ),
                None,
            )
            if found is not None:
                self.graph.choose(found)
            return
        if self.tab == "logs":
            if self.logs.search(pattern, step):
                return
        elif pattern and view.search(pattern, step):
            return
        nothing = "no error is told of: / searches" if self.tab == "logs" else "/ searches"
        self.say(f"{pattern!r} is not here" if pattern else nothing, "warning")

    def action_edit(self) -> None:
        """Show a file, the log or the configuration in the editor, as it was in that run."""
        if self.whole is None:
            return
        if self.tab == "code" and self.key is not None:
            self.ff.edit_text(self.key, self.files.read(self.key).decode("utf-8", "replace"))
        elif self.tab == "logs":
            self.logs.edit()
        else:
            self.ff.edit_text("config.toml" if self.tab == "config" else f"{self.tab}.txt", self._text())

    def _text(self) -> str:
        rows = self.list.rows
        if self.tab == "logs":
            return self.logs.text()
        return "\n".join("".join(text for text, _ in line.spans) for line in rows) + "\n"

    def action_outside(self) -> None:
        """Open an output with the system's program for it."""
        if self.tab != "outputs" or self.key is None or self._refuse("open"):
            self.say("o opens outputs (9)", "warning")
            return
        self.outputs.open_outside()

    def action_save(self) -> None:
        """Save an output, the log, or what the tab shows."""
        if self.tab == "outputs" and self.key is not None:

            def take(name: str | None) -> None:
                if name:
                    self.outputs.save(name)

            self.ask(
                f"save {self.key}",
                "the suffix decides the form: .json .csv .npy .txt .png .pkl",
                self.outputs.file_name,
                take,
            )
            return

        def write(name: str | None) -> None:
            if name:
                self.ff.write_file(name, self._text())

        self.ask(f"save this {self.tab} tab as text", "a file", f"{file_stem(self.summary.name)}-{self.tab}.txt", write)
