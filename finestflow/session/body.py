"""The body of a pipeline while it runs: gives its calls their paths, and nested pipelines their nodes.

Invariant: a path depends on the order of calls within one body alone, not on when they end. ``runner`` opens the outermost frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from finestflow.ending import Terminated
from finestflow.errors import FinestflowError, GraphError
from finestflow.pipeline.call import FRAME
from finestflow.pipeline.each import Each
from finestflow.pipeline.lint import explained
from finestflow.pipeline.output import Output, resolve
from finestflow.pipeline.paths import Paths
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.reports import as_step, iter_metrics, named_artifact
from finestflow.session.fanout import Fan, PipelineFan, TaskFan
from finestflow.session.node import Call, Stopped, UnknownValue, own_inputs
from finestflow.session.structure import Structure

if TYPE_CHECKING:
    from finestflow.pipeline.context import Context
    from finestflow.pipeline.task import Task
    from finestflow.session.session import Session

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
        self._paths = Paths(f"{node.path}/" if node is not None else "")
        self._looks: dict[str, None] = {}
        self._shown: list[BaseException] = []

    def is_running(self, pipeline: Pipeline) -> bool:
        """Whether this is the body of that object."""
        return pipeline is self._pipeline

    def call(self, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any], name: str | None) -> Any:
        """Make the call a node and return its Output."""
        if self._shown:
            self.go_on()
        if isinstance(task, Each):
            return self._fan_out(task.task, self._paths.next_path(task, name), args, kwargs, task.limit)
        path, after = self._paths.next_path(task, name), self._take_looks() if self._looks else ()
        if isinstance(task, Pipeline):
            return self._call_pipeline(path, task, args, kwargs, after)
        return self.session.call_task(path, task, args, kwargs, self.context.prefix, self._node, after)

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
        if self._shown:
            self.go_on()
        return self._fan_out(task, self._paths.next_path(task, name), (items, *args), kwargs, limit)

    def _take_looks(self) -> tuple[str, ...]:
        """Return what the body has looked at since its last call."""
        looks = tuple(self._looks)
        self._looks.clear()
        return looks

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
            self.session.forgive(shown, self._node)

    def log(self, values: Mapping[str, Any], step: float | None) -> None:
        """Report metrics of the pipeline itself; as any look at an Output, it raises what its task raised."""
        values = resolve(dict(values))
        at, now, session = as_step(step), self.session.clock.time(), self.session
        rows = [(name, number, at, now) for name, number in iter_metrics(values, session.warn)]
        session.events.metrics(self._own_path, rows)

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
        session.events.artifact(self._own_path, label, encoded)

    def progress(self, done: float, total: float | None) -> None:
        """Report how far the body of a nested pipeline is; of a run as a whole its nodes tell that."""
        if self._own_path:
            self.session.events.progress(self._own_path, done, total)

    @property
    def _own_path(self) -> str:
        return self._paths.prefix.removesuffix("/")

    def _call_pipeline(
        self, path: str, pipeline: Pipeline, args: tuple[Any, ...], kwargs: dict[str, Any], after: tuple[str, ...]
    ) -> Any:
        node = Structure(path, self.session, pipeline)
        node.parent, node.after = self._node, after
        self.session.bodies.open(node, self._body_of(node, self._own(pipeline), *own_inputs(args, kwargs)))
        return Output(node)

    def _own(self, pipeline: Task) -> Any:
        """Return a pipeline whose params stay: this body may set others while that one goes on."""
        return pipeline.copy() if self.session.is_parallel else pipeline

    def _body_of(
        self, node: Structure, pipeline: Pipeline, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Callable[[], None]:
        frame = BodyFrame(self.session, pipeline, node, self.context.view())
        return partial(frame.run, node, args, kwargs)

    def _fan_out(
        self, task: Task, path: str, inputs: tuple[Any, ...], kwargs: dict[str, Any], limit: int | None
    ) -> Output:
        """Make a fan-out a node: its items are calls of a task, or bodies of nested pipelines."""
        if not inputs:
            raise GraphError(f"{path!r} has no items", "pass them first")
        items = inputs[0] if type(inputs[0]) is Output else list(inputs[0])
        (items, *rest), kwargs = own_inputs((items, *inputs[1:]), kwargs)
        fan: Fan
        if isinstance(task, Pipeline):
            own = self._own(task)
            fan = PipelineFan(
                path, self.session, own, items, limit,
                lambda item, value: self._body_of(item, own, (value, *rest), kwargs),
            )  # fmt: skip
        else:
            call = Call(self.session.static_of(task), tuple(rest), kwargs, self.context.prefix)
            fan = TaskFan(path, self.session, task, items, limit, call)
        fan.parent, fan.after = self._node, self._take_looks()
        self.session.open_fan(fan)
        return Output(fan)

    def run(self, node: Structure, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Run the body of a nested pipeline; its result, or what it raised, is then the node's."""
        error: BaseException | None = None
        with running(self):
            try:
                node.result = self._pipeline.body(*args, **kwargs)
                self.go_on()
            except (KeyboardInterrupt, Terminated, Stopped, UnknownValue):
                raise
            except BaseException as raised:  # noqa: BLE001 - it stays in the Output
                error = explained(raised)
        self.session.bodies.close(node, error, self._shown)


@contextmanager
def running(frame: BodyFrame) -> Iterator[None]:
    """Make a frame the one that calls go to."""
    token = FRAME.set(frame)
    try:
        yield
    finally:
        FRAME.reset(token)
