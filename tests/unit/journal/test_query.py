"""The query language."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from finestflow.journal.index import add_functions
from finestflow.journal.index_rows import SCHEMA
from finestflow.journal.quantity import parse_duration, parse_moment, parse_number
from finestflow.journal.query import parse
from finestflow.model import RunStatus

from .made import NOW, make_summary


def matches(text: str, **fields) -> bool:
    query = parse(text, now=NOW, zone=UTC)
    assert query.problems == ()
    return query.matches(make_summary(**fields))


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {}),
        ("   ", {}),
        ("LYNX", {}),
        ("brisk digits", {}),
        ('"two words"', {"note": "Two Words here"}),
        ("größe", {"note": "GRÖSSE GRÖẞE Größe"}),
        ("kzpq", {"id": "kzpqkkkkkkkk"}),
        ("wip", {"tags": ("WIP",)}),
        ("#wip", {"tags": ("WIP",)}),
        ('#"two words"', {"tags": ("two words",)}),
        ("tag:wip", {"tags": ("wip",)}),
        ("-#wi", {"tags": ("wip",)}),
        ("pipeline:dig", {}),
        ("pipeline=Digits", {}),
        ("pipeline!=rag", {}),
        ("status:failed", {"status": RunStatus.FAILED}),
        ("status!=failed", {}),
        ("is:ok", {}),
        ("is:live", {"status": RunStatus.RUNNING}),
        ("is:star", {"star": True}),
        ("is:dirty", {"dirty": (0, 1)}),
        ("-is:dirty", {}),
        ("f1>0.9", {"metrics": {"f1": 0.95}}),
        ("f1>0.9", {"params": {"f1": 0.95}}),
        ("f1 > 0.9 and not f1 >= 1", {"metrics": {"f1": 0.95}}),
        ("loss> -1 -loss >0", {"metrics": {"loss": -0.5}}),
        ("p.kind = rbf brisk", {"params": {"kind": "rbf"}}),
        ("not (lr = 1 or lr != 2)", {"params": {"lr": 2}}),
        ("f1>0.9", {"metrics": {"fit/f1": 0.95}}),
        ("fit/f1>=0.95", {"metrics": {"fit/f1": 0.95}}),
        ("m.f1<1", {"metrics": {"f1": 0.95}, "params": {"f1": 2}}),
        ("p.lr=1e-3", {"params": {"lr": 0.001}}),
        ("lr=0.001", {"params": {"fit.lr": 1e-3}}),
        ("lr!=0.1", {"params": {"lr": 0.001}}),
        ("p.n=10k", {"params": {"n": 10_000}}),
        ("p.size>=2GB", {"params": {"size": 2_000_000_000}}),
        ("p.kind=rbf", {"params": {"kind": "rbf"}}),
        ("p.kind:RB", {"params": {"kind": "rbf"}}),
        ('p.kind="two words"', {"params": {"kind": "two words"}}),
        ('"odd key">1', {"metrics": {"odd key": 2}}),
        ("p.flag=true", {"params": {"flag": True}}),
        ("p.none=null", {"params": {"none": None}}),
        ("p.one=1", {"params": {"one": "1"}}),
        ("loss=nan", {"metrics": {"loss": float("nan")}}),
        ("loss=inf", {"metrics": {"loss": float("inf")}}),
        ("dur>1m", {"seconds": 61.0}),
        ("dur<1h30m", {"seconds": 61.0}),
        ("cached<5", {"hits": 4}),
        ("nodes=3", {"nodes": 3}),
        ("since:2d", {"started": NOW - 86400}),
        ("since:today", {"started": NOW}),
        ("before:2026-11-01", {"started": NOW - 86400 * 30}),
        ("commit:ABCD", {"commit": "abcdef"}),
        ("branch:main", {"branch": "main"}),
        ("-branch:x", {"branch": None}),
        ("from:lab", {"origin": "lab"}),
        ("error:memory", {"error": "MemoryError"}),
        ("rag or digits", {}),
        ("rag OR digits", {}),
        ("(rag or digits) and lynx", {}),
        ("-(rag or owl)", {}),
        ("--lynx", {}),
        ("a-b", {"note": "a-b"}),
        ("-", {"note": "a - b"}),
        ('"or"', {"note": "this or that"}),
    ],
)
def test_a_run_that_is_meant_is_found(text: str, fields: dict) -> None:
    assert matches(text, **fields)
    assert not matches(f"-({text})", **fields) or not text.strip()


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("owl", {}),
        ("#wi", {"tags": ("wip",)}),
        ("f1>0.9", {}),
        ("f1>0.9", {"metrics": {"f1": float("nan")}}),
        ("-f1>0.9", {"metrics": {"f1": 0.95}}),
        ("f1>0.9", {"metrics": {"f1": 0.5, "fit/f1": 0.95}}),
        ("f1>0.9", {"metrics": {"a/f1": 0.95, "b/f1": 0.95}}),
        ("p.flag=1", {"params": {"flag": True}}),
        ("lr!=0.1", {}),
        ("p.n=1", {"params": {"n": 10**400}}),
        ("lynx owl", {}),
        ("since:1h", {"started": NOW - 7200}),
        ("commit:bcd", {"commit": "abcdef"}),
    ],
)
def test_a_run_that_is_not_meant_is_not_found(text: str, fields: dict) -> None:
    assert not matches(text, **fields)


@pytest.mark.parametrize(
    ("text", "position", "hint"),
    [
        ("lynx status:faild", 5, "did you mean 'failed'?"),
        ("is:odd", 0, "is: comes one of"),
        ("status>ok", 0, "is text"),
        ("f1>", 0, "a value is missing"),
        ("f1>high", 0, "a number is expected"),
        ("dur>long", 0, "10m"),
        ("since:whenever", 0, "since:2d"),
        ("since>2d", 0, "since:2d"),
        ("#", 0, "a tag is missing"),
        ("task>fit", 0, "is text"),
        ("task.status:faild", 0, "did you mean 'failed'?"),
        ("out:xyz", 0, "digest"),
        ("like:@", 0, "no run is called"),
        ("(lynx", 0, "not closed"),
        ("lynx)", 4, "no parenthesis is open"),
        ('"lynx', 0, "quote is not closed"),
        ("lynx or", 5, 'beside this "or"'),
        ("or lynx", 0, 'beside this "or"'),
        ("lynx not", 5, 'nothing is after "not"'),
        (">=", 0, "a name is missing"),
    ],
)
def test_what_is_not_understood_is_told_and_does_not_restrict(text: str, position: int, hint: str) -> None:
    (problem,) = parse(text, now=NOW).problems
    assert problem.position == position
    assert hint in problem.hint
    assert parse(text, now=NOW).matches(make_summary())


def test_the_nearest_known_name_is_suggested() -> None:
    known = {"batch", "fit/loss"}
    (problem,) = parse("bacth>1", now=NOW, known=known).problems
    assert problem.hint == "did you mean 'batch'?"
    (problem,) = parse("pipelin:x", now=NOW, known=known).problems
    assert problem.hint == "did you mean 'pipeline'?"
    assert parse("batch>1 loss<1 m.fit/loss<1", now=NOW, known=known).problems == ()


def test_parentheses_without_end_are_refused_before_they_hurt() -> None:
    query = parse("(" * 5000 + "a", now=NOW)
    assert query.matches(make_summary())
    assert any("deep" in problem.hint for problem in query.problems)


@pytest.mark.slow
def test_a_query_of_any_length_can_be_answered() -> None:
    for text in (" ".join(["lynx"] * 3000), " or ".join(["f1>0"] * 3000), " ".join(["-(a or b)"] * 3000)):
        assert "a query may have 500 terms" in {problem.hint for problem in parse(text, now=NOW).problems}
        with closing(sqlite3.connect(":memory:")) as database:
            add_functions(database)
            for statement in SCHEMA:
                database.execute(statement)
            sql, values = parse(text, now=NOW).to_sql()
            database.execute(f"SELECT id FROM runs WHERE {sql}", values)


def test_only_is_removed_shows_removed_runs() -> None:
    assert parse("is:removed", now=NOW).shows_removed
    assert not parse("removed", now=NOW).shows_removed


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e-3", 0.001), ("10k", 1e4), ("3m", 3e6), ("2GB", 2e9), ("1KiB", 1024), ("-5", -5), (".5", 0.5), ("90%", 0.9)],
)
def test_numbers_as_people_type_them(text: str, number: float) -> None:
    assert parse_number(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "x", "1x", "1.2.3", "--1", "1e", "k"])
def test_what_is_no_number(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 10), ("250ms", 0.25), ("3m", 180), ("1h30m", 5400), ("2d", 172800)]
)
def test_durations_as_people_type_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "x", "3q", "m3", "-1m"])
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2d", NOW - 172800),
        ("2d ago", NOW - 172800),
        ("1 minute ago", NOW - 60),
        ("90 Minutes ago", NOW - 5400),
        ("1 hour 30 min", NOW - 5400),
        ("an hour ago", NOW - 3600),
        ("3days", NOW - 259200),
        ("2 months ago", NOW - 5184000),
        ("1mo", NOW - 2592000),
        ("now", NOW),
        ("today", datetime(2026, 11, 22, tzinfo=UTC).timestamp()),
        ("yesterday", datetime(2026, 11, 21, tzinfo=UTC).timestamp()),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC).timestamp()),
        ("2026-11", datetime(2026, 11, 1, tzinfo=UTC).timestamp()),
        ("2026-11-01T12:30", datetime(2026, 11, 1, 12, 30, tzinfo=UTC).timestamp()),
        ("2026-11-01T12:30+02:00", datetime(2026, 11, 1, 10, 30, tzinfo=UTC).timestamp()),
    ],
)
def test_moments_as_people_type_them(text: str, moment: float) -> None:
    assert parse_moment(text, NOW, UTC) == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "minutes ago", "5 ago", "2 lightyears ago", "2026-13-01", "99999-01-01", "9" * 400 + "d"]
)
def test_what_is_no_moment(text: str) -> None:
    assert parse_moment(text, NOW, UTC) is None
