"""Whether the names of the files in a work tree are still those that a status saw: by the times of its folders.

A folder's time changes with every name that comes, goes or moves, and one look at each folder costs a tenth of another walk through all
files (60,000 of them: 9 ms and 52 ms). Invariant: the answer is yes only when every folder that git walks through is known and older than
the moment that is asked about, as the file system's own clock has it. Called by ``snapshot``.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["Moment", "are_names_still"]


class Moment(NamedTuple):
    """A time in nanoseconds, and the file system by whose clock it is."""

    time: int
    device: int


def are_names_still(root: bytes, seen: Iterable[bytes], closed: Iterable[bytes], since: Moment) -> bool:
    """Say whether no name has come or gone since a moment; in doubt, no.

    Args:
        root: The work tree, with a slash at its end.
        seen: Folders that hold a path that git has told of, tracked, untracked or ignored.
        closed: Folders that git does not look into: ignored ones, repositories of their own, ``.git``.
        since: A moment before git's walk.
    """
    folders = {b""}
    for folder in seen:
        above = folder
        while above not in folders:
            folders.add(above)
            above = os.path.dirname(above)
    explained = folders | set(closed)
    try:
        found = {folder: each for folder in folders if (each := _look_at(root + folder)) is not None}
        inside = Counter(os.path.dirname(each) for each in explained - {b""} if each in found or each not in folders)
        return b"" in found and all(
            _is_older(each, since)
            # Two links of its own and one from each folder inside, where file systems count so; then there are no others.
            and (each.st_nlink == 2 + inside[folder] or _are_others_empty(root, folder, explained, since))
            for folder, each in found.items()
        )
    except OSError:
        return False


def _look_at(path: bytes) -> os.stat_result | None:
    """Return what the disk says of a folder; None where there is none, as there was when git looked, or the folder above is younger."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if stat.S_ISDIR(found.st_mode) else None


def _is_older(found: os.stat_result, since: Moment) -> bool:
    """Say so of the time that programs cannot set."""
    return found.st_ctime_ns < since.time and found.st_dev == since.device


def _are_others_empty(root: bytes, folder: bytes, explained: set[bytes], since: Moment) -> bool:
    """Say whether the folders of which git told nothing hold no file, and are as old as the others."""
    for inner in _iter_folders(root, folder):
        if inner in explained:
            continue
        with os.scandir(root + inner) as entries:
            if any(not entry.is_dir(follow_symlinks=False) for entry in entries):
                return False
        if not _is_older(os.lstat(root + inner), since) or not _are_others_empty(root, inner, explained, since):
            return False
    return True


def _iter_folders(root: bytes, folder: bytes) -> Iterator[bytes]:
    with os.scandir(root + folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield folder + b"/" + entry.name if folder else entry.name
