"""The tables of the index: what a run is as rows, and back.

Invariant: a run's row depends on its commit message and annotation alone; ``words``, ``tagset`` and the rows of ``metrics`` and
``params`` are what ``query`` compares, made by the functions that its ``matches`` uses. Called by ``index``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from finestflow.journal.conditions import fold_text, number_of, text_of, words_of
from finestflow.model import RunId, RunStatus, RunSummary

if TYPE_CHECKING:
    from finestflow.journal.annotations import Annotation

__all__ = [
    "SCHEMA",
    "SUMMARY_COLUMNS",
    "VERSION",
    "annotate",
    "clear",
    "distinct_keys",
    "fields_of",
    "insert",
    "load_summary",
    "order_by",
    "select_columns",
    "tables_of",
]

VERSION = 1
"""Of the tables; an index of another version is made again."""

_COLUMNS = {
    "id": "TEXT UNIQUE",
    "name": "TEXT",
    "pipeline": "TEXT",
    "status": "TEXT",
    "started": "REAL",
    "seconds": "REAL",
    "commit_id": "TEXT",
    "base": "TEXT",
    "branch": "TEXT",
    "code": "TEXT",
    "changed": "INTEGER",
    "untracked": "INTEGER",
    "params": "TEXT",
    "metrics": "TEXT",
    "tags": "TEXT",
    "note": "TEXT",
    "star": "INTEGER",
    "removed": "INTEGER",
    "error": "TEXT",
    "reproduces": "TEXT",
    "origin": "TEXT",
    "hits": "INTEGER",
    "nodes": "INTEGER",
    "format": "INTEGER",
}
_OWN = {"own_name": "TEXT", "own_tags": "TEXT", "own_note": "TEXT"}
_SEARCHED = {"words": "TEXT", "tagset": "TEXT"}
SUMMARY_COLUMNS = ", ".join(_COLUMNS)
_ALL_COLUMNS = {**_COLUMNS, **_OWN, **_SEARCHED}

# A row a value, and one under its last part where that alone names it. At 10,000 runs of eight metrics a range takes 0.5 ms and the
# names of all metrics 0.03 ms; json_extract without an index takes 5.4 ms for a range, with one (a key each, 8 ms to make) 0.2 ms.
_VALUES = "seq INTEGER, key TEXT, num REAL, text TEXT, PRIMARY KEY (key, seq)"
SCHEMA = (
    f"CREATE TABLE runs (seq INTEGER PRIMARY KEY, {', '.join(map(' '.join, _ALL_COLUMNS.items()))})",
    "CREATE INDEX runs_started ON runs (removed, started)",
    "CREATE INDEX runs_commit ON runs (commit_id)",
    "CREATE INDEX runs_name ON runs (name)",
    "CREATE INDEX runs_own_name ON runs (own_name)",
    "CREATE INDEX runs_pipeline ON runs (pipeline, started)",
    f"CREATE TABLE metrics ({_VALUES}) WITHOUT ROWID",
    f"CREATE TABLE params ({_VALUES}) WITHOUT ROWID",
    "CREATE INDEX metrics_num ON metrics (key, num, seq)",
    "CREATE INDEX params_num ON params (key, num, seq)",
    "CREATE TABLE said (id TEXT PRIMARY KEY, annotation BLOB) WITHOUT ROWID",
    "CREATE TABLE tips (ref TEXT PRIMARY KEY, tip TEXT)",
    f"PRAGMA user_version = {VERSION}",
)
_PLAIN = {
    **{name: f"runs.{name}" for name in _COLUMNS},
    "commit": "runs.commit_id",
    "dirty": "runs.changed + runs.untracked",
}
FIELDS = frozenset(_PLAIN)
"""What every run has."""
_ORDERED_AS_TEXT = frozenset({"name", "pipeline", "note", "error", "branch"})


def clear(database: sqlite3.Connection) -> None:
    """Forget all runs, but not what is said of them."""
    for table in ("runs", "metrics", "params"):
        database.execute(f"DELETE FROM {table}")  # noqa: S608


def insert(database: sqlite3.Connection, summaries: Iterable[RunSummary]) -> None:
    """Add runs as their messages tell them, oldest first, with what is said of them; an id that is there already is passed over."""
    seq = database.execute("SELECT coalesce(max(seq), 0) FROM runs").fetchone()[0]
    known = {row[0] for row in database.execute("SELECT id FROM runs")}
    runs: list[tuple[Any, ...]] = []
    metrics: list[tuple[Any, ...]] = []
    params: list[tuple[Any, ...]] = []
    for summary in summaries:
        if summary.id in known:
            continue
        known.add(summary.id)
        seq += 1
        runs.append((seq, *_row_of(summary)))
        metrics.extend(_rows_of_values(seq, summary.metrics, "/"))
        params.extend(_rows_of_values(seq, summary.params, "."))
    marks = ", ".join("?" * (len(_ALL_COLUMNS) + 1))
    database.executemany(f"INSERT INTO runs VALUES ({marks})", runs)  # noqa: S608
    database.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?)", metrics)
    database.executemany("INSERT OR REPLACE INTO params VALUES (?, ?, ?, ?)", params)
    _annotate_rows(database, [run[1] for run in runs])


def annotate(database: sqlite3.Connection, said: Mapping[RunId, Annotation], *, everything: bool) -> None:
    """Keep annotations and apply them to the rows of their runs; that of a run that is not here yet waits for it.

    Args:
        database: The index.
        said: What is said, by run; an empty annotation takes away what was said.
        everything: Nothing is said of runs that are not in it.
    """
    from finestflow.journal.annotations import dump_annotation

    changed = set(said)
    if everything:
        changed.update(RunId(run_id) for (run_id,) in database.execute("SELECT id FROM said"))
        database.execute("DELETE FROM said")
    kept = [(run_id, dump_annotation(annotation)) for run_id, annotation in said.items()]
    database.executemany("INSERT OR REPLACE INTO said VALUES (?, ?)", kept)
    _annotate_rows(database, changed, is_reset=True)


def _annotate_rows(database: sqlite3.Connection, ids: Iterable[str], *, is_reset: bool = False) -> None:
    from finestflow.journal.annotations import load_annotation

    said = dict(database.execute("SELECT id, annotation FROM said"))
    sql = f"SELECT {SUMMARY_COLUMNS}, own_name, own_tags, own_note FROM runs WHERE id = ?"  # noqa: S608
    updates = []
    for run_id in ids if is_reset else said.keys() & ids:
        row = database.execute(sql, [run_id]).fetchone()
        if row is None:
            continue
        own = load_summary(row[:-3], name=row[-3], tags=tuple(json.loads(row[-2])), note=row[-1])
        run = load_annotation(said.get(run_id, b"")).apply_to(own)
        tags = json.dumps(run.tags)
        updates.append((run.name, tags, run.note, run.star, run.removed, words_of(run), _tagset_of(run), run_id))
    names = ("name", "tags", "note", "star", "removed", "words", "tagset")
    database.executemany(f"UPDATE runs SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?", updates)  # noqa: S608


def load_summary(row: Sequence[Any], **said: Any) -> RunSummary:
    """Return the summary that a row of ``SUMMARY_COLUMNS`` tells.

    Args:
        row: The row.
        said: Fields that have another value.
    """
    fields = {
        "id": row[0],
        "name": row[1],
        "pipeline": row[2],
        "status": RunStatus(row[3]),
        "started": row[4],
        "seconds": row[5],
        "commit": row[6],
        "base": row[7],
        "branch": row[8],
        "code": row[9],
        "dirty": (row[10], row[11]),
        "params": json.loads(row[12]),
        "metrics": json.loads(row[13]),
        "tags": tuple(json.loads(row[14])) if row[14] != "[]" else (),
        "note": row[15],
        "star": bool(row[16]),
        "removed": bool(row[17]),
        "error": row[18],
        "reproduces": row[19],
        "origin": row[20],
        "hits": row[21],
        "nodes": row[22],
        "format": row[23],
    }
    if said:
        fields.update(said)
    return RunSummary(**fields)


def fields_of(run: RunSummary, columns: Sequence[str]) -> tuple[Any, ...]:
    """Return what a run that is not in the index would have in some of its columns."""
    row = dict(zip(_ALL_COLUMNS, _row_of(run), strict=True))
    row["commit"] = run.commit
    return tuple(row[name] for name in columns)


def select_columns(columns: Sequence[str]) -> tuple[str, list[Any]]:
    """Return the SQL for columns of a table, and its parameters."""
    texts, values = [], []
    for name in columns:
        if name in _PLAIN:
            texts.append(_PLAIN[name])
            continue
        parts = []
        for table, key in tables_of(name):
            value = f"SELECT coalesce(num, text) FROM {table} WHERE key = ? AND seq = runs.seq"  # noqa: S608
            parts.append(f"({value})")
            values.append(key)
        texts.append(parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})")
    return ", ".join(texts), values


def order_by(sort: str) -> tuple[str, list[Any]]:
    """Return the SQL for an order of runs, and its parameters; the order of the chain decides between equals."""
    direction = "DESC" if sort.startswith("-") else "ASC"
    name = sort.removeprefix("-")
    if name in _PLAIN:
        expression, values = _PLAIN[name], list[Any]()
        if name in _ORDERED_AS_TEXT:
            expression = f"fold({expression})"
        nulls = "" if name in ("started", "seconds", "id", "hits", "nodes") else " NULLS LAST"
    else:
        expression, values = select_columns([name])
        nulls = " NULLS LAST"
    return f"{expression} {direction}{nulls}, runs.seq {direction}", values


def distinct_keys(table: str) -> str:
    """Return the SQL for the names of all metrics or params: one look into the index for each."""
    return (
        f"WITH RECURSIVE keys (key) AS (SELECT min(key) FROM {table} UNION ALL "  # noqa: S608
        f"SELECT (SELECT min(key) FROM {table} WHERE key > keys.key) FROM keys WHERE keys.key IS NOT NULL) "
        "SELECT key FROM keys WHERE key IS NOT NULL"
    )


def tables_of(name: str) -> list[tuple[str, str]]:
    """Return the tables and keys under which a name is looked for."""
    name = name.encode("utf-8", "backslashreplace").decode()  # as messages have half surrogates
    kind, _, rest = name.partition(".")
    if rest and kind in ("m", "p", "metrics", "params"):
        return [("metrics" if kind.startswith("m") else "params", rest)]
    return [("metrics", name), ("params", name)]


def _row_of(run: RunSummary) -> tuple[Any, ...]:
    params, metrics = _dump(run.params), _dump(run.metrics)
    tags = json.dumps(run.tags) if run.tags else "[]"
    return (
        run.id,
        run.name,
        run.pipeline,
        run.status.value,
        run.started,
        number_of(run.seconds) or 0.0,
        run.commit,
        run.base,
        run.branch,
        run.code,
        *run.dirty,
        params,
        metrics,
        tags,
        run.note,
        int(run.star),
        int(run.removed),
        run.error,
        run.reproduces,
        run.origin,
        run.hits,
        run.nodes,
        run.format,
        run.name,
        tags,
        run.note,
        words_of(run),
        _tagset_of(run),
    )


def _dump(values: Mapping[str, Any]) -> str:
    return json.dumps(values) if values else "{}"


def _tagset_of(run: RunSummary) -> str:
    return "".join(f"\n{fold_text(tag)}\n" for tag in run.tags)


def _rows_of_values(seq: int, values: Mapping[str, Any], separator: str) -> Iterator[tuple[Any, ...]]:
    """Give a row a value, and one more under its last part where that alone names it."""
    short: dict[str, Any] = {}
    several: set[str] = set()
    for key, value in values.items():
        yield seq, key, number_of(value), text_of(value)
        last = key.rpartition(separator)[2]
        if last != key:
            if last in short:
                several.add(last)
            short[last] = value
    for key, value in short.items():
        if key not in several and key not in values:
            yield seq, key, number_of(value), text_of(value)
