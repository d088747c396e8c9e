"""A pipeline object as plain data, and back.

Owns the description that a record keeps: ``{"use": "module:Class", params, children}``, values as JSON. Invariant: ``load_task`` of
``dump_task`` gives a task with equal params; what JSON cannot hold exactly is kept by digest, or marked as unknown, never rounded.
The runner writes descriptions, ``reproduce`` reads them.
"""

from __future__ import annotations

import enum
import json
import math
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from finestflow.errors import FinestflowError, NotFoundError, ParamError, UsageError, ValueNotStorableError
from finestflow.pipeline.param import ParamSpec, parse_text
from finestflow.pipeline.pipeline import Pipeline, import_target
from finestflow.pipeline.task import FunctionTask, Task
from finestflow.text import without_addresses

__all__ = [
    "dump_task",
    "dump_value",
    "flat_params",
    "given_secrets",
    "is_complete",
    "iter_param_values",
    "iter_paths",
    "load_task",
    "load_value",
    "secret_values",
    "without_nulls",
]

Put = Callable[[Any], str]
Get = Callable[[str], Any]
Identity = Callable[[Any], str]

_NONE = {"$none": True}
_SCALARS = (str, int, float, bool, type(None))
_IMPORTED = (types.FunctionType, types.BuiltinFunctionType, type)
_SEQUENCES: Mapping[str, Callable[[Any], Any]] = {"$tuple": tuple, "$set": set, "$frozenset": frozenset, "$dict": dict}


# -- values ----------------------------------------------------------------------------------------------------------------------------


def dump_value(value: Any, put: Put | None = None, identity: Identity | None = None) -> Any:
    """Return the value as JSON data; what JSON lacks is a table with one key that starts with ``$``.

    Args:
        value: Anything.
        put: Stores a value and returns its digest; without it such a value becomes ``{"$unknown": repr}``.
        identity: Names a class or function as ``module:Qualified.Name``.
    """
    kind = type(value)
    if kind is float and not math.isfinite(value):
        return {"$float": repr(value)}
    if kind in _SCALARS:
        return value
    if kind in {list, tuple, set, frozenset}:
        items = [dump_value(item, put, identity) for item in value]
        if kind in {set, frozenset}:
            items.sort(
                key=lambda item: json.dumps(item, sort_keys=True)
            )  # the order of a set is an accident of the process
        return items if kind is list else {f"${kind.__name__}": items}
    if kind is dict:
        return _dump_dict(value, put, identity)
    if isinstance(value, Path):
        return {"$path": str(value)}
    if isinstance(value, enum.Enum) and _is_importable(kind):
        name = value.name
        rest = {"name": name} if name in kind.__members__ else {"value": dump_value(value.value, put, identity)}
        return {"$enum": _named(kind, identity), **rest}
    if isinstance(value, _IMPORTED) and _is_importable(value):
        return {"$import": _named(value, identity)}
    if put is not None:
        try:
            return {"$digest": put(value), "preview": kind.__qualname__}
        except ValueNotStorableError:
            pass
    return {"$unknown": f"{value!r:.200}"}


def _dump_dict(value: dict[Any, Any], put: Put | None, identity: Identity | None) -> Any:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: dump_value(item, put, identity) for key, item in value.items()}
    return {"$dict": [[dump_value(key, put, identity), dump_value(item, put, identity)] for key, item in value.items()]}


def _named(thing: Any, identity: Identity | None) -> str:
    if identity is not None:
        return identity(thing)
    from finestflow.cache.fingerprint import task_identity

    return task_identity(thing)


def _is_importable(thing: Any) -> bool:
    """Whether a class or function is found where it says it was defined; not one made in a function, wrapped or renamed."""
    found: Any = sys.modules.get(getattr(thing, "__module__", None) or "")
    for part in getattr(thing, "__qualname__", "<none>").split("."):
        found = getattr(found, part, None)
    return found is thing


def load_value(data: Any, get: Get | None = None, find: Get = import_target) -> Any:
    """Return the value that ``dump_value`` wrote.

    Args:
        data: What it wrote.
        get: Loads a value by digest.
        find: Imports ``module:Qualified.Name``.

    Raises:
        NotFoundError: A value was kept by digest and is not in the store, or could not be kept at all.
    """
    if isinstance(data, list):
        return [load_value(item, get, find) for item in data]
    if not isinstance(data, Mapping):
        return data
    marker = next((key for key in data if key.startswith("$")), "")
    if not marker:
        return {key: load_value(item, get, find) for key, item in data.items()}
    content = data[marker]
    if marker == "$path":
        return Path(content)
    if marker == "$float":
        return float(content)
    if marker in {"$enum", "$import"}:
        return _load_imported(data, content, get, find)
    if marker == "$none":
        return None
    if marker in _SEQUENCES:
        return _SEQUENCES[marker]([load_value(item, get, find) for item in content])
    if marker == "$digest" and get is not None:
        try:
            return get(content)
        except FinestflowError as error:
            message = f"a value of type {data.get('preview', '?')} is not in this store: {content[:12]}"
            hint = "give it again with -p NAME=VALUE, or copy the store of the clone that made the run"
            raise NotFoundError(message, hint) from error
    raise NotFoundError(f"a value of the run was not kept: {str(content)[:80]}", "give it again with -p NAME=VALUE")


def _load_imported(data: Mapping[str, Any], name: str, get: Get | None, find: Get) -> Any:
    try:
        found = find(name)
        if "name" in data:
            return found[data["name"]]
        return found(load_value(data["value"], get, find)) if "value" in data else found
    except (UsageError, NotFoundError, KeyError, ValueError) as error:
        raise NotFoundError(
            f"{name!r} has no {data.get('name', 'such value')!r} any more", "give it again with -p NAME=VALUE"
        ) from error


# -- tasks -----------------------------------------------------------------------------------------------------------------------------


def dump_task(task: Task, identity: Identity, put: Put | None = None) -> dict[str, Any]:
    """Return the description of a task: what to import, its params, its children; a secret is only named, unless it is the default.

    Args:
        task: A task or pipeline.
        identity: Names an object as ``module:Qualified.Name``.
        put: Stores values that JSON cannot hold.
    """
    if isinstance(task, FunctionTask):
        function = task.function
        is_known = isinstance(function, _IMPORTED) and _is_importable(function)
        return {"use": identity(function) if is_known else None, "$function": task.task_name}
    use = identity(type(task))
    described: dict[str, Any] = {
        "use": None if "<" in use else use
    }  # a class made inside a function cannot be imported
    for name, spec in type(task).__finestflow_params__.items():
        value = task.__dict__.get(name)
        if not spec.secret:
            described[name] = without_nulls(_dump_param(spec, value, put, identity))
        elif value is not spec.default:
            described.setdefault("$secrets", []).append(name)
    if isinstance(task, Pipeline):
        children = task.children
        for name in task.child_specs:
            child = children.get(name)
            described[name] = {"$task": _NONE if child is None else dump_task(child, identity, put)}
    return described


def _dump_param(spec: ParamSpec, value: Any, put: Put | None, identity: Identity) -> Any:
    """Return a param as a person would write it where its declared type makes the same value of that, else marked."""
    marked = dump_value(value, put, identity)
    if type(marked) is not dict or "$float" in marked or isinstance(spec.type, str):
        return marked
    try:
        plain = _plain(value)
        is_same = dump_value(spec.check(plain, ""), put, identity) == marked
    except (ParamError, TypeError):
        return marked
    return plain if is_same else marked


def _plain(value: Any) -> Any:
    """Return a path or member of an enum as text, a tuple as list, a scalar as it is.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, PurePath):
        return str(value)
    if type(value) in {tuple, list}:
        return [_plain(item) for item in value]
    if type(value) in _SCALARS:
        return value
    raise TypeError(value)


def without_nulls(data: Any) -> Any:
    """Return the data with a table in place of each null, for which TOML has no word."""
    if isinstance(data, list):
        return [without_nulls(item) for item in data]
    if isinstance(data, dict):
        return {key: without_nulls(item) for key, item in data.items()}
    return _NONE if data is None else data


def is_complete(description: Mapping[str, Any]) -> bool:
    """Whether the description of a task holds all that is needed to make the task again."""
    if "$none" in description:
        return True
    if description["use"] is None or description.get("$secrets"):
        return False
    return all(_is_known(value) for name, value in description.items() if name != "use")


def _is_known(data: Any) -> bool:
    if isinstance(data, list):
        return all(map(_is_known, data))
    if not isinstance(data, Mapping):
        return True
    if "$task" in data:
        return is_complete(data["$task"])
    return "$unknown" not in data and all(map(_is_known, data.values()))


def load_task(
    description: Mapping[str, Any],
    find: Callable[[str], Any],
    get: Get | None = None,
    given: Mapping[str, Any] | None = None,
) -> Task:
    """Make the task that a description tells of.

    Args:
        description: From ``dump_task``.
        find: Imports ``module:Qualified.Name``.
        get: Loads a value by digest.
        given: Values by path (``svm.token``) that replace or complete the described ones, such as secrets; a text is converted to the
            declared type. Paths of nothing in this task, such as inputs, are left alone.

    Raises:
        NotFoundError: Something in it cannot be imported or loaded.
        ParamError: A value does not fit.
    """
    given = {path.removeprefix("."): value for path, value in (given or {}).items()}
    use = description.get("use")
    if use is None:
        what = description.get("$function", "a class")
        raise NotFoundError(
            f"{what!r} was made inside a function and cannot be imported again", "define it at the top of a module"
        )
    target = find(use)
    if not (isinstance(target, type) and issubclass(target, Task)):
        return Task.of(target)
    settings: dict[str, Any] = {}
    for name, value in description.items():
        if name in given or name == "use" or name.startswith("$"):
            continue
        if isinstance(value, Mapping) and "$none" in value.get("$task", ()):
            settings[name] = None
        elif isinstance(value, Mapping) and "$task" in value:
            below = {path[len(name) + 1 :]: item for path, item in given.items() if path.startswith(f"{name}.")}
            settings[name] = load_task(value["$task"], find, get, below)
        else:
            settings[name] = load_value(value, get, find)
    for name, spec in target.__finestflow_params__.items():
        if name in given:
            settings[name] = _converted(given[name], spec.type)
    return target(**settings)


def _converted(value: Any, kind: Any) -> Any:
    try:
        return parse_text(value, kind) if isinstance(value, str) else value
    except (TypeError, ValueError):
        return value  # the class refuses it, with all that a person wants to know


def flat_params(task: Task, prefix: str = "") -> dict[str, Any]:
    """Return the params of a task and all below it by path, such as ``svm.C``; secrets are blanked."""
    found: dict[str, Any] = {}
    for name, spec in type(task).__finestflow_params__.items():
        value = task.__dict__.get(name)
        if spec.secret:
            value = "***"
        elif type(value) not in _SCALARS:
            value = (
                str(value)
                if isinstance(value, PurePath)
                else value.name
                if isinstance(value, enum.Enum)
                else _shown(value)[:200]
            )
        found[prefix + name] = value
    if isinstance(task, Pipeline):
        for name, child in task.children.items():
            found.update(flat_params(child, f"{prefix}{name}."))
    return found


def _shown(value: Any) -> str:
    """Return the ``repr`` of a value, the same in every process: sets in order, nothing named by its place in memory."""
    kind = type(value)
    if kind in {set, frozenset} and value:
        text = f"{{{', '.join(sorted(map(_shown, value)))}}}"
        return text if kind is set else f"frozenset({text})"
    if kind is list:
        return f"[{', '.join(map(_shown, value))}]"
    if kind is tuple:
        return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
    if kind is dict:
        return f"{{{', '.join(f'{_shown(key)}: {_shown(item)}' for key, item in value.items())}}}"
    return without_addresses(repr(value))


def secret_values(task: Task) -> tuple[str, ...]:
    """Return the texts of all secret params of a task and those below it, the longest first."""
    found: set[str] = set()
    for name, spec in type(task).__finestflow_params__.items():
        if spec.secret and task.__dict__.get(name) not in (None, "", True, False):
            found.add(str(task.__dict__[name]))
    if isinstance(task, Pipeline):
        for child in task.children.values():
            found.update(secret_values(child))
    return tuple(sorted(found, key=len, reverse=True))


def given_secrets(task: Task, prefix: str = "") -> dict[str, Any]:
    """Return the secret params that are not at their default by path: what a description leaves out."""
    found = {
        prefix + name: task.__dict__[name]
        for name, spec in type(task).__finestflow_params__.items()
        if spec.secret and task.__dict__.get(name) is not spec.default
    }
    for name, child in task.children.items() if isinstance(task, Pipeline) else ():
        found.update(given_secrets(child, f"{prefix}{name}."))
    return found


def iter_param_values(task: Task) -> Iterator[Any]:
    """Yield the values of all params of a task and those below it."""
    for name in type(task).__finestflow_params__:
        yield task.__dict__.get(name)
    if isinstance(task, Pipeline):
        for child in task.children.values():
            yield from iter_param_values(child)


def iter_paths(value: Any) -> Iterator[Path]:
    """Yield the paths inside lists, tuples, dicts and iterators."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, (list, tuple, Iterator)):
        for item in value:
            yield from iter_paths(item)
    elif isinstance(value, dict):
        yield from iter_paths(list(value.values()))
