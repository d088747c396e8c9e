"""The record of a run: the files below ``.finestflow/`` in its commit.

Invariant: ``load_record`` gives back what ``dump_record`` was given, but for the times of long series and the middle of long
logs. What differs between two equal runs is in ``run.json`` alone. The journal calls both; the format is described in
docs/reference/journal-format.md.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from finestflow.errors import CorruptionError, NewerFormatError
from finestflow.journal import samples, series
from finestflow.journal.encode import dump_json, dump_lines, load_json
from finestflow.journal.logs import dump_logs
from finestflow.journal.message import own_first
from finestflow.journal.names import quote_name
from finestflow.journal.node_rows import dump_nodes, load_nodes
from finestflow.journal.toml import dump_toml
from finestflow.model import (
    FORMAT,
    Metric,
    NodeStatus,
    Omitted,
    Run,
    RunId,
    RunStatus,
    RunSummary,
    Snapshot,
)
from finestflow.requirements import Packages, dump_requirements, load_requirements

__all__ = ["FIXED_FILES", "FOLDER", "dump_record", "listed_files", "load_record"]

FOLDER = ".finestflow"
"""The folder of the record, at the root of a run commit's tree."""

FIXED_FILES = (
    "run.json",
    "params.json",
    "inputs.json",
    "metrics.json",
    "graph.json",
    "tasks.json",
    "config.toml",
    "environment.txt",
    "omitted.json",
    "traceback.txt",
)
"""The files that ``load_record`` asks for in any case; ``listed_files`` tells the rest."""

Fields = dict[str, Any]
_OTHERS = "the other runs are not affected"


def dump_record(run: Run, logs: Mapping[str, bytes] | None = None, *, config: str = "") -> dict[str, bytes]:
    """Return the files of a run's record, by path below ``.finestflow/``.

    Args:
        run: The run, with the series of its metrics.
        logs: What each node printed.
        config: The text of ``config.toml``, where there is one with comments to keep; else it is made of the description.
    """
    sources = {name: f"source/{quote_name(name)}" for name in run.sources}
    config = config or dump_toml(run.description)
    rows = dump_nodes(run.nodes)
    files = {
        "run.json": _dump_run(run, rows.times, sources),
        "params.json": dump_json(run.summary.params) if run.summary.params else b"",
        "inputs.json": _dump_inputs(run),
        "metrics.json": _dump_metrics(run),
        "graph.json": _dump_graph(run, rows.shapes),
        "tasks.json": dump_lines({}, {"code": rows.code, "nodes": rows.tasks}) if rows.tasks else b"",
        "config.toml": config.encode("utf-8", "backslashreplace"),
        "environment.txt": _dump_environment(run.environment)[0].encode(),
        "omitted.json": _dump_omitted(run.snapshot),
        "traceback.txt": run.traceback.encode("utf-8", "backslashreplace"),
    }
    files.update(series.dump(run.metrics))
    for name, text in run.sources.items():
        files[sources[name]] = text.encode("utf-8", "surrogatepass")
    files.update(dump_logs(logs or {}))
    return {path: data for path, data in files.items() if data}


def load_record(read: Callable[[str], bytes | None], *, commit: str = "", with_series: bool = True) -> Run:
    """Return the run that a record tells.

    Args:
        read: Gives the bytes of a file below ``.finestflow/``, or None.
        commit: Id of the commit, to be filled in.
        with_series: Read the values of the metrics too.

    Raises:
        CorruptionError: A file of it is missing or damaged.
        NewerFormatError: It was written by a later finestflow.
    """
    about = _load(read, "run.json")
    if not about:
        message = f"the record of commit {commit[:12]!r} has no run.json"
        raise CorruptionError(message, _OTHERS)
    if not isinstance(about.get("format"), int):
        raise CorruptionError(f"the record of commit {commit[:12]!r} is damaged: its format is no number", _OTHERS)
    if about["format"] > FORMAT:
        message = f"run {about.get('id', '?')!r} has format {about['format']}, and this finestflow knows {FORMAT}"
        raise NewerFormatError(message, "upgrade finestflow to look inside this run")
    try:
        return _build_run(read, about, commit, with_series=with_series)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        message = f"the record of run {about.get('id', '?')!r} is damaged: {type(error).__name__}: {error}"
        raise CorruptionError(message, _OTHERS) from error


def listed_files(files: Mapping[str, bytes], *, with_series: bool = True) -> list[str]:
    """Return the files that the fixed ones name: series and sources."""
    about, metrics = _load(files.get, "run.json"), _load(files.get, "metrics.json")
    paths = [row["series"] for row in metrics.values() if "series" in row] if with_series else []
    return [*dict.fromkeys(paths), *about.get("sources", {}).values()]


def _load(read: Callable[[str], bytes | None], path: str) -> Any:
    data = read(path)
    if data is None:
        return {}
    try:
        fields = load_json(data)
    except ValueError as error:
        raise CorruptionError(f"{path!r} of a record is damaged: {error}", _OTHERS) from error
    if not isinstance(fields, list if path == "omitted.json" else dict):
        raise CorruptionError(f"{path!r} of a record holds something else than it should", _OTHERS)
    return fields


def _build_run(read: Callable[[str], bytes | None], about: Fields, commit: str, *, with_series: bool) -> Run:
    params, inputs, graph = _load(read, "params.json"), _load(read, "inputs.json"), _load(read, "graph.json")
    tasks = _load(read, "tasks.json")
    if about.get("nodes") and not tasks:
        raise CorruptionError(f"'tasks.json' of run {about['id']!r} is missing", "the other runs are not affected")
    nodes = load_nodes(tasks, graph, about.get("nodes", {}))
    metrics = _load_metrics(read, about, with_series=with_series)
    snapshot = _load_snapshot(about.get("snapshot"), _load(read, "omitted.json") or [])
    environment = about.get("environment", {})
    packages, origins = load_requirements((read("environment.txt") or b"").decode("utf-8", "replace"))
    environment = {
        **environment,
        **_told(
            {
                "packages": packages | environment.get("packages", {}),
                "origins": origins | environment.get("origins", {}),
            }
        ),
    }
    calls = [node for node in nodes.values() if node.kind == "task"]
    summary = RunSummary(
        id=RunId(about["id"]),
        name=about.get("name", ""),
        pipeline=about.get("pipeline", ""),
        status=RunStatus(about["status"]),
        started=about["started"],
        seconds=about.get("seconds", 0.0),
        commit=commit,
        base=snapshot.base if snapshot else None,
        branch=snapshot.branch if snapshot else None,
        code=about.get("code", ""),
        dirty=(snapshot.changed, snapshot.untracked) if snapshot else (0, 0),
        params=params,
        metrics={name: metric.last for name, metric in own_first(metrics)},
        tags=tuple(about.get("tags", ())),
        note=about.get("note", ""),
        error=about.get("error", ""),
        reproduces=about.get("reproduces"),
        hits=sum(node.status is NodeStatus.HIT for node in calls),
        nodes=len(calls),
        format=about["format"],
    )
    return Run(
        summary=summary,
        target=about.get("target", ""),
        argv=tuple(about.get("argv", ())),
        description=tomllib.loads((read("config.toml") or b"").decode()),
        inputs=inputs.get("values", {}),
        input_digests=inputs.get("digests", {}),
        settings=about.get("settings", {}),
        environment=environment,
        snapshot=snapshot,
        nodes=nodes,
        metrics=metrics,
        resources=samples.load(about.get("resources", {}), about["started"], with_values=with_series),
        outputs=graph.get("outputs", {}),
        returned=graph.get("returned", ""),
        files=inputs.get("files", {}),
        notes=tuple(about.get("notes", ())),
        ended=about.get("ended"),
        traceback=(read("traceback.txt") or b"").decode("utf-8", "replace"),
        reproduction=about.get("reproduction", {}),
        sources={
            name: (read(path) or b"").decode("utf-8", "surrogatepass")
            for name, path in about.get("sources", {}).items()
        },
    )


def _dump_run(run: Run, times: list[str], sources: Mapping[str, str]) -> bytes:
    summary, snapshot = run.summary, run.snapshot
    _, rest = _dump_environment(run.environment)
    others = {name: value for name, value in run.environment.items() if name not in {"packages", "origins"}}
    head: Fields = {
        "format": summary.format,
        "id": summary.id,
        "name": summary.name,
        "pipeline": summary.pipeline,
        "status": summary.status.value,
        "started": summary.started,
        "ended": run.ended,
        "seconds": summary.seconds,
        "code": summary.code,
        "tags": list(summary.tags),
        "note": summary.note,
        "error": summary.error,
        "reproduces": summary.reproduces,
        "target": run.target,
        "argv": list(run.argv),
        "settings": run.settings,
        "environment": others | _told({"packages": rest.versions, "origins": rest.origins}),
        "snapshot": None if snapshot is None else {**asdict(replace(snapshot, omitted=())), "omitted": None},
        "notes": list(run.notes),
        "reproduction": run.reproduction,
        "sources": sources,
    }
    head["snapshot"] = _told(head["snapshot"] or {})
    moments = {
        name: series.dump_times(metric, summary.started) for name, metric in run.metrics.items() if metric.values
    }
    used = samples.dump(run.resources, summary.started)
    return dump_lines(_told(head), {"nodes": times, "series": moments, "resources": used})


def _dump_inputs(run: Run) -> bytes:
    if not run.inputs and not run.input_digests and not run.files:
        return b""
    return dump_lines({}, {"values": run.inputs, "digests": run.input_digests, "files": run.files})


def _dump_metrics(run: Run) -> bytes:
    rows: dict[str, Fields] = {}
    for name, metric in run.metrics.items():
        rows[name] = {"last": metric.last, "best": metric.best, "count": metric.count}
        if series.has_file(metric):
            rows[name]["series"] = series.path_of(name)
    return dump_lines(rows, {}) if rows else b""


def _load_metrics(read: Callable[[str], bytes | None], about: Fields, *, with_series: bool) -> dict[str, Metric]:
    metrics = {}
    times = about.get("series", {})
    files: dict[str, Mapping[str, series.Rows]] = {}
    for name, row in _load(read, "metrics.json").items():
        metric = Metric(name=name, last=float(row["last"]), best=row["best"], count=row["count"])
        if with_series and "series" in row:
            path = row["series"]
            if path not in files:
                files[path] = series.read_rows(read(path) or b"")
            rows = files[path].get(name, ())
            metric = replace(metric, values=series.load(rows, times.get(name, ()), about["started"], metric.count))
        elif with_series and times.get(name):
            metric = replace(metric, values=((None, metric.last, about["started"] + times[name][0]),))
        metrics[name] = metric
    return metrics


def _dump_graph(run: Run, shapes: list[str]) -> bytes:
    if not run.nodes and not run.outputs and not run.returned:
        return b""
    head = {"returned": run.returned} if run.returned else {}
    return dump_lines(head, {"nodes": shapes, "outputs": run.outputs})


def _dump_environment(environment: Mapping[str, Any]) -> tuple[str, Packages]:
    """Return the requirements file, and the packages that it cannot name."""
    versions, origins = environment.get("packages"), environment.get("origins")
    packages = Packages(
        dict(versions) if isinstance(versions, Mapping) else {}, dict(origins) if isinstance(origins, Mapping) else {}
    )
    python = environment.get("python")
    return dump_requirements(packages, python if isinstance(python, str) else "")


def _dump_omitted(snapshot: Snapshot | None) -> bytes:
    if snapshot is None or not snapshot.omitted:
        return b""
    rows = [json.loads(dump_json(_told(asdict(each)))) for each in snapshot.omitted]
    return ("[\n" + ",\n".join(f" {json.dumps(row, sort_keys=True)}" for row in rows) + "\n]\n").encode()


def _load_snapshot(fields: Fields | None, omitted: list[Fields]) -> Snapshot | None:
    if not fields:
        return None
    notes = tuple(fields.get("notes", ()))
    return Snapshot(**{**fields, "notes": notes, "omitted": tuple(Omitted(**each) for each in omitted)})


def _told(fields: Fields) -> Fields:
    """Leave out what says nothing; zero and false say something."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [], {}, ())}
