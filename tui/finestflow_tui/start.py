"""From the words of the command line to the app: a run to open, or a query of the list. Imports Textual last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from finestflow.errors import NotFoundError
from finestflow.model import RunSummary

if TYPE_CHECKING:
    from finestflow.workspace import Workspace

__all__ = ["start"]


def find_run(workspace: Workspace, words: Sequence[str]) -> RunSummary | None:
    """Return the run that one word names; words with an operator, and those that name none, are a query."""
    if len(words) != 1 or workspace.repository is None or any(sign in words[0] for sign in ":=<>#"):
        return None
    workspace.refresh()
    try:
        return workspace.resolve(words[0])
    except NotFoundError:
        return None


def start(workspace: Workspace, words: Sequence[str], *, read_only: bool) -> int:
    """Run the terminal UI.

    Args:
        workspace: What it shows.
        words: A run, or a query.
        read_only: Nothing is changed or started.
    """
    run = find_run(workspace, words)
    query = None if run is not None or not words else " ".join(words)
    from finestflow_tui.app import run_app

    return run_app(workspace, query=query, run=run, read_only=read_only)
