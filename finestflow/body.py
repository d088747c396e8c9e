"""The body of a pipeline while it runs: gives its calls their paths, and nested pipelines their nodes.

Invariant: a path depends on the order of calls within one body alone, not on when they end. ``runner`` opens the outermost frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from finestflow.errors import FinestflowError, GraphError
from finestflow.executor.perform import Terminated, own_value
from finestflow.node import Structure
from finestflow.pipeline.call import FRAME
from finestflow.pipeline.output import Output, resolve
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.reports import as_step, iter_metrics, named_artifact

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
        node: The pipeline's own node; None for the outermost.
        context: Its view of the run's context; the run's own when not given.
    """

    def __init__(
        self, session: Session, pipeline: Pipeline, node: Structure | None = None, context: Context | None = None
    ) -> None:
        self.session = session
        self.context = session.context if context is None else context
        self._pipeline = pipeline
        self._node = node
        self._prefix = f"{node.path}/" if node is not None else ""
        self._counts: dict[str, int] = {}
        self._named: set[str] = set()
        self._looks: dict[str, None] = {}
        self._shown: list[BaseException] = []

    def is_running(self, pipeline: Pipeline) -> bool:
        """Whether this is the body of that object."""
        return pipeline is self._pipeline

    def call(self, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any], name: str | None) -> Any:
        """Make the call a node and return its Output."""
        if self._shown:
            self.go_on()
        path = self._path_of(task, name)
        after: tuple[str, ...] = ()
        if self._looks:
            after = tuple(self._looks)
            self._looks.clear()
        if isinstance(task, Pipeline):
            return self._call_pipeline(path, task, args, kwargs, after)
        return self.session.call_task(path, task, args, kwargs, self.context.prefix, self._node, after)

    def look(self, path: str) -> None:
        """Take note that the body looks at a node: what it calls from now on may depend on it."""
        if self._shown:
            self.go_on()
        self._looks[path] = None

    def raised(self, error: BaseException) -> None:
        """Take note that the body is shown an error; when it goes on, it has got over it."""
        self._shown.append(error)

    def go_on(self) -> None:
        """Take note that the body got over the errors that it was shown."""
        shown, self._shown = self._shown, []
        if shown:
            self.session.forgive(shown)

    def log(self, values: Mapping[str, Any], step: float | None) -> None:
        """Report metrics of the pipeline itself; as any look at an Output, it raises what its task raised."""
        values = resolve(dict(values))
        at, now, session = as_step(step), self.session.clock.time(), self.session
        rows = [(name, number, at, now) for name, number in iter_metrics(values, session.warn)]
        session.metrics(self._own_path, rows)

    def save(self, value: Any, name: str) -> None:
        """Keep an artifact of the pipeline itself."""
        session, value = self.session, resolve(value)
        try:
            what, label = named_artifact(value, name)
            encoded = session.store.encode(what)
        except (FinestflowError, OSError) as error:
            session.warn(f"{name or str(value)[:80]!r} is not saved: {error}")
            return
        session.store.add_value(encoded)
        session.artifact(self._own_path, label, encoded)

    def progress(self, done: float, total: float | None) -> None:
        """Report how far the body of a nested pipeline is; of a run as a whole its nodes tell that."""
        if self._own_path:
            self.session.progress(self._own_path, done, total)

    @property
    def _own_path(self) -> str:
        return self._prefix.removesuffix("/")

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

    def _call_pipeline(
        self, path: str, pipeline: Pipeline, args: tuple[Any, ...], kwargs: dict[str, Any], after: tuple[str, ...]
    ) -> Any:
        session = self.session
        node = Structure(path, session, pipeline)
        node.parent, node.after = self._node, after
        args = tuple([own_value(value, _as_it_is) for value in args])  # as a task has its own copies
        kwargs = {name: own_value(value, _as_it_is) for name, value in kwargs.items()}
        own = (
            pipeline.copy() if session.is_parallel else pipeline
        )  # this body may set other params while that one goes on
        frame = BodyFrame(session, own, node, self.context.view())
        session.open_body(node, partial(frame.run, node, args, kwargs))
        return Output(node)

    def run(self, node: Structure, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Run the body of a nested pipeline; its result, or what it raised, is then the node's."""
        error: BaseException | None = None
        with running(self):
            try:
                node.result = self._pipeline.body(*args, **kwargs)
                self.go_on()
            except Terminated:
                raise
            except (Exception, SystemExit) as raised:  # noqa: BLE001 - it stays in the Output
                error = raised
        self.session.close_body(node, error, self._shown)


def _as_it_is(output: Output) -> Output:
    return output


@contextmanager
def running(frame: BodyFrame) -> Iterator[None]:
    """Make a frame the one that calls go to."""
    token = FRAME.set(frame)
    try:
        yield
    finally:
        FRAME.reset(token)
