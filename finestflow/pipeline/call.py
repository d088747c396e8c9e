"""The seam between what users write and what runs it.

A task that is called asks here who is in charge: nobody (plain Python), or the frame of a pipeline's body that is being run (then the call
becomes a node). A task that is being run finds here the scope that its metrics, progress and context go to. ``runner`` and the executors
fill these; nothing here imports them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from finestflow.pipeline.pipeline import Pipeline
    from finestflow.pipeline.task import Task

__all__ = ["ACTIVE_SCOPES", "FRAME", "SCOPE", "Frame", "Scope", "get_launcher", "set_launcher"]


class Frame(Protocol):
    """The body of a pipeline that is being run.

    One that has a ``context`` shares it with the body, as ``self.context``.
    """

    def call(self, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any], name: str | None) -> Any:
        """Make the call a node of the graph and return its Output."""

    def call_each(
        self,
        task: Task,
        items: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        limit: int | None,
        name: str | None,
    ) -> Any:
        """Make the call with each item a node, and return the Output of a list."""

    def is_running(self, pipeline: Pipeline) -> bool:
        """Whether this frame runs the body of that very pipeline object."""

    def look(self, path: str) -> None:
        """Take note that the body looks at the output of a node."""

    def raised(self, error: BaseException) -> None:
        """Take note that the body is shown the error of a node; when it calls or looks again, it has got over it."""


class Scope(Protocol):
    """Where the effects of a call that is being run go."""

    context: Any

    @property
    def seed(self) -> int:
        """The seed of the call."""

    def log(self, values: Mapping[str, Any], step: float | None) -> None:
        """Report metrics."""

    def progress(self, done: float, total: float | None) -> None:
        """Report how far the call is."""


FRAME: ContextVar[Frame | None] = ContextVar("finestflow_frame", default=None)
SCOPE: ContextVar[Scope | None] = ContextVar("finestflow_scope", default=None)
ACTIVE_SCOPES: list[Scope] = []
"""The calls that are being run in this process: a thread that a call started is in no context of ours, and is its when there is one alone."""

Launcher = Callable[["Pipeline", tuple[Any, ...], dict[str, Any]], Any]
_launcher: list[Launcher | None] = []


def set_launcher(launcher: Launcher | None) -> None:
    """Say who starts a run when a pipeline is called from plain Python; None says that nobody does."""
    _launcher[:] = [launcher]


def get_launcher() -> Launcher | None:
    """Return who starts runs; None when nobody does, then a pipeline is plain Python."""
    return _launcher[0] if _launcher else None
