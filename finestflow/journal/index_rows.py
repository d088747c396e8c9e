"""The tables of the index: their columns, how rows are asked for, and what a row says.

Invariant: text that came from a person is bound, never part of a statement. Called by whatever reads the index; ``index_update`` fills it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from finestflow.git.refs import ANNOTATIONS_REF, JOURNAL_REF

if TYPE_CHECKING:
    from finestflow.model import RunSummary

__all__ = [
    "ALL_COLUMNS",
    "FIELDS",
    "ORDERED_AS_TEXT",
    "SCHEMA",
    "SUMMARY_COLUMNS",
    "VERSION",
    "distinct_keys",
    "join_columns",
    "load_summary",
    "order_by",
    "read_tips",
    "select_columns",
    "tables_of",
    "transaction",
]

VERSION = 7
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
_SEARCHED = {"words": "TEXT", "tagset": "TEXT", "likeness": "INTEGER"}
_SHOWN = {"headline": "TEXT"}
SUMMARY_COLUMNS = ", ".join(_COLUMNS)
ALL_COLUMNS = {**_COLUMNS, **_OWN, **_SEARCHED, **_SHOWN}
"""Type by name, in the order of the table: what a list shows, what a run says itself, what is searched, what is ready to be shown."""

# A row a value, and one under its last part where that alone names it. At 10,000 runs of eight metrics a range takes 0.5 ms and the
# names of all metrics 0.03 ms; json_extract without an index takes 5.4 ms for a range, with one (a key each, 8 ms to make) 0.2 ms.
_VALUES = "seq INTEGER, key TEXT, num REAL, text TEXT, PRIMARY KEY (key, seq)"
SCHEMA = (
    f"CREATE TABLE runs (seq INTEGER PRIMARY KEY, {', '.join(map(' '.join, ALL_COLUMNS.items()))})",
    "CREATE INDEX runs_started ON runs (removed, started, seq, words)",  # a word is looked for in it alone: 1 ms for 10,000 runs
    "CREATE INDEX runs_seconds ON runs (removed, seconds)",
    "CREATE INDEX runs_status ON runs (removed, status)",
    "CREATE INDEX runs_folded_name ON runs (removed, fold(name))",
    "CREATE INDEX runs_commit ON runs (commit_id)",
    "CREATE INDEX runs_code ON runs (code)",
    "CREATE INDEX runs_likeness ON runs (likeness)",
    "CREATE INDEX runs_name ON runs (name)",
    "CREATE INDEX runs_own_name ON runs (own_name)",
    "CREATE INDEX runs_pipeline ON runs (pipeline, started)",
    "CREATE INDEX runs_chain ON runs (pipeline)",  # in the order of the chain: the run before another one
    f"CREATE TABLE metrics ({_VALUES}) WITHOUT ROWID",
    f"CREATE TABLE params ({_VALUES}) WITHOUT ROWID",
    "CREATE INDEX metrics_num ON metrics (key, num, seq)",
    "CREATE INDEX params_value ON params (key, coalesce(num, text), seq)",
    # What is inside of runs, up to a depth each.
    "CREATE TABLE calls (seq INTEGER, path TEXT, name TEXT, task TEXT, status TEXT, PRIMARY KEY (seq, path, task, status)) WITHOUT ROWID",
    "CREATE TABLE outputs (digest TEXT, seq INTEGER, PRIMARY KEY (digest, seq)) WITHOUT ROWID",
    "CREATE TABLE many_outputs (seq INTEGER PRIMARY KEY, digests TEXT)",  # of a run that has many: each after a space
    "CREATE TABLE changes (name TEXT, seq INTEGER, PRIMARY KEY (name, seq)) WITHOUT ROWID",
    "CREATE TABLE files (seq INTEGER, path TEXT, PRIMARY KEY (seq, path)) WITHOUT ROWID",
    "CREATE TABLE versions (pipeline TEXT PRIMARY KEY, version BLOB) WITHOUT ROWID",
    "CREATE TABLE depth (need TEXT PRIMARY KEY, seq INTEGER) WITHOUT ROWID",
    "CREATE TABLE said (id TEXT PRIMARY KEY, annotation BLOB) WITHOUT ROWID",
    "CREATE TABLE tips (ref TEXT PRIMARY KEY, tip TEXT)",
    f"PRAGMA user_version = {VERSION}",
)
_PLAIN = {
    **{name: f"runs.{name}" for name in _COLUMNS if name != "commit_id"},
    "commit": "runs.commit_id",
    "headline": "runs.headline",
    "dirty": "runs.changed + runs.untracked",
}
FIELDS = frozenset(_PLAIN)
"""What every run has."""
ORDERED_AS_TEXT = frozenset({"name", "pipeline", "note", "error", "branch"})
_NEVER_NULL = frozenset({"started", "seconds", "id", "hits", "nodes", "name", "status", "pipeline"})


def load_summary(row: Sequence[Any], **said: Any) -> RunSummary:
    """Return the summary that a row of ``SUMMARY_COLUMNS`` tells.

    Args:
        row: The row.
        said: Fields that have another value.
    """
    import json

    from finestflow.model import RunStatus, RunSummary

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


class Joined(NamedTuple):
    """A column of a table whose values were joined to ``runs``: the expressions of its value, and of that where it is a number."""

    value: str
    number: str


def join_columns(columns: Sequence[str]) -> tuple[list[Joined], str, list[Any]]:
    """Return columns of a table, the joins that they need after ``FROM runs``, and the parameters of these.

    That is how to sum over all runs: what ``select_columns`` returns would be looked up again in each place of a statement.
    """
    found, joins, values = list[Joined](), list[str](), list[Any]()
    for name in columns:
        if name in _PLAIN:
            text = _PLAIN[name]
            found.append(Joined(text, f"CASE WHEN typeof({text}) <> 'text' THEN {text} END"))
            continue
        aliases = []
        for table, key in tables_of(name):
            aliases.append(alias := f"joined{len(joins)}")
            joins.append(f"LEFT JOIN {table} AS {alias} ON {alias}.key = ? AND {alias}.seq = runs.seq")
            values.append(key)
        value = ", ".join(f"{alias}.num, {alias}.text" for alias in aliases)
        numbers = [f"{alias}.num" for alias in aliases]
        found.append(
            Joined(f"coalesce({value})", numbers[0] if len(numbers) == 1 else f"coalesce({', '.join(numbers)})")
        )
    return found, " ".join(joins), values


def order_by(*sorts: str) -> tuple[str, list[Any]]:
    """Return the SQL for an order of runs, and its parameters; each key orders the equals of those before it, at last the order of the chain."""
    keys = [_order_key(sort) for sort in sorts]
    last = "DESC" if sorts[-1].startswith("-") else "ASC"
    return ", ".join([*(text for text, _ in keys), f"runs.seq {last}"]), [value for _, its in keys for value in its]


def _order_key(sort: str) -> tuple[str, list[Any]]:
    direction = "DESC" if sort.startswith("-") else "ASC"
    name = sort.removeprefix("-")
    if name in _PLAIN:
        expression, values = _PLAIN[name], list[Any]()
        if name in ORDERED_AS_TEXT:
            expression = f"fold({expression})"
        nulls = "" if name in _NEVER_NULL else " NULLS LAST"  # which an index that has the order could not give
    else:
        expression, values = select_columns([name])
        nulls = " NULLS LAST"
    return f"{expression} {direction}{nulls}", values


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


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Do all of a block or nothing; others who write wait."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def read_tips(database: sqlite3.Connection) -> tuple[str | None, str | None]:
    """Return the commits that the rows were made from: of the journal and of the annotations."""
    tips = dict(database.execute("SELECT ref, tip FROM tips"))
    return tips.get(JOURNAL_REF), tips.get(ANNOTATIONS_REF)
