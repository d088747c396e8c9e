"""Many processes append to one chain while git packs and collects: nothing is lost, nothing forks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finestflow.errors import LockedError, RefMovedError
from finestflow.git.history import iter_commits
from finestflow.git.objects import Objects
from finestflow.git.refs import JOURNAL_REF, read_ref, update_ref
from finestflow.git.repository import find_repository
from finestflow.git.snapshot import SnapshotRules, take_snapshot
from tests.compat.building import ENVIRON, committed, edited, git, try_git, write
from tests.sampling import slow


def append(folder: str, writer: int, number: int) -> None:
    """Append one commit to the chain, retrying as long as others are faster."""
    repo = find_repository(Path(folder), ENVIRON)
    with Objects(repo) as objects:
        tree = objects.graft(
            git(Path(folder), "rev-parse", "HEAD"), ".finestflow", {"run": b"%d %d" % (writer, number)}
        )
        while True:
            tip = read_ref(repo, JOURNAL_REF)
            new = objects.write_commit(
                tree=tree,
                parents=[tip] if tip else [],
                message=f"{writer} {number}",
                author=("Ada", "a@b"),
                author_time=1,
                commit_time=1,
            )
            try:
                update_ref(repo, JOURNAL_REF, new, tip, message="run")
            except (RefMovedError, LockedError):
                continue
            return


def append_all(folder: str, writer: int, count: int) -> None:
    for number in range(count):
        append(folder, writer, number)


def clean_up_for_ever(folder: str) -> None:
    while True:
        try_git(Path(folder), "pack-refs", "--all")
        try_git(Path(folder), "gc", "--quiet", "--prune=10.minutes.ago")


def run_writers(folder: Path, writers: int, count: int) -> None:
    context = multiprocessing.get_context("spawn")
    cleaner = context.Process(target=clean_up_for_ever, args=(str(folder),))
    cleaner.start()
    processes = [context.Process(target=append_all, args=(str(folder), writer, count)) for writer in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    cleaner.kill()
    cleaner.join()
    assert [process.exitcode for process in processes] == [0] * writers


def check_chain(folder: Path, writers: int, count: int) -> None:
    repo = find_repository(folder, ENVIRON)
    commits = list(iter_commits(repo, read_ref(repo, JOURNAL_REF)))
    expected = {f"{writer} {number}" for writer in range(writers) for number in range(count)}
    assert sorted(commit.message.strip() for commit in commits) == sorted(expected)
    assert [commit.parents for commit in commits] == [(), *((commit.oid,) for commit in commits[:-1])]
    git(folder, "fsck", "--strict")


@pytest.mark.slow
def test_a_few_writers_lose_nothing_while_git_collects(tmp_path):
    run_writers(committed(tmp_path), 3, 4)
    check_chain(tmp_path, 3, 4)


@pytest.mark.stress
@pytest.mark.timeout(600)
def test_eight_writers_of_25_runs_lose_nothing_while_git_collects(tmp_path):
    run_writers(committed(tmp_path), 8, 25)
    check_chain(tmp_path, 8, 25)


@pytest.mark.slow
def test_snapshots_of_several_processes_at_once_are_equal(tmp_path):
    """Each has an index of its own, so that none waits for or disturbs another."""
    edited(committed(tmp_path))
    program = (
        "import sys, pathlib, os\n"
        "from finestflow.git.repository import find_repository\n"
        "from finestflow.git.snapshot import SnapshotRules, take_snapshot\n"
        "repo = find_repository(pathlib.Path(sys.argv[1]), dict(os.environ))\n"
        "for turn in range(3):\n"
        "    print(take_snapshot(repo, SnapshotRules(), index=repo.state_dir / 'live' / str(os.getpid()) / 'index').tree)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, env=ENVIRON, text=True)
        for _ in range(4)
    ]
    trees = {line for process in processes for line in process.communicate()[0].split()}
    assert len(trees) == 1


def test_a_snapshot_that_is_kept_by_a_ref_survives_gc(tmp_path):
    edited(committed(tmp_path))
    repo = find_repository(tmp_path, ENVIRON)
    snapshot = take_snapshot(repo, SnapshotRules(), index=repo.state_dir / "live" / "x" / "index")
    with Objects(repo) as objects:
        oid = objects.write_commit(
            tree=snapshot.tree, parents=[], message="live", author=("a", "b"), author_time=1, commit_time=1
        )
    update_ref(repo, "refs/finestflow/live/x", oid, None, message="live")
    git(tmp_path, "gc", "--quiet", "--prune=now")
    assert git(tmp_path, "show", f"{oid}:new.txt") == "untracked"


def kill_a_snapshot(folder: Path, after: float) -> None:
    program = (
        "import sys, pathlib, os\n"
        "from finestflow.git.repository import find_repository\n"
        "from finestflow.git.snapshot import SnapshotRules, take_snapshot\n"
        "repo = find_repository(pathlib.Path(sys.argv[1]), dict(os.environ))\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    take_snapshot(repo, SnapshotRules(), index=repo.state_dir / 'live' / 'x' / 'index')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRON,
        start_new_session=True,
    )
    with process:
        process.stdout.readline()
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("after", [0.15, *slow([0.12, 0.2])])
def test_a_killed_snapshot_leaves_the_user_untouched_and_the_next_one_works(tmp_path, after):
    edited(committed(tmp_path))
    for number in range(200):
        write(tmp_path / "many" / f"{number}.txt", f"{number}\n")
    index = (tmp_path / ".git" / "index").read_bytes()
    status = git(tmp_path, "status", "--porcelain", GIT_OPTIONAL_LOCKS="0")
    kill_a_snapshot(tmp_path, after)
    assert (tmp_path / ".git" / "index").read_bytes() == index
    assert not (tmp_path / ".git" / "index.lock").exists()
    assert git(tmp_path, "status", "--porcelain", GIT_OPTIONAL_LOCKS="0") == status
    repo = find_repository(tmp_path, ENVIRON)
    snapshot = take_snapshot(repo, SnapshotRules(), index=repo.state_dir / "live" / "x" / "index")
    git(tmp_path, "add", "--all")
    assert snapshot.tree == git(tmp_path, "write-tree")
