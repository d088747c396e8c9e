"""Ten thousand runs, made by running, from an empty folder: what is asked of them is answered as a plain loop over all of them would, and git is well.

What questions cost is held against a hundred thousand runs, which are generated: copies of records of real ones with other ids, times, params and
metrics. All figures are printed at the end of ``make stress``; what is asserted is the least CPU of several times, with room for a busy machine.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from finestflow.workspace import Workspace
from tests.bench.lab import ENVIRON, QUESTIONS, build_generated, build_real, count, measure

pytestmark = [pytest.mark.stress, pytest.mark.timeout(3600)]

RUNS = 10_000
GENERATED = 100_000
PATIENCE = 300
MOST_CPU = 600
"""Milliseconds of one question to 10,000 runs: twice what it may take, because the machine may be busy."""
OVER_ALL = {"log --group p.fit.kind", "log --group f1"}
"""Questions whose short answer is of all runs: means, ranges."""


class Built(NamedTuple):
    """A lab, and what it took to make."""

    folder: Path
    wall: float
    cpu: float


def build(tmp_path_factory, name: str, make, *words) -> Built:
    """Make a lab from an empty folder, once for all processes that run these tests."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "many"
    place.mkdir(exist_ok=True)
    folder, told = place / name, place / f"{name}.json"
    with (place / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            wall, cpu = time.perf_counter(), sum(os.times()[:4])
            make(folder, *words)
            told.write_text(json.dumps([time.perf_counter() - wall, sum(os.times()[:4]) - cpu]))
    return Built(folder, *json.loads(told.read_text()))


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Built:
    return build(tmp_path_factory, "real", build_real, RUNS)


@pytest.fixture(scope="module")
def lab(real) -> Path:
    return real.folder


@pytest.fixture(scope="module")
def generated(tmp_path_factory, lab) -> Built:
    return build(tmp_path_factory, "generated", build_generated, GENERATED, lab)


@pytest.fixture(scope="module")
def workspace(lab):
    with closing(Workspace.find(lab, ENVIRON)) as found:
        found.refresh()
        yield found


@pytest.fixture(scope="module")
def runs(workspace):
    return workspace.select(sort="started")


def git(lab: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=lab, env=ENVIRON, check=True, capture_output=True, text=True).stdout


def chain_of(lab: Path) -> list[str]:
    """Return the ids of the runs, newest first, as plain git tells them."""
    return git(lab, "log", "--format=%(trailers:key=Run,valueonly,separator=)", "refs/finestflow").split()


def ask(lab: Path, *words: str):
    command = [sys.executable, "-m", "finestflow", *words]
    environ = {**ENVIRON, "HOME": str(lab), "PYTHONPATH": os.pathsep.join(sys.path)}
    return json.loads(subprocess.run(command, cwd=lab, env=environ, check=True, capture_output=True, text=True).stdout)


def test_every_run_is_in_the_chain_and_in_the_index(lab, runs):
    chain = chain_of(lab)

    assert len(chain) == RUNS
    assert {run.id for run in runs} == set(chain)
    assert {run.status for run in runs} == {"ok"}


def test_a_question_takes_no_longer_than_its_answer_is(real, generated, record_property):
    """Of ten times as many runs an answer of the same length costs the same, and one of ten times the length at most ten times."""
    figures = [
        f"{name} in {made.wall:.0f} s, {made.cpu:.0f} s of CPU: {made.cpu / runs * 1000:.0f} ms a run"
        for name, made, runs in (
            (f"{RUNS:,} real runs", real, RUNS),
            (f"{GENERATED:,} generated", generated, GENERATED),
        )
    ]
    figures.append(f"{'least CPU, median wall in ms, lines':38}{RUNS:>24,}{GENERATED:>24,}")
    slow = []
    for name, words in QUESTIONS:
        told = [
            measure(made.folder, [word.format(last=count(made.folder) - 1) for word in words])
            for made in (real, generated)
        ]
        figures.append(f"{name:38}" + "".join(f"{cpu:8.0f}{wall:8.0f}{lines:8,}" for wall, cpu, lines in told))
        (_, cpu, lines), (_, more, more_lines) = told
        growth = GENERATED / RUNS if name in OVER_ALL else max(1, more_lines / max(1, lines))
        if cpu > MOST_CPU or more > 2 * growth * cpu + 100:
            slow.append(figures[-1])
    record_property("figures", "\n".join(figures))

    assert not slow


def test_queries_find_what_a_plain_filter_finds(workspace, runs):
    median = sorted(run.metrics["score/f1"] for run in runs)[RUNS // 2]
    filters = {
        f"f1>{median!r}": lambda run: run.metrics["score/f1"] > median,
        "p.fit.kind=a": lambda run: run.params["fit.kind"] == "a",
        "p.lr<0.01 or -p.kind=b": lambda run: run.params["fit.lr"] < 0.01 or run.params["fit.kind"] != "b",
        "cached>0": lambda run: run.hits > 0,
        f"code:{runs[0].code[:9]}": lambda run: run.code == runs[0].code,
    }
    for query, fulfils in filters.items():
        found = {run.id for run in workspace.select(query)}
        assert found == {run.id for run in runs if fulfils(run)}, query
        assert 0 < len(found) < RUNS, query


def test_what_changed_is_found_inside_of_all_runs(lab, workspace, runs):
    by_id = {run.id: run for run in runs}
    pairs = list(pairwise(by_id[run_id] for run_id in reversed(chain_of(lab))))

    changed = {after.id for before, after in pairs if before.params["fit.kind"] != after.params["fit.kind"]}
    edited = {after.id for before, after in pairs if before.code != after.code}
    assert {run.id for run in workspace.select("changed:fit.kind")} == changed
    assert {run.id for run in workspace.select("file:lab.py")} == edited
    assert edited


def test_sorted_and_compared_runs_are_the_best(lab, runs):
    best = sorted(runs, key=lambda run: run.metrics["score/f1"], reverse=True)[:20]
    listed = ask(lab, "log", "--sort", "-f1", "-n", "20", "--json")["runs"]
    table = ask(lab, "compare", "-n", "20", "--sort", "-f1", "--json")

    scores = [run.metrics["score/f1"] for run in best]
    assert [run["metrics"]["score/f1"] for run in listed] == scores
    (row,) = [row for row in table["rows"] if row["name"] == "score/f1"]
    assert row["values"] == scores
    assert row["best"] == [place for place, score in enumerate(scores) if score == scores[0]]


def test_bisect_finds_the_last_break(lab, runs):
    least = sorted(run.metrics["score/f1"] for run in runs)[RUNS // 2]
    found = ask(lab, "bisect", f"f1 > {least!r}", "--json")
    good = [run.metrics["score/f1"] > least for run in runs]
    place = max(at for at in range(1, RUNS) if good[at - 1] and not good[at])

    assert (found["good"], found["bad"]) == (runs[place - 1].id, runs[place].id)
    assert found["repaired"] is good[-1]


def test_git_is_well_and_has_packed_what_gathered(lab):
    end = time.monotonic() + PATIENCE
    while (lab / ".git" / "gc.pid").exists() and time.monotonic() < end:
        time.sleep(0.1)

    loose = int(git(lab, "count-objects").split()[0])
    assert not (lab / ".git" / "gc.log").exists()
    assert loose < 2 * 6700  # gc.auto of git, and what came while it packed
    assert git(lab, "fsck", "--connectivity-only", "--no-dangling") == ""
    assert list((lab / ".git" / "finestflow" / "live").iterdir()) == []


def test_a_new_index_says_the_same(lab, runs, tmp_path):
    from finestflow.git.repository import find_repository
    from finestflow.journal.index import Index

    with closing(Index(tmp_path / "index.sqlite")) as index:
        index.refresh(find_repository(lab, ENVIRON))
        assert index.summaries(sort="started") == runs
