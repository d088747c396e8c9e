"""SQL and Python agree on every query, and no query fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from finestflow.journal import index_rows, index_update
from finestflow.journal.annotations import Annotation
from finestflow.journal.compared import fold_text
from finestflow.journal.conditions import look_up_each
from finestflow.journal.index import Index, add_functions
from finestflow.journal.inside import NOTHING, Inside, call_of
from finestflow.journal.query import KEYS, Query, parse
from finestflow.model import RunId, RunStatus, RunSummary
from tests.conftest import examples

NOW = 1_795_339_000.0
words = st.sampled_from(["rbf", "Größe", "a b", "ok", "1", "true", "x\ny", "%", "_", "'", 'q"', "0.5", "ß", "SS"])
numbers = st.one_of(st.sampled_from([0.0, 0.5, 1.0, -1.0, 1e-3, 10_000.0]), st.floats())
keys = st.sampled_from(["f1", "lr", "fit/f1", "fit.lr", "a/f1", "a.b.lr", "x y", "status", "m.f1"])
values = st.one_of(numbers, words, st.booleans(), st.none(), st.integers(), st.lists(st.integers(), max_size=2))
texts = st.one_of(words, st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
summaries = st.builds(
    RunSummary,
    id=st.text("klm", min_size=12, max_size=12).map(RunId),
    name=texts,
    pipeline=st.one_of(st.sampled_from(["digits", "rag"]), texts),
    status=st.sampled_from(RunStatus),
    started=st.floats(NOW - 1e6, NOW),
    seconds=st.floats(0, 1e5),
    commit=st.text("abc1", max_size=4),
    base=st.none() | st.text("abc1", max_size=4),
    branch=st.none() | texts,
    code=st.text("abc1", max_size=4),
    dirty=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    params=st.dictionaries(keys, values, max_size=4),
    metrics=st.dictionaries(keys, numbers, max_size=4),
    tags=st.lists(texts.filter(lambda tag: "\n" not in tag), max_size=3).map(tuple),
    note=texts,
    star=st.booleans(),
    removed=st.booleans(),
    error=texts,
    origin=st.none() | texts,
    hits=st.integers(0, 6),
    nodes=st.integers(0, 6),
)
paths = st.sampled_from(["prompts/a.txt", "train.py", "Größe/x", "a[1]", "src/train.py", "prompts"]).map(fold_text)
insides = st.builds(
    Inside,
    calls=st.frozensets(
        st.builds(
            call_of,
            st.sampled_from(["fit", "train/fit", "embed/3", "Größe", "a b"]),
            st.sampled_from(["lab:Fit", "lab.models:Fit", "x", ""]),
            st.sampled_from(["ok", "failed", "hit"]),
        ),
        max_size=3,
    ),
    outputs=st.frozensets(st.text("ab01", min_size=3, max_size=3), max_size=3),
    changes=st.frozensets(st.sampled_from(["lr", "fit.lr", "fit", "code", "größe"]).map(fold_text), max_size=3),
    files=st.frozensets(paths, max_size=3),
)
operators = st.sampled_from([":", "=", "!=", ">", ">=", "<", "<="])
names = st.sampled_from(
    [
        "f1",
        "lr",
        "fit/f1",
        "p.lr",
        "m.f1",
        "p.x",
        "status",
        "is",
        "pipeline",
        "name",
        "note",
        "tag",
        "dur",
        "cached",
        "nodes",
        "since",
        "before",
        "commit",
        "base",
        "branch",
        "from",
        "error",
        "id",
        "code",
        "reproduces",
        "seconds",
        "hits",
        "task",
        "task.status",
        "changed",
        "file",
        "out",
        "like",
    ]
)
operands = st.one_of(
    st.sampled_from(
        [
            "0.5",
            "1",
            "1e-3",
            "10k",
            "2GB",
            "nan",
            "inf",
            "ok",
            "failed",
            "live",
            "star",
            "dirty",
            "removed",
            "2d",
            "10m",
            "2026-11-20",
            "rbf",
            "main",
            "fit",
            "prompts/*",
            "*.py",
            "abc",
            "a0",
            "@",
        ]
    ),
    words.map(lambda word: '"' + word.replace('"', "") + '"'),
)
terms = st.one_of(
    st.builds("{}{}{}".format, names, operators, operands),
    st.builds("{} {} {}".format, names, operators, operands),
    words.map(lambda word: '"' + word.replace('"', "") + '"'),
    st.sampled_from(
        [
            "digits",
            "#ok",
            "#Größe",
            "is:star",
            "-is:ok",
            "task:fit",
            "changed=LR",
            "out:a0",
            "-file:*.py",
            "task.status:failed",
            "like:@",
        ]
    ),
)
queries = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.builds("{} {}".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        inner.map("-({})".format),
        inner.map("not ({})".format),
        inner.map("({})".format),
    ),
    max_leaves=6,
)


@contextmanager
def database_of(runs: list[RunSummary], inside: Mapping[str, Inside]) -> Iterator[sqlite3.Connection]:
    """An index of these runs, made as the index makes it: what is said of a run comes as an annotation."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        add_functions(database)
        for statement in index_rows.SCHEMA:
            database.execute(statement)
        index_update.insert(database, runs)
        said = {run.id: Annotation(star=run.star, removed=run.removed) for run in runs}
        index_update.annotate(database, said, everything=True)
        for seq, run_id in database.execute("SELECT seq, id FROM runs").fetchall():
            calls, outputs, changes, files = inside.get(run_id, NOTHING)
            database.executemany("INSERT INTO calls VALUES (?, ?, ?, ?, ?)", [(seq, *call) for call in calls])
            database.executemany("INSERT INTO outputs VALUES (?, ?)", [(digest, seq) for digest in outputs])
            database.executemany("INSERT INTO changes VALUES (?, ?)", [(name, seq) for name in changes])
            database.executemany("INSERT INTO files VALUES (?, ?)", [(seq, path) for path in files])
        yield database


def parsed(text: str, runs: list[RunSummary]) -> Query:
    return parse(text, now=NOW, find=lambda name: runs[0] if runs and name == "@" else None)


def chosen_by_sql(runs: list[RunSummary], text: str, inside: Mapping[str, Inside] = MappingProxyType({})) -> set[str]:
    sql, bound = parsed(text, runs).to_sql()
    with database_of(runs, inside) as database:
        rows = database.execute(f"SELECT id, ({sql}), ({look_up_each(sql)}) FROM runs", [*bound, *bound]).fetchall()
    assert {value for _, *values in rows for value in values} <= {0, 1}
    assert [value for _, value, _ in rows] == [value for _, _, value in rows]
    return {run_id for run_id, value, _ in rows if value}


def test_sql_and_python_agree_at_the_boundaries_of_every_operator() -> None:
    values = (0.0, 0.5, 1.0, 2.0)
    runs = [
        RunSummary(
            id=RunId("klmn"[at] * 12),
            name="n",
            pipeline="p",
            status=RunStatus.OK,
            started=NOW - value,
            seconds=value,
            params={"lr": value},
            metrics={"f1": value},
            hits=int(value),
            nodes=int(value),
        )
        for at, value in enumerate(values)
    ]
    expected = {":": {1}, "=": {1}, "!=": {0, 0.5, 2}, ">": {2}, ">=": {1, 2}, "<": {0, 0.5}, "<=": {0, 0.5, 1}}
    for name in ("f1", "m.f1", "lr", "p.lr", "dur"):
        for operator, meant in expected.items():
            text = f"{name}{operator}1"
            chosen = {run.seconds for run in runs if parse(text, now=NOW).matches(run)}
            assert chosen == meant, text
            assert chosen_by_sql(runs, text) == {run.id for run in runs if run.seconds in meant}, text
    for name in ("nodes", "cached", "since", "before"):
        for operator in expected:
            query = parse(f"{name}{operator}1", now=NOW)
            assert chosen_by_sql(runs, query.text) == {run.id for run in runs if query.matches(run)}, query.text


unique_runs = st.lists(summaries, max_size=6, unique_by=lambda run: run.id)


@given(unique_runs, queries, st.data())
@settings(max_examples=examples(200))
def test_sql_and_python_choose_the_same_runs(runs: list[RunSummary], text: str, data: st.DataObject) -> None:
    """With all keys that there are, and with what is inside of the runs."""
    inside = {run.id: data.draw(insides) for run in runs}
    query = parsed(text, runs)
    assert chosen_by_sql(runs, text, inside) == {run.id for run in runs if query.matches(run, inside[run.id])}


def test_every_key_is_drawn() -> None:
    drawn = {"is", "status", "p.NAME", "m.NAME"}
    assert set(KEYS) - drawn <= set(names.elements)  # type: ignore[attr-defined]


@given(unique_runs)
def test_rows_give_the_summaries_back(runs: list[RunSummary]) -> None:
    with database_of(runs, {}) as database:
        rows = database.execute(f"SELECT {index_rows.SUMMARY_COLUMNS} FROM runs").fetchall()
    assert {run.id: repr(run) for run in map(index_rows.load_summary, rows)} == {
        run.id: repr(index_rows_normal(run)) for run in runs
    }


@given(unique_runs, st.sampled_from(["f1", "-f1", "m.f1", "-lr", "p.lr", "-name", "started", "x y"]), st.integers(0, 4))
def test_the_first_runs_of_an_order_are_the_first_of_all(runs: list[RunSummary], sort: str, limit: int) -> None:
    """Those by a metric come from its own index, where nothing speaks against it."""
    with closing(Index(Path(":memory:"))) as index:
        index._read(lambda database: index_update.insert(database, runs))
        every = [run.id for run in index.summaries(sort=sort)]
        assert [run.id for run in index.summaries(sort=sort, limit=limit)] == every[:limit]


def index_rows_normal(run: RunSummary) -> RunSummary:
    """Annotations sort the tags of a run."""
    from dataclasses import replace

    return replace(run, tags=tuple(sorted(set(run.tags))))


@given(st.text(max_size=30), summaries)
@settings(max_examples=examples(150))
def test_any_text_is_a_query_that_both_sides_can_answer(text: str, run: RunSummary) -> None:
    query = parsed(text, [run])
    assert all(0 <= problem.position <= len(text) for problem in query.problems)
    assert chosen_by_sql([run], text) == ({run.id} if query.matches(run) else set())


@given(queries, summaries, st.data())
def test_every_prefix_of_a_query_is_a_query(text: str, run: RunSummary, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(text)))
    query = parsed(text[:end], [run])
    assert chosen_by_sql([run], text[:end]) == ({run.id} if query.matches(run) else set())


@given(st.text('()"-: or#a=', max_size=40))
@settings(max_examples=examples(150))
def test_any_heap_of_signs_is_parsed(text: str) -> None:
    parse(text, now=NOW).to_sql()
