"""What one command works with: folder, environment, streams, and the workspace, opened when it is asked for.

Only here are the environment, the clock and the working directory looked at; everything below is given them.
Made by the root command; every command gets it with ``pass_session``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finestflow.cli._output import Output
from finestflow.cli._text import ago, moments
from finestflow.errors import RepositoryError

if TYPE_CHECKING:
    from finestflow.cli._follow import Follower
    from finestflow.cli._waiting import Waiting
    from finestflow.model import RunSummary
    from finestflow.workspace import Workspace

__all__ = ["Session", "pass_session"]


class Session:
    """The surroundings of one command.

    Args:
        folder: Where it works; ``-C``.
        out: Its streams.
        environ: Its environment.
    """

    def __init__(self, folder: Path, out: Output, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.out = out
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.follower: Follower | None = None
        """What is told the events of a run in place of what suits the terminal."""
        self._workspace: Workspace | None = None
        self._waiting: Waiting | None = None
        self.begun: Callable[[str], None] | None = None
        """Is told the id of a run that this command begins."""
        self.last_run: RunSummary | None = None
        """The run that this command made last."""

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    @property
    def workspace(self) -> Workspace:
        """The workspace of the folder; it may have no repository."""
        if self._workspace is None:
            from finestflow.workspace import Workspace

            self._workspace = Workspace.find(self.folder, self.environ, warn=self.out.warn, tell=self._tell)
        return self._workspace

    def _tell(self, what: str, done: int, total: int) -> None:
        if self._waiting is None:
            from finestflow.cli._waiting import Waiting

            self._waiting = Waiting(self.out)
        self._waiting(what, done, total)

    @property
    def history(self) -> Workspace:
        """The workspace, up to date with what other processes did; what commands that read runs ask for.

        Raises:
            RepositoryError: where no repository is.
        """
        workspace = self.workspace
        if workspace.repository is None:
            raise RepositoryError(f"no git repository at {str(self.folder)!r}", 'make one with "finestflow init"')
        workspace.refresh()
        return workspace

    def times(self, times: Iterable[float], form: str = "text") -> list[str]:
        """Return times as a table tells them: from now at a terminal, else written out.

        Args:
            times: Seconds since the epoch.
            form: How the table is written; see ``format_option``.
        """
        if form == "text" and self.out.is_terminal:
            return [ago(then, self.now) for then in times]
        return moments(times)

    def close(self) -> None:
        """Write what is pending and close files."""
        if self._workspace is not None:
            self._workspace.close()

    @property
    def state_dir(self) -> Path | None:
        """Where crash reports may go; None when no workspace was opened."""
        if self._workspace is None:
            return None
        return self._workspace.state_dir


pass_session = click.make_pass_decorator(Session)
