"""The body of a pipeline while it runs: gives its calls their paths, and nested pipelines their nodes.

Invariant: a path depends on the order of calls within one body alone, not on when they end. ``runner`` opens the outermost frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from finestflow.errors import GraphError
from finestflow.model import NodeStatus
from finestflow.node import Structure
from finestflow.pipeline.call import FRAME
from finestflow.pipeline.output import Output
from finestflow.pipeline.pipeline import Pipeline

if TYPE_CHECKING:
    from finestflow.pipeline.context import Context
    from finestflow.pipeline.task import Task
    from finestflow.session import Session

__all__ = ["BodyFrame", "running"]


class BodyFrame:
    """The body of one pipeline object while it runs: gives its calls their paths.

    Args:
        session: The run.
        pipeline: Whose body it is.
        prefix: Path of the pipeline's own node with a slash; empty for the outermost.
    """

    def __init__(self, session: Session, pipeline: Pipeline, prefix: str = "") -> None:
        self.session = session
        self._pipeline = pipeline
        self._prefix = prefix
        self._counts: dict[str, int] = {}
        self._named: set[str] = set()

    @property
    def context(self) -> Context:
        """The context of the run, for the body."""
        return self.session.context

    def is_running(self, pipeline: Pipeline) -> bool:
        """Whether this is the body of that object."""
        return pipeline is self._pipeline

    def call(self, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any], name: str | None) -> Any:
        """Make the call a node and return its Output."""
        path = self._path_of(task, name)
        if isinstance(task, Pipeline):
            return self._call_pipeline(path, task, args, kwargs)
        return self.session.call_task(path, task, args, kwargs)

    def _path_of(self, task: Task, name: str | None) -> str:
        """Return the path of the next call: a name once, unnamed repeats with a number."""
        if name is not None:
            if name in self._named or name in self._counts:
                raise GraphError(f"two calls are named {name!r}", "give each a name of its own: task.named(...)")
            self._named.add(name)
            return self._prefix + name
        label = task.__dict__.get("_slot") or task.task_name
        count = self._counts.get(label, 0)
        self._counts[label] = count + 1
        if count:
            return f"{self._prefix}{label}[{count}]"
        if label in self._named:
            raise GraphError(f"two calls are named {label!r}", "give each a name of its own: task.named(...)")
        return self._prefix + label

    def _call_pipeline(self, path: str, pipeline: Pipeline, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        session = self.session
        node = Structure(path, session, pipeline)
        session.nodes[path] = node
        session.emit(
            {"e": "start", "path": path, "task": node.identity, "kind": "pipeline", "t": session.clock.time()},
            lazy=True,
        )
        begin = session.clock.monotonic()
        with running(BodyFrame(session, pipeline, path + "/")):
            try:
                node.result = pipeline.body(*args, **kwargs)
                node.status = session.status_below(node)
            except Exception as error:
                node.status = NodeStatus.FAILED
                node.error = error
                raise
            finally:
                node.seconds = session.clock.monotonic() - begin
                if node.status is not NodeStatus.PENDING:
                    session.emit(node.event(session.clock.time()), lazy=True)
        return Output(node)


@contextmanager
def running(frame: BodyFrame) -> Iterator[None]:
    """Make a frame the one that calls go to."""
    token = FRAME.set(frame)
    try:
        yield
    finally:
        FRAME.reset(token)
