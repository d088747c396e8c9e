"""finestflow: an experiment tracker for Python pipelines that keeps each run as a git commit.

The public names are loaded when they are first used: importing finestflow itself loads no third-party module.
"""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finestflow.current import log, save, track
    from finestflow.errors import FinestflowError
    from finestflow.history import runs
    from finestflow.pipeline.each import Each, each
    from finestflow.pipeline.output import Output
    from finestflow.pipeline.param import Param
    from finestflow.pipeline.pipeline import Pipeline
    from finestflow.pipeline.task import Task
    from finestflow.started import start
    from finestflow.view import RunView as Run
    from finestflow.workspace import Workspace

__version__ = "0.1.0"
__all__ = [
    "Each",
    "FinestflowError",
    "Output",
    "Param",
    "Pipeline",
    "Run",
    "Task",
    "Workspace",
    "__version__",
    "each",
    "log",
    "runs",
    "save",
    "start",
    "track",
]

STARTED = time.time()
"""When this process imported finestflow: sources that are younger may not be what was imported."""

_HOMES = {
    "Each": "finestflow.pipeline.each:Each",
    "FinestflowError": "finestflow.errors:FinestflowError",
    "Output": "finestflow.pipeline.output:Output",
    "Param": "finestflow.pipeline.param:Param",
    "Pipeline": "finestflow.pipeline.pipeline:Pipeline",
    "Run": "finestflow.view:RunView",
    "Task": "finestflow.pipeline.task:Task",
    "Workspace": "finestflow.workspace:Workspace",
    "each": "finestflow.pipeline.each:each",
    "log": "finestflow.current:log",
    "runs": "finestflow.history:runs",
    "save": "finestflow.current:save",
    "start": "finestflow.started:start",
    "track": "finestflow.current:track",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'finestflow' has no attribute {name!r}")
    module, _, attribute = home.partition(":")
    value = getattr(importlib.import_module(module), attribute)
    if name == "Pipeline":
        from finestflow.pipeline.call import get_launcher, set_launcher

        if get_launcher() is None:
            set_launcher(_launch)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _launch(pipeline: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Start a run: what a pipeline does that is called from plain Python."""
    from finestflow.workspace import launch

    return launch(pipeline, args, kwargs)
