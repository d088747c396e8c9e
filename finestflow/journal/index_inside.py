"""The tables of the index that only some queries need: what is inside of runs, read from their records when it is first asked for.

Invariant: what is read of a run depends on its record, and on that of the run of its pipeline before it; ``depth`` says up to which run. It is
filled in steps, each a transaction, so that what was read stays read when somebody loses patience. Called by ``index``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from finestflow.git.history import iter_changed_paths, read_blobs
from finestflow.git.repository import Repository
from finestflow.journal.compared import fold_text
from finestflow.journal.index_rows import transaction
from finestflow.journal.inside import Call, Version, call_of, changes_between

__all__ = ["TABLES", "advance"]

_STEP = 500
_FOLDER = ".finestflow"
_RECORD = ("params.json", "tasks.json", "graph.json")
TABLES: Mapping[str, tuple[str, ...]] = {"calls": ("calls", "outputs", "changes"), "files": ("files",)}
"""The tables that each of the needs of a query stands for."""


class _Row(NamedTuple):
    """A run of the index; ``before`` is the commit of the run of its pipeline before it, empty for the first."""

    seq: int
    commit: str
    pipeline: str
    code: str
    before: str
    code_before: str


def advance(database: sqlite3.Connection, repo: Repository, needs: Iterable[str]) -> None:
    """Read what is needed of the runs that it was not read of yet."""
    for need in sorted(needs):
        while _step(database, repo, need):
            pass


def _step(database: sqlite3.Connection, repo: Repository, need: str) -> bool:
    """Read of some runs; return whether there may be more."""
    if _next_rows(database, need, 1) == []:  # most often; others need not wait for it
        return False
    with transaction(database):
        rows = _next_rows(database, need, _STEP)
        if rows:
            (_add_files if need == "files" else _add_calls)(database, repo, rows)
            database.execute("INSERT OR REPLACE INTO depth VALUES (?, ?)", [need, rows[-1].seq])
    return bool(rows)


def _next_rows(database: sqlite3.Connection, need: str, count: int) -> list[_Row]:
    reached = database.execute("SELECT seq FROM depth WHERE need = ?", [need]).fetchone()
    since = reached[0] if reached else 0
    sql = "SELECT seq, commit_id, pipeline, code FROM runs WHERE seq > ? ORDER BY seq LIMIT ?"
    newest: dict[str, tuple[str, str]] = {}
    rows = []
    for seq, commit, pipeline, code in database.execute(sql, [since, count]).fetchall():
        if pipeline not in newest:
            newest[pipeline] = _before(database, pipeline, seq)
        rows.append(_Row(seq, commit, pipeline, code, *newest[pipeline]))
        newest[pipeline] = commit, code
    return rows


def _before(database: sqlite3.Connection, pipeline: str, seq: int) -> tuple[str, str]:
    sql = "SELECT commit_id, code FROM runs WHERE pipeline = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
    found: tuple[str, str] | None = database.execute(sql, [pipeline, seq]).fetchone()
    return found or ("", "")


# -- calls, outputs, changes -----------------------------------------------------------------------------------------------------------


class _Record(NamedTuple):
    calls: set[Call]
    outputs: set[str]
    version: Version


def _add_calls(database: sqlite3.Connection, repo: Repository, rows: list[_Row]) -> None:
    commits = list(dict.fromkeys(commit for row in rows for commit in (row.before, row.commit) if commit))
    trees = {commit: code for row in rows for commit, code in ((row.before, row.code_before), (row.commit, row.code))}
    records = dict(zip(commits, _read_records(repo, commits, trees), strict=True))
    calls, outputs, changes = [], [], []
    for row in rows:
        record = records[row.commit]
        calls += [(row.seq, *call) for call in record.calls]
        outputs += [(digest, row.seq) for digest in record.outputs]
        if row.before:
            names = changes_between(records[row.before].version, record.version)
            changes += [(name, row.seq) for name in names]
    database.executemany("INSERT INTO calls VALUES (?, ?, ?, ?, ?)", calls)
    database.executemany("INSERT INTO outputs VALUES (?, ?)", outputs)
    database.executemany("INSERT INTO changes VALUES (?, ?)", changes)


def _read_records(repo: Repository, commits: list[str], trees: Mapping[str, str]) -> Iterator[_Record]:
    from finestflow.cache.fingerprint import own_code

    blobs = list(read_blobs(repo, [f"{commit}:{_FOLDER}/{name}" for commit in commits for name in _RECORD]))
    for at, commit in enumerate(commits):
        found = blobs[at * len(_RECORD) : (at + 1) * len(_RECORD)]
        params, tasks, graph = map(_load, (*found, *[None] * (len(_RECORD) - len(found))))
        nodes, shapes = _table(tasks, "nodes"), _table(graph, "nodes")
        versions = {name: frozenset(own_code(code).items()) for name, code in _table(tasks, "code").items()}
        calls, outputs, code = set(), set(), dict[str, set[str]]()
        for path, node in nodes.items():
            call = call_of(path, str(_table(shapes, path).get("task", "")), str(node.get("status", "")))
            calls.add(call)
            digest = _table(node, "output").get("digest")
            if isinstance(digest, str):
                outputs.add(digest)
            if versions.get(node.get("code", "")):
                code.setdefault(call.task, set()).add(str(sorted(versions[node["code"]])))
        version = Version(params, {task: frozenset(texts) for task, texts in code.items()}, trees[commit])
        yield _Record(calls, outputs, version)


def _load(data: bytes | None) -> dict[str, Any]:
    """Return what a file of a record says; nothing of one that is damaged: ``verify`` tells that."""
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _table(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


# -- files -----------------------------------------------------------------------------------------------------------------------------


def _add_files(database: sqlite3.Connection, repo: Repository, rows: list[_Row]) -> None:
    changed = [row for row in rows if row.before and row.code != row.code_before]
    found = iter_changed_paths(repo, [(row.before, row.commit) for row in changed])
    files = {
        (row.seq, fold_text(path))
        for row, paths in zip(changed, found, strict=False)
        for path in paths
        if not path.startswith(f"{_FOLDER}/")
    }
    database.executemany("INSERT INTO files VALUES (?, ?)", files)
