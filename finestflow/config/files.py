"""The files and variables that settings are read from, and the one place that writes them.

Owns the order of sources: flag, ``FINESTFLOW_*`` variable, this machine's file in the git folder, project file, user file, default.
Pure: folders, environment and file names are passed in. Called by ``workspace`` and by ``finestflow config``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from finestflow.config.kinds import Kind
from finestflow.config.settings import (
    DECLARED,
    PIPELINE_TABLE,
    PREFIX,
    PROJECT_FILE,
    TABLES,
    Config,
    PipelineConfig,
    Source,
    check_key,
    declaration,
    kind_of,
    split_key,
    variable_of,
)
from finestflow.errors import ConfigError, nearest_hint


class _Written(NamedTuple):
    """A value as somebody wrote it."""

    key: str
    value: Any
    source: Source


def load_config(
    start: Path,
    *,
    environ: Mapping[str, str],
    machine_file: Path | None = None,
    user_file: Path | None = None,
    overrides: Iterable[tuple[str, Any]] = (),
) -> Config:
    """Read the settings that hold in a folder.

    Args:
        start: Folder from which the project's file is looked for, upward.
        environ: Environment variables.
        machine_file: Settings of this clone on this machine (``.git/finestflow/config.toml``); need not exist.
        user_file: Settings of the user; need not exist.
        overrides: (key, value) given as flags; text is read as a variable's would be.

    Raises:
        ConfigError: for an unknown key, a value of the wrong kind, or a file that is no TOML; names file and line.
    """
    project = find_project_file(start)
    layers: list[Iterable[_Written]] = [
        _read_layer(user_file, "user"),
        _read_layer(project, "project"),
        _read_layer(machine_file, "machine"),
        _read_environ(environ),
        [_override(key, value) for key, value in overrides],
    ]
    chosen: dict[str, _Written] = {}
    for layer in layers:
        for written in layer:
            chosen[written.key] = written
    return _build(chosen, project)


def find_project_file(start: Path) -> Path | None:
    """Return the nearest ``.finestflow.toml`` upward, else the nearest pyproject.toml with ``[tool.finestflow]``."""
    folders = [start, *start.parents]
    for folder in folders:
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
    for folder in folders:
        file = folder / "pyproject.toml"
        # A text search first: parsing every pyproject on the way would cost more than everything else here.
        if file.is_file() and "tool.finestflow" in file.read_text(encoding="utf-8", errors="replace"):
            return file
    return None


def _read_layer(file: Path | None, kind: str) -> Iterator[_Written]:
    if file is None:
        return
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {str(file)!r}: {error}") from error
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}", "see https://toml.io for the notation") from error
    if file.name == "pyproject.toml":
        data = data.get("tool", {}).get("finestflow", {})
    for parts, value in _iter_leaves(data):
        source = Source(kind=kind, where=f"{file}:{_line_of(text, parts)}")
        yield _check(parts, value, source)


def _iter_leaves(data: Mapping[str, Any]) -> Iterator[tuple[list[str], Any]]:
    """Yield (path, value) down to the depth at which settings are declared."""
    for name, value in data.items():
        if not isinstance(value, dict) or name not in {*TABLES, PIPELINE_TABLE}:
            yield [name], value
        elif name != PIPELINE_TABLE:
            for key, leaf in value.items():
                yield [name, key], leaf
        else:
            for pipeline, table in value.items():
                if not isinstance(table, dict):
                    yield [name, pipeline], table
                    continue
                for key, leaf in table.items():
                    yield [name, pipeline, key], leaf


def _check(parts: list[str], value: Any, source: Source) -> _Written:
    """Return the value with its key, or say what is wrong with it and where it stands."""
    key = ".".join(f'"{part}"' if "." in part else part for part in parts)
    if declaration(parts) not in DECLARED:
        siblings = [name for name in DECLARED if name.count(".") == len(parts) - 1]
        if len(parts) > 1:
            siblings = [name for name in siblings if name.split(".")[0] == parts[0]]
        else:
            siblings += [*(table for table in TABLES if "." not in table), PIPELINE_TABLE]
        known = [name.rsplit(".", 1)[-1] for name in siblings]
        raise ConfigError(f"{source.where}: unknown key {key!r}", nearest_hint(parts[-1], known, "keys here"))
    kind = kind_of(declaration(parts))
    try:
        kind.parse(value)
    except ValueError:
        raise ConfigError(f"{source.where}: {key!r} is {value!r}", f"expected {kind.expected}") from None
    return _Written(key, value, source)


def _line_of(text: str, parts: list[str]) -> int:
    """Return the line on which a key stands, as near as a look at the lines can tell; 1 when it cannot."""
    table: list[str] = []
    best = 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+([^\]]+)\]", line)
        if header:
            table = [part.strip() for part in split_key(header[1])]
            if table[:2] == ["tool", "finestflow"]:
                table = table[2:]
            if parts[: len(table)] == table and table:
                best = number
            if table[: len(parts)] == parts:
                return number
            continue
        assignment = re.match(r'\s*((?:[\w-]+|"[^"]*"|\s*\.\s*)+?)\s*=', line)
        if assignment and [*table, *(part.strip() for part in split_key(assignment[1]))][: len(parts)] == parts:
            return number
    return best


def _read_environ(environ: Mapping[str, str]) -> Iterator[_Written]:
    variables = {variable_of(key): key for key in DECLARED if not key.startswith(PIPELINE_TABLE)}
    tables = tuple(f"{PREFIX}{table.upper()}_" for table in TABLES if "." not in table)
    for name, text in environ.items():
        key = variables.get(name)
        if key is not None:
            value = kind_of(key).parse_text(text)
            yield _check(key.split("."), value, Source(kind="environment", where=name))
        elif name.startswith(tables):
            raise ConfigError(f"unknown variable {name!r}", nearest_hint(name, variables, "variables"))


def _override(key: str, value: Any) -> _Written:
    parts = split_key(check_key(key))
    if isinstance(value, str):
        value = kind_of(declaration(parts)).parse_text(value)
    elif isinstance(value, tuple):
        value = list(value)
    return _check(parts, value, Source(kind="flag", where=key))


def _build(chosen: Mapping[str, _Written], file: Path | None) -> Config:
    tables: dict[str, dict[str, Any]] = {}
    for key, written in chosen.items():
        parts = split_key(key)
        kind = kind_of(declaration(parts))
        tables.setdefault(".".join(parts[:-1]), {})[parts[-1].replace("-", "_")] = kind.parse(written.value)
    pipelines = {
        name.removeprefix(PIPELINE_TABLE + "."): PipelineConfig(**values)
        for name, values in tables.items()
        if name.startswith(PIPELINE_TABLE + ".")
    }
    return Config(
        **tables.get("", {}),
        **{name: cls(**tables.get(name, {})) for name, cls in TABLES.items() if "." not in name},
        pipelines=MappingProxyType(pipelines),
        file=file,
        sources=MappingProxyType({key: written.source for key, written in chosen.items()}),
        raw=MappingProxyType({key: written.value for key, written in chosen.items()}),
    )


def write_setting(file: Path, key: str, text: str) -> Any:
    """Set one value in a file, leave its comments and order alone, and return the value written.

    Args:
        file: The file; it is made when it is not there. In a pyproject.toml the value goes below ``[tool.finestflow]``.
        key: Such as ``run.jobs``.
        text: The value as a person types it: TOML, JSON or plain text.

    Raises:
        ConfigError: for an unknown key or a value of the wrong kind; the file is then as it was.
    """
    import tomllib

    import tomlkit

    parts = split_key(check_key(key))
    value = _value_of_text(text, kind_of(declaration(parts)))
    _check(parts, value, Source(kind="flag", where="config set"))
    document = tomlkit.parse(file.read_text(encoding="utf-8")) if file.exists() else tomlkit.document()
    table: Any = document
    for part in (["tool", "finestflow"] if file.name == "pyproject.toml" else []) + parts[:-1]:
        if part not in table:
            table[part] = tomlkit.table(is_super_table=part in {"tool", PIPELINE_TABLE})
        table = table[part]
    table[parts[-1]] = value
    written = tomlkit.dumps(document)
    tomllib.loads(written)
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(file.name + ".new")
    temporary.write_text(written, encoding="utf-8")
    temporary.replace(file)
    return value


def _value_of_text(text: str, kind: Kind) -> Any:
    """Read what a person typed: first as TOML, then the way a variable is read."""
    import tomllib

    try:
        value = tomllib.loads(f"value = {text}")["value"]
        kind.parse(value)
    except (tomllib.TOMLDecodeError, ValueError):
        return kind.parse_text(text)
    return value
