"""Repositories whose index, object format, configuration or filters are odd."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.compat.building import commit, committed, edited, git, odd, try_git, write


@odd()
def index_version_4(folder: Path) -> Path:
    committed(folder)
    git(folder, "update-index", "--index-version=4")
    return edited(folder)


@odd()
def split_index(folder: Path) -> Path:
    committed(folder)
    git(folder, "config", "core.splitIndex", "true")
    git(folder, "update-index", "--split-index")
    return edited(folder)


@odd()
def untracked_cache(folder: Path) -> Path:
    committed(folder)
    git(folder, "config", "core.untrackedCache", "true")
    git(folder, "update-index", "--untracked-cache")
    git(folder, "status")
    return edited(folder)


@odd()
def fsmonitor_hook(folder: Path) -> Path:
    committed(folder)
    hook = write(folder / ".git" / "monitor", "#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    git(folder, "config", "core.fsmonitor", str(hook))
    git(folder, "update-index", "--fsmonitor")
    return edited(folder)


@odd()
def index_missing(folder: Path) -> Path:
    edited(committed(folder))
    (folder / ".git" / "index").unlink()
    return folder


@odd(before_reference=lambda work_tree: (work_tree / ".git" / "index.lock").unlink())
def index_locked(folder: Path) -> Path:
    edited(committed(folder))
    write(folder / ".git" / "index.lock", "")
    return folder


@odd(before_reference=lambda work_tree: git(work_tree, "update-index", "--no-assume-unchanged", "a.txt", "b.txt"))
def assume_unchanged(folder: Path) -> Path:
    committed(folder)
    git(folder, "update-index", "--assume-unchanged", "a.txt", "b.txt")
    return edited(folder)


@odd(before_reference=lambda work_tree: git(work_tree, "update-index", "--no-skip-worktree", "a.txt", "b.txt"))
def skip_worktree(folder: Path) -> Path:
    committed(folder)
    git(folder, "update-index", "--skip-worktree", "a.txt", "b.txt")
    return edited(folder)


@odd()
def ignore_stat(folder: Path) -> Path:
    committed(folder)
    git(folder, "config", "core.ignoreStat", "true")
    return edited(folder)


@odd()
def intent_to_add(folder: Path) -> Path:
    committed(folder)
    write(folder / "intended.txt")
    write(folder / "hollow.txt", "")
    write(folder / "vanished.txt")
    git(folder, "add", "--intent-to-add", "intended.txt", "hollow.txt", "vanished.txt")
    (folder / "vanished.txt").unlink()
    return folder


@odd()
def sparse_cone(folder: Path) -> Path:
    committed(folder)
    write(folder / "left" / "out.txt")
    commit(folder, "second")
    git(folder, "sparse-checkout", "set", "--cone", "src")
    assert not (folder / "left").exists()
    return edited(folder)


@odd()
def sparse_with_a_file_that_came_back(folder: Path) -> Path:
    committed(folder)
    write(folder / "left" / "out.txt")
    write(folder / "left" / "too.txt")
    commit(folder, "second")
    git(folder, "sparse-checkout", "set", "--no-cone", "src/", "a.txt", "b.txt")
    write(folder / "left" / "out.txt", "back, and changed\n")
    return edited(folder)


@odd()
def sparse_index(folder: Path) -> Path:
    committed(folder)
    write(folder / "left" / "out.txt")
    commit(folder, "second")
    git(folder, "sparse-checkout", "set", "--cone", "--sparse-index", "src")
    return edited(folder)


@odd()
def racy_edit_of_the_same_size(folder: Path) -> Path:
    committed(folder)
    write(folder / "a.txt", "A\n")
    git(folder, "add", "a.txt")
    found = (folder / ".git" / "index").stat()
    write(folder / "a.txt", "B\n")
    for path in (folder / "a.txt", folder / ".git" / "index"):
        os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns))
    return folder


@odd()
def touched_files(folder: Path) -> Path:
    committed(folder)
    later = time.time() + 5
    for path in (folder / "a.txt", folder / "src" / "code.py"):
        os.utime(path, (later, later))
    return folder


@odd()
def sha256(folder: Path) -> Path:
    return edited(committed(folder, "--object-format=sha256"))


def _reftable_missing() -> str:
    listed = try_git(Path("/"), "version").stdout.decode().split()[2].split(".")
    return "" if (int(listed[0]), int(listed[1])) >= (2, 45) else "this git has no reftable"


@odd(skip=_reftable_missing)
def reftable(folder: Path) -> Path:
    return edited(committed(folder, "--ref-format=reftable"))


@odd()
def hooks_that_fail(folder: Path) -> Path:
    committed(folder)
    names = ("post-index-change", "pre-commit", "reference-transaction", "post-checkout", "pre-auto-gc", "post-commit")
    for name in names:
        write(folder / ".git" / "hooks" / name, f"#!/bin/sh\ntouch '{folder}/hook-{name}-ran'\nexit 1\n").chmod(0o755)
    write(folder / "a.txt", "changed\n")
    write(folder / "new.txt")
    return folder


@odd()
def signed_commits_and_no_identity(folder: Path) -> Path:
    committed(folder)
    git(folder, "config", "commit.gpgSign", "true")
    git(folder, "config", "user.useConfigOnly", "true")
    git(folder, "config", "gpg.program", "/nonexistent/gpg")
    return edited(folder)


@odd()
def odd_status_settings(folder: Path) -> Path:
    committed(folder)
    for name, value in {
        "status.showUntrackedFiles": "no",
        "status.renames": "copies",
        "status.relativePaths": "true",
        "status.branch": "true",
        "status.showStash": "true",
        "status.submoduleSummary": "true",
        "color.ui": "always",
        "core.quotePath": "true",
        "core.abbrev": "7",
        "diff.ignoreSubmodules": "all",
        "column.ui": "always",
        "core.safecrlf": "true",
        "core.pager": "false",
        "add.ignoreErrors": "true",
    }.items():
        git(folder, "config", name, value)
    return edited(folder)


@odd()
def renamed_files(folder: Path) -> Path:
    committed(folder)
    git(folder, "mv", "a.txt", "c.txt")
    (folder / "b.txt").rename(folder / "B.txt")
    return folder


@odd()
def automatic_line_ends(folder: Path) -> Path:
    committed(folder)
    write(folder / "crlf.txt", b"one\r\ntwo\r\n")
    commit(folder, "with CR")
    git(folder, "config", "core.autocrlf", "true")
    git(folder, "config", "core.safecrlf", "true")
    write(folder / "windows.txt", b"one\r\ntwo\r\n")
    write(folder / "mixed.txt", b"one\r\ntwo\n")
    write(folder / ".gitattributes", "*.sh text eol=lf\n*.bin -text\n")
    write(folder / "run.sh", b"one\r\n")
    write(folder / "x.bin", b"one\r\n\0")
    return folder


@odd()
def encodings_and_idents(folder: Path) -> Path:
    committed(folder)
    write(folder / ".gitattributes", "*.u16 text working-tree-encoding=UTF-16\n*.id ident\n")
    write(folder / "wide.u16", "wide\n".encode("utf-16"))
    write(folder / "version.id", "$Id$\n")
    write(folder / "src" / ".gitattributes", "*.py text eol=crlf\n")
    return folder


def _with_filter(folder: Path, clean: str, *, required: bool) -> Path:
    committed(folder)
    git(folder, "config", "filter.toy.clean", "tr a-z A-Z")
    git(folder, "config", "filter.toy.smudge", "cat")
    write(folder / ".gitattributes", "*.toy filter=toy\n")
    write(folder / "old.toy", "old\n")
    commit(folder, "with a filter")
    git(folder, "config", "filter.toy.clean", clean)
    git(folder, "config", "filter.toy.required", str(required).lower())
    write(folder / "old.toy", "changed\n")
    write(folder / "new.toy", "new\n")
    return edited(folder)


@odd()
def clean_filter(folder: Path) -> Path:
    return _with_filter(folder, "tr a-z A-Z", required=True)


@odd()
def missing_filter(folder: Path) -> Path:
    return _with_filter(folder, "/nonexistent/filter", required=False)


def _without_filter(work_tree: Path) -> None:
    git(work_tree, "config", "--remove-section", "filter.toy")


@odd(before_reference=_without_filter)
def missing_required_filter(folder: Path) -> Path:
    return _with_filter(folder, "/nonexistent/filter", required=True)


@odd(before_reference=_without_filter)
def missing_filter_process(folder: Path) -> Path:
    _with_filter(folder, "tr a-z A-Z", required=True)
    git(folder, "config", "filter.toy.process", "/nonexistent/filter-process")
    return folder


@odd()
def ignored_files(folder: Path) -> Path:
    committed(folder)
    write(folder / "kept.log", "tracked, though ignored\n")
    commit(folder, "a log")
    write(folder / ".gitignore", "*.log\n/out/\n")
    write(folder / ".git" / "info" / "exclude", "secret.*\n")
    write(folder / "others", "*.tmp\n")
    git(folder, "config", "core.excludesFile", str(folder / "others"))
    write(folder / "kept.log", "tracked, though ignored, and changed\n")
    for name in ("x.log", "out/x.txt", "secret.key", "x.tmp", "wanted.txt"):
        write(folder / name)
    return folder
