"""What settings there are: each declared once, as a field with its kind, default and sentence.

Reading, checking, the JSON Schema and the reference page follow from these declarations. Invariant: a ``Config`` holds only values that
were checked, and ``sources`` names the origin of each that is not a default. Made by ``files``; read by everybody who is given a ``Config``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from finestflow.config.kinds import BOOL, COUNT, DURATION, JOBS, SIZE, STRINGS, TABLE, TEXT, Kind, one_of
from finestflow.errors import ConfigError, nearest_hint

PROJECT_FILE = ".finestflow.toml"
PREFIX = "FINESTFLOW_"
PIPELINE_TABLE = "pipelines"


class Declared:
    """A setting as an attribute of its table: the default, until a file or variable says else.

    ``default`` is written as a file would write it. What is no setting but belongs to the table as well has no ``kind``.
    """

    __slots__ = ("default", "help", "kind", "name", "parsed")

    def __init__(self, kind: Kind | None, default: Any, help: str) -> None:  # noqa: A002 - what click calls it
        self.kind = kind
        self.default = default
        self.help = help
        self.parsed = default if kind is None or default is None else kind.parse(default)

    def __set_name__(self, table: type, name: str) -> None:
        self.name = name

    def __get__(self, table: _Table | None, _: type | None = None) -> Any:
        return self if table is None else table.given.get(self.name, self.parsed)

    def __set__(self, table: _Table, value: Any) -> None:
        raise AttributeError(f"the setting {self.name!r} of a table that was read cannot be changed")


class _Table:
    """The settings of one table; never changed. Not dataclasses: a list of runs would wait 4 ms for these to be made."""

    __slots__ = ("given",)

    def __init__(self, **given: Any) -> None:
        for name in given:
            if not isinstance(vars(type(self)).get(name), Declared):
                raise TypeError(f"{type(self).__name__} has no {name!r}")
        self.given = given

    def __repr__(self) -> str:
        names = [name for name, item in vars(type(self)).items() if isinstance(item, Declared)]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


def _setting(kind: Kind, default: Any, help: str) -> Any:  # noqa: A002 - what click calls it
    """Declare a setting; ``default`` is written as a file would write it."""
    return Declared(kind, default, help)


def _part(default: Any) -> Any:
    """Declare what is no setting of its own."""
    return Declared(None, default, "")


class RunConfig(_Table):
    """``[run]``: how tasks run."""

    executor: str = _setting(
        one_of("auto", "sequential", "process", "dask", "ray"),
        "auto",
        "How tasks run; `auto` is `process` where more than one job is asked for, else `sequential`. Not in this version: `dask`, `ray`.",
    )
    jobs: int | None = _setting(
        JOBS,
        None,
        "How many tasks run at a time; `auto` is one a core. When not set: one, or one a core where the executor is `process`.",
    )
    start_method: str = _setting(
        one_of("auto", "forkserver", "spawn", "fork"),
        "auto",
        "How workers are started: `auto` is `forkserver` on Linux and `spawn` elsewhere.",
    )
    timeout: float = _setting(DURATION, "0s", "Longest time of one task that has no `Meta.timeout`; 0 is no limit.")
    resources: bool = _setting(
        BOOL, True, "Whether CPU, memory and GPU are sampled while a run goes, from its second second on."
    )
    capture: str = _setting(
        one_of("auto", "python"),
        "auto",
        "What of a task that runs in the process of `finestflow run` is its log: with `auto` also what C code and child processes print; "
        "with `python` these have the terminal to themselves.",
    )
    display: str = _setting(
        one_of("auto", "off"),
        "auto",
        "`auto` shows the tasks of a pipeline that a program calls, where stderr is a terminal; `off` never does.",
    )
    record_env: tuple[str, ...] = _setting(
        STRINGS,
        [],
        "Names of environment variables whose values enter the record; nothing else of the environment does.",
    )


class SnapshotConfig(_Table):
    """``[snapshot]``: which files a run records."""

    untracked: bool = _setting(
        BOOL, True, "Whether files that git does not track yet are recorded; `.gitignore` is always obeyed."
    )
    exclude: tuple[str, ...] = _setting(
        STRINGS, [".env*", "*.env", "*.pem", "*.key", "id_rsa*"], "Patterns of untracked files that are never recorded."
    )
    max_file_size: int = _setting(SIZE, "10 MB", "Larger untracked files are listed with their digest, not recorded.")
    max_files: int = _setting(COUNT, 2000, "So many untracked files are recorded; those beyond are listed.")


class StoreConfig(_Table):
    """``[store]``: where outputs live."""

    path: str = _setting(
        TEXT,
        ".git/finestflow/store",
        "Folder of the outputs, relative to the repository; the default is shared by work trees.",
    )
    max_size: int = _setting(
        SIZE,
        "20 GB",
        "Size of the outputs that `gc --fit` aims at; above it `du` and `gc` say so. What a kept run reaches is never deleted.",
    )
    verify: str = _setting(one_of("auto", "always"), "auto", "`always` compares the full digest on every load.")


class MetricsConfig(_Table):
    """``[metrics]``: which way of a metric is better, where its name does not say or says it wrongly."""

    maximize: tuple[str, ...] = _setting(STRINGS, [], 'Patterns of metrics of which more is better, such as `"gain*"`.')
    minimize: tuple[str, ...] = _setting(STRINGS, [], "Patterns of metrics of which less is better.")


class GcConfig(_Table):
    """``[gc]``: which runs ``gc`` keeps when it is given no rule; starred ones always stay, and all without any rule."""

    keep_last: int | None = _setting(COUNT, None, "Keep so many of the newest runs.")
    keep: str | None = _setting(TEXT, None, 'Keep the runs that this query finds, such as `"#paper or f1>0.98"`.')
    older_than: float | None = _setting(DURATION, None, 'Drop only runs that are older, such as `"90d"`.')
    environments: float = _setting(
        DURATION,
        "30d",
        "Delete the environments that `reproduce --env` built and nobody has used for so long, in any repository; they are built again when they are needed.",
    )


class RemoteConfig(_Table):
    """``[remote]``: where runs and outputs are shared."""

    git: str = _setting(
        TEXT, "origin", "Git remote that runs are pushed to and pulled from. Has no effect in this version."
    )
    store: str | None = _setting(
        TEXT, None, "Where outputs are shared: a folder, `ssh://...` or any fsspec URL. Has no effect in this version."
    )


class TuiConfig(_Table):
    """``[tui]``: the terminal UI."""

    theme: str = _setting(
        TEXT,
        "auto",
        "Colours: `auto` follows the terminal; `dark`, `light`, `ansi` (those of the terminal), `high-contrast`, `blue-orange`, or a theme of Textual.",
    )
    columns: tuple[str, ...] = _setting(
        STRINGS,
        [],
        "Columns of the list of runs, such as `status`, `name`, `when`, `metrics.f1`, `courses.f1` (how it went), `params.lr`; empty lets the screen choose.",
    )
    plot: str = _setting(
        one_of("braille", "blocks", "ascii"),
        "braille",
        "What plots are drawn with: not every font has the dots of `braille`.",
    )
    keys: Mapping[str, Any] = _setting(
        TABLE,
        {},
        'Other keys for actions, by their id, such as `{ "delete" = "D" }`; the page of the terminal UI lists them.',
    )


class PipelineConfig(_Table):
    """``[pipelines.NAME]``: a pipeline that has a name on the command line, by class or by description."""

    target: str | None = _setting(TEXT, None, "Class of the pipeline: `file.py:Class` or `module:Class`.")
    flow: str | None = _setting(
        TEXT,
        None,
        'Wiring of a described pipeline, such as `"load >> [svm, forest] >> pick"`.',
    )
    params: Mapping[str, Any] = _setting(TABLE, {}, 'Params by path, such as `{ "svm.C" = 1.0 }`.')
    inputs: Mapping[str, Any] = _setting(TABLE, {}, "Inputs of the call by name.")
    tasks: Mapping[str, Any] = _setting(
        TABLE,
        {},
        "Tasks by name: `use` names the class, the rest are params; without `use`, params of what a target has there.",
    )
    edges: Mapping[str, Any] = _setting(
        TABLE,
        {},
        'Edges of a described pipeline where `flow` leaves a doubt, such as `{ "pick.test" = "split.test" }`.',
    )
    seed: int = _setting(COUNT, 0, "Seed of its runs.")


class Source(NamedTuple):
    """Where a value came from: ``kind`` is flag, environment, machine, project, user or default; ``where`` a variable or ``file:line``."""

    kind: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.kind} ({self.where})" if self.where else self.kind


_DEFAULT = Source(kind="default")


class Config(_Table):
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
    views: Mapping[str, Any] = _setting(
        TABLE,
        {},
        "Lists of runs that have a name, for `finestflow log --view best`: `[views.best]` with `query`, `sort`, `columns`, `group`, `limit`.",
    )
    run: RunConfig = _part(RunConfig())
    snapshot: SnapshotConfig = _part(SnapshotConfig())
    store: StoreConfig = _part(StoreConfig())
    metrics: MetricsConfig = _part(MetricsConfig())
    gc: GcConfig = _part(GcConfig())
    remote: RemoteConfig = _part(RemoteConfig())
    tui: TuiConfig = _part(TuiConfig())
    pipelines: Mapping[str, PipelineConfig] = _part(MappingProxyType({}))
    file: Path | None = _part(None)
    sources: Mapping[str, Source] = _part(MappingProxyType({}))
    raw: Mapping[str, Any] = _part(MappingProxyType({}))

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


class Setting(NamedTuple):
    """The declaration of one setting; in the keys of pipelines ``NAME`` stands for the name."""

    key: str
    expected: str
    default: Any
    help: str
    schema: Mapping[str, Any]
    variable: str


TABLES: Mapping[str, type[_Table]] = MappingProxyType(
    {
        "run": RunConfig,
        "snapshot": SnapshotConfig,
        "store": StoreConfig,
        "metrics": MetricsConfig,
        "gc": GcConfig,
        "remote": RemoteConfig,
        "tui": TuiConfig,
        "pipelines.NAME": PipelineConfig,
    }
)


def _declared() -> dict[str, Declared]:
    tables: dict[str, type[_Table]] = {"": Config, **TABLES}
    return {
        f"{table}.{name}".lstrip(".").replace("_", "-"): declared
        for table, cls in tables.items()
        for name, declared in vars(cls).items()
        if isinstance(declared, Declared) and declared.kind is not None
    }


DECLARED: Mapping[str, Declared] = MappingProxyType(_declared())


def iter_settings() -> Iterator[Setting]:
    """Yield every setting in the order of the reference page."""
    for key, declared in DECLARED.items():
        kind = kind_of(key)
        named = key.startswith(PIPELINE_TABLE)
        yield Setting(
            key=key,
            expected=kind.expected,
            default=declared.default,
            help=declared.help,
            schema=kind.schema,
            variable="" if named else variable_of(key),
        )


def kind_of(key: str) -> Kind:
    """Return the kind of a declared setting; ``NAME`` stands for the name of a pipeline."""
    kind = DECLARED[key].kind
    assert kind is not None  # those without are not in the table
    return kind


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
    import json

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
