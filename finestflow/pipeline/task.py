"""Tasks: units of work with declared params, inputs and outputs.

Owns what a user's class means. Invariant: a task is an ordinary object; called outside a run it computes and returns the plain value, called
inside the body of a pipeline it becomes a node and returns an ``Output``. The metaclass of all tasks is ``type``: nothing is hidden.
"""

from __future__ import annotations

import functools
import inspect
import random
import typing
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, Self

from finestflow.ending import Terminated
from finestflow.errors import ParamError, UsageError, describe_error, nearest_hint
from finestflow.pipeline.call import FRAME, SCOPE
from finestflow.pipeline.context import Context
from finestflow.pipeline.declare import TaskMeta, check_label, local_names, read_annotations, read_meta, read_params
from finestflow.pipeline.output import Output
from finestflow.pipeline.param import MISSING, ParamSpec, own_copy, type_name

__all__ = ["FunctionTask", "NamedTask", "Task", "shown_params", "signature_of"]


_MAY_BE_WRITTEN = frozenset(
    {
        "Meta",
        "context",
        "dump",
        "initialize",
        "load",
        "log",
        "on_failure",
        "on_success",
        "progress",
        "rng",
        "run",
        "seed",
    }
)
"""Public names of a task that a subclass may define; the others are what finestflow itself calls."""
_MAY_BE_PARAMS = frozenset({"context", "dump", "load", "rng", "seed"})
"""What a task has that nobody but its own code asks for: a param or child of that name takes its place."""


def _is_own(thing: Any) -> bool:
    """Whether a class or function is of this package; everything else is the user's."""
    module: str = getattr(thing, "__module__", None) or ""
    return module.startswith("finestflow.pipeline.")


def _check_form(cls: type[Task]) -> None:
    """Refuse what would silently not work: state that no key knows of, calls that no run sees, names that are taken."""
    name, method = cls.__qualname__, cls.__finestflow_method__
    if not _is_own(cls.__init__):
        hint = "declare params as annotated attributes, and do the set-up in initialize()"
        raise UsageError(f"{name!r} has an __init__ of its own: what it sets would be no part of a cache key", hint)
    if cls.__dict__.get("__slots__"):
        raise UsageError(f"{name!r} has __slots__", "leave them out: params are kept in __dict__")
    if method == "run" and not _is_own(cls.__call__):
        raise UsageError(
            f"{name!r} has a __call__ of its own", "call it run: __call__ makes the call a node of the graph"
        )
    for part in ("initialize", method):
        function = inspect.unwrap(getattr(cls, part))
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(f"{name!r} has an async {part}", "use asyncio.run(...) inside it")
        if part == "__call__" and inspect.isgeneratorfunction(function):
            raise UsageError(f"{name!r} has a __call__ with yield", "return the outputs in a list")
    taken = {n for base in cls.__mro__ if _is_own(base) for n in vars(base) if not n.startswith("_")}
    declared = {n for n in inspect.get_annotations(cls) if n not in _MAY_BE_PARAMS}
    for known in sorted((taken & declared) | ((taken - _MAY_BE_WRITTEN) & vars(cls).keys()) | ({"use"} & declared)):
        raise UsageError(f"{name!r} cannot have a {known!r} of its own: finestflow uses that name", f"call it {known}_")


class Task:
    """A unit of work: subclass it, declare params as annotated attributes, and write ``run``.

    Params are given to the constructor by name. ``initialize`` does heavy set-up, once a process and only when the task really runs.
    ``on_success`` and ``on_failure`` are hooks; an error in a hook is reported and never fatal.

    Raises:
        ParamError: A param is unknown, missing, or of the wrong type.
    """

    __finestflow_params__: ClassVar[dict[str, ParamSpec]] = {}
    __finestflow_declared__: ClassVar[dict[str, ParamSpec]] = {}
    __finestflow_meta__: ClassVar[TaskMeta] = TaskMeta()
    __finestflow_method__: ClassVar[str] = "run"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not _is_own(cls):
            _check_form(cls)
            cls.__finestflow_declare__(read_annotations(cls, local_names(1)))

    @classmethod
    def __finestflow_declare__(cls, annotations: Mapping[str, Any], children: Collection[str] = ()) -> None:
        """Read params and Meta of a new class; the bases' come first, and the nearest base wins."""
        cls.__finestflow_meta__ = read_meta(cls)
        params: dict[str, ParamSpec] = {}
        for base in reversed(cls.__mro__[1:]):
            params.update(base.__dict__.get("__finestflow_declared__", {}))
        declared = read_params(cls, annotations, params, children)
        for name, spec in declared.items():
            if spec.default is not MISSING:
                setattr(cls, name, spec.default)
            elif name in cls.__dict__ or hasattr(Task, name):
                setattr(cls, name, None)  # neither a declaration nor a property of Task may stand before the value
        cls.__finestflow_declared__ = declared
        cls.__finestflow_params__ = {**params, **declared}

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Refuse a class that was made a dataclass: its ``__init__`` would pass by the checks of params."""
        if "__dataclass_fields__" in cls.__dict__:
            raise UsageError(
                f"{cls.__qualname__!r} is a dataclass as well",
                "leave out @dataclass: params are declared like its fields",
            )
        return super().__new__(cls)

    def __init__(self, **params: Any) -> None:
        specs = self.__finestflow_params__
        owner = type(self).__name__
        for name in params:
            if name not in specs:
                hint = nearest_hint(name, specs, f"params of {owner!r}")
                raise ParamError(f"{owner!r} has no param {name!r}", hint)
        values = self.__dict__
        for name, spec in specs.items():
            if name in params:
                values[name] = spec.check(params[name], owner)
            elif spec.default is not MISSING:
                values[name] = own_copy(spec.default)
            else:
                message = f"{owner!r} needs the param {name!r} of type {type_name(spec.type)}"
                raise ParamError(message, _how_to_give(spec, owner))

    def __setattr__(self, name: str, value: Any) -> None:
        spec = self.__finestflow_params__.get(name)
        if spec is not None:
            value = spec.check(value, type(self).__name__)
            self.__dict__.pop(
                "_finestflow_initialized", None
            )  # what was set up for another value must not serve this one
        self.__dict__.pop("_static", None)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__finestflow_params__:
            raise ParamError(
                f"the param {name!r} of {type(self).__name__!r} cannot be deleted", "set it to another value"
            )
        object.__delattr__(self, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(shown_params(self))})"

    def __getstate__(self) -> dict[str, Any]:
        """Return what makes this task this one: its params and what was set from outside, nothing that ``initialize`` made."""
        made = self.__dict__.get("_finestflow_initialized", ())
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_") and name not in made}

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
        self.__dict__.pop("_finestflow_rng", None)
        try:
            self.initialize_once()
            output = self.run(*args, **kwargs)
        except Exception as error:
            self._react("on_failure", error)
            raise
        self._react("on_success", output)
        return output

    def _react(self, hook: str, value: Any) -> None:
        problem = self.call_hook(hook, value)
        if problem:
            warnings.warn(problem, stacklevel=3)

    def initialize_once(self) -> None:
        """Call ``initialize`` if that has not been done for the params as they are."""
        if "_finestflow_initialized" in self.__dict__:
            return
        before = {*self.__dict__}
        self.initialize()
        self.__dict__["_finestflow_initialized"] = frozenset(self.__dict__.keys() - before)

    def named(self, name: str) -> Any:
        """Give a call a name of its own: ``self.fit.named("final")(x)``, or ``load >> Fit().named("final")`` in a chain.

        Raises:
            UsageError: The name cannot be part of a path: empty, or with a slash, colon, wildcard or brackets.
        """
        check_label(name, "a call")
        return NamedTask(self, name)

    def __rshift__(self, other: Any) -> Any:
        """Return the chain in which the other takes this one's output: ``Load() >> Clean() >> Fit()``."""
        return _join(self, other)

    def __rrshift__(self, other: Any) -> Any:
        """Return the chain in which this one takes the outputs of a list: ``[svm, forest] >> pick``."""
        return _join(other, self)

    def log(self, values: Mapping[str, float] | None = None, /, *, step: float | None = None, **metrics: float) -> None:
        """Report metrics of this call, with or without a step; outside a run nothing happens.

        In the body of a pipeline they are the pipeline's own.
        """
        scope: Any = SCOPE.get() or FRAME.get()
        if not hasattr(scope, "log"):
            return
        if values is not None and not isinstance(values, Mapping):
            warnings.warn(f"log() of {self.task_name!r} takes names and numbers, not {values!r:.80}", stacklevel=2)
            values = None
        scope.log({**(values or {}), **metrics}, step)

    def progress(self, done: float, total: float | None = None) -> None:
        """Report how far this call is, in any unit; outside a run nothing happens."""
        scope = SCOPE.get()
        if scope is None:
            return
        try:
            scope.progress(_number(done), None if total is None else _number(total))
        except (TypeError, ValueError):
            warnings.warn(f"progress() of {self.task_name!r} takes numbers, not {done!r:.80}", stacklevel=2)

    @property
    def context(self) -> Context:
        """A mapping that the tasks of one run share; outside a run it belongs to this object."""
        shared: Context | None = getattr(SCOPE.get() or FRAME.get(), "context", None)
        if shared is not None:
            return shared
        own: Context = self.__dict__.setdefault("_finestflow_context", Context({}))
        return own

    @property
    def seed(self) -> int:
        """The seed of this call, an integer below 2**32; 0 outside a run."""
        scope = SCOPE.get()
        return 0 if scope is None else scope.seed

    @property
    def rng(self) -> random.Random:
        """A random number generator of this call's own, seeded with the seed of the call."""
        scope = SCOPE.get()
        seed = 0 if scope is None else scope.seed
        kept = self.__dict__.get("_finestflow_rng")
        if kept is None or kept[0] is not scope:
            kept = self.__dict__["_finestflow_rng"] = (scope, random.Random(seed))  # noqa: S311 - experiments, not secrets
        generator: random.Random = kept[1]
        return generator

    @staticmethod
    def of(target: Any) -> Task:
        """Make a task of any function, class or callable object; a task comes back as it is."""
        if isinstance(target, Task):
            return target
        if isinstance(target, type) and issubclass(target, Task):
            return target()
        if not callable(target) or isinstance(target, Output):
            raise UsageError(f"{target!r:.80} is no task", "pass a task, a function, a class or a callable object")
        return FunctionTask(target)

    def call_hook(self, hook: str, value: Any) -> str:
        """Call ``on_success`` or ``on_failure``, which must never break a run; return what went wrong with it, empty when nothing did."""
        if getattr(type(self), hook) is getattr(Task, hook):
            return ""
        try:
            getattr(self, hook)(value)
        except Terminated:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001
            return f"{hook}() of {type(self).__name__} raised {describe_error(error)}"
        return ""

    def copy(self) -> Self:
        """Return a new task with the same params; neither containers nor anything that was initialised are shared."""
        cls = type(self)
        other = cls.__new__(cls)
        for name, value in self.__getstate__().items():
            other.__dict__[name] = value.copy() if isinstance(value, Task) else own_copy(value)
        return other

    @property
    def task_name(self) -> str:
        """The name of the task: ``Meta.name``, or else the name of its class."""
        return self.__finestflow_meta__.name or type(self).__name__

    @property
    def code(self) -> Any:
        """The object whose code is this task's: its class, or the function it was made of."""
        return type(self)

    def __finestflow_signature__(self) -> inspect.Signature | None:
        """Return the signature of a call, without ``self``."""
        kind: Any = type(self)
        return _signature_of_class(kind)


class NamedTask:
    """A task under a name that a call of it, or its place in a chain, has in the graph.

    Attributes:
        task: The task.
        name: The name.
    """

    __slots__ = ("name", "task")

    def __init__(self, task: Task, name: str) -> None:
        self.task = task
        self.name = name

    def __repr__(self) -> str:
        return f"{self.task!r}.named({self.name!r})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task; inside a pipeline's body the node has the name."""
        frame = FRAME.get()
        return self.task(*args, **kwargs) if frame is None else frame.call(self.task, args, kwargs, self.name)

    def __rshift__(self, other: Any) -> Any:
        return _join(self, other)

    def __rrshift__(self, other: Any) -> Any:
        return _join(other, self)


def _join(left: Any, right: Any) -> Any:
    """Make a chain; Outputs have a ``>>`` of their own."""
    if isinstance(left, Output) or isinstance(right, Output):
        return NotImplemented
    from finestflow.pipeline.chain import join

    return join(left, right)


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
        """Return another task of the same function; the function itself is shared."""
        return type(self)(self.function)

    @property
    def task_name(self) -> str:
        """The name of the function."""
        function = self.function
        while isinstance(function, functools.partial):
            function = function.func
        name = getattr(function, "__name__", None)
        return type(function).__name__ if not isinstance(name, str) else name.replace("<lambda>", "lambda")

    @property
    def code(self) -> Any:
        """The function itself."""
        return self.function

    def __finestflow_signature__(self) -> inspect.Signature | None:
        if "_finestflow_signature" not in self.__dict__:
            self.__dict__["_finestflow_signature"] = _signature(self.function)
        found: inspect.Signature | None = self.__dict__["_finestflow_signature"]
        return found


def shown_params(task: Task) -> list[str]:
    """Return the params that are not at their default, as they are written in a call."""
    values = task.__dict__
    specs = [spec for name, spec in task.__finestflow_params__.items() if name in values]
    changed = [spec for spec in specs if not _is_same(values[spec.name], spec.default)]
    return [f"{spec.name}={'***' if spec.secret else repr(values[spec.name])}" for spec in changed]


def _how_to_give(spec: ParamSpec, owner: str) -> str:
    if isinstance(spec.type, (str, typing.ForwardRef)):
        return f"its annotation {spec.type!r} is not known where {owner!r} is defined: define or import it before, if it is a task"
    return f"pass it by name: {owner}({spec.name}=...)"


def _is_same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    try:
        return type(value) is type(default) and bool(value == default)
    except Exception:  # noqa: BLE001 - arrays, and whatever else has no yes or no
        return False


def _number(value: Any) -> float:
    """Return a plain number; an integer stays one."""
    return value if type(value) in {int, float} else float(value)


@functools.lru_cache(maxsize=1024)
def _signature_of_class(cls: Any) -> inspect.Signature | None:
    """Return the signature of the method that a call reaches; bound, so that static methods and decorators are right."""
    task = cls.__new__(cls)
    return _signature(getattr(task, "__finestflow_body__", None) or task.run)


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some builtins tell nothing
        return None


def signature_of(task: Task) -> inspect.Signature | None:
    """Return the signature of a call of the task, without ``self``; None where Python cannot tell."""
    return task.__finestflow_signature__()
