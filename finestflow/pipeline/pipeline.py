"""Pipelines: tasks wired together by ordinary Python.

Owns children (declared, replaced, checked), the dispatch of a call (a run, a nested pipeline, or a ``super().__call__``), and per-call
options. Invariant: a pipeline instance owns its children; replacing one never changes another instance. ``runner`` calls ``body``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from finestflow.errors import ParamError, UsageError, nearest_hint
from finestflow.pipeline.call import FRAME, get_launcher
from finestflow.pipeline.param import MISSING, ParamSpec
from finestflow.pipeline.task import FunctionTask, Task, signature_of

if TYPE_CHECKING:
    from finestflow.pipeline.declare import TaskMeta

__all__ = ["ChildSpec", "Pipeline", "import_target", "is_compatible"]

_OPTIONS = frozenset(
    {"jobs", "executor", "start", "stop", "from_run", "cache", "force", "name", "note", "tags", "keep_going", "context", "seed", "timeout"}
)


class ChildSpec:
    """One declared child of a pipeline class: its name, its declared class and what stands there by default."""

    __slots__ = ("default", "kind", "name")

    def __init__(self, name: str, kind: type[Task], default: Any) -> None:
        self.name = name
        self.kind = kind
        self.default = default


class Pipeline(Task):
    """Tasks wired together: declare children as annotated attributes and write ``__call__``.

    A child is given as a class, an instance, a dotted name such as ``"digits:Fit"``, a dict of params, or any callable. The call of a
    pipeline is a run: snapshot, execute, record; the plain value comes back. Inside another pipeline it is a part of that run.

    Raises:
        ParamError: A param or child is unknown, missing or does not fit.
    """

    __finestflow_children__: ClassVar[dict[str, ChildSpec]] = {}

    @classmethod
    def _declare(cls, annotations: Mapping[str, Any]) -> None:
        if cls.__module__ == __name__:  # Pipeline itself declares nothing
            return
        children: dict[str, ChildSpec] = {}
        for base in reversed(cls.__mro__[1:]):
            children.update(base.__dict__.get("__finestflow_children__", {}))
        params: dict[str, Any] = {}
        for name, kind in annotations.items():
            default = cls.__dict__.get(name, MISSING)
            child = _child_class(kind, default)
            if child is None:
                params[name] = kind
            else:
                children[name] = ChildSpec(name, child, default)
        for name, value in list(cls.__dict__.items()):
            if name not in annotations and (isinstance(value, Task) or (name in children and not name.startswith("_"))):
                kind = children[name].kind if name in children else type(value)
                children[name] = ChildSpec(name, kind, value)
        cls.__finestflow_children__ = children
        super()._declare(params)
        body = cls.__dict__.get("__call__")
        if body is not None:
            cls.__finestflow_body__ = body
            cls.__call__ = _dispatcher(cls, body)  # type: ignore[method-assign]

    __finestflow_body__: ClassVar[Callable[..., Any]]

    def __init__(self, **settings: Any) -> None:
        specs = self.__finestflow_children__
        names = {**specs, **self.__finestflow_params__}
        for name in settings:
            if name not in names:
                owner = type(self).__name__
                raise ParamError(f"{owner!r} has no param or child {name!r}", nearest_hint(name, names, f"of {owner!r}"))
        super().__init__(**{name: value for name, value in settings.items() if name not in specs})
        for name, spec in specs.items():
            self.__dict__[name] = self._make_child(spec, settings.get(name, MISSING))

    def __setattr__(self, name: str, value: Any) -> None:
        spec = self.__finestflow_children__.get(name)
        if spec is None:
            super().__setattr__(name, value)
        else:
            self.__dict__[name] = self._make_child(spec, value)

    def _make_child(self, spec: ChildSpec, given: Any) -> Task:
        """Return the task that stands at a child's place, from whatever it was given as."""
        owner = type(self).__name__
        if given is MISSING:
            given = spec.default
        if given is MISSING:
            given = spec.kind
        if isinstance(given, str):
            given = import_target(given)
        if isinstance(given, Mapping):
            child = _child_of_config(spec, given)
        elif isinstance(given, type) and issubclass(given, Task):
            if given is Task or given is Pipeline:
                raise ParamError(f"{owner!r} needs a task for {spec.name!r}", f"pass one: {owner}({spec.name}=MyTask)")
            child = given()
        elif isinstance(given, Task):
            child = given.copy()
        else:
            child = Task.of(given)
        self._check_child(spec, child)
        child.__dict__["_slot"] = spec.name
        return child

    def _check_child(self, spec: ChildSpec, child: Task) -> None:
        declared = type(spec.default) if isinstance(spec.default, Task) else spec.default
        declared = declared if isinstance(declared, type) and issubclass(declared, Task) else spec.kind
        if type(child) is declared or declared in {Task, Pipeline, FunctionTask}:
            return
        owner = type(self).__name__
        if not declared.__finestflow_meta__.swappable:
            message = f"{owner!r} does not let {spec.name!r} be replaced: {declared.__name__!r} has Meta.swappable = False"
            raise ParamError(message, f"pass params for it instead: {owner}({spec.name}={{...}})")
        reason = _mismatch(declared, child)
        if reason:
            raise ParamError(f"{child.task_name!r} cannot stand for {declared.__name__!r} at {spec.name!r} of {owner!r}: {reason}", "")

    # -- calls -----------------------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the pipeline; write this method in the class."""
        raise UsageError(f"{type(self).__name__!r} has no method '__call__'", "write __call__(self, ...) in the class")

    __finestflow_body__ = __call__

    def body(self, *args: Any, **kwargs: Any) -> Any:
        """Call the user's own ``__call__``."""
        return type(self).__finestflow_body__(self, *args, **kwargs)

    def options(self, **options: Any) -> Self:
        """Return the same pipeline with options for its calls.

        Args:
            options: ``jobs``, ``executor``, ``start``, ``stop``, ``from_run``, ``cache`` (False: neither read nor write), ``force`` (node paths
                to run again, or True), ``name``, ``note``, ``tags``, ``keep_going``, ``context`` (values given at the start), ``seed``.
        """
        for name in options:
            if name not in _OPTIONS:
                raise UsageError(f"a run has no option {name!r}", nearest_hint(name, _OPTIONS, "options"))
        other = self.copy()
        other.__dict__["_options"] = {**self.run_options, **options}
        other.__dict__["_origin"] = self.__dict__.get("_origin", self)
        return other

    @property
    def run_options(self) -> Mapping[str, Any]:
        """The options that ``options`` gave."""
        given: Mapping[str, Any] = self.__dict__.get("_options", {})
        return given

    @property
    def last_run(self) -> Any:
        """The newest run that this object made, with ``id``, ``outputs`` and all that is recorded; None before the first."""
        return self.__dict__.get("_origin", self).__dict__.get("_last_run")

    def set_last_run(self, run: Any) -> None:
        """Remember the newest run; called by the runner."""
        self.__dict__.get("_origin", self).__dict__["_last_run"] = run

    @property
    def children(self) -> dict[str, Task]:
        """The child tasks by name, in the order of their declaration."""
        return {name: self.__dict__[name] for name in self.__finestflow_children__}

    def copy(self) -> Self:
        """Return a new pipeline with the same params and copies of its children."""
        other = super().copy()
        for name, child in self.children.items():
            twin = child.copy()
            twin.__dict__["_slot"] = name
            other.__dict__[name] = twin
        return other

    def __repr__(self) -> str:
        inner = super().__repr__()
        children = ", ".join(f"{name}={child!r}" for name, child in self.children.items())
        return f"{inner[:-1]}{', ' if children and not inner.endswith('()') else ''}{children})"


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
        if launcher is None:
            return body(self, *args, **kwargs)
        return launcher(self, args, kwargs)

    dispatch = __call__
    dispatch.__qualname__ = f"{owner.__qualname__}.__call__"
    return dispatch


def _child_class(kind: Any, default: Any) -> type[Task] | None:
    if isinstance(kind, type) and issubclass(kind, Task):
        return kind
    if isinstance(default, Task):
        return type(default)
    if isinstance(default, type) and issubclass(default, Task):
        return default
    return None


def _child_of_config(spec: ChildSpec, config: Mapping[str, Any]) -> Task:
    params = dict(config)
    use = params.pop("use", None)
    if use is not None:
        target = import_target(use) if isinstance(use, str) else use
        if isinstance(target, type) and issubclass(target, Task):
            return target(**params)
        if params:
            raise ParamError(f"{use!r} takes no params at {spec.name!r}", "only task classes take params")
        return Task.of(target)
    if isinstance(spec.default, Task):
        default = spec.default
        kept = {name: default.__dict__[name] for name in default.__finestflow_params__}
        if isinstance(default, Pipeline):
            kept.update(default.children)
        return type(default)(**{**kept, **params})
    kind: type[Task] = spec.default if isinstance(spec.default, type) else spec.kind
    return kind(**params)


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
    except ImportError as error:
        raise UsageError(f"cannot import {module_name!r} for {name!r}: {error}", "check the name and the Python path") from error
    for part in qualname.split("."):
        if not hasattr(target, part):
            raise UsageError(f"{module_name!r} has no {qualname!r}", nearest_hint(part, vars(target), f"names in {module_name!r}"))
        target = getattr(target, part)
    return target


def is_compatible(declared: type[Task], replacement: Any) -> bool:
    """Whether a task accepts every call that the declared task accepts, judged by the signatures of ``run``."""
    return not _mismatch(declared, Task.of(replacement))


def _mismatch(declared: type[Task], child: Task) -> str:
    ours = signature_of(declared.__new__(declared))
    theirs = signature_of(child)
    if ours is None or theirs is None:
        return ""
    wanted = [p for p in ours.parameters.values() if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
    offered = theirs.parameters
    is_open = any(p.kind is p.VAR_KEYWORD for p in offered.values()) or any(p.kind is p.VAR_POSITIONAL for p in offered.values())
    named = [p for p in offered.values() if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
    required = [p for p in named if p.default is inspect.Parameter.empty]
    if len(required) > len(wanted):
        return f"it needs {', '.join(repr(p.name) for p in required)}, but is given {', '.join(repr(p.name) for p in wanted) or 'nothing'}"
    if is_open:
        return ""
    if len(named) < len(wanted):
        return f"it takes no {wanted[len(named)].name!r}"
    keyword_only = [p.name for p in wanted if p.kind is p.KEYWORD_ONLY and p.name not in offered]
    return f"it takes no {keyword_only[0]!r}" if keyword_only else ""
