"""Pipelines: tasks wired together by ordinary Python.

Owns children (declared, replaced, checked), the dispatch of a call (a run, a nested pipeline, or a ``super().__call__``), and per-call
options. Invariant: a pipeline instance owns its children; replacing one never changes another instance. ``runner`` calls ``body``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from finestflow.errors import FinestflowError, ParamError, UsageError, nearest_hint
from finestflow.pipeline.call import FRAME, SCOPE, get_launcher
from finestflow.pipeline.declare import is_class_var
from finestflow.pipeline.lint import warn_of_handles
from finestflow.pipeline.param import MISSING
from finestflow.pipeline.task import FunctionTask, Task, shown_params, signature_of

__all__ = ["ChildSpec", "Pipeline", "import_target", "is_compatible", "make_child"]

_OPTIONS = frozenset(
    {
        "cache", "context", "executor", "force", "from_run", "jobs", "keep_going", "name", "note", "seed", "start", "stop", "tags",
        "timeout",
    }
)  # fmt: skip


class ChildSpec:
    """One declared child of a pipeline class.

    Attributes:
        name: Its name.
        kind: Its declared class; ``Task`` where any will do.
        default: What stands there when nothing is given, as it was written.
        is_optional: Whether it may be None (``Clean | None``).
    """

    __slots__ = ("default", "is_optional", "kind", "name")

    def __init__(self, name: str, kind: type[Task], default: Any, *, is_optional: bool = False) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.is_optional = is_optional or default is None

    @property
    def declared(self) -> type[Task]:
        """The class that a replacement has to be compatible with: that of the default, or else the annotated one."""
        if isinstance(self.default, Task):
            return type(self.default)
        if isinstance(self.default, type) and issubclass(self.default, Task):
            return self.default
        return self.kind

    @property
    def example(self) -> Task:
        """A task that is called as the declared one is: the default, where it is one."""
        return self.default if isinstance(self.default, Task) else self.declared.__new__(self.declared)


class Pipeline(Task):
    """Tasks wired together: declare children as annotated attributes and write ``__call__``.

    A child is given as a class, an instance, a dotted name such as ``"digits:Fit"``, a dict of params, or any callable. The call of a
    pipeline is a run: snapshot, execute, record; the plain value comes back. Inside another pipeline it is a part of that run.

    Raises:
        ParamError: A param or child is unknown, missing or does not fit.
    """

    __finestflow_children__: ClassVar[dict[str, ChildSpec]] = {}
    __finestflow_own_children__: ClassVar[dict[str, ChildSpec | None]] = {}
    __finestflow_body__: ClassVar[Callable[..., Any]]
    __finestflow_method__: ClassVar[str] = "__call__"

    @classmethod
    def __finestflow_declare__(cls, annotations: Mapping[str, Any], children: Collection[str] = ()) -> None:
        """Read children, params and Meta of a new class, and make its ``__call__`` a run."""
        known: dict[str, ChildSpec | None] = {}
        for base in reversed(cls.__mro__[1:]):
            known.update(base.__dict__.get("__finestflow_own_children__", {}))
        own = _read_children(cls, annotations, {name: spec for name, spec in known.items() if spec is not None})
        params = {name: kind for name, kind in annotations.items() if own.get(name) is None}
        super().__finestflow_declare__(params, [name for name, spec in own.items() if spec is not None])
        own.update(dict.fromkeys(cls.__finestflow_declared__))  # a param takes the place of an inherited child
        cls.__finestflow_own_children__ = own
        cls.__finestflow_children__ = {name: spec for name, spec in {**known, **own}.items() if spec is not None}
        cls.__finestflow_params__ = {
            n: s for n, s in cls.__finestflow_params__.items() if n not in cls.__finestflow_children__
        }
        body = cls.__dict__.get("__call__")
        if body is not None:
            cls.__finestflow_body__ = body
            cls.__call__ = _dispatcher(cls, body)  # type: ignore[method-assign]
            warn_of_handles(body, cls.__finestflow_children__)

    def __init__(self, **settings: Any) -> None:
        specs = self.__finestflow_children__
        for name, value in settings.items():
            _check_setting(self, name, value)
        super().__init__(**{name: value for name, value in settings.items() if name not in specs})
        for name, spec in specs.items():
            self.__dict__[name] = make_child(self, spec, settings.get(name, MISSING))

    def __setattr__(self, name: str, value: Any) -> None:
        spec = self.child_specs.get(name)
        if spec is None:
            super().__setattr__(name, value)
        else:
            self.__dict__[name] = make_child(self, spec, value)

    def __delattr__(self, name: str) -> None:
        if name in self.child_specs:
            raise ParamError(
                f"the child {name!r} of {type(self).__name__!r} cannot be deleted", "set it to another task"
            )
        super().__delattr__(name)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what ``__getstate__`` gave, and tell the children their places again."""
        self.__dict__.update(state)
        for name, child in self.children.items():
            child.__dict__["_slot"] = name

    # -- calls -----------------------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the pipeline; write this method in the class."""
        raise UsageError(f"{type(self).__name__!r} has no method '__call__'", "write __call__(self, ...) in the class")

    def body(self, *args: Any, **kwargs: Any) -> Any:
        """Call the user's own ``__call__``."""
        body = getattr(type(self), "__finestflow_body__", Pipeline.__call__)
        return body(self, *args, **kwargs)

    def options(self, **options: Any) -> Self:
        """Return the same pipeline with options for its calls.

        Args:
            options: ``jobs`` (a number, or ``"auto"``), ``executor`` (``"sequential"``, ``"process"``), ``timeout`` (seconds a task),
                ``start``, ``stop`` (node paths or patterns that the run starts and stops at), ``from_run`` (where outputs before the start
                come from), ``cache`` (False: neither read nor write), ``force`` (node paths to run again, or True), ``name``, ``note``,
                ``tags``, ``keep_going``, ``context`` (values given at the start), ``seed``.
        """
        for name in options:
            if name not in _OPTIONS:
                raise UsageError(f"a run has no option {name!r}", nearest_hint(name, _OPTIONS, "options"))
        other = self.copy()
        other.__dict__["_finestflow_options"] = {**self.run_options, **options}
        other.__dict__["_finestflow_origin"] = self.__dict__.get("_finestflow_origin", self)
        return other

    @property
    def run_options(self) -> Mapping[str, Any]:
        """The options that ``options`` gave."""
        given: Mapping[str, Any] = self.__dict__.get("_finestflow_options", {})
        return given

    @property
    def last_run(self) -> Any:
        """The newest run that this object made, with ``id``, ``outputs`` and all that is recorded; None before the first."""
        return self.__dict__.get("_finestflow_origin", self).__dict__.get("_finestflow_last_run")

    def set_last_run(self, run: Any) -> None:
        """Remember the newest run; called by the runner."""
        self.__dict__.get("_finestflow_origin", self).__dict__["_finestflow_last_run"] = run

    @property
    def child_specs(self) -> Mapping[str, ChildSpec]:
        """The declarations of the children by name."""
        return self.__finestflow_children__

    @property
    def children(self) -> dict[str, Task]:
        """The child tasks by name, in the order of their declaration; without optional ones that are None."""
        values = self.__dict__
        return {name: values[name] for name in self.child_specs if values[name] is not None}

    def copy(self) -> Self:
        """Return a new pipeline with the same params and copies of its children."""
        other = super().copy()
        for name, child in other.children.items():
            child.__dict__["_slot"] = name
        return other

    def _repr_html_(self) -> str:
        """Return the graph of the pipeline, for a notebook; its body is followed, none of its tasks runs."""
        from html import escape

        from finestflow.drawing.svg import draw_svg
        from finestflow.pipeline.trace import trace

        try:
            graph = trace(self)
        except FinestflowError as error:
            return f"<pre>{escape(repr(self))}\n{escape(str(error))}</pre>"
        stopped = f"<br><small>known up to here: {escape(graph.stopped)}</small>" if graph.stopped else ""
        return f'<div style="overflow-x: auto">{draw_svg(graph)}</div>{stopped}'

    if TYPE_CHECKING:  # as variables, so that a child may have one of these names
        load: Any
        dump: Any
    else:

        @classmethod
        def load(cls, config: Mapping[str, Any]) -> Pipeline:
            """Return the pipeline that a configuration tells of: ``{"flow": "load >> fit", "tasks": {...}}`` or ``{"target": ...}``."""
            from finestflow.pipeline.config import load_config

            return load_config(config)

        def dump(self) -> dict[str, Any]:
            """Return the configuration of the pipeline, which ``Pipeline.load`` takes; secrets are left out."""
            from finestflow.pipeline.config import dump_config

            return dump_config(self)

    def __repr__(self) -> str:
        children = [f"{name}={self.__dict__.get(name)!r}" for name in self.child_specs]
        return f"{type(self).__name__}({', '.join([*shown_params(self), *children])})"


def _dispatcher(owner: type[Pipeline], body: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a user's ``__call__``: a call of it is a run, a nested pipeline, or (from a subclass's body) the plain method."""

    @functools.wraps(body)
    def __call__(self: Pipeline, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - it is that method
        frame = FRAME.get()
        if frame is not None:
            if type(self).__call__ is not dispatch and frame.is_running(self):
                return body(self, *args, **kwargs)
            return frame.call(self, args, kwargs, None)
        launcher = get_launcher()
        if launcher is None or SCOPE.get() is not None:  # inside a task a pipeline is plain Python, not another run
            return body(self, *args, **kwargs)
        return launcher(self, args, kwargs)

    dispatch = __call__
    dispatch.__qualname__ = f"{owner.__qualname__}.__call__"
    return dispatch


def _is_task(value: Any) -> bool:
    return isinstance(value, Task) or (isinstance(value, type) and issubclass(value, Task))


def _read_children(
    cls: type, annotations: Mapping[str, Any], known: Mapping[str, ChildSpec]
) -> dict[str, ChildSpec | None]:
    """Return the children that a class declares or overrides itself."""
    own: dict[str, ChildSpec | None] = {}
    for name, annotation in annotations.items():
        default = cls.__dict__.get(name, MISSING)
        if name.startswith("_") or is_class_var(annotation):
            continue
        kind, is_optional = _child_kind(annotation, default)
        if kind is None:
            continue
        before = known.get(name)
        if default is MISSING and before is not None and isinstance(before.default, kind):
            default = before.default
        own[name] = ChildSpec(name, kind, default, is_optional=is_optional)
    for name, value in vars(cls).items():
        if name in annotations or name.startswith("_"):
            continue
        if name in known:
            own[name] = ChildSpec(name, known[name].kind, value, is_optional=known[name].is_optional)
        elif isinstance(value, Task):
            own[name] = ChildSpec(name, type(value), value)
        elif isinstance(value, type) and issubclass(value, Task) and not _is_defined_in(value, cls):
            own[name] = ChildSpec(name, value, value)
    return own


def _is_defined_in(value: type, cls: type) -> bool:
    """Whether a class is written inside of another one."""
    return value.__qualname__.startswith(f"{cls.__qualname__}.")


def _child_kind(annotation: Any, default: Any) -> tuple[type[Task] | None, bool]:
    """Return the class of a child that an annotation declares, and whether it may be None; no class for a param."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _child_kind(typing.get_args(annotation)[0], default)
    if origin in {typing.Union, types.UnionType}:
        options = [option for option in typing.get_args(annotation) if option is not type(None)]
        kinds = [_child_kind(option, MISSING)[0] for option in options]
        if all(kind is not None for kind in kinds):
            return (kinds[0] if len(kinds) == 1 else Task), len(options) < len(typing.get_args(annotation))
    cls = origin if isinstance(origin, type) else annotation
    if isinstance(cls, type) and issubclass(cls, Task):
        return cls, False
    if isinstance(default, Task):
        return type(default), False
    return (default, False) if isinstance(default, type) and issubclass(default, Task) else (None, False)


def _check_setting(pipeline: Pipeline, name: str, value: Any) -> None:
    owner = type(pipeline).__name__
    names = {**pipeline.__finestflow_children__, **pipeline.__finestflow_params__}
    if name not in names:
        raise ParamError(f"{owner!r} has no param or child {name!r}", nearest_hint(name, names, f"of {owner!r}"))
    spec = pipeline.__finestflow_params__.get(name)
    if spec is not None and isinstance(spec.type, (str, typing.ForwardRef)) and _is_task(value):
        message = f"{owner!r} takes a task for {name!r}, but its annotation {spec.type!r} is not known where {owner!r} is defined"
        raise ParamError(message, "define or import it before the pipeline")


def make_child(pipeline: Pipeline, spec: ChildSpec, given: Any) -> Task | None:
    """Return the task that stands at a child's place, from whatever it was given as."""
    is_default = given is MISSING
    if is_default:
        given = spec.kind if spec.default is MISSING and not spec.is_optional else spec.default
    if isinstance(given, str):
        given = import_target(given)
    if (given is None or given is MISSING) and spec.is_optional:
        return None
    owner = type(pipeline).__name__
    if isinstance(given, Mapping):
        child = _configured(pipeline, spec, given, is_default=is_default)
    elif given is Task or given is Pipeline:
        raise ParamError(f"{owner!r} needs a task for {spec.name!r}", f"pass one: {owner}({spec.name}=MyTask)")
    else:
        child = given.copy() if isinstance(given, Task) else Task.of(given)
    _check_child(pipeline, spec, child, is_default=is_default)
    child.__dict__["_slot"] = spec.name
    return child


def _configured(pipeline: Pipeline, spec: ChildSpec, config: Mapping[str, Any], *, is_default: bool) -> Task:
    """Return a child of a dict: of the class in ``use``, or else what stands there with other params."""
    params = dict(config)
    use = params.pop("use", None)
    if use is not None:
        return _made(import_target(use) if isinstance(use, str) else use, params, spec.name)
    if is_default:
        return _made(spec.kind, params, spec.name)
    current = pipeline.__dict__.get(spec.name)
    if current is None and isinstance(spec.default, (Task, str, Mapping)):
        current = make_child(pipeline, spec, MISSING)
    return _made(spec.declared, params, spec.name) if current is None else _changed(current, params)


def _check_child(pipeline: Pipeline, spec: ChildSpec, child: Task, *, is_default: bool) -> None:
    declared = spec.declared
    if child is spec.default or declared in {Task, Pipeline, FunctionTask}:
        return
    if type(child) is declared and declared.__finestflow_signature__ is Task.__finestflow_signature__:
        return
    owner = type(pipeline).__name__
    if not is_default and not declared.__finestflow_meta__.swappable:
        message = f"{owner!r} does not let {spec.name!r} be replaced: {declared.__name__!r} has Meta.swappable = False"
        raise ParamError(message, f"pass params for it instead: {owner}({spec.name}={{...}})")
    reason = _mismatch(spec.example, child)
    if reason:
        message = f"{child.task_name!r} cannot stand for {declared.__name__!r} at {spec.name!r} of {owner!r}"
        raise ParamError(message, f"the body may call it like {declared.__name__!r}, and it then has {reason}")


def _made(target: Any, params: Mapping[str, Any], name: str) -> Task:
    if isinstance(target, type) and issubclass(target, Task):
        if target is Task or target is Pipeline:
            raise ParamError(f"nothing says what {name!r} is", 'name it: {"use": "module:Class", ...}')
        return target(**params)
    if params:
        raise ParamError(f"{target!r:.80} takes no params at {name!r}", "only task classes take params")
    return Task.of(target)


def _changed(task: Task, params: Mapping[str, Any]) -> Task:
    """Return a copy of a task with other params; a dict for a child changes that one in turn."""
    changed = task.copy()
    names = {**task.__finestflow_params__, **getattr(task, "__finestflow_children__", {})}
    for name, value in params.items():
        if name not in names:
            raise ParamError(
                f"{task.task_name!r} has no param {name!r}", nearest_hint(name, names, f"params of {task.task_name!r}")
            )
        setattr(changed, name, value)
    return changed


def import_target(name: str) -> Any:
    """Import ``module:Qualified.Name`` or ``module.Name``; nothing but the import is executed.

    Raises:
        UsageError: There is no such module or name.
    """
    module_name, colon, qualname = name.partition(":")
    if not colon:
        module_name, _, qualname = name.rpartition(".")
    if not module_name or not qualname:
        raise UsageError(f"{name!r} is no dotted name", 'write "module:Class"')
    try:
        target: Any = importlib.import_module(module_name)
    except Exception as error:  # an imported module may raise anything
        message = f"cannot import {module_name!r} for {name!r}: {type(error).__name__}: {error}"
        raise UsageError(message, "check the name and the Python path") from error
    for part in qualname.split("."):
        if not hasattr(target, part):
            raise UsageError(
                f"{module_name!r} has no {qualname!r}", nearest_hint(part, dir(target), f"names in {module_name!r}")
            )
        target = getattr(target, part)
    return target


def is_compatible(declared: type[Task], replacement: Any) -> bool:
    """Whether a task accepts every call that the declared task accepts, judged by the signatures of ``run``."""
    return not _mismatch(declared.__new__(declared), Task.of(replacement))


def _mismatch(declared: Task, child: Task) -> str:
    """Return what is wrong when a child is called as the declared task may be; positional inputs may have other names."""
    if type(declared).run is Task.run and not hasattr(declared, "__finestflow_body__"):
        return ""  # an interface without a signature
    ours = signature_of(declared)
    theirs = signature_of(child)
    if ours is None or theirs is None:
        return ""
    declares = {Task.__finestflow_signature__, FunctionTask.__finestflow_signature__}
    is_derived = type(declared).__finestflow_signature__ not in declares
    for args, kwargs in _example_calls(ours)[: 1 if is_derived else None]:  # nobody declared the options of a chain
        try:
            theirs.bind(*args, **kwargs)
        except TypeError as error:
            return str(error)
    return ""


def _example_calls(signature: inspect.Signature) -> list[tuple[list[str], dict[str, str]]]:
    """Return the smallest and the largest call that a signature allows."""
    smallest: tuple[list[str], dict[str, str]] = ([], {})
    largest: tuple[list[str], dict[str, str]] = ([], {})
    for parameter in signature.parameters.values():
        is_required = parameter.default is parameter.empty and parameter.kind not in {
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        }
        for args, kwargs in [smallest, largest] if is_required else [largest]:
            if parameter.kind in {parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD}:
                kwargs[parameter.name] = parameter.name
            else:
                args.append(parameter.name)
    return [smallest, largest]
