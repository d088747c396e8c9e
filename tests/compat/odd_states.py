"""Repositories in an odd state: of HEAD, of their work trees, of what they were cloned from."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.compat.building import commit, committed, edited, git, odd, try_git, write


@odd()
def clean(folder: Path) -> Path:
    return committed(folder)


@odd()
def dirty(folder: Path) -> Path:
    return edited(committed(folder))


@odd()
def empty(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    return folder


@odd()
def unborn_with_files(folder: Path) -> Path:
    empty(folder)
    write(folder / "a.txt")
    write(folder / "b.txt")
    git(folder, "add", "a.txt")
    return folder


@odd()
def orphan_branch(folder: Path) -> Path:
    committed(folder)
    git(folder, "checkout", "--quiet", "--orphan", "other")
    return edited(folder)


@odd()
def detached_head(folder: Path) -> Path:
    committed(folder)
    git(folder, "checkout", "--quiet", "--detach")
    return edited(folder)


def _two_sides(folder: Path) -> Path:
    committed(folder)
    git(folder, "checkout", "--quiet", "-b", "theirs")
    write(folder / "a.txt", "theirs\n")
    (folder / "b.txt").unlink()
    commit(folder, "theirs")
    git(folder, "checkout", "--quiet", "main")
    write(folder / "a.txt", "ours\n")
    write(folder / "b.txt", "ours too\n")
    commit(folder, "ours")
    return folder


@odd()
def mid_merge_with_conflicts(folder: Path) -> Path:
    _two_sides(folder)
    assert try_git(folder, "merge", "theirs").returncode == 1
    write(folder / "new.txt")
    return folder


@odd()
def conflict_deleted_on_disk(folder: Path) -> Path:
    _two_sides(folder)
    assert try_git(folder, "merge", "theirs").returncode == 1
    (folder / "a.txt").unlink()
    return folder


@odd()
def mid_merge_resolved(folder: Path) -> Path:
    _two_sides(folder)
    assert try_git(folder, "merge", "theirs").returncode == 1
    write(folder / "a.txt", "both\n")
    git(folder, "add", "--all")
    return folder


@odd()
def mid_rebase(folder: Path) -> Path:
    _two_sides(folder)
    assert try_git(folder, "rebase", "theirs").returncode == 1
    return folder


@odd()
def mid_cherry_pick(folder: Path) -> Path:
    _two_sides(folder)
    assert try_git(folder, "cherry-pick", "theirs").returncode == 1
    return folder


@odd()
def with_stash(folder: Path) -> Path:
    edited(committed(folder))
    git(folder, "stash", "push", "--quiet", "--include-untracked")
    return edited(folder)


@odd()
def linked_worktree(folder: Path) -> Path:
    committed(folder / "main")
    git(folder / "main", "worktree", "add", "--quiet", "-b", "other", str(folder / "linked"))
    return edited(folder / "linked")


@odd(omitted=("trees/one/",))
def worktree_inside_the_work_tree(folder: Path) -> Path:
    committed(folder)
    git(folder, "worktree", "add", "--quiet", "--detach", "trees/one")
    return edited(folder)


@odd()
def separate_git_dir(folder: Path) -> Path:
    work_tree = folder / "work"
    work_tree.mkdir(parents=True)
    return edited(committed(work_tree, f"--separate-git-dir={folder / 'elsewhere'}"))


@odd()
def worktree_of_a_bare_repository(folder: Path) -> Path:
    committed(folder / "origin")
    git(folder, "clone", "--quiet", "--bare", "origin", "bare.git")
    git(folder / "bare.git", "worktree", "add", "--quiet", str(folder / "linked"))
    return edited(folder / "linked")


@odd()
def shallow_clone(folder: Path) -> Path:
    committed(folder / "origin")
    write(folder / "origin" / "a.txt", "second\n")
    commit(folder / "origin", "second")
    git(folder, "clone", "--quiet", "--depth=1", f"file://{folder / 'origin'}", "clone")
    return edited(folder / "clone")


@odd()
def partial_clone(folder: Path) -> Path:
    committed(folder / "origin")
    git(folder / "origin", "config", "uploadpack.allowFilter", "true")
    git(folder, "clone", "--quiet", "--filter=blob:none", f"file://{folder / 'origin'}", "clone")
    return edited(folder / "clone")


@odd()
def partial_sparse_clone(folder: Path) -> Path:
    committed(folder / "origin")
    git(folder / "origin", "config", "uploadpack.allowFilter", "true")
    git(folder, "clone", "--quiet", "--filter=blob:none", "--sparse", f"file://{folder / 'origin'}", "clone")
    write(folder / "clone" / "a.txt", "changed\n")
    return folder / "clone"


@odd()
def shared_clone_with_alternates(folder: Path) -> Path:
    committed(folder / "origin")
    git(folder, "clone", "--quiet", "--shared", "origin", "clone")
    return edited(folder / "clone")


@odd()
def packed(folder: Path) -> Path:
    committed(folder)
    git(folder, "gc", "--quiet")
    git(folder, "pack-refs", "--all")
    return edited(folder)


def _with_submodule(folder: Path) -> Path:
    committed(folder / "library")
    work_tree = committed(folder / "work")
    git(work_tree, "submodule", "--quiet", "add", str(folder / "library"), "sub")
    commit(work_tree, "add a submodule")
    return work_tree


@odd()
def submodule_clean(folder: Path) -> Path:
    return edited(_with_submodule(folder))


@odd()
def submodule_dirty(folder: Path) -> Path:
    work_tree = _with_submodule(folder)
    write(work_tree / "sub" / "a.txt", "changed inside\n")
    write(work_tree / "sub" / "new.txt", "untracked inside\n")
    return edited(work_tree)


@odd()
def submodule_with_new_commit(folder: Path) -> Path:
    work_tree = _with_submodule(folder)
    write(work_tree / "sub" / "a.txt", "changed inside\n")
    commit(work_tree / "sub", "inside")
    return work_tree


@odd()
def submodule_not_initialised(folder: Path) -> Path:
    _with_submodule(folder)
    git(folder, "clone", "--quiet", "work", "clone")
    return edited(folder / "clone")


@odd()
def submodule_removed_on_disk(folder: Path) -> Path:
    work_tree = _with_submodule(folder)
    shutil.rmtree(work_tree / "sub")
    return work_tree


def _mend_submodule(work_tree: Path) -> None:
    (work_tree / ".git" / "gone").rename(work_tree / ".git" / "modules" / "sub")


@odd(before_reference=_mend_submodule)
def submodule_broken(folder: Path) -> Path:
    work_tree = _with_submodule(folder)
    (work_tree / ".git" / "modules" / "sub").rename(work_tree / ".git" / "gone")
    return edited(work_tree)


@odd()
def submodule_staged_only(folder: Path) -> Path:
    committed(folder / "library")
    work_tree = committed(folder / "work")
    git(work_tree, "submodule", "--quiet", "add", str(folder / "library"), "sub")
    return work_tree


@odd()
def gitlink_without_gitmodules(folder: Path) -> Path:
    work_tree = committed(folder)
    committed(work_tree / "inner")
    git(work_tree, "add", "inner")
    write(work_tree / "inner" / "a.txt", "changed inside\n")
    return work_tree


@odd(omitted=("nested/", "vendor/deep/"))
def nested_repositories(folder: Path) -> Path:
    work_tree = edited(committed(folder))
    committed(work_tree / "nested")
    committed(work_tree / "vendor" / "deep")
    write(work_tree / "vendor" / "beside.txt")
    return work_tree


@odd(omitted=("nested/",))
def nested_repository_without_commit(folder: Path) -> Path:
    work_tree = edited(committed(folder))
    empty(work_tree / "nested")
    write(work_tree / "nested" / "file.txt")
    return work_tree


@odd()
def tracked_folder_became_a_repository(folder: Path) -> Path:
    work_tree = committed(folder)
    shutil.rmtree(work_tree / "src")
    committed(work_tree / "src")
    return work_tree


@odd()
def bare_repository_as_files(folder: Path) -> Path:
    committed(folder)
    git(folder, "init", "--quiet", "--bare", "data.git")
    shutil.rmtree(folder / "data.git" / "hooks")
    return folder


@odd()
def replaced_commit(folder: Path) -> Path:
    committed(folder)
    write(folder / "a.txt", "second\n")
    commit(folder, "second")
    git(folder, "replace", "HEAD", "HEAD~1")
    return edited(folder)


@odd(before_reference=lambda work_tree: git(work_tree, "rm", "-r", "--quiet", "--cached", ".finestflow"))
def checked_out_run(folder: Path) -> Path:
    committed(folder)
    write(folder / ".finestflow" / "run.json", "{}\n")
    commit(folder, "a run")
    write(folder / ".finestflow" / "params.json", "{}\n")
    write(folder / "src" / ".finestflow" / "kept.txt")
    return edited(folder)


@odd()
def folder_called_finestflow(folder: Path) -> Path:
    committed(folder)
    write(folder / "finestflow" / "code.py")
    write(folder / ".finestflow.toml", 'default-pipeline = "numbers"\n')
    return folder
