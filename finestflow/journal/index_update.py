"""How the index comes to what the refs hold: new commits become rows, and what people said is applied to them.

Invariant: a run's row depends on its commit message and annotation alone; ``words``, ``tagset`` and the rows of ``metrics`` and ``params``
are what ``query`` compares. Called by ``index`` when the tips have moved, which most listings never see.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from finestflow.errors import CorruptionError, FinestflowError
from finestflow.git.history import CommitData, iter_commits
from finestflow.git.refs import ANNOTATIONS_REF, JOURNAL_REF
from finestflow.git.repository import Repository
from finestflow.journal.annotations import Annotation, Annotations, dump_annotation, load_annotation
from finestflow.journal.compared import fold_text, likeness_of, number_of, same_text, text_of, words_of
from finestflow.journal.headline import format_headline
from finestflow.journal.index_rows import ALL_COLUMNS, SUMMARY_COLUMNS, load_summary, read_tips, transaction
from finestflow.journal.message import parse_message
from finestflow.model import RunId, RunSummary

__all__ = ["advance", "annotate", "clear", "fields_of", "insert"]


_STEP = 2000
Tell = Callable[[str, int, int], None]


def advance(
    database: sqlite3.Connection,
    repo: Repository,
    tips: tuple[str | None, str | None],
    messages: list[str],
    tell: Tell,
) -> None:
    """Bring the tables to the given tips, in one transaction: two processes at once do the work once.

    Args:
        database: The index.
        repo: Where the refs are.
        tips: Of the journal and of the annotations.
        messages: Takes what is to be said of commits that are no runs.
        tell: Is told what is done, and how far it is.
    """
    journal, annotations = tips
    with transaction(database):
        old_journal, old_annotations = read_tips(database)
        if old_annotations != annotations:
            _advance_annotations(database, repo, old_annotations, annotations)
        if old_journal != journal:
            _advance_journal(database, repo, old_journal, journal, messages, tell)
        database.execute("DELETE FROM tips")
        found = [(ref, tip) for ref, tip in ((JOURNAL_REF, journal), (ANNOTATIONS_REF, annotations)) if tip]
        database.executemany("INSERT INTO tips VALUES (?, ?)", found)


def _advance_journal(
    database: sqlite3.Connection,
    repo: Repository,
    old: str | None,
    new: str | None,
    messages: list[str],
    tell: Tell,
) -> None:
    """Take in new runs; when the chain was rewritten, all of them."""
    if old is not None and new is not None:
        with contextlib.suppress(FinestflowError):  # a tip that gc has taken cannot be asked for
            commits = list(iter_commits(repo, new, old=old))
            if commits and commits[0].parents == (old,):
                _insert_commits(database, commits, messages)
                return
    clear(database)
    if new is None:
        return
    waiting, done = iter_commits(repo, new), 0
    while commits := list(itertools.islice(waiting, _STEP)):
        _insert_commits(database, commits, messages)
        done += len(commits)
        tell("making the index of runs", done, 0 if len(commits) == _STEP else done)


def _insert_commits(database: sqlite3.Connection, commits: Iterable[CommitData], messages: list[str]) -> None:
    summaries = []
    for commit in commits:
        try:
            summary = parse_message(commit.message, commit=commit.oid, author_time=commit.author_time)
        except CorruptionError as error:
            messages.append(error.message)
            continue
        summaries.append(summary)
    insert(database, summaries)


def _advance_annotations(database: sqlite3.Connection, repo: Repository, old: str | None, new: str | None) -> None:
    """Take in what was said since, or all of it."""
    if new is None:
        annotate(database, {}, everything=True)
        return
    annotations = Annotations(repo)
    if old is not None:
        with contextlib.suppress(FinestflowError):  # a tip that gc has taken cannot be asked for
            annotate(database, annotations.read_changed(old, new), everything=False)
            return
    annotate(database, annotations.read_all(), everything=True)


def clear(database: sqlite3.Connection) -> None:
    """Forget all runs, but not what is said of them."""
    tables = "runs metrics params calls outputs many_outputs changes files versions depth"
    for table in tables.split():
        database.execute(f"DELETE FROM {table}")  # noqa: S608


def insert(database: sqlite3.Connection, summaries: Iterable[RunSummary]) -> None:
    """Add runs as their messages tell them, oldest first, with what is said of them; an id that is there already is passed over."""
    seq = database.execute("SELECT coalesce(max(seq), 0) FROM runs").fetchone()[0]
    known = set[str]()
    runs: list[tuple[Any, ...]] = []
    metrics: list[tuple[Any, ...]] = []
    params: list[tuple[Any, ...]] = []
    for summary in summaries:
        if summary.id in known or database.execute("SELECT 1 FROM runs WHERE id = ?", [summary.id]).fetchone():
            continue
        known.add(summary.id)
        seq += 1
        runs.append((seq, *row_of(summary)))
        metrics.extend(_rows_of_values(seq, summary.metrics, "/"))
        params.extend(_rows_of_values(seq, summary.params, "."))
    marks = ", ".join("?" * (len(ALL_COLUMNS) + 1))
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
    changed = set(said)
    if everything:
        changed.update(RunId(run_id) for (run_id,) in database.execute("SELECT id FROM said"))
        database.execute("DELETE FROM said")
    kept = [(run_id, dump_annotation(annotation)) for run_id, annotation in said.items()]
    database.executemany("INSERT OR REPLACE INTO said VALUES (?, ?)", kept)
    _annotate_rows(database, changed, is_reset=True)


def _annotate_rows(database: sqlite3.Connection, ids: Iterable[str], *, is_reset: bool = False) -> None:
    sql = f"SELECT {SUMMARY_COLUMNS}, own_name, own_tags, own_note FROM runs WHERE id = ?"  # noqa: S608
    updates = []
    for run_id in ids:
        said = database.execute("SELECT annotation FROM said WHERE id = ?", [run_id]).fetchone()
        if said is None and not is_reset:
            continue
        row = database.execute(sql, [run_id]).fetchone()
        if row is None:
            continue
        own = load_summary(row[:-3], name=row[-3], tags=tuple(json.loads(row[-2])), note=row[-1])
        run = load_annotation(b"" if said is None else said[0]).apply_to(own)
        tags = json.dumps(run.tags)
        updates.append((run.name, tags, run.note, run.star, run.removed, words_of(run), _tagset_of(run), run_id))
    names = ("name", "tags", "note", "star", "removed", "words", "tagset")
    database.executemany(f"UPDATE runs SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?", updates)  # noqa: S608


def fields_of(run: RunSummary, columns: Sequence[str]) -> tuple[Any, ...]:
    """Return what a run that is not in the index would have in some of its columns."""
    row = dict(zip(ALL_COLUMNS, row_of(run), strict=True))
    row["commit"] = run.commit
    return tuple(row[name] for name in columns)


def row_of(run: RunSummary) -> tuple[Any, ...]:
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
        likeness_of(same_text(run.params)),
        format_headline(run.metrics),
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
