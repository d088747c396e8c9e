"""The process that runs a recorded run again, in a worktree of its commit.

Reads what to do as JSON from stdin, writes the id of the new run, or an error, to a file. Started by ``reproduce`` alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finestflow.errors import FinestflowError
from finestflow.model import Run
from finestflow.pipeline.describe import load_task, load_value
from finestflow.pipeline.pipeline import Pipeline
from finestflow.reproduce import bounds_of, judge
from finestflow.runner import RunOptions
from finestflow.target import find_object
from finestflow.workspace import Workspace

__all__ = ["main"]


def main(answer: str) -> None:
    """Do what stdin asks for.

    Args:
        answer: File that the result is written to.
    """
    request = json.loads(sys.stdin.read())
    sys.path[:] = [
        entry for entry in sys.path if entry
    ]  # `-c` puts the working directory first; the run had its own path
    try:
        make = _run_with_code if "description" in request else _reproduce
        result = {"run": make(request)}
    except FinestflowError as error:
        result = {"error": error.message, "hint": error.hint}
    Path(answer).write_text(json.dumps(result), "utf-8")


def _reproduce(request: Mapping[str, Any]) -> str:
    workspace = Workspace.find(Path.cwd(), os.environ)
    root = Path(request["root"])
    before = workspace.journal.load(request["commit"])
    pipeline, inputs = _make(workspace, before, root, request["given"])
    settings = before.settings
    start, stop = bounds_of(before, workspace.store.has)
    options = RunOptions(
        cache=False,
        seed=settings.get("seed", 0),
        context=load_value(settings.get("context", {}), workspace.store.load),
        start=start,
        stop=stop,
        from_run=before.summary.id if start else "",
    )
    finished = workspace.run(
        pipeline, kwargs=inputs, options=options, argv=before.argv, reproduces=before.summary.id, judge=judge(before)
    )
    workspace.close()
    return finished.run.summary.id


def _run_with_code(request: Mapping[str, Any]) -> str:
    """Run the pipeline of the request with the code that lies here."""
    workspace = Workspace.find(Path.cwd(), os.environ)
    root = Path(request["root"])
    load = workspace.store.load
    pipeline = load_task(request["description"], lambda use: find_object(use, root), load, request["given"])
    assert isinstance(pipeline, Pipeline)
    inputs = {name: load_value(value, load) for name, value in request["inputs"].items()}
    finished = workspace.run(pipeline, kwargs=inputs, options=RunOptions(**request["options"]), argv=request["argv"])
    workspace.close()
    return finished.run.summary.id


def _make(workspace: Workspace, before: Run, root: Path, given: Mapping[str, str]) -> tuple[Pipeline, dict[str, Any]]:
    """Return the pipeline and its inputs as they were."""
    if before.target:
        find_object(before.target, root)  # the file first, so that its classes have their module
    pipeline = load_task(before.description, lambda use: find_object(use, root), workspace.store.load, given)
    assert isinstance(pipeline, Pipeline)
    inputs = {
        name: load_value(value, workspace.store.load) for name, value in before.inputs.items() if name not in given
    }
    return pipeline, workspace.configure(pipeline, given.items(), inputs)
