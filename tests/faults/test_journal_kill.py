"""Processes that die at any point of a run, many writers at once: one entry a run, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finestflow.git.refs import LIVE_PREFIX, list_refs
from finestflow.git.repository import find_repository
from finestflow.journal.annotations import Annotations, Change
from finestflow.journal.index import Index
from finestflow.journal.journal import Journal
from finestflow.model import RunId
from tests.sampling import sampled

NOW = 1_795_339_000.0
PUBLISHING = ("begun", "tree", "locked", "commit", "ref", "live-ref", "folder")
RUNNING = ("folder made", "event run", "live ref", "event snapshot", "middle", "event end")

WRITER = """
import os, signal, sys
from pathlib import Path
from finestflow.git.repository import find_repository
from finestflow.journal.journal import Journal
from finestflow.journal.live import LiveFolder
from finestflow.journal.state import RunState

root, run_id, tree, point = sys.argv[1:]

def die(here):
    if here == point:
        os.kill(os.getpid(), signal.SIGKILL)

repo = find_repository(Path(root), dict(os.environ))
journal = Journal(repo, fault=die)
if point.startswith("recover "):
    point = point.removeprefix("recover ")
    journal.recover(1795339000.0)
    sys.exit()
live, state = LiveFolder.create(repo.state_dir, run_id), RunState()

def emit(**event):
    live.emit(event)
    state.apply(event)

die("folder made")
emit(e="run", id=run_id, name="brisk-lynx-41", pipeline="digits", started=1795338900.0)
die("event run")
journal.hold_snapshot(run_id, tree)
die("live ref")
emit(e="snapshot", tree=tree)
die("event snapshot")
emit(e="node", path="load", task="m:L", status="ok", t=1795338901.0)
emit(e="start", path="fit", task="m:F", t=1795338902.0)
live.write_log("load", "loaded")
die("middle")
emit(e="node", path="fit", task="m:F", status="ok", t=1795338903.0)
emit(e="end", status="ok", ended=1795338904.0)
die("event end")
journal.publish(live, state.run)
"""

APPENDER = """
import os, sys
from pathlib import Path
from finestflow.git.repository import find_repository
from finestflow.journal.journal import Journal
from finestflow.journal.names import new_run_id
from finestflow.model import Run, RunStatus, RunSummary

repo = find_repository(Path(sys.argv[1]), dict(os.environ))
for number in range(int(sys.argv[2])):
    summary = RunSummary(id=new_run_id(os.urandom(6)), name="n", pipeline="p", status=RunStatus.OK, started=1.0, seconds=1.0)
    Journal(repo).append(Run(summary=summary))
"""


def start(code: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> int:
    _, errors = process.communicate(timeout=120)
    assert errors == ""
    return process.returncode


@pytest.fixture
def repo(repository):
    repo = find_repository(repository, dict(os.environ))
    assert repo is not None
    return repo


def assert_one_entry(repo, git, run_id: str, status: str) -> None:
    """The run is there once, its tree is whole, and nothing else is left."""
    assert git("log", "--format=%(trailers:key=Run,valueonly,separator=)", "refs/finestflow") == run_id
    run = Journal(repo).load(git("rev-parse", "refs/finestflow"))
    assert run.summary.status == status
    assert list_refs(repo, LIVE_PREFIX) == {}
    assert list((repo.state_dir / "live").iterdir()) == []
    assert git("fsck", "--strict", "--no-dangling") == ""
    assert not list((repo.common_dir / "refs").rglob("*.lock"))


@pytest.mark.parametrize("point", sampled(RUNNING + PUBLISHING, 2))
def test_a_run_killed_at_any_point_is_one_entry_after_any_number_of_recoveries(repository, repo, git, point) -> None:
    run_id = "kzpqwvmnrsto"
    tree = git("rev-parse", "HEAD^{tree}")
    assert finish(start(WRITER, repository, run_id, tree, point)) == -signal.SIGKILL
    recovered = Journal(repo).recover(NOW)
    assert Journal(repo).recover(NOW) == []
    if point == "folder made":
        assert recovered == []
        assert Journal(repo).tip() is None
        assert list((repo.state_dir / "live").iterdir()) == []
        return
    assert recovered == ([] if point == "folder" else [run_id])
    ended = point in {"event end", *PUBLISHING}
    assert_one_entry(repo, git, run_id, "ok" if ended else "killed")
    assert "a.txt" in git("ls-tree", "--name-only", "refs/finestflow") or point in {"event run", "live ref"}
    if point in {"middle", *PUBLISHING}:
        assert Journal(repo).read_log(git("rev-parse", "refs/finestflow"), "load") == b"loaded"


@pytest.mark.parametrize("point", sampled(PUBLISHING, 1))
def test_a_recovery_that_is_killed_itself_is_recovered(repository, repo, git, point) -> None:
    run_id = "kzpqwvmnrsto"
    tree = git("rev-parse", "HEAD^{tree}")
    finish(start(WRITER, repository, run_id, tree, "middle"))
    assert finish(start(WRITER, repository, run_id, tree, f"recover {point}")) == -signal.SIGKILL
    Journal(repo).recover(NOW)
    assert_one_entry(repo, git, run_id, "killed")


@pytest.mark.slow
def test_two_recoveries_at_once_give_one_entry(repository, repo, git) -> None:
    run_id = "kzpqwvmnrsto"
    finish(start(WRITER, repository, run_id, git("rev-parse", "HEAD^{tree}"), "middle"))
    recoverers = [start(WRITER, repository, run_id, "x", "recover nowhere") for _ in range(3)]
    assert [finish(each) for each in recoverers] == [0, 0, 0]
    assert_one_entry(repo, git, run_id, "killed")


def test_a_removal_and_its_undo_survive_a_damaged_index(repo, git, repository) -> None:
    run_id = RunId("kzpqwvmnrsto")
    assert finish(start(WRITER, repository, run_id, git("rev-parse", "HEAD^{tree}"), "nowhere")) == 0
    path = repo.state_dir / "index.sqlite"
    annotations = Annotations(repo)
    counts = []
    for action in (
        lambda: annotations.change({run_id: Change(removed=True)}, "rm", now=NOW),
        lambda: annotations.undo(now=NOW),
        lambda: annotations.redo(now=NOW),
    ):
        action()
        path.write_bytes(b"damage")
        index = Index(path)
        index.refresh(repo)
        counts.append(index.count())
        index.close()
    assert counts == [0, 1, 0]


def append_at_once(repo, git, processes: int, each: int, *, disturb: bool) -> None:
    writers = [start(APPENDER, repo.work_tree, each) for _ in range(processes)]
    while disturb and any(writer.poll() is None for writer in writers):
        for words in (("pack-refs", "--all"), ("gc", "--quiet")):
            subprocess.run(["git", *words], cwd=repo.work_tree, capture_output=True, check=False)
        time.sleep(0.05)
    assert [finish(writer) for writer in writers] == [0] * processes
    ids = git("log", "--format=%(trailers:key=Run,valueonly,separator=)", "refs/finestflow").split()
    assert len(ids) == len(set(ids)) == processes * each
    assert git("log", "--merges", "--format=%H", "refs/finestflow") == ""
    git("gc", "--quiet", "--prune=now")
    assert git("fsck", "--strict", "--no-dangling") == ""


@pytest.mark.slow
def test_no_run_is_lost_when_eight_processes_append_at_once(repo, git) -> None:
    append_at_once(repo, git, 8, 3, disturb=False)


@pytest.mark.stress
def test_no_run_is_lost_among_many_appends_while_git_packs_and_collects(repo, git) -> None:
    append_at_once(repo, git, 8, 25, disturb=True)


@pytest.mark.stress
def test_runs_killed_at_random_moments_are_one_entry_each(repository, repo, git) -> None:
    import random

    tree = git("rev-parse", "HEAD^{tree}")
    expected = set()
    for number in range(100):
        run_id = "".join(random.Random(number).choices("klmnopqrstuvwxyz", k=12))
        process = start(WRITER, repository, run_id, tree, "nowhere")
        time.sleep(random.Random(number).uniform(0.05, 0.4))
        process.kill()
        process.communicate()
        events = Path(repo.state_dir) / "live" / run_id / "events.jsonl"
        if events.exists() and "\n" in events.read_text():
            expected.add(run_id)
        if number % 5 == 0:
            Journal(repo).recover(NOW)
    for lock in repo.common_dir.rglob("*.lock"):  # a minute later: locks of the dead are old enough to be broken
        os.utime(lock, (time.time() - 100, time.time() - 100))
    journal = Journal(repo)
    journal.recover(NOW)
    assert journal.problems == []
    ids = git("log", "--format=%(trailers:key=Run,valueonly,separator=)", "refs/finestflow").split()
    assert len(ids) == len(set(ids))
    assert expected <= set(ids)
    assert list((repo.state_dir / "live").iterdir()) == []
    assert list_refs(repo, LIVE_PREFIX) == {}
