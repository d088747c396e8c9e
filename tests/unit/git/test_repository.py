"""Where the repository is found, and what is said where there is none that may be used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from finestflow.errors import RepositoryError
from finestflow.git.command import clean_environment, read_git
from finestflow.git.repository import find_repository
from tests.compat.building import ENVIRON, committed, git


def test_a_folder_without_repository_gives_none(tmp_path):
    assert find_repository(tmp_path, ENVIRON) is None


def test_the_root_and_a_subfolder_give_the_same_repository(tmp_path):
    committed(tmp_path)
    repo = find_repository(tmp_path, ENVIRON)
    assert repo == find_repository(tmp_path / "src" / "deep", ENVIRON)
    assert repo.work_tree == tmp_path
    assert repo.git_dir == repo.common_dir == tmp_path / ".git"
    assert repo.state_dir == tmp_path / ".git" / "finestflow"
    assert repo.object_format == "sha1"


def test_a_linked_work_tree_shares_the_state_of_the_main_one(tmp_path):
    main = committed(tmp_path / "main")
    git(main, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    repo = find_repository(tmp_path / "linked" / "src", ENVIRON)
    assert repo.work_tree == tmp_path / "linked"
    assert repo.git_dir == main / ".git" / "worktrees" / "linked"
    assert repo.state_dir == main / ".git" / "finestflow"


@pytest.mark.parametrize("inner", [".git", ".git/objects"])
def test_inside_a_git_folder_its_work_tree_is_found(tmp_path, inner):
    committed(tmp_path)
    assert find_repository(tmp_path / inner, ENVIRON).work_tree == tmp_path


def test_inside_the_git_folder_of_a_linked_work_tree_that_one_is_found(tmp_path):
    main = committed(tmp_path / "main")
    git(main, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    repo = find_repository(main / ".git" / "worktrees" / "linked", ENVIRON)
    assert repo.work_tree == tmp_path / "linked"


def test_a_bare_repository_has_no_work_tree(tmp_path):
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    repo = find_repository(tmp_path / "bare.git", ENVIRON)
    assert repo.work_tree is None
    assert repo.git_dir == tmp_path / "bare.git"


def test_the_object_format_is_read_and_gives_the_null_id(tmp_path):
    committed(tmp_path, "--object-format=sha256")
    repo = find_repository(tmp_path, ENVIRON)
    assert repo.object_format == "sha256"
    assert repo.null_oid == "0" * 64


def test_newlines_in_the_path_do_not_confuse(tmp_path):
    work_tree = committed(tmp_path / "a\nb")
    repo = find_repository(work_tree / "src", ENVIRON)
    assert repo.work_tree == work_tree
    assert repo.common_dir == work_tree / ".git"


def test_what_a_hook_inherits_is_ignored(tmp_path):
    committed(tmp_path / "here")
    other = committed(tmp_path / "other")
    inherited = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other), "GIT_INDEX_FILE": "x", "GIT_PREFIX": "y"}
    repo = find_repository(tmp_path / "here", {**ENVIRON, **inherited})
    assert repo.work_tree == tmp_path / "here"
    assert not set(inherited) & set(repo.environ)


def test_git_missing_is_said(tmp_path):
    with pytest.raises(RepositoryError, match='"git" was not found') as caught:
        find_repository(tmp_path, {"PATH": str(tmp_path)})
    assert "install git" in caught.value.hint


def test_a_repository_that_was_deleted_meanwhile_is_not_taken_for_a_missing_git(tmp_path):
    repo = find_repository(committed(tmp_path / "here"), ENVIRON)
    shutil.rmtree(tmp_path / "here")
    with pytest.raises(RepositoryError, match="is gone"):
        read_git(repo, "status")


def test_a_folder_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(RepositoryError, match="there is no folder"):
        find_repository(tmp_path / "gone", ENVIRON)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_owner_is_refused_in_the_words_of_git(tmp_path):
    committed(tmp_path)
    for path in (tmp_path, tmp_path / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(RepositoryError, match="dubious ownership") as caught:
        find_repository(tmp_path, ENVIRON)
    assert "safe.directory" in caught.value.hint


def test_a_git_file_that_points_nowhere_is_an_error_not_an_absence(tmp_path):
    (tmp_path / ".git").write_text("gitdir: /nowhere/at/all\n")
    with pytest.raises(RepositoryError, match="/nowhere/at/all"):
        find_repository(tmp_path, ENVIRON)


def test_a_broken_configuration_is_said_in_the_words_of_git(tmp_path):
    committed(tmp_path)
    (tmp_path / ".git" / "config").write_text("[core\n")
    with pytest.raises(RepositoryError, match="bad config"):
        find_repository(tmp_path, ENVIRON)


def test_finding_and_listing_load_no_library_for_git():
    program = (
        "import sys; import finestflow.git.repository, finestflow.git.refs, finestflow.git.history;"
        "print([name for name in ('git', 'dulwich', 'blake3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_messages_are_english_and_the_encoding_stays_the_users():
    clean = clean_environment({"LC_ALL": "de_DE.UTF-8", "LANG": "C", "GIT_AUTHOR_NAME": "Ada", "GIT_DIR": "x"})
    assert (clean["LC_ALL"], clean["LC_MESSAGES"], clean["LC_CTYPE"]) == ("", "C", "de_DE.UTF-8")
    assert clean["GIT_AUTHOR_NAME"] == "Ada"
    assert "GIT_DIR" not in clean


def test_a_work_tree_elsewhere_is_found_from_the_git_folder(tmp_path):
    """A repository whose core.worktree points elsewhere is found from there through its .git file."""
    work_tree = tmp_path / "work"
    work_tree.mkdir()
    committed(work_tree, f"--separate-git-dir={tmp_path / 'store'}")
    assert find_repository(work_tree, ENVIRON).git_dir == tmp_path / "store"
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(RepositoryError):
        find_repository(work_tree, ENVIRON)
