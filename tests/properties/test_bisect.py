"""The index finds where a metric broke as a plain loop over all runs does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finestflow.bisect import Search, Threshold
from finestflow.journal import index_update
from finestflow.journal.index import Index
from finestflow.journal.query import parse
from finestflow.model import RunId, RunStatus, RunSummary
from tests.conftest import examples

values = st.none() | st.sampled_from([0.0, 0.5, 1.0, float("nan"), float("inf")])
histories = st.lists(st.tuples(values, st.integers(0, 3), st.sampled_from(["digits", "rag"])), max_size=8)
HOLDS = {
    ">": lambda value: value > 0.5,
    ">=": lambda value: value >= 0.5,
    "<": lambda value: value < 0.5,
    "=": lambda value: value == 0.5,
}


def run_of(number: int, value: float | None, started: int, pipeline: str) -> RunSummary:
    return RunSummary(
        id=RunId("klmnopqrs"[number] * 12),
        name=f"run-{number}",
        pipeline=pipeline,
        status=RunStatus.OK,
        started=float(started),
        seconds=1.0,
        metrics={} if value is None else {"fit/f1": value},
    )


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    with closing(Index(Path(":memory:"))) as index:
        yield index


def fill(index: Index, runs: list[RunSummary]) -> None:
    def put(database: sqlite3.Connection) -> None:
        index_update.clear(database)
        index_update.insert(database, runs)

    index._read(put)


def expected(known: list[tuple[str, bool]]) -> tuple[str | None, str | None, bool] | None:
    """The last good run before the first of the newest bad ones, that one, and whether the newest is good again."""
    if not known:
        return None
    for (name, is_good), (following, is_still_good) in reversed(list(pairwise(known))):
        if is_good and not is_still_good:
            return name, following, known[-1][1]
    return (known[-1][0], None, False) if known[0][1] else (None, known[0][0], known[-1][1])


@given(histories, st.sampled_from(list(HOLDS)), st.booleans())
@settings(max_examples=examples(200))
def test_the_break_is_the_last_change_from_good_to_bad(index, history, operator, is_narrowed):
    """By start and then by place in the chain; NaN is bad; runs without the metric are passed over."""
    runs = [run_of(number, *each) for number, each in enumerate(history)]
    query = parse("pipeline:digits", now=0.0) if is_narrowed else None
    ordered = sorted(runs, key=lambda run: run.started)
    known = [
        (run.name, HOLDS[operator](run.metrics["fit/f1"]))
        for run in ordered
        if run.metrics and (run.pipeline == "digits" or not is_narrowed)
    ]
    fill(index, runs)
    search = Search(index, Threshold(metric="f1", op=operator, value=0.5), query)
    found, count = search.find_break(), search.count()

    assert count == len(known)
    names = None if found is None else (*(each and each.name for each in (found.good, found.bad)), found.is_repaired)
    assert names == expected(known)
