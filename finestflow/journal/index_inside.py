"""The tables of the index that only some queries need: what is inside of runs.

Invariant: what is kept of a run depends on its record, and on that of the run of its pipeline before it; ``depth`` says up to which run, and
``versions`` what the next run of each pipeline is compared with. A run that has just ended is taken in from memory. What an index that was made anew
lacks is read from the records when a query first asks for it: in steps, each a transaction, so that what was read stays read when somebody loses
patience. Called by ``index``.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from finestflow.errors import FinestflowError
from finestflow.git.history import iter_changed_paths, read_blobs
from finestflow.git.repository import Repository
from finestflow.journal.compared import fold_text
from finestflow.journal.encode import dump_json, load_json, short_hash
from finestflow.journal.index_rows import transaction
from finestflow.journal.inside import Call, Version, call_of, changes_between
from finestflow.journal.names import family_of
from finestflow.model import Run

__all__ = ["advance", "take_in"]

_STEP = 500
_FEW, _MANY = 50, 100
"""Of runs that wait to be read: so many are worth the start of git, and so many are read at the end of a run at most."""
_LISTED = 200
"""Outputs of a run that have a row each. A row of an index in the order of digests takes 7 us, the text of thousands together 0.05 us each."""
_FOLDER = ".finestflow"
_RECORD = ("params.json", "tasks.json", "graph.json")
_NEEDS = ("calls", "files")


class _Row(NamedTuple):
    """A run of the index; ``before`` is the commit of the run of its pipeline before it, empty for the first."""

    seq: int
    run: str
    commit: str
    pipeline: str
    code: str
    before: str
    code_before: str


class _Record(NamedTuple):
    """What is kept of a record; the tree of its files is not in ``version`` yet."""

    calls: set[Call]
    outputs: set[str]
    version: Version


Given = Mapping[str, _Record]
"""Records that need not be read, by the id of the run."""


def advance(
    database: sqlite3.Connection, repo: Repository, needs: Iterable[str], tell: Callable[[str, int, int], None]
) -> None:
    """Read what is needed of the runs that it was not read of yet.

    Args:
        database: The index.
        repo: Where the records are.
        needs: ``calls`` and ``files``, as a query names them.
        tell: Is told what is done, how far it is and how far it goes.
    """
    for need in sorted(needs):
        if not _next_rows(database, need, 1):  # most often; others need not wait for it
            continue
        newest = database.execute("SELECT max(seq) FROM runs").fetchone()[0]
        is_behind = True
        while is_behind:
            with transaction(database):
                rows = _next_rows(database, need, _STEP)
                _add(database, repo, need, rows)
            is_behind = bool(rows)
            tell("reading the records of runs", rows[-1].seq if rows else newest, newest)


def take_in(database: sqlite3.Connection, repo: Repository, run: Run) -> None:
    """Keep what is inside of a run that has just ended, in less than a millisecond.

    Files that changed take 9 ms of git for one run and 0.3 ms for each further one, so they wait until some have gathered. What others have made in
    between is read too; where that is much, ``advance`` does it.
    """
    given: Given = MappingProxyType({run.summary.id: _record_of(run)})
    with contextlib.suppress(FinestflowError), transaction(database):  # git may fail; the run itself is recorded
        for need in _NEEDS:
            rows = _next_rows(database, need, _MANY + 1)
            is_due = need == "calls" or len(rows) >= _FEW or not _with_changed_files(rows)
            if is_due and len(rows) <= _MANY:
                _add(database, repo, need, rows, given)


def _add(
    database: sqlite3.Connection, repo: Repository, need: str, rows: list[_Row], given: Given = MappingProxyType({})
) -> None:
    if not rows:
        return
    if need == "files":
        _add_files(database, repo, rows)
    else:
        _add_calls(database, repo, rows, given)
    database.execute("INSERT OR REPLACE INTO depth VALUES (?, ?)", [need, rows[-1].seq])


def _next_rows(database: sqlite3.Connection, need: str, count: int) -> list[_Row]:
    reached = database.execute("SELECT seq FROM depth WHERE need = ?", [need]).fetchone()
    since = reached[0] if reached else 0
    sql = "SELECT seq, id, commit_id, pipeline, code FROM runs WHERE seq > ? ORDER BY seq LIMIT ?"
    newest: dict[str, tuple[str, str]] = {}
    rows = []
    for seq, run, commit, pipeline, code in database.execute(sql, [since, count]).fetchall():
        if pipeline not in newest:
            newest[pipeline] = _before(database, pipeline, seq)
        rows.append(_Row(seq, run, commit, pipeline, code, *newest[pipeline]))
        newest[pipeline] = commit, code
    return rows


def _before(database: sqlite3.Connection, pipeline: str, seq: int) -> tuple[str, str]:
    sql = "SELECT commit_id, code FROM runs INDEXED BY runs_chain WHERE pipeline = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
    found: tuple[str, str] | None = database.execute(sql, [pipeline, seq]).fetchone()
    return found or ("", "")


# -- calls, outputs, changes -----------------------------------------------------------------------------------------------------------


def _add_calls(database: sqlite3.Connection, repo: Repository, rows: list[_Row], given: Given) -> None:
    unread = [row for row in rows if row.run not in given]
    records = {
        **dict(zip((row.run for row in unread), _read_records(repo, [row.commit for row in unread]), strict=True)),
        **given,
    }
    versions = {pipeline: _load_version(data) for pipeline, data in database.execute("SELECT * FROM versions")}
    calls, outputs, many, changes = [], [], [], []
    for row in rows:
        record = records[row.run]
        version = record.version._replace(tree=row.code)
        calls += [(row.seq, *call) for call in record.calls]
        if len(record.outputs) <= _LISTED:
            outputs += [(digest, row.seq) for digest in record.outputs]
        else:
            many.append((row.seq, " ".join(["", *record.outputs])))
        if row.pipeline in versions:
            changes += [(name, row.seq) for name in changes_between(versions[row.pipeline], version)]
        versions[row.pipeline] = version
    database.executemany("INSERT INTO calls VALUES (?, ?, ?, ?, ?)", calls)
    database.executemany("INSERT INTO outputs VALUES (?, ?)", outputs)
    database.executemany("INSERT INTO many_outputs VALUES (?, ?)", many)
    database.executemany("INSERT INTO changes VALUES (?, ?)", changes)
    kept = [(pipeline, _dump_version(versions[pipeline])) for pipeline in {row.pipeline for row in rows}]
    database.executemany("INSERT OR REPLACE INTO versions VALUES (?, ?)", kept)


def _dump_version(version: Version) -> bytes:
    return dump_json([version.params, {task: sorted(codes) for task, codes in version.code.items()}, version.tree])


def _load_version(data: bytes) -> Version:
    params, code, tree = load_json(data)
    return Version(params, {task: frozenset(codes) for task, codes in code.items()}, tree)


def _record_of(run: Run) -> _Record:
    nodes = run.nodes.values()
    codes = {str(id(node.code)): node.code for node in nodes if node.code}  # nodes of one task share the mapping
    kinds = {(family_of(node.path) or node.path, node.task, node.status, id(node.code)) for node in nodes}
    calls = ((path, task, status.value, str(code)) for path, task, status, code in kinds)
    outputs = {node.output.digest for node in nodes if node.output is not None}
    return _gather(load_json(dump_json(run.summary.params)), calls, outputs, codes)


def _read_records(repo: Repository, commits: list[str]) -> Iterator[_Record]:
    if not commits:
        return
    blobs = list(read_blobs(repo, [f"{commit}:{_FOLDER}/{name}" for commit in commits for name in _RECORD]))
    for at in range(0, len(commits) * len(_RECORD), len(_RECORD)):
        found = blobs[at : at + len(_RECORD)]
        params, tasks, graph = map(_load, (*found, *[None] * (len(_RECORD) - len(found))))
        shapes = _table(graph, "nodes")
        calls = (
            (
                path,
                str(_table(shapes, path).get("task", "")),
                str(node.get("status", "")),
                str(node.get("code", "")),
            )
            for path, node in _table(tasks, "nodes").items()
        )
        outputs = (_table(node, "output").get("digest") for node in _table(tasks, "nodes").values())
        yield _gather(params, calls, outputs, _table(tasks, "code"))


def _gather(
    params: Mapping[str, Any],
    calls: Iterable[tuple[str, str, str, str]],
    outputs: Iterable[Any],
    codes: Mapping[str, Mapping[str, str]],
) -> _Record:
    """Return what is kept of a record.

    Args:
        params: By path.
        calls: Path, task, status and name of the code of each call, or of its family.
        outputs: Digests of what they returned, where they have one.
        codes: Code by that name.
    """
    from finestflow.cache.components import own_code

    texts = {name: short_hash(own) for name, code in codes.items() if (own := own_code(code))}
    found, code = set(), dict[str, set[str]]()
    for path, task, status, code_name in calls:
        call = Call(*map(_storable, call_of(path, task, status)))
        found.add(call)
        if code_name in texts:
            code.setdefault(call.task, set()).add(texts[code_name])
    digests = {digest for digest in outputs if isinstance(digest, str)}
    return _Record(found, digests, Version(params, {task: frozenset(own) for task, own in code.items()}, ""))


def _load(data: bytes | None) -> dict[str, Any]:
    """Return what a file of a record says; nothing of one that is damaged: ``verify`` tells that."""
    try:
        found = load_json(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _table(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = fields.get(name)
    return found if isinstance(found, dict) else {}


# -- files -----------------------------------------------------------------------------------------------------------------------------


def _add_files(database: sqlite3.Connection, repo: Repository, rows: list[_Row]) -> None:
    changed = _with_changed_files(rows)
    found = iter_changed_paths(repo, [(row.before, row.commit) for row in changed])
    files = {
        (row.seq, _storable(fold_text(path)))
        for row, paths in zip(changed, found, strict=False)
        for path in paths
        if not path.startswith(f"{_FOLDER}/")
    }
    database.executemany("INSERT INTO files VALUES (?, ?)", files)


def _with_changed_files(rows: Iterable[_Row]) -> list[_Row]:
    return [row for row in rows if row.before and row.code != row.code_before]


def _storable(text: str) -> str:
    """Return text that SQLite takes: without the half surrogates that stand for bytes of odd names."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
