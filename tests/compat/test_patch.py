"""Patches between runs: plain text, whatever the user has set for diffs."""

from __future__ import annotations

import os

import pytest

from finestflow.errors import RepositoryError
from finestflow.git.objects import Objects
from finestflow.git.patch import read_patch
from finestflow.git.repository import find_repository
from tests.compat.building import ENVIRON, commit, committed, git, write


@pytest.fixture
def repo(tmp_path):
    committed(tmp_path)
    write(tmp_path / "a.txt", "changed\n")
    write(tmp_path / ":(glob)*", "odd\n")
    (tmp_path / "src" / "deep" / "more.py").rename(tmp_path / "src" / "moved.py")
    commit(tmp_path, "second")
    return find_repository(tmp_path, ENVIRON)


def test_a_patch_has_all_files_but_what_finestflow_records(repo):
    with Objects(repo) as objects:
        after = objects.graft(git(repo.work_tree, "rev-parse", "HEAD^{tree}"), ".finestflow", {"run.json": b"{}"})
    patch = read_patch(repo, "HEAD~1", after)
    assert "-a\n+changed\n" in patch
    assert "rename from src/deep/more.py\nrename to src/moved.py" in patch
    assert "run.json" not in patch
    assert read_patch(repo, after, "HEAD") == ""


def test_a_patch_of_some_paths_takes_them_literally(repo):
    patch = read_patch(repo, "HEAD~1", "HEAD", [":(glob)*"])
    assert "+odd" in patch
    assert "a.txt" not in patch
    assert "moved.py" in read_patch(repo, "HEAD~1", "HEAD", ["src"])


def test_no_setting_changes_the_form_of_a_patch(repo):
    plain = read_patch(repo, "HEAD~1", "HEAD")
    for name, value in {
        "diff.external": "false",
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.renames": "false",
        "color.ui": "always",
        "core.pager": "false",
        "diff.wordRegex": ".",
        "diff.toy.textconv": "false",
    }.items():
        git(repo.work_tree, "config", name, value)
    write(repo.work_tree / ".git" / "info" / "attributes", "*.txt diff=toy\n")
    assert read_patch(repo, "HEAD~1", "HEAD") == plain


def test_bytes_that_are_no_text_do_not_fail(repo):
    write(repo.work_tree / os.fsdecode(b"caf\xe9.txt"), b"caf\xe9\n")
    write(repo.work_tree / "x.bin", b"\0\1\2")
    commit(repo.work_tree, "third")
    patch = read_patch(repo, "HEAD~1", "HEAD")
    assert "+caf\ufffd" in patch
    assert "Binary files /dev/null and b/x.bin differ" in patch


def test_what_does_not_exist_is_said(repo):
    with pytest.raises(RepositoryError, match="cannot compare"):
        read_patch(repo, "HEAD~1", "1" * 40)
