"""What ``git status --porcelain=v2 -z`` says, as data."""

from __future__ import annotations

import pytest

from finestflow.errors import RepositoryError
from finestflow.git.status import load_status

OID = b"1" * 40


def test_headers_paths_and_kinds_are_read():
    status = load_status(
        b"\0".join(
            (
                b"# branch.oid " + OID,
                b"# branch.head feature/x",
                b"# branch.upstream origin/main",
                b"# branch.ab +? -?",
                b"1 .M N... 100644 100644 100644 " + OID + b" " + OID + b" a file",
                b"1 .M SC.. 160000 160000 160000 " + OID + b" " + OID + b" sub",
                b"u UU N... 100644 100644 100644 100644 " + OID + b" " + OID + b" " + OID + b" both\nsides",
                b"? new file",
                b"? nested/",
                b"",
            )
        )
    )
    assert (status.base, status.branch) == (OID.decode(), "feature/x")
    assert [entry.path for entry in status.tracked] == [b"a file", b"sub", b"both\nsides"]
    assert [entry.is_submodule for entry in status.tracked] == [False, True, False]
    assert status.tracked[2].is_unmerged
    assert all(entry.is_changed_on_disk for entry in status.tracked)
    assert status.untracked == [b"new file", b"nested/"]


def test_unborn_and_detached_are_none():
    status = load_status(b"# branch.oid (initial)\0# branch.head (detached)\0")
    assert (status.base, status.branch) == (None, None)


@pytest.mark.parametrize(
    ("letters", "submodule", "changed", "dirty"),
    [
        (b".M", b"S.M.", False, True),
        (b".M", b"S..U", False, True),
        (b".M", b"SCM.", True, True),
        (b".D", b"S...", True, False),
        (b"A.", b"S...", False, False),
    ],
)
def test_a_submodule_changes_by_its_commit_only(letters, submodule, changed, dirty):
    line = b"1 " + letters + b" " + submodule + b" 160000 160000 160000 " + OID + b" " + OID + b" sub\0"
    (entry,) = load_status(line).tracked
    assert (entry.is_changed_on_disk, entry.is_dirty_inside) == (changed, dirty)


def test_what_is_not_known_is_an_error():
    with pytest.raises(RepositoryError):
        load_status(b"7 what is this\0")
