"""Tasks: units of work with declared params, inputs and outputs.

Owns what a user's class means. Invariant: a task is an ordinary object; called outside a run it computes and returns the plain value, called
inside the body of a pipeline it becomes a node and returns an ``Output``. The metaclass of all tasks is ``type``: nothing is hidden.
"""

from __future__ import annotations

import functools
import inspect
import random
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from finestflow.errors import ParamError, UsageError, nearest_hint
from finestflow.pipeline.call import FRAME, SCOPE
from finestflow.pipeline.context import Context
from finestflow.pipeline.declare import TaskMeta, read_annotations, read_meta, read_params
from finestflow.pipeline.param import MISSING, ParamSpec, type_name

__all__ = ["FunctionTask", "Task", "signature_of"]


class Task:
    """A unit of work: subclass it, declare params as annotated attributes, and write ``run``.

    Params are given to the constructor by name. ``initialize`` does heavy set-up, once a process and only when the task really runs.
    ``on_success`` and ``on_failure`` are hooks; an error in a hook is reported and never fatal.

    Raises:
        ParamError: A param is unknown, missing, or of the wrong type.
    """

    __finestflow_params__: ClassVar[dict[str, ParamSpec]] = {}
    __finestflow_meta__: ClassVar[TaskMeta] = TaskMeta()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        caller = sys._getframe(1)  # noqa: SLF001 - the place of definition, for annotations kept as text
        names = caller.f_locals if caller.f_code.co_name != "<module>" else {}
        cls._declare(read_annotations(cls, names))

    @classmethod
    def _declare(cls, annotations: Mapping[str, Any]) -> None:
        """Read params and Meta of a new class; the bases' come first."""
        cls.__finestflow_meta__ = read_meta(cls)
        params: dict[str, ParamSpec] = {}
        for base in reversed(cls.__mro__[1:]):
            params.update(base.__dict__.get("__finestflow_params__", {}))
        params.update(read_params(cls, annotations))
        for name in list(params):
            override = cls.__dict__.get(name, MISSING)
            if name not in annotations and override is not MISSING and not callable(override):
                params[name] = _with_default(params[name], override)
            if isinstance(override, ParamSpec):
                delattr(cls, name)
        cls.__finestflow_params__ = params

    def __init__(self, **params: Any) -> None:
        specs = self.__finestflow_params__
        owner = type(self).__name__
        for name in params:
            if name not in specs:
                hint = nearest_hint(name, specs, f"params of {owner!r}")
                raise ParamError(f"{owner!r} has no param {name!r}", hint)
        values = self.__dict__
        for name, spec in specs.items():
            value = params.get(name, spec.default)
            if value is MISSING:
                message = f"{owner!r} needs the param {name!r} of type {type_name(spec.type)}"
                raise ParamError(message, f"pass it by name: {owner}({name}=...)")
            values[name] = spec.check(value, owner)

    def __setattr__(self, name: str, value: Any) -> None:
        spec = self.__finestflow_params__.get(name)
        object.__setattr__(self, name, value if spec is None else spec.check(value, type(self).__name__))

    def __repr__(self) -> str:
        given = []
        for name, spec in self.__finestflow_params__.items():
            if name in self.__dict__ and self.__dict__[name] is not spec.default:
                given.append(f"{name}={'***' if spec.secret else repr(self.__dict__[name])}")
        return f"{type(self).__name__}({', '.join(given)})"

    # -- what users write ------------------------------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Do heavy set-up, such as loading a model; runs once a process, and only before a ``run``."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output from the inputs."""
        raise UsageError(f"{type(self).__name__!r} has no method 'run'", "write run(self, ...) in the class")

    def on_success(self, output: Any) -> None:
        """React to an output, in the process that computed it."""

    def on_failure(self, error: BaseException) -> None:
        """React to an error, in the process where it was raised."""

    # -- what users call -------------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task: a node and its ``Output`` inside a pipeline's body, the plain value everywhere else."""
        frame = FRAME.get()
        if frame is not None:
            return frame.call(self, args, kwargs, None)
        return self._compute(args, kwargs)

    def _compute(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self.__dict__.get("_is_initialized"):
            self.initialize()
            self.__dict__["_is_initialized"] = True
        try:
            output = self.run(*args, **kwargs)
        except Exception as error:
            self.call_hook("on_failure", error)
            raise
        self.call_hook("on_success", output)
        return output

    def named(self, name: str) -> Callable[..., Any]:
        """Give the next call a name of its own: ``self.fit.named("final")(x)``.

        Raises:
            UsageError: The name is empty or holds a slash or brackets.
        """
        if not name or any(character in name for character in "/[]"):
            raise UsageError(f"a call cannot be named {name!r}", "use a name without slash and brackets")
        frame = FRAME.get()
        if frame is None:
            return self.__call__
        return lambda *args, **kwargs: frame.call(self, args, kwargs, name)

    def log(self, values: Mapping[str, float] | None = None, *, step: float | None = None, **metrics: float) -> None:
        """Report metrics of this call, with or without a step; outside a run nothing happens."""
        scope = SCOPE.get()
        if scope is not None:
            scope.log({**(values or {}), **metrics}, step)

    def progress(self, done: float, total: float | None = None) -> None:
        """Report how far this call is, in any unit; outside a run nothing happens."""
        scope = SCOPE.get()
        if scope is not None:
            scope.progress(done, total)

    @property
    def context(self) -> Context:
        """A mapping that the tasks of one run share; outside a run it belongs to this object."""
        scope = SCOPE.get()
        if scope is not None:
            shared: Context = scope.context
            return shared
        own: Context = self.__dict__.setdefault("_context", Context({}))
        return own

    @property
    def seed(self) -> int:
        """The seed of this call, an integer below 2**32; 0 outside a run."""
        scope = SCOPE.get()
        return 0 if scope is None else scope.seed

    @property
    def rng(self) -> random.Random:
        """A random number generator of this call's own, seeded with ``seed``."""
        scope = SCOPE.get()
        key = (id(scope), self.seed)
        kept = self.__dict__.get("_rng")
        if kept is None or kept[0] != key:
            kept = self.__dict__["_rng"] = (key, random.Random(self.seed))  # noqa: S311 - experiments, not secrets
        generator: random.Random = kept[1]
        return generator

    @staticmethod
    def of(target: Any) -> Task:
        """Make a task of any function, class or callable object; a task comes back as it is."""
        if isinstance(target, Task):
            return target
        if isinstance(target, type) and issubclass(target, Task):
            return target()
        if not callable(target):
            raise UsageError(f"{target!r:.80} is no task", "pass a task, a function, a class or a callable object")
        return FunctionTask(target)

    def call_hook(self, hook: str, value: Any) -> None:
        """Call ``on_success`` or ``on_failure``; an error of the hook becomes a warning."""
        if getattr(type(self), hook) is getattr(Task, hook):
            return
        try:
            getattr(self, hook)(value)
        except Exception as error:  # noqa: BLE001 - a hook must never break a run
            warnings.warn(f"{type(self).__name__}.{hook} raised {type(error).__name__}: {error}", stacklevel=2)

    def copy(self) -> Self:
        """Return a new task with the same params; nothing that was initialised is shared."""
        cls = type(self)
        other = cls.__new__(cls)
        other.__dict__.update({name: self.__dict__[name] for name in self.__finestflow_params__ if name in self.__dict__})
        return other

    @property
    def task_name(self) -> str:
        """The name of the task: ``Meta.name``, or else the name of its class."""
        return self.__finestflow_meta__.name or type(self).__name__

    @property
    def code(self) -> Any:
        """The object whose code is this task's: its class, or the function it was made of."""
        return type(self)


class FunctionTask(Task):
    """A task made of a function, class or callable object by ``Task.of``.

    Attributes:
        function: What is called.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Task.of({self.task_name})"

    def copy(self) -> Self:
        """Return another task of the same function."""
        return type(self)(self.function)

    @property
    def task_name(self) -> str:
        """The name of the function."""
        function = self.function
        while isinstance(function, functools.partial):
            function = function.func
        name: str = getattr(function, "__name__", type(function).__name__)
        return name.replace("<lambda>", "lambda")

    @property
    def code(self) -> Any:
        """The function itself."""
        return self.function


def _with_default(spec: ParamSpec, default: Any) -> ParamSpec:
    if isinstance(default, ParamSpec):
        default.name, default.type = spec.name, spec.type
        return default
    changed = ParamSpec(default, help=spec.help, secret=spec.secret, digest=spec.digest, choices=spec.choices)
    changed.name, changed.type = spec.name, spec.type
    return changed


@functools.lru_cache(maxsize=4096)
def _signature(function: Callable[..., Any], skip: int) -> inspect.Signature | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins tell nothing
        return None
    return signature.replace(parameters=list(signature.parameters.values())[skip:])


def signature_of(task: Task) -> inspect.Signature | None:
    """Return the signature of a call of the task, without ``self``; None where Python cannot tell."""
    if isinstance(task, FunctionTask):
        try:
            return _signature(task.function, 0)
        except TypeError:  # an unhashable callable
            return None
    return _signature(getattr(type(task), "__finestflow_body__", type(task).run), 1)
