"""A pipeline as configuration: what ``.finestflow.toml`` and a file of its own say of one, and back.

A pipeline is a table with ``flow``, ``tasks`` and ``edges``, or with ``target``, ``params`` and ``tasks``; a task is a table with ``use`` and its
params, a pipeline inside one is either. Invariant: ``load_config(dump_config(pipeline))`` has the same tasks, params and edges, whatever the
depth; loading executes nothing but the import of what is named. Called by the workspace and through ``Pipeline.load`` and ``Pipeline.dump``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from finestflow.errors import FinestflowError, ParamError, UsageError, nearest_hint
from finestflow.pipeline.chain import Chain
from finestflow.pipeline.describe import Get, Identity, dump_task, load_value
from finestflow.pipeline.pipeline import Pipeline, import_target
from finestflow.pipeline.settings import apply_settings, required_params
from finestflow.pipeline.task import Task

__all__ = ["apply_config", "config_of", "dump_config", "load_config", "write_config"]

_CHAIN = f"{Chain.__module__}:{Chain.__qualname__}"
_KEYS = ("target", "flow", "edges", "params", "tasks")


# -- dumping ---------------------------------------------------------------------------------------------------------------------------


def dump_config(pipeline: Pipeline, identity: Identity | None = None) -> dict[str, Any]:
    """Return the configuration of a pipeline: every param as it is, whatever its default; secrets are left out.

    Args:
        pipeline: The pipeline.
        identity: Names a class or function as ``module:Qualified.Name``.

    Raises:
        UsageError: A class cannot be imported again, or a value cannot be written down.
    """
    from finestflow.cache.fingerprint import task_identity

    config = config_of(dump_task(pipeline, identity or task_identity))
    for path, problem in _iter_problems(config, ""):
        raise UsageError(f"{path!r} of {pipeline.task_name!r} cannot be written down: {problem}", "")
    return config


def config_of(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of the pipeline that a description, such as a run keeps, tells of."""
    tasks = {name: _task_config(data["$task"]) for name, data in description.items() if _is_task(data)}
    params = {name: data for name, data in description.items() if not _is_task(data) and not name.startswith("$")}
    use = params.pop("use", None)
    if use == _CHAIN:
        found = {"flow": params["flow"], "tasks": tasks}
        return found | ({"edges": params["edges"]} if params.get("edges") else {})
    found = {"target": use}
    return found | ({"params": params} if params else {}) | ({"tasks": tasks} if tasks else {})


def _task_config(description: Mapping[str, Any]) -> dict[str, Any]:
    if "$none" in description:
        return dict(description)
    if description.get("use") == _CHAIN:
        name = description.get("name")
        return config_of(description) | ({"name": name} if name else {})
    if description.get("use") is None:
        return {"use": {"$unknown": description.get("$function", "a class that was made inside a function")}}
    return {
        name: _task_config(data["$task"]) if _is_task(data) else data
        for name, data in description.items()
        if not name.startswith("$")
    }


def _is_task(data: Any) -> bool:
    return isinstance(data, Mapping) and "$task" in data


def _iter_problems(data: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield what has no importable name or no value that a text can hold."""
    if isinstance(data, Mapping):
        if "$unknown" in data or "$digest" in data:
            yield path, str(data.get("$unknown") or data.get("preview"))
        for name, item in data.items():
            yield from _iter_problems(item, f"{path}.{name}" if path else name)
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from _iter_problems(item, f"{path}[{index}]")
    elif data is None:
        yield path, "its class was made inside a function"


# -- loading ---------------------------------------------------------------------------------------------------------------------------


def load_config(
    config: Mapping[str, Any],
    find: Callable[[str], Any] = import_target,
    get: Get | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Pipeline:
    """Return the pipeline that a configuration tells of.

    Args:
        config: With ``flow``, ``tasks``, ``edges``, or with ``target``, ``params``, ``tasks``.
        find: Imports ``module:Qualified.Name``.
        get: Loads a value by digest, where a run's configuration has one.
        settings: Values by path that will be set later, for params that the pipeline cannot be made without.

    Raises:
        ParamError: A task, param or value does not fit.
        UsageError: It is neither form, or something in it cannot be imported.
    """
    for name in config:
        if name not in (*_KEYS, "inputs", "name", "seed"):
            raise ParamError(f"a pipeline has no key {name!r}", nearest_hint(name, _KEYS, "keys"))
    tasks = config.get("tasks") or {}
    if config.get("flow") is not None:
        if config.get("target") is not None:
            raise UsageError("a pipeline has both a target and a flow", "leave one of them out")
        children = {name: _load_child(task, find, get, name) for name, task in tasks.items()}
        chain = Chain(
            flow=config["flow"], edges=dict(config.get("edges") or {}), name=config.get("name") or "", **children
        )
        apply_config(chain, {"params": config.get("params")}, find, get)
        return chain
    if config.get("target") is None:
        raise UsageError("nothing says what the pipeline is", 'write flow = "load >> fit", or target = "file.py:Class"')
    found = find(config["target"])
    if isinstance(found, type) and issubclass(found, Pipeline):
        params = {path: load_value(value, get, find) for path, value in (config.get("params") or {}).items()}
        required = required_params(found, {**params, **(settings or {})})
        given = {name: _load_child(task, find, get, name) for name, task in tasks.items()}
        pipeline = found(**{**required, **given})
    elif isinstance(found, Pipeline):
        pipeline = found.copy()
    else:
        raise UsageError(f"{config['target']!r} is no pipeline", "name a subclass of Pipeline")
    apply_config(pipeline, config, find, get)
    return pipeline


def apply_config(
    pipeline: Pipeline,
    config: Mapping[str, Any],
    find: Callable[[str], Any] = import_target,
    get: Get | None = None,
) -> None:
    """Set the tasks and params of a configuration on a pipeline."""
    for name, task in (config.get("tasks") or {}).items():
        if name not in pipeline.child_specs:
            hint = nearest_hint(name, pipeline.child_specs, "its tasks")
            raise ParamError(f"{pipeline.task_name!r} has no task {name!r}", hint)
        setattr(pipeline, name, _load_child(task, find, get, name))
    params = {path: load_value(value, get, find) for path, value in (config.get("params") or {}).items()}
    if params:
        apply_settings(pipeline, [(path if "." in path else f".{path}", value) for path, value in params.items()], {})


def _load_child(config: Any, find: Callable[[str], Any], get: Get | None, path: str) -> Any:
    """Return a task of a table or name; a table without ``use`` are params for what stands there already."""
    if isinstance(config, str):
        return find(config)
    if not isinstance(config, Mapping) or "$none" in config:
        return load_value(config, get, find)
    try:
        if "flow" in config and "use" not in config:
            return load_config(config, find, get)
        if "use" not in config:
            return {name: load_value(value, get, find) for name, value in config.items()}
        return _load_used(find(config["use"]), config, find, get, path)
    except ParamError as error:
        raise ParamError(
            f"in tasks.{path}: {error.message}" if "in tasks." not in error.message else error.message, error.hint
        ) from error


def _load_used(target: Any, config: Mapping[str, Any], find: Callable[[str], Any], get: Get | None, path: str) -> Any:
    rest = {name: value for name, value in config.items() if name != "use"}
    if isinstance(target, type) and issubclass(target, Task):
        children = getattr(target, "__finestflow_children__", {})
        settings = {
            name: _load_child(value, find, get, f"{path}.{name}") if name in children else load_value(value, get, find)
            for name, value in rest.items()
        }
        return target(**settings)
    if rest:
        raise ParamError(f"{config['use']!r} takes no params: {', '.join(rest)}", "only task classes take params")
    return Task.of(target)


# -- files -----------------------------------------------------------------------------------------------------------------------------


def write_config(file: Path, config: Mapping[str, Any], name: str = "") -> None:
    """Write a configuration to a TOML file; comments and order of what is there already stay.

    Args:
        file: The file; made when it is not there.
        config: From ``dump_config``.
        name: Name of the pipeline, written as ``[pipelines.NAME]``; without one the file is of this pipeline alone.

    Raises:
        FinestflowError: The file is no TOML.
    """
    import tomlkit
    from tomlkit.exceptions import ParseError

    try:
        document = tomlkit.parse(file.read_text(encoding="utf-8")) if file.exists() else tomlkit.document()
    except ParseError as error:
        raise FinestflowError(f"{file}: {error}", "see https://toml.io for the notation") from error
    table: Any = document
    for part in ("pipelines", name) if name else ():
        if part not in table:
            table[part] = tomlkit.table(is_super_table=part == "pipelines")
        table = table[part]
    _update(table, config)
    temporary = file.with_name(file.name + ".new")
    temporary.write_text(tomlkit.dumps(document), encoding="utf-8")
    temporary.replace(file)


def _update(table: Any, data: Mapping[str, Any]) -> None:
    """Make a table hold the data; what is equal already is not touched."""
    for name in [name for name in table if name not in data]:
        del table[name]
    for name, value in data.items():
        known = table.get(name)
        plain = known.unwrap() if hasattr(known, "unwrap") else known
        if isinstance(value, Mapping) and isinstance(plain, dict):
            _update(known, value)
        elif type(plain) is not type(value) or plain != value:
            table[name] = value
