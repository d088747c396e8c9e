"""From what a person names to a pipeline and its inputs: an entry of ``.finestflow.toml``, a file of its own, a recorded run, or a target.

Owns which of these a name is, and where the names inside a configuration are looked for. Invariant: nothing is executed but the import of what
is named. ``workspace`` asks before a run.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from finestflow.config import Config, PipelineConfig
from finestflow.errors import ConfigError, FinestflowError, UsageError, nearest_hint
from finestflow.model import Run
from finestflow.pipeline.chain import Chain
from finestflow.pipeline.config import apply_config, config_of, load_config
from finestflow.pipeline.describe import Get, load_value, without_nulls
from finestflow.pipeline.pipeline import Pipeline
from finestflow.target import find_object, load_pipeline

__all__ = ["Finder", "choose", "config_of_run", "finder", "is_config_file", "locate", "read_table"]

Finder = Callable[[str], Any]
Table = Mapping[str, Any]
"""A pipeline as configuration, with ``inputs`` and ``seed`` of its runs."""


def choose(
    name: str | None,
    config: Config,
    folders: Sequence[Path],
    *,
    settings: Mapping[str, Any] | None = None,
    get: Get | None = None,
    over: Table | None = None,
) -> tuple[Pipeline, dict[str, Any]]:
    """Return the pipeline that a person names, and its inputs.

    Args:
        name: A pipeline of the settings, a TOML file, ``file.py:Class`` or ``module:Class``; None takes the default one.
        config: The settings.
        folders: Where files are looked for; names in the settings first of all beside their file.
        settings: Values by path that will be set, for params that the pipeline cannot be made without.
        get: Loads a value by digest.
        over: A configuration whose params, tasks and inputs are set over those that were found; the pipeline itself when nothing is named.

    Raises:
        UsageError: Nothing of that name can be run.
    """
    if name is None and over is not None:
        return _of_table(over, folders, settings, get, "")
    known = config.pipelines
    name = _chosen(name, config)
    if name is None:
        hint = f"pipelines of {config.file.name}: {', '.join(known)}" if known and config.file else _EXAMPLE
        raise UsageError("no pipeline is named", hint)
    if name in known:
        beside = [config.file.parent] if config.file is not None else []
        pipeline, inputs = _of_table(_table_of(known[name]), [*beside, *folders], settings, get, name)
    elif is_config_file(name):
        file, table, title = read_table(name, folders)
        pipeline, inputs = _of_table(table, [file.parent, *folders], settings, get, title)
    elif ":" not in name and not name.endswith(".py") and "/" not in name and "." not in name:
        hint = nearest_hint(name, known, "pipelines") if known else _EXAMPLE
        raise UsageError(f"there is no pipeline {name!r}", hint)
    else:
        pipeline, inputs = load_pipeline(name, folders[0], settings), {}
    if over is not None:
        pipeline = pipeline.copy()
        apply_config(pipeline, over, finder(folders), get)
        inputs |= _inputs(over, get)
        pipeline = _with_seed(pipeline, over)
    return pipeline, inputs


_EXAMPLE = "finestflow run file.py:Class"


def _chosen(name: str | None, config: Config) -> str | None:
    known = config.pipelines
    return name or config.default_pipeline or (next(iter(known)) if len(known) == 1 else None)


def locate(name: str | None, config: Config, folders: Sequence[Path]) -> str | None:
    """Return the path of the file, or the name of the module, that ``choose`` will import first; None where that is not plain to see."""
    name = _chosen(name, config) or ""
    entry = config.pipelines.get(name)
    beside = [config.file.parent] if config.file is not None and entry is not None else []
    target = name if entry is None else entry.target
    if not target or is_config_file(target):
        return None
    place = target.partition(":")[0]
    if not place.endswith(".py"):
        return place
    return next((str(path.resolve()) for folder in [*beside, *folders] if (path := folder / place).is_file()), None)


def is_config_file(name: str) -> bool:
    """Whether a name is that of a file with a pipeline: ``exp.toml`` or ``exp.toml:name``."""
    return name.endswith(".toml") or ".toml:" in name


def read_table(name: str, folders: Sequence[Path]) -> tuple[Path, Table, str]:
    """Return the file, the configuration and the name of the pipeline that ``exp.toml`` or ``exp.toml:name`` names.

    Raises:
        UsageError: There is no such file, or no such pipeline in it.
        ConfigError: It is no TOML.
    """
    place, _, entry = name.partition(":")
    file = next((folder / place for folder in folders if (folder / place).is_file()), None)
    if file is None:
        raise UsageError(f"there is no file {place!r}", "give the path of a TOML file with a pipeline")
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}", "see https://toml.io for the notation") from error
    tables = data.get("pipelines", {}) if "pipelines" in data else {file.stem: data}
    if not entry and len(tables) == 1:
        entry = next(iter(tables))
    if entry not in tables:
        names = ", ".join(f"{place}:{each}" for each in tables)
        raise UsageError(
            f"{place!r} has {'no pipeline ' + repr(entry) if entry else 'several pipelines'}", f"name one: {names}"
        )
    return file, tables[entry], entry


def _table_of(configured: PipelineConfig) -> Table:
    names = ("target", "flow", "tasks", "edges", "params", "inputs", "seed")
    found = {name: getattr(configured, name, None) for name in names}
    return {name: value for name, value in found.items() if value}


def _of_table(
    table: Table, folders: Sequence[Path], settings: Mapping[str, Any] | None, get: Get | None, name: str
) -> tuple[Pipeline, dict[str, Any]]:
    try:
        pipeline = load_config(table, finder(folders), get, settings)
        inputs = _inputs(table, get)
    except FinestflowError as error:
        where = f"pipeline {name!r}: " if name else ""
        raise type(error)(f"{where}{error.message}", error.hint) from error
    if isinstance(pipeline, Chain) and name and not pipeline.name:
        pipeline.name = name
    return _with_seed(pipeline, table), inputs


def _inputs(table: Table, get: Get | None) -> dict[str, Any]:
    return {name: load_value(value, get) for name, value in (table.get("inputs") or {}).items()}


def _with_seed(pipeline: Pipeline, table: Table) -> Pipeline:
    seed = table.get("seed")
    if seed is None:
        return pipeline
    if type(seed) is not int or seed < 0:
        raise UsageError(f"the seed is {seed!r}", "expected a whole number, 0 or more")
    return pipeline.options(seed=seed)


def finder(folders: Sequence[Path]) -> Finder:
    """Return what imports the names of a configuration: a file from the first folder that has it, a module from any of them."""

    def find(name: str) -> Any:
        place = name.partition(":")[0]
        if place.endswith(".py"):
            return find_object(name, next((folder for folder in folders if (folder / place).is_file()), folders[0]))
        sys.path[:0] = [str(folder) for folder in folders if str(folder) not in sys.path]
        return find_object(name if ":" in name else ":".join(name.rpartition(".")[::2]), folders[0])

    return find


def config_of_run(run: Run) -> dict[str, Any]:
    """Return the configuration of a recorded run: the pipeline with all its params, the inputs, the seed.

    Raises:
        UsageError: The run was no pipeline's.
    """
    if not run.description:
        raise UsageError(
            f"run {run.summary.name!r} is no pipeline's", "its command line is what there is to give again"
        )
    found = config_of(run.description)
    if run.target and "target" in found:
        found["target"] = run.target
    if "flow" in found:
        found = {"name": run.summary.pipeline, **found}
    seed = run.settings.get("seed", 0)
    inputs = without_nulls(dict(run.inputs))
    return {**({"seed": seed} if seed else {}), **found, **({"inputs": inputs} if inputs else {})}
