"""A pipeline object as plain data, and back.

Owns the description that a record keeps: ``{"use": "module:Class", params, children}``, values as JSON. Invariant: ``load_task`` of
``dump_task`` gives a task with equal params; what JSON cannot hold exactly is kept by digest, or marked as unknown, never rounded.
The runner writes descriptions, ``reproduce`` reads them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from finestflow.errors import FinestflowError, NotFoundError, ValueNotStorableError
from finestflow.pipeline.pipeline import Pipeline, import_target
from finestflow.pipeline.task import FunctionTask, Task

__all__ = ["dump_task", "dump_value", "flat_params", "is_complete", "load_task", "load_value"]

Put = Callable[[Any], str]
Get = Callable[[str], Any]

_SCALARS = (str, int, float, bool, type(None))


def dump_value(value: Any, put: Put | None = None) -> Any:
    """Return the value as JSON data; what JSON lacks is a table with one key that starts with ``$``.

    Args:
        value: Anything.
        put: Stores a value and returns its digest; without it such a value becomes ``{"$unknown": repr}``.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if isinstance(value, PurePath):
        return {"$path": str(value)}
    if isinstance(value, enum.Enum):
        return {"$enum": f"{kind.__module__}:{kind.__qualname__}", "name": value.name}
    if kind in {list, tuple, set, frozenset}:
        items = [dump_value(item, put) for item in (sorted(value, key=repr) if kind in {set, frozenset} else value)]
        return items if kind is list else {f"${kind.__name__}": items}
    if kind is dict and all(type(key) is str and not key.startswith("$") for key in value):
        return {key: dump_value(item, put) for key, item in value.items()}
    if put is not None:
        try:
            return {"$digest": put(value), "preview": f"{kind.__qualname__}"}
        except ValueNotStorableError:
            pass
    return {"$unknown": f"{value!r:.200}"}


def load_value(data: Any, get: Get | None = None) -> Any:
    """Return the value that ``dump_value`` wrote.

    Raises:
        NotFoundError: A value was kept by digest and is not in the store, or could not be kept at all.
    """
    if isinstance(data, list):
        return [load_value(item, get) for item in data]
    if not isinstance(data, Mapping):
        return data
    marker = next((key for key in data if key.startswith("$")), "")
    if not marker:
        return {key: load_value(item, get) for key, item in data.items()}
    content = data[marker]
    if marker == "$path":
        return Path(content)
    if marker == "$enum":
        return import_target(content)[data["name"]]
    if marker in {"$tuple", "$set", "$frozenset"}:
        kinds: dict[str, type] = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}
        return kinds[marker](load_value(item, get) for item in content)
    if marker == "$digest" and get is not None:
        try:
            return get(content)
        except FinestflowError as error:
            message = f"a value of type {data.get('preview', '?')} is not in this store: {content[:12]}"
            raise NotFoundError(message, "give it again with -p NAME=VALUE, or copy the store of the clone that made the run") from error
    raise NotFoundError(f"a value of the run was not kept: {str(content)[:80]}", "give it again with -p NAME=VALUE")


def dump_task(task: Task, identity: Callable[[Any], str], put: Put | None = None) -> dict[str, Any]:
    """Return the description of a task: what to import, its params, its children.

    Args:
        task: A task or pipeline.
        identity: Names an object as ``module:Qualified.Name``.
        put: Stores values that JSON cannot hold.
    """
    if isinstance(task, FunctionTask):
        name = identity(task.function)
        return {"use": name if "<" not in name else None, "function": task.task_name}
    described: dict[str, Any] = {"use": identity(type(task))}
    if "<" in described["use"]:  # a class made inside a function cannot be imported
        described["use"] = None
    for name, spec in type(task).__finestflow_params__.items():
        if spec.secret:
            described.setdefault("$secrets", []).append(name)
        else:
            described[name] = dump_value(task.__dict__.get(name), put)
    if isinstance(task, Pipeline):
        for name, child in task.children.items():
            described[name] = {"$task": dump_task(child, identity, put)}
    return described


def is_complete(description: Any) -> bool:
    """Whether a description holds all that is needed to make the task again."""
    if isinstance(description, list):
        return all(is_complete(item) for item in description)
    if not isinstance(description, Mapping):
        return True
    if "$unknown" in description or ("use" in description and description["use"] is None) or description.get("$secrets"):
        return False
    return all(is_complete(item) for item in description.values())


def load_task(description: Mapping[str, Any], find: Callable[[str], Any], get: Get | None = None, given: Mapping[str, Any] | None = None) -> Task:
    """Make the task that a description tells of.

    Args:
        description: From ``dump_task``.
        find: Imports ``module:Qualified.Name``.
        get: Loads a value by digest.
        given: Values by path (``svm.token``) that replace or complete the described ones, such as secrets.

    Raises:
        NotFoundError: Something in it cannot be imported or loaded.
    """
    given = given or {}
    use = description.get("use")
    if use is None:
        what = description.get("function", "a class")
        raise NotFoundError(f"{what!r} was made inside a function and cannot be imported again", "define it at the top of a module")
    target = find(use)
    if not (isinstance(target, type) and issubclass(target, Task)):
        return Task.of(target)
    settings: dict[str, Any] = {}
    for name, value in description.items():
        if name in {"use", "$secrets", "function"} or name in given:
            continue
        if isinstance(value, Mapping) and "$task" in value:
            below = {path[len(name) + 1 :]: item for path, item in given.items() if path.startswith(f"{name}.")}
            settings[name] = load_task(value["$task"], find, get, below)
        else:
            settings[name] = load_value(value, get)
    settings.update({path: item for path, item in given.items() if "." not in path})
    return target(**settings)


def flat_params(task: Task, prefix: str = "") -> dict[str, Any]:
    """Return the params of a task and all below it by path, such as ``svm.C``; secrets are blanked."""
    found: dict[str, Any] = {}
    for name, spec in type(task).__finestflow_params__.items():
        value = task.__dict__.get(name)
        if spec.secret:
            value = "***"
        elif type(value) not in _SCALARS:
            value = str(value) if isinstance(value, PurePath) else value.name if isinstance(value, enum.Enum) else f"{value!r:.200}"
        found[prefix + name] = value
    if isinstance(task, Pipeline):
        for name, child in task.children.items():
            found.update(flat_params(child, f"{prefix}{name}."))
    return found
