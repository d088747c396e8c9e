"""In every odd repository: a snapshot holds what ``git add --all`` would, and nothing of the user's has changed."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from finestflow.git.repository import Repository, find_repository
from finestflow.git.snapshot import SnapshotRules, take_snapshot
from finestflow.model import Snapshot
from tests.compat.building import try_git
from tests.compat.odd_files import MAX_FILE_SIZE, MAX_FILES
from tests.compat.repositories import ENVIRON, REPOSITORIES
from tests.sampling import sampled

RULES = SnapshotRules(max_file_size=MAX_FILE_SIZE, max_files=MAX_FILES)


def look_at(folder: Path) -> dict[str, object]:
    """Return all that must not change: every file below a folder but git's objects and finestflow's own state."""
    seen: dict[str, object] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_free_to_change(parent, name)]
        for name in files + [name for name in folders if os.path.islink(os.path.join(parent, name))]:
            path = os.path.join(parent, name)
            found = os.lstat(path)
            content = os.readlink(path) if stat.S_ISLNK(found.st_mode) else ""
            if stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK):
                content = hashlib.sha1(Path(path).read_bytes()).hexdigest()
            # Git freshens the time of the shared part of a split index whenever it reads it.
            time = 0 if name.startswith("sharedindex.") else found.st_mtime_ns
            seen[path] = (found.st_mode, found.st_size, time, content)
    return seen


def is_free_to_change(parent: str, name: str) -> bool:
    inside_git = ".git" in parent or os.path.exists(os.path.join(parent, "HEAD"))
    return inside_git and name in {"objects", "finestflow"}


def ask_git(work_tree: Path) -> list[tuple[int, bytes, bytes]]:
    """Return what git tells the user, without letting it refresh the index."""
    questions = (
        ("status", "--porcelain=v2", "--branch", "--untracked-files=all"),
        ("stash", "list"),
        ("for-each-ref",),
        ("symbolic-ref", "HEAD"),
        ("ls-files", "--stage", "-v"),
        ("worktree", "list", "--porcelain"),
    )
    answers = (try_git(work_tree, *question, GIT_OPTIONAL_LOCKS="0") for question in questions)
    return [(answer.returncode, answer.stdout, answer.stderr) for answer in answers]


def found(work_tree: Path) -> Repository:
    repo = find_repository(work_tree, ENVIRON)
    assert repo is not None
    assert repo.work_tree == work_tree
    return repo


def taken(repo: Repository, rules: SnapshotRules = RULES) -> Snapshot:
    return take_snapshot(repo, rules, index=repo.state_dir / "live" / "test" / "index")


@pytest.mark.parametrize("name", sampled(sorted(REPOSITORIES), 10))
def test_snapshot_equals_git_add_and_changes_nothing(name: str, tmp_path: Path):
    """The tree is git's own, omissions are named, and files, index, refs, stash and status stay as they were."""
    odd = REPOSITORIES[name]
    if odd.skip is not None and (reason := odd.skip()):
        pytest.skip(reason)
    folder = tmp_path / "odd"
    work_tree = odd(folder)
    repo = found(work_tree)
    answers, files = ask_git(work_tree), look_at(folder)

    snapshot = taken(repo)

    assert look_at(folder) == files
    assert ask_git(work_tree) == answers
    assert look_at(folder) == files
    assert [row.path for row in snapshot.omitted] == sorted(odd.omitted)
    assert all(row.reason for row in snapshot.omitted)
    assert snapshot.stable
    assert list((repo.state_dir / "live" / "test").iterdir()) == []
    assert snapshot.tree == odd.expected_tree(work_tree), snapshot


def test_there_are_at_least_44_odd_repositories():
    assert len(REPOSITORIES) >= 44
