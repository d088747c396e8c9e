"""The files of a run: its code as it was, and the configuration that it ran with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finestflow_tui.text import Row, row
from finestflow_tui.views import record
from finestflow_tui.views.code import source_rows

if TYPE_CHECKING:
    from finestflow_tui.screens.run import RunScreen

__all__ = ["FileTabs"]

_LIBRARIES = frozenset({"site-packages", "dist-packages", "lib", "lib64", "Lib"})
"""Folders of an interpreter, whose files are none of the project."""


class FileTabs:
    """The tabs of code and configuration.

    Args:
        screen: The screen that they are on.
    """

    def __init__(self, screen: RunScreen) -> None:
        self._screen = screen

    def show_config(self, *, keep: bool) -> None:
        """Show the configuration."""
        workspace, run = self._screen.ff.history.workspace, self._screen.summary

        def work() -> Sequence[Row]:
            text = workspace.journal.read_file(run.commit, "config.toml") if run.commit else None
            if text is None:
                return [row(("the configuration is written when the run ends", "dim"))]
            return source_rows("config.toml", text)

        self._screen.fill(work, keep=keep)

    def show_code(self, *, keep: bool) -> None:
        """List the files, those that differ from the commit first."""
        history, run = self._screen.ff.history, self._screen.whole
        assert run is not None
        self._screen.fill(lambda: record.file_rows(*history.files_of(run)), keep=keep)

    def show_file(self, path: str) -> None:
        """Show a file beside the list."""
        screen = self._screen
        screen.slow_for_tab(lambda: source_rows(path, self.read(path)), screen.detail.show, group="detail")

    def read(self, path: str) -> bytes:
        """Return a file as it was in the run."""
        assert self._screen.whole is not None
        return self._screen.ff.history.read_file(self._screen.whole, path)

    def name_in_project(self, path: str) -> str:
        """Return the name of a file below the root of the project; empty for one that is elsewhere.

        Of a run that was made in another folder or on another machine, the longest end of the path that its snapshot has is taken.
        """
        root = self._screen.ff.workspace.root
        if not Path(path).is_absolute():
            return path
        if Path(path).is_relative_to(root):
            return Path(path).relative_to(root).as_posix()
        parts = Path(path).parts[1:]
        if _LIBRARIES & set(parts):
            return ""
        ends = ("/".join(parts[at:]) for at in range(len(parts)))
        return next((end for end in ends if self.read(end)), "")
