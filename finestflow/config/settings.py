"""What settings there are: each declared once, as a field with its kind, default and sentence.

Reading, checking, the JSON Schema and the reference page follow from these declarations. Invariant: a ``Config`` holds only values that
were checked, and ``sources`` names the origin of each that is not a default. Made by ``files``; read by everybody who is given a ``Config``.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from finestflow.config.kinds import BOOL, COUNT, DURATION, JOBS, SIZE, STRINGS, TABLE, TEXT, Kind, one_of
from finestflow.errors import ConfigError, nearest_hint

PROJECT_FILE = ".finestflow.toml"
PREFIX = "FINESTFLOW_"
PIPELINE_TABLE = "pipelines"


def _setting(kind: Kind, default: Any, help: str) -> Any:  # noqa: A002 - what click calls it
    """Declare a setting; ``default`` is written as a file would write it."""
    parsed = None if default is None else kind.parse(default)
    metadata = {"kind": kind, "raw": default, "help": help}
    return dataclasses.field(default_factory=lambda: parsed, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """``[run]``: how tasks run."""

    executor: str = _setting(
        one_of("auto", "sequential", "process", "dask", "ray"),
        "auto",
        "How tasks run; `auto` takes the best that is there.",
    )
    jobs: int | None = _setting(JOBS, "auto", "Number of workers; `auto` is one a core. Has no effect in this version.")
    start_method: str = _setting(
        one_of("auto", "forkserver", "spawn", "fork"),
        "auto",
        "How workers are started; `auto` suits the platform. Has no effect in this version.",
    )
    timeout: float = _setting(DURATION, "0s", "Longest time of one task; 0 is no limit. Has no effect in this version.")
    resources: bool = _setting(
        BOOL, True, "Whether CPU, memory and GPU are sampled while a run goes, from its second second on."
    )
    record_env: tuple[str, ...] = _setting(
        STRINGS,
        [],
        "Names of environment variables whose values enter the record; nothing else of the environment does.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotConfig:
    """``[snapshot]``: which files a run records."""

    untracked: bool = _setting(
        BOOL, True, "Whether files that git does not track yet are recorded; `.gitignore` is always obeyed."
    )
    exclude: tuple[str, ...] = _setting(
        STRINGS, [".env*", "*.pem", "*.key", "id_rsa*"], "Patterns of untracked files that are never recorded."
    )
    max_file_size: int = _setting(SIZE, "10 MB", "Larger untracked files are listed with their digest, not recorded.")
    max_files: int = _setting(COUNT, 2000, "So many untracked files are recorded; those beyond are listed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """``[store]``: where outputs live."""

    path: str = _setting(
        TEXT,
        ".git/finestflow/store",
        "Folder of the outputs, relative to the repository; the default is shared by work trees.",
    )
    max_size: int = _setting(
        SIZE,
        "20 GB",
        "Size that `gc` aims at; what a kept run reaches is never deleted. Has no effect in this version.",
    )
    verify: str = _setting(one_of("auto", "always"), "auto", "`always` compares the full digest on every load.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteConfig:
    """``[remote]``: where runs and outputs are shared."""

    git: str = _setting(
        TEXT, "origin", "Git remote that runs are pushed to and pulled from. Has no effect in this version."
    )
    store: str | None = _setting(
        TEXT, None, "Where outputs are shared: a folder, `ssh://...` or any fsspec URL. Has no effect in this version."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TuiConfig:
    """``[tui]``: the terminal UI."""

    theme: str = _setting(
        TEXT,
        "auto",
        "Colours: `auto` follows the terminal; `dark`, `light`, `ansi` (those of the terminal), `high-contrast`, `blue-orange`, or a theme of Textual.",
    )
    columns: tuple[str, ...] = _setting(
        STRINGS,
        [],
        "Columns of the list of runs, such as `status`, `name`, `when`, `metrics.f1`, `params.lr`; empty lets the screen choose.",
    )
    keys: Mapping[str, Any] = _setting(
        TABLE,
        {},
        'Other keys for actions, by their id, such as `{ "delete" = "D" }`; the page of the terminal UI lists them.',
    )
    views: Mapping[str, Any] = _setting(
        TABLE, {}, 'Named views: `{ best = { query = "is:star", sort = "-m.f1" } }`; also `group` and `columns`.'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """``[pipelines.NAME]``: a pipeline that has a name on the command line, by class or by description."""

    target: str | None = _setting(TEXT, None, "Class of the pipeline: `file.py:Class` or `module:Class`.")
    flow: str | None = _setting(
        TEXT,
        None,
        'Wiring of a described pipeline, such as `"load >> [svm, forest] >> pick"`. Has no effect in this version.',
    )
    params: Mapping[str, Any] = _setting(TABLE, {}, 'Params by path, such as `{ "svm.C" = 1.0 }`.')
    inputs: Mapping[str, Any] = _setting(TABLE, {}, "Inputs of the call by name.")
    tasks: Mapping[str, Any] = _setting(
        TABLE,
        {},
        "Tasks of a described pipeline: `use` names the class, the rest are params. Has no effect in this version.",
    )
    edges: Mapping[str, Any] = _setting(
        TABLE, {}, "Edges of a described pipeline where `flow` leaves a doubt. Has no effect in this version."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value came from: ``kind`` is flag, environment, machine, project, user or default; ``where`` a variable or ``file:line``."""

    kind: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.kind} ({self.where})" if self.where else self.kind


_DEFAULT = Source(kind="default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings, checked.

    Attributes:
        file: The project's file, if there is one.
        sources: Origin of each value that is not a default, by key such as ``run.jobs``.
        raw: Each such value as it was written.
    """

    default_pipeline: str | None = _setting(TEXT, None, "Pipeline that `finestflow run` takes when none is named.")
    tracking: str = _setting(
        one_of("auto", "required"),
        "auto",
        "`required` makes a run outside a git repository an error instead of a warning.",
    )
    run: RunConfig = RunConfig()
    snapshot: SnapshotConfig = SnapshotConfig()
    store: StoreConfig = StoreConfig()
    remote: RemoteConfig = RemoteConfig()
    tui: TuiConfig = TuiConfig()
    pipelines: Mapping[str, PipelineConfig] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    file: Path | None = None
    sources: Mapping[str, Source] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    raw: Mapping[str, Any] = dataclasses.field(default_factory=lambda: MappingProxyType({}))

    def get(self, key: str) -> Any:
        """Return the value of ``key`` (``run.jobs``) as the program uses it.

        Raises:
            ConfigError: when there is no such setting.
        """
        value: Any = self
        for part in split_key(check_key(key)):
            value = value[part] if isinstance(value, Mapping) else getattr(value, part.replace("-", "_"))
        return value

    def source(self, key: str) -> Source:
        """Return where the value of ``key`` came from."""
        return self.sources.get(key, _DEFAULT)

    def iter_values(self) -> Iterator[tuple[str, Any, Source]]:
        """Yield (key, value as a file would write it, source) of every setting, defaults included."""
        known = {setting.key: setting.default for setting in iter_settings() if "NAME" not in setting.key}
        for key in [*known, *(key for key in self.raw if key not in known)]:
            yield key, self.raw.get(key, known.get(key)), self.source(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The declaration of one setting; in the keys of pipelines ``NAME`` stands for the name."""

    key: str
    expected: str
    default: Any
    help: str
    schema: Mapping[str, Any]
    variable: str


TABLES: Mapping[str, type[Any]] = MappingProxyType(
    {
        "run": RunConfig,
        "snapshot": SnapshotConfig,
        "store": StoreConfig,
        "remote": RemoteConfig,
        "tui": TuiConfig,
        "pipelines.NAME": PipelineConfig,
    }
)


def _fields(cls: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    return {f.name.replace("_", "-"): f for f in dataclasses.fields(cls) if "kind" in f.metadata}


def _declared() -> dict[str, dataclasses.Field[Any]]:
    declared = dict(_fields(Config))
    for table, cls in TABLES.items():
        declared |= {f"{table}.{name}": field for name, field in _fields(cls).items()}
    return declared


DECLARED: Mapping[str, dataclasses.Field[Any]] = MappingProxyType(_declared())


def iter_settings() -> Iterator[Setting]:
    """Yield every setting in the order of the reference page."""
    for key, field in DECLARED.items():
        kind: Kind = field.metadata["kind"]
        named = key.startswith(PIPELINE_TABLE)
        yield Setting(
            key=key,
            expected=kind.expected,
            default=field.metadata["raw"],
            help=field.metadata["help"],
            schema=kind.schema,
            variable="" if named else variable_of(key),
        )


def variable_of(key: str) -> str:
    """Return the name of the environment variable of a setting."""
    return PREFIX + re.sub(r"[.-]", "_", key).upper()


def split_key(key: str) -> list[str]:
    """Split ``pipelines.a.params`` at dots; a quoted part may hold dots."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|([^."]+)', key)]


def declaration(parts: list[str]) -> str:
    """Return the key under which these parts are declared: the name of a pipeline becomes ``NAME``."""
    if len(parts) == 3 and parts[0] == PIPELINE_TABLE:
        return f"{PIPELINE_TABLE}.NAME.{parts[2]}"
    return ".".join(parts)


def check_key(key: str) -> str:
    """Return the key, or raise ConfigError when no such setting is declared."""
    if declaration(split_key(key)) not in DECLARED:
        raise ConfigError(f"unknown setting {key!r}", nearest_hint(key, DECLARED, "settings"))
    return key


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``.finestflow.toml``, for editors."""
    root: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": PROJECT_FILE,
        "type": "object",
        "additionalProperties": False,
        "properties": {},
    }
    for setting in iter_settings():
        *tables, name = setting.key.split(".")
        node = root
        for table in tables:
            fresh: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
            if table == PIPELINE_TABLE:
                node = node["properties"].setdefault(table, {"type": "object"})
            elif table == "NAME":
                node = node.setdefault("additionalProperties", fresh)
            else:
                node = node["properties"].setdefault(table, fresh)
        described = dict(setting.schema) | {"description": setting.help}
        if setting.default is not None:
            described["default"] = json.loads(json.dumps(setting.default))
        node["properties"][name] = described
    return root
