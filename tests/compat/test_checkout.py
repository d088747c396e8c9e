"""Work trees of past runs, beside the user's."""

from __future__ import annotations

import shutil

import pytest

from finestflow.errors import RepositoryError
from finestflow.git.checkout import add_worktree, remove_worktree
from finestflow.git.repository import find_repository
from tests.compat.building import ENVIRON, committed, edited, git, write
from tests.compat.test_snapshot_repositories import ask_git, look_at


@pytest.fixture
def repo(tmp_path):
    return find_repository(edited(committed(tmp_path / "work")), ENVIRON)


def test_a_commit_is_checked_out_and_removed_without_a_trace(repo, tmp_path):
    before, files = ask_git(repo.work_tree), look_at(repo.work_tree)
    hook = write(repo.git_dir / "hooks" / "post-checkout", "#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    add_worktree(repo, "HEAD", tmp_path / "past")
    assert (tmp_path / "past" / "a.txt").read_text() == "a\n"
    assert find_repository(tmp_path / "past", ENVIRON).state_dir == repo.state_dir
    write(tmp_path / "past" / "output.txt")
    remove_worktree(repo, tmp_path / "past")
    hook.unlink()
    assert not (tmp_path / "past").exists()
    assert ask_git(repo.work_tree) == before
    assert look_at(repo.work_tree) == files


def test_removing_what_is_gone_is_no_error(repo, tmp_path):
    add_worktree(repo, "HEAD", tmp_path / "past")
    shutil.rmtree(tmp_path / "past")
    remove_worktree(repo, tmp_path / "past")
    remove_worktree(repo, tmp_path / "past")
    assert "past" not in git(repo.work_tree, "worktree", "list")


def test_a_folder_with_files_is_not_overwritten(repo, tmp_path):
    write(tmp_path / "past" / "mine.txt")
    with pytest.raises(RepositoryError, match="cannot check out"):
        add_worktree(repo, "HEAD", tmp_path / "past")
    assert (tmp_path / "past" / "mine.txt").exists()


def test_it_works_from_a_linked_work_tree(repo, tmp_path):
    add_worktree(repo, "HEAD", tmp_path / "one")
    inner = find_repository(tmp_path / "one", ENVIRON)
    add_worktree(inner, "HEAD", tmp_path / "two")
    remove_worktree(inner, tmp_path / "two")
    remove_worktree(repo, tmp_path / "one")
