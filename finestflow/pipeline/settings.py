"""Set params and inputs by path, as ``-p svm.C=2`` and ``.finestflow.toml`` name them.

Owns which path means what. Invariant: a path that names nothing, or two things, is an error that says what there is. Called by the workspace.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from finestflow.errors import ParamError, nearest_hint
from finestflow.pipeline.param import MISSING, ParamSpec, parse_text, type_name
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task, signature_of

__all__ = ["apply_settings", "find_spec", "iter_param_paths", "required_params"]


def apply_settings(pipeline: Pipeline, settings: Iterable[tuple[str, Any]], inputs: dict[str, Any]) -> dict[str, Any]:
    """Set params on the pipeline and return the inputs with those that were named added.

    Args:
        pipeline: Changed in place.
        settings: (path, value); a text is converted to the declared type. ``:name`` is an input and ``.name`` a param where a name is both.
            The path of a child takes what stands there: a dotted name or a table of params, as JSON when it is a text.
        inputs: Inputs so far.

    Raises:
        ParamError: A path names nothing or two things, or the value does not fit.
    """
    signature = signature_of(pipeline)
    declared = list(signature.parameters.values()) if signature is not None else []
    parameters = {p.name: p for p in declared if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}}
    is_open = any(p.kind is p.VAR_KEYWORD for p in declared)
    found = dict(inputs)
    for path, value in settings:
        name = path[1:] if path.startswith((":", ".")) else path
        place = _find(pipeline, name)
        if place is not None and name in parameters and path == name:
            message = f"{name!r} is both a param and an input of {pipeline.task_name!r}"
            raise ParamError(message, f"write .{name}= for the param, :{name}= for the input")
        if name in parameters and not path.startswith("."):
            found[name] = _input(parameters[name], name, value, pipeline)
        elif place is not None and not path.startswith(":"):
            _set(*place, name, value)
        elif is_open and "." not in path:
            found[name] = value
        else:
            known = [*iter_param_paths(pipeline), *parameters]
            raise ParamError(f"{pipeline.task_name!r} has no param or input {name!r}", _hint(name, known))
    return found


def _hint(name: str, known: list[str]) -> str:
    """Name the nearest path; a param that is only missing the task before it is the nearest."""
    below = [path for path in known if path.endswith(f".{name}")]
    return f"did you mean {below[0]!r}?" if below else nearest_hint(name, known, "params and inputs")


def required_params(cls: type[Task], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a class must be given to be made at all: its params without a default, from settings by path.

    Args:
        cls: A task or pipeline class.
        settings: Values by path; texts are converted to the declared type. What has a default is left for ``apply_settings``.
    """
    given: dict[str, Any] = {}
    for name, spec in cls.__finestflow_params__.items():
        value = settings.get(name, settings.get(f".{name}", MISSING))
        if spec.default is MISSING and value is not MISSING:
            given[name] = _typed(spec, name, value)
    for name, child in getattr(cls, "__finestflow_children__", {}).items():
        kind = child.default if isinstance(child.default, type) else child.kind
        if isinstance(child.default, Task) or not issubclass(kind, Task):
            continue
        below = {path[len(name) + 1 :]: value for path, value in settings.items() if path.startswith(f"{name}.")}
        inner = required_params(kind, below)
        if inner:
            given[name] = kind(**inner)
    return given


def iter_param_paths(task: Task, prefix: str = "") -> Iterator[str]:
    """Yield the paths of all params of a task and its children."""
    for name in type(task).__finestflow_params__:
        yield prefix + name
    if isinstance(task, Pipeline):
        for name, child in task.children.items():
            yield from iter_param_paths(child, f"{prefix}{name}.")


def find_spec(pipeline: Pipeline, path: str) -> ParamSpec | None:
    """Return the declaration of the param that a path names; None where it names an input or a child."""
    place = None if path.startswith(":") else _find(pipeline, path.removeprefix("."))
    return None if place is None else type(place[0]).__finestflow_params__.get(place[1])


def _find(task: Task, path: str) -> tuple[Task, str] | None:
    """Return the task that a path leads to, and the name of its param or child there."""
    name, dot, rest = path.partition(".")
    if dot:
        child = task.children.get(name) if isinstance(task, Pipeline) else None
        return _find(child, rest) if child is not None else None
    is_child = isinstance(task, Pipeline) and name in task.child_specs
    return (task, name) if is_child or name in type(task).__finestflow_params__ else None


def _set(task: Task, name: str, path: str, value: Any) -> None:
    spec = type(task).__finestflow_params__.get(name)
    if spec is not None:
        value = _typed(spec, path, value)
    elif isinstance(value, str):
        value = _task_text(value)
    setattr(task, name, value)


def _typed(spec: ParamSpec, path: str, value: Any) -> Any:
    """Return the value of a param; a text is converted to its type."""
    if not isinstance(value, str):
        return value
    try:
        return parse_text(value, spec.type)
    except (TypeError, ValueError):
        from finestflow.sweep import range_hint

        shown, hint = ("that value", "") if spec.secret else (repr(value), range_hint(value))
        raise ParamError(f"{path!r} takes no {shown}: expected {type_name(spec.type)}", hint) from None


def _task_text(text: str) -> Any:
    """Return what a text says of a child: JSON (a table, null), or else a dotted name."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _input(parameter: inspect.Parameter, name: str, value: Any, pipeline: Pipeline) -> Any:
    if not isinstance(value, str):
        return value
    kind = _kind_of(parameter, pipeline)
    try:
        return parse_text(value, kind)
    except (TypeError, ValueError):
        from finestflow.sweep import range_hint

        raise ParamError(f"input {name!r} takes no {value!r}: expected {type_name(kind)}", range_hint(value)) from None


def _kind_of(parameter: inspect.Parameter, pipeline: Pipeline) -> Any:
    """Return the declared type of an input; without one, the type of its default."""
    kind = parameter.annotation
    if isinstance(kind, str):
        module = sys.modules.get(type(pipeline).__module__)
        try:
            kind = eval(kind, vars(module) if module is not None else {})  # noqa: S307 - the user's own annotation
        except Exception:  # noqa: BLE001 - whatever it raises, it is then only a text
            kind = Any
    if kind is inspect.Parameter.empty:
        default = parameter.default
        kind = type(default) if default is not inspect.Parameter.empty and default is not None else Any
    return kind
