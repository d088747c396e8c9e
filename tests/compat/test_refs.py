"""Refs: read, moved only from the value that was seen, repaired, in every format of repository."""

from __future__ import annotations

import os

import pytest

from finestflow.errors import CorruptionError, LockedError, RefMovedError, RepositoryError
from finestflow.git import refs
from finestflow.git.refs import (
    ANNOTATIONS_REF,
    JOURNAL_REF,
    LIVE_PREFIX,
    adopt_journal,
    author_identity,
    branch_ref,
    delete_ref,
    list_refs,
    read_ref,
    read_refs,
    repair_refs,
    resolve_commit,
    resolve_tree,
    update_ref,
)
from finestflow.git.repository import find_repository
from tests.compat.building import ENVIRON, commit, committed, git, try_git, write


@pytest.fixture(params=["sha1", "sha256"])
def repo(request, tmp_path):
    committed(tmp_path, f"--object-format={request.param}")
    write(tmp_path / "a.txt", "second\n")
    commit(tmp_path, "second")
    return find_repository(tmp_path, ENVIRON)


def test_what_a_word_means_to_git(repo):
    """Commits, trees and branches by their names; an option is none of them."""
    head, tree = (git(repo.work_tree, "rev-parse", f"HEAD{what}") for what in ("", "^{tree}"))
    assert (resolve_commit(repo, "main"), resolve_tree(repo, "main")) == (head, tree)
    assert branch_ref(repo, "work/new") == "refs/heads/work/new"
    for word in ("", "--all", "no such", "a..b"):
        assert (resolve_commit(repo, word), resolve_tree(repo, word), branch_ref(repo, word)) == (None, None, None)


def test_a_ref_is_created_moved_and_deleted(repo):
    first, second = resolve_commit(repo, "HEAD~1"), resolve_commit(repo, "HEAD")
    assert read_ref(repo, JOURNAL_REF) is None
    update_ref(repo, JOURNAL_REF, first, None, message="first run")
    update_ref(repo, JOURNAL_REF, second, first, message="second run")
    assert read_ref(repo, JOURNAL_REF) == second
    delete_ref(repo, JOURNAL_REF, second)
    assert read_ref(repo, JOURNAL_REF) is None
    delete_ref(repo, JOURNAL_REF)


def test_a_ref_that_moved_is_not_overwritten(repo):
    first, second = resolve_commit(repo, "HEAD~1"), resolve_commit(repo, "HEAD")
    update_ref(repo, JOURNAL_REF, first, None, message="x")
    for action in (
        lambda: update_ref(repo, JOURNAL_REF, second, None, message="x"),
        lambda: update_ref(repo, JOURNAL_REF, first, second, message="x"),
        lambda: update_ref(repo, ANNOTATIONS_REF, first, second, message="x"),
        lambda: delete_ref(repo, JOURNAL_REF, second),
    ):
        with pytest.raises(RefMovedError):
            action()
    assert read_ref(repo, JOURNAL_REF) == first


def test_a_value_that_is_no_object_is_an_error(repo):
    with pytest.raises(RepositoryError):
        update_ref(repo, JOURNAL_REF, "1" * len(repo.null_oid), None, message="x")


def test_moves_are_kept_in_a_reflog(repo):
    first, second = resolve_commit(repo, "HEAD~1"), resolve_commit(repo, "HEAD")
    update_ref(repo, JOURNAL_REF, first, None, message="run: one")
    update_ref(repo, JOURNAL_REF, second, first, message="run: two")
    assert git(repo.work_tree, "reflog", "show", "--format=%gs", JOURNAL_REF).splitlines() == ["run: two", "run: one"]


def test_the_words_refs_finestflow_mean_the_journal_to_git(repo):
    update_ref(repo, JOURNAL_REF, resolve_commit(repo, "HEAD"), None, message="x")
    assert git(repo.work_tree, "rev-parse", "refs/finestflow") == read_ref(repo, JOURNAL_REF)
    assert git(repo.work_tree, "log", "--format=%s", "refs/finestflow").splitlines() == ["second", "first"]


def test_refs_are_listed_by_folder(repo):
    head = resolve_commit(repo, "HEAD")
    for name in (LIVE_PREFIX + "one", LIVE_PREFIX + "two", ANNOTATIONS_REF, JOURNAL_REF):
        update_ref(repo, name, head, None, message="x")
    assert list_refs(repo, LIVE_PREFIX) == {LIVE_PREFIX + "one": head, LIVE_PREFIX + "two": head}
    assert list_refs(repo, "refs/nothing/") == {}


def test_refs_are_found_packed_as_well(repo):
    update_ref(repo, JOURNAL_REF, resolve_commit(repo, "HEAD"), None, message="x")
    git(repo.work_tree, "pack-refs", "--all")
    assert read_ref(repo, JOURNAL_REF) == resolve_commit(repo, "HEAD")
    update_ref(repo, JOURNAL_REF, resolve_commit(repo, "HEAD~1"), resolve_commit(repo, "HEAD"), message="x")
    assert read_ref(repo, JOURNAL_REF) == resolve_commit(repo, "HEAD~1")


def test_several_refs_are_read_at_once(repo):
    head = resolve_commit(repo, "HEAD")
    update_ref(repo, ANNOTATIONS_REF, head, None, message="x")
    assert read_refs(repo, JOURNAL_REF, ANNOTATIONS_REF) == (None, head)
    assert read_refs(repo, "refs/finestflow") == (None,)


@pytest.mark.parametrize("content", ["", "\0" * 41, "garbage\n"])
def test_a_damaged_ref_is_corruption_not_absence(repo, content):
    """After a power loss a ref may be empty; a new chain beside the old one would hide every run."""
    head = resolve_commit(repo, "HEAD")
    update_ref(repo, JOURNAL_REF, head, None, message="x")
    (repo.common_dir / JOURNAL_REF).write_text(content)
    for action in (
        lambda: read_ref(repo, JOURNAL_REF),
        lambda: read_refs(repo, ANNOTATIONS_REF, JOURNAL_REF),
        lambda: update_ref(repo, JOURNAL_REF, head, None, message="x"),
    ):
        with pytest.raises(CorruptionError, match="damaged") as caught:
            action()
        assert f".git/logs/{JOURNAL_REF}" in caught.value.hint


def test_damaged_refs_do_not_hide_the_others_and_can_be_deleted(repo):
    head = resolve_commit(repo, "HEAD")
    update_ref(repo, LIVE_PREFIX + "good", head, None, message="x")
    write(repo.common_dir / LIVE_PREFIX / "hollow", "")
    write(repo.common_dir / LIVE_PREFIX / "lost", "1" * len(head) + "\n")
    assert list_refs(repo, LIVE_PREFIX) == {LIVE_PREFIX + "good": head, LIVE_PREFIX + "lost": "1" * len(head)}
    delete_ref(repo, LIVE_PREFIX + "lost")
    delete_ref(repo, LIVE_PREFIX + "hollow")
    assert read_refs(repo, LIVE_PREFIX + "good", JOURNAL_REF) == (head, None)


def test_words_of_the_user_become_commits(repo):
    git(repo.work_tree, "tag", "-a", "-m", "x", "v1", "HEAD~1")
    assert resolve_commit(repo, "v1") == resolve_commit(repo, "HEAD~1")
    assert [resolve_commit(repo, text) for text in ("nothing", "", "--all", "HEAD:a.txt", "-x", "a\nb")] == [None] * 6


def test_the_author_is_gits_or_else_ours(repo):
    assert author_identity(repo) == ("Ada Test", "ada@example.org")
    git(repo.work_tree, "config", "user.useConfigOnly", "true")
    nobody = {name: value for name, value in ENVIRON.items() if not name.startswith(("GIT_AUTHOR", "GIT_COMMITTER"))}
    assert author_identity(find_repository(repo.work_tree, nobody)) == ("finestflow", "finestflow@localhost")


def test_hooks_do_not_run(repo):
    hook = repo.git_dir / "hooks" / "reference-transaction"
    write(hook, "#!/bin/sh\nexit 1\n").chmod(0o755)
    update_ref(repo, JOURNAL_REF, resolve_commit(repo, "HEAD"), None, message="x")
    assert read_ref(repo, JOURNAL_REF)


@pytest.mark.parametrize("blocker", ["refs/finestflow", "refs/refs", "refs/finestflow/live"])
def test_a_ref_in_the_way_is_renamed_and_keeps_its_commit(repo, blocker):
    head = resolve_commit(repo, "HEAD")
    git(repo.work_tree, "update-ref", blocker, head)
    (note,) = repair_refs(repo)
    assert f'"{blocker}" was in the way' in note
    assert try_git(repo.work_tree, "show-ref", "--verify", blocker).returncode != 0
    assert list(list_refs(repo, "refs/finestflow-renamed/").values()) == [head]
    for name in (JOURNAL_REF, ANNOTATIONS_REF, LIVE_PREFIX + "x"):
        update_ref(repo, name, head, None, message="x")
    assert repair_refs(repo) == []


def test_a_journal_that_was_fetched_under_its_short_name_becomes_this_repositorys_own(repo):
    write(repo.work_tree / ".finestflow" / "run.json", "{}")
    git(repo.work_tree, "add", "--all", "--force")
    git(repo.work_tree, "commit", "--quiet", "-m", "a run")
    run = resolve_commit(repo, "HEAD")
    git(repo.work_tree, "update-ref", "refs/finestflow", run)

    assert "refs/refs/finestflow" in adopt_journal(repo)

    assert read_ref(repo, JOURNAL_REF) == run
    assert try_git(repo.work_tree, "show-ref", "--verify", "refs/finestflow").returncode != 0
    git(repo.work_tree, "update-ref", "refs/finestflow", run)
    assert adopt_journal(repo) == ""
    assert "was in the way" in repair_refs(repo)[0]


def test_ours_are_not_taken_for_blockers(repo):
    for name in (JOURNAL_REF, ANNOTATIONS_REF, LIVE_PREFIX + "x"):
        update_ref(repo, name, resolve_commit(repo, "HEAD"), None, message="x")
    assert repair_refs(repo) == []


def test_a_lock_that_is_held_is_said_and_an_old_one_goes(repo, monkeypatch):
    monkeypatch.setattr(refs, "_PATIENCE", ("core.filesRefLockTimeout=20",))
    lock = write(repo.common_dir / f"{JOURNAL_REF}.lock", "")
    with pytest.raises(LockedError):
        update_ref(repo, JOURNAL_REF, resolve_commit(repo, "HEAD"), None, message="x")
    os.utime(lock, (1, 1))
    update_ref(repo, JOURNAL_REF, resolve_commit(repo, "HEAD"), None, message="x")
    assert read_ref(repo, JOURNAL_REF)
    assert not lock.exists()
