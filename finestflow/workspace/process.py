"""The workspace of this process: of its working directory, and what a pipeline does that is called from plain Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finestflow.workspace.actions import Workspace

if TYPE_CHECKING:
    from finestflow.pipeline.pipeline import Pipeline

__all__ = ["current", "launch"]


_workspaces: dict[Path, Workspace] = {}


def current() -> Workspace:
    """Return the workspace of the working directory, kept for the process."""
    folder = Path.cwd()
    found = _workspaces.get(folder)
    if found is None:
        found = _workspaces[folder] = Workspace.find(folder, os.environ)
    return found


def launch(pipeline: Pipeline, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make a run of a pipeline that was called from plain Python; returns the plain value, raises the run's error."""
    from dataclasses import replace

    from finestflow.handed import read_handed
    from finestflow.runner import RunOptions
    from finestflow.view import RunView

    workspace = current()
    handed = read_handed(os.environ)
    options = workspace.settle(RunOptions(**{"tags": handed.tags, "note": handed.note, **pipeline.run_options}))
    listener = None
    if options.echo:
        listener = workspace.console(options)
        options = replace(options, echo=options.executor == "sequential")
    finished = workspace.run(pipeline, args, kwargs, options=options, argv=tuple(sys.argv), listener=listener)
    pipeline.set_last_run(RunView(workspace, finished.run))
    if finished.error is not None:
        raise finished.error
    value = finished.value
    finished.release()
    return value
