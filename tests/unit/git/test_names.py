"""Whether names have come or gone since a moment, by the times of folders."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from finestflow.git.names import Moment, are_names_still

TRACKED = (b"", b"src", b"src/deep/er", b"gone")
CLOSED = (b".git", b"ignored")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A work tree with folders that git tells of, one that it ignores, and empty ones of which it tells nothing."""
    for folder in ("src/deep/er", ".git/objects", "ignored/inside", "empty/emptier"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("a.txt", "src/b.py", "src/deep/er/c.py", "ignored/inside/x"):
        (tmp_path / file).write_text(file)
    return tmp_path


def moment(tree: Path) -> Moment:
    """Now, as the file system has it, and after whatever was done."""
    clock = tree / ".git" / "clock"
    youngest = max(path.stat().st_ctime_ns for path in tree.rglob("*"))
    while True:
        clock.write_text("")
        found = clock.stat()
        if found.st_ctime_ns > youngest:
            return Moment(found.st_ctime_ns, found.st_dev)
        time.sleep(0.001)


def is_still(tree: Path, since: Moment) -> bool:
    return are_names_still(os.fsencode(tree) + b"/", TRACKED, CLOSED, since)


def test_names_are_still_where_nothing_happened(tree):
    assert is_still(tree, moment(tree))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tree: (tree / "src/b.py").write_text("longer"), id="an edit"),
        pytest.param(lambda tree: (tree / "ignored/inside/y").write_text(""), id="a file in an ignored folder"),
        pytest.param(lambda tree: (tree / ".git/objects/y").write_text(""), id="a file of git's"),
    ],
)
def test_what_git_would_not_list_changes_nothing(tree, change):
    since = moment(tree)
    change(tree)

    assert is_still(tree, since)


def _move_and_hide(tree: Path) -> None:
    found = (tree / "src").stat()
    (tree / "src/b.py").rename(tree / "empty/b.py")
    os.utime(tree / "src", ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tree: (tree / "new.py").write_text(""), id="a file at the root"),
        pytest.param(lambda tree: (tree / "src/deep/new.py").write_text(""), id="a file between"),
        pytest.param(lambda tree: (tree / "empty/new.py").write_text(""), id="a file in an empty folder"),
        pytest.param(lambda tree: (tree / "empty/emptier/new.py").write_text(""), id="a file in an empty folder below"),
        pytest.param(lambda tree: (tree / "src/b.py").unlink(), id="a file that goes"),
        pytest.param(lambda tree: (tree / "src/b.py").rename(tree / "src/d.py"), id="a file of another name"),
        pytest.param(lambda tree: (tree / "src/deep").rename(tree / "deep"), id="a folder that moves"),
        pytest.param(lambda tree: (tree / "gone/x").parent.mkdir(), id="a folder that comes back"),
        pytest.param(_move_and_hide, id="a move with the time put back"),
    ],
)
def test_a_name_that_comes_goes_or_moves_is_seen(tree, change):
    since = moment(tree)
    change(tree)

    assert not is_still(tree, since)


def test_in_doubt_names_are_not_still(tree):
    since = moment(tree)
    (tree / "empty/unknown.py").write_text("")  # git has told nothing of it: it was looked for elsewhere

    assert not is_still(tree, moment(tree))
    assert not is_still(tree, since._replace(device=since.device + 1))
    assert not is_still(tree / "nowhere", since)
