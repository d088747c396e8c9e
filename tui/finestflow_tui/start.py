"""From the words of the command line to a place: the list with a query, a run on a tab, two runs or more, the cache, the trash. Imports Textual last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from finestflow.errors import NotFoundError
from finestflow.model import RunSummary

if TYPE_CHECKING:
    from finestflow.workspace import Workspace

__all__ = ["RUN_TABS", "Place", "find_place", "start"]

RUN_TABS = ("tasks", "graph", "logs", "metrics", "params", "config", "code", "env", "outputs")
"""The tabs of a run, in the order of their numbers."""


class Place(NamedTuple):
    """What is shown first.

    Attributes:
        screen: ``runs``, ``run``, ``reproduce``, ``diff``, ``compare``, ``cache`` or ``trash``.
        runs: The runs that it is about.
        tab: The tab of a run; empty for the one that was chosen last.
        query: The filter of the list; None for the one that was last used.
    """

    screen: str = "runs"
    runs: tuple[RunSummary, ...] = ()
    tab: str = ""
    query: str | None = None


def find_place(workspace: Workspace, words: Sequence[str]) -> Place:
    """Return what words mean: ``:cache``, ``:trash``, a run, a run and ``:logs`` or ``:reproduce``, several runs; else they are a query of the list."""
    if workspace.repository is None or not words:
        return Place()
    tab = words[-1].removeprefix(":") if words[-1].startswith(":") else ""
    names = words[:-1] if tab else words
    if tab in {"cache", "trash"} and not names:
        return Place(tab)
    runs = _find_runs(workspace, names or ("@",)) if tab in ("", "reproduce", *RUN_TABS) else ()
    if not runs:
        return Place(query=" ".join(words))
    if tab == "reproduce":
        return Place(tab, runs[:1])
    return Place({1: "run", 2: "diff"}.get(len(runs), "compare"), runs, tab)


def _find_runs(workspace: Workspace, names: Sequence[str]) -> tuple[RunSummary, ...]:
    """Return the runs that words name; none when one of the words names none, or has an operator of queries."""
    if not names or any(sign in name for name in names for sign in ":=<>#"):
        return ()
    workspace.refresh()
    try:
        return tuple(workspace.resolve(name) for name in names)
    except NotFoundError:
        return ()


def start(workspace: Workspace, words: Sequence[str], *, read_only: bool) -> int:
    """Run the terminal UI.

    Args:
        workspace: What it shows.
        words: A run, several, a place, or a query.
        read_only: Nothing is changed or started.
    """
    place = find_place(workspace, words)
    from finestflow_tui.app import run_app

    return run_app(workspace, place=place, read_only=read_only)
