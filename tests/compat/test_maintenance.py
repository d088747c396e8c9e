"""Upkeep: chains without some of their commits, and packing in the background."""

from __future__ import annotations

import os
import time

import pytest

from finestflow.errors import RefMovedError
from finestflow.git import maintenance
from finestflow.git.history import iter_commits
from finestflow.git.maintenance import expire_reflog, rewrite_chain, start_maintenance
from finestflow.git.objects import Objects
from finestflow.git.refs import JOURNAL_REF, read_ref, update_ref
from finestflow.git.repository import find_repository
from tests.compat.building import ENVIRON, committed, git
from tests.sampling import slow


@pytest.fixture(params=["sha1", "sha256"])
def repo(request, tmp_path):
    committed(tmp_path, f"--object-format={request.param}")
    return find_repository(tmp_path, ENVIRON)


def chain(repo, length: int) -> list[str]:
    tip, oids, head = None, [], git(repo.work_tree, "rev-parse", "HEAD")
    with Objects(repo) as objects:
        for number in range(length):
            tree = objects.graft(head, ".finestflow", {"n": b"%d" % number})
            new = objects.write_commit(
                tree=tree,
                parents=[tip] if tip else [],
                message=f"run {number}\n\nparent not-a-header\n",
                author=("Ada", "a@b"),
                author_time=number,
                commit_time=number,
            )
            update_ref(repo, JOURNAL_REF, new, tip, message="run")
            tip = new
            oids.append(new)
    return oids


def numbers(repo) -> list[int]:
    tip = read_ref(repo, JOURNAL_REF)
    return [] if tip is None else [commit.author_time for commit in iter_commits(repo, tip)]


@pytest.mark.parametrize("gone", [{0, 1}, {1, 3}, {4}, set(), *slow([{0}, {2}, {0, 4}, {0, 1, 2, 3}])])
def test_dropped_commits_are_gone_and_the_others_are_as_they_were(repo, gone):
    oids = chain(repo, 5)
    kept = [number for number in range(5) if number not in gone]
    tip = rewrite_chain(repo, JOURNAL_REF, lambda commit: commit.author_time in gone, message="gc")
    assert tip == read_ref(repo, JOURNAL_REF)
    assert numbers(repo) == kept
    commits = list(iter_commits(repo, tip))
    untouched = min(gone, default=5)
    assert [commit.oid for commit in commits[:untouched]] == oids[:untouched]
    with Objects(repo) as objects:
        for commit in commits:
            old = objects.read_commit(oids[commit.author_time])
            assert (commit.tree, commit.message) == (old.tree, old.message)
    assert commits[0].parents == ()
    git(repo.work_tree, "fsck", "--strict")


def test_dropping_all_removes_the_ref_and_an_absent_one_is_no_error(repo):
    chain(repo, 3)
    assert rewrite_chain(repo, JOURNAL_REF, lambda commit: True, message="gc") is None
    assert read_ref(repo, JOURNAL_REF) is None
    assert rewrite_chain(repo, JOURNAL_REF, lambda commit: True, message="gc") is None


def test_a_chain_that_moved_meanwhile_is_left_alone(repo, monkeypatch):
    oids = chain(repo, 4)
    write = Objects.write_reparented

    def move_and_write(self, commits):
        update_ref(repo, JOURNAL_REF, oids[1], oids[3], message="somebody else")
        return write(self, commits)

    monkeypatch.setattr(Objects, "write_reparented", move_and_write)
    with pytest.raises(RefMovedError):
        rewrite_chain(repo, JOURNAL_REF, lambda commit: commit.author_time == 0, message="gc")
    assert read_ref(repo, JOURNAL_REF) == oids[1]


def test_after_the_reflog_is_expired_git_frees_what_was_dropped(repo):
    oids = chain(repo, 3)
    rewrite_chain(repo, JOURNAL_REF, lambda commit: commit.author_time == 1, message="gc")
    expire_reflog(repo, JOURNAL_REF)
    git(repo.work_tree, "gc", "--quiet", "--prune=now")
    with Objects(repo) as objects, pytest.raises(Exception, match="missing"):
        objects.read_commit(oids[1])
    assert numbers(repo) == [0, 2]


def test_all_runs_survive_every_cleaning_that_git_knows(repo):
    chain(repo, 5)
    git(repo.work_tree, "reflog", "expire", "--expire=now", "--all")
    git(repo.work_tree, "pack-refs", "--all", "--prune")
    git(repo.work_tree, "stash", "clear")
    git(repo.work_tree, "gc", "--quiet", "--prune=now", "--aggressive")
    assert numbers(repo) == [0, 1, 2, 3, 4]


def test_maintenance_packs_in_the_background_when_much_has_gathered(repo, monkeypatch):
    monkeypatch.setattr(maintenance, "_SETTINGS", (*maintenance._SETTINGS, "gc.auto=1"))
    with Objects(
        repo
    ) as objects:  # git guesses the number of loose objects from the folder "17": eight of these are in it, or nine
        objects.graft(None, "x", {str(index): str(index).encode() for index in range(1500)})
    chain(repo, 3)
    start_maintenance(repo)
    for _ in range(1200):
        if list((repo.common_dir / "objects" / "pack").glob("*.pack")) and not (repo.common_dir / "gc.pid").exists():
            break
        time.sleep(0.05)
    else:
        pytest.fail("nothing was packed")
    assert numbers(repo) == [0, 1, 2]


def test_git_is_asked_only_where_objects_have_come_into_the_folder_that_it_looks_at(repo, monkeypatch):
    asked = []
    monkeypatch.setattr(maintenance, "run_git", lambda repo, *words, **options: asked.append(words))
    folder = repo.common_dir / "objects" / "17"
    start_maintenance(repo)
    folder.mkdir(exist_ok=True)
    start_maintenance(repo)
    (folder / ("0" * 38)).touch()
    os.utime(folder, (100, 100))
    start_maintenance(repo, since=101)
    assert asked == []
    start_maintenance(repo, since=99)
    assert len(asked) == 1
