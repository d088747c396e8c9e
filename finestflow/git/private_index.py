"""A private copy of the user's index, and the git commands that read and change it.

Invariant: the user's index is only ever read; no command that is run here takes a lock on it or writes beside it.
A filter that cannot run is switched off for this index and noted, because a run must not fail over it.
Called by ``snapshot``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from finestflow.errors import RepositoryError
from finestflow.git.command import Result, Started, start_git
from finestflow.git.names import Moment
from finestflow.git.repository import Repository
from finestflow.git.status import Status, load_status

__all__ = ["PrivateIndex"]

_SETTINGS = (
    "core.ignoreStat=false",
    "core.splitIndex=false",
    "core.untrackedCache=false",
    "index.skipHash=true",
    "index.sparse=false",
)
_STATUS = ("status", "--porcelain=v2", "-z", "--branch", "--no-renames", "--no-ahead-behind")
_WRITE_TREE = ("write-tree", "--missing-ok")
_HASH = 32
"""Bytes at the end of an index that may be a hash of it, or zeros in place of one; what else they are is no entry."""
_GITLINK_MODE = b"\x00\x00\xe0\x00"
_FAILED_FILTER = re.compile(rb"clean filter '([^'\n]+)' failed")
_FAILED_SUBMODULE = re.compile(rb"failed in submodule|submodule .*(?:failed|not)|not a git repository: .*modules")
_UNOPENED = re.compile(rb"warning: could not open directory '(.+?)/?': ([^\n]+)")


class PrivateIndex:
    """A copy of the user's index at ``path``, with its time: with a fresh one git would trust a file too early.

    A filter such as that of git-lfs keeps large files out of git; without it, files over ``max_raw_size`` are refused.
    ``notes`` gathers what a person should know; ``unopened`` the folders that git could not list, with the reason.
    """

    def __init__(self, repo: Repository, path: Path, *, max_raw_size: int) -> None:
        self.repo = repo
        self.path = path
        self.notes: list[str] = []
        self.unopened: dict[bytes, str] = {}
        self._settings = list(_SETTINGS)
        self._submodules = "none"
        self._max_raw_size = max_raw_size
        self._off: set[bytes] = set()
        source = repo.git_dir / "index"
        if not repo.git_dir.is_dir():  # or parts of it would be made anew
            raise RepositoryError(f"the repository {str(repo.git_dir)!r} is gone", "go to where it is now")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            Path(f"{path}.lock").unlink(missing_ok=True)  # of a killed process; nobody else uses this copy
            content = _copy_with_time(source, path)
        except FileNotFoundError:
            path.unlink(missing_ok=True)
            content = b""
        except OSError as error:
            raise RepositoryError(
                f"cannot copy the index to {str(path)!r}: {error.strerror}", "free the disk"
            ) from error
        self.is_empty = not content
        self.made = _moment_of(path) if content else None
        """A moment before any file is looked at."""
        self._inode = os.stat(path).st_ino if content else 0
        self._content = content
        self.is_as_copied = False
        """Whether the first status has told all unchanged files by their times; where it had to read some, it has kept their new times."""
        self.listing = b""
        """What git calls its paths, one letter and a blank before each, with NUL before and after."""
        # A status of a submodule would refresh the user's index there; without one, refreshing ours saves time.
        self._has_submodules = _GITLINK_MODE in content or _has_shared_index(repo.git_dir)
        self._variables = {"GIT_INDEX_FILE": str(path), "GIT_OPTIONAL_LOCKS": "0" if self._has_submodules else "1"}

    def remove(self) -> None:
        """Remove the copy."""
        self.path.unlink(missing_ok=True)
        Path(f"{self.path}.lock").unlink(missing_ok=True)

    def read_status(self, *, untracked: bool) -> Status:
        """Return how the disk and HEAD differ from the index, with untracked files or without."""
        return self._finish_status(self._start_status(untracked=untracked), untracked=untracked)

    def read_status_and_flags(self, *, untracked: bool) -> tuple[Status, list[tuple[str, bytes]]]:
        """Return the status and the tracked paths with a flag, by two processes at the same time.

        A flag is git's letter: ``S`` for skip-worktree, a small letter for assume-unchanged. Paths in a ``.finestflow``
        at the root are there as well.
        """
        running = self._start_status(untracked=untracked)
        flagged = [] if self.is_empty else self._read_flags()
        status = self._finish_status(running, untracked=untracked)
        self.is_as_copied = not self.is_empty and not self._has_submodules and self._has_same_entries()
        self._content = b""
        return status, flagged

    def _has_same_entries(self) -> bool:
        """Return whether the index is as it was copied; git writes the same again where it is as young as a file."""
        if os.stat(self.path).st_ino == self._inode:
            return True
        return self.path.read_bytes()[:-_HASH] == self._content[:-_HASH]

    def clear_flags(self, paths: Sequence[bytes], flag: str) -> None:
        """Take a flag (``assume-unchanged``, ``skip-worktree``) from paths."""
        self._run("update-index", "-z", f"--no-{flag}", "--stdin", data=_lines(paths)).check("cannot update the index")

    def remove_paths(self, paths: Sequence[bytes]) -> None:
        """Remove paths, whatever lies on the disk."""
        self._run("update-index", "-z", "--force-remove", "--stdin", data=_lines(paths)).check(
            "cannot update the index"
        )

    def add_paths(self, paths: Sequence[bytes]) -> list[tuple[bytes, str]]:
        """Record what lies on the disk at paths; a path where nothing lies is removed.

        Git refuses a list as a whole; the paths that it refuses are found by halving it.

        Returns:
            The paths that cannot be recorded, and git's first words on each.
        """
        refused = self._find_unfiltered(paths)
        if refused:
            gone = {path for path, _ in refused}
            paths = [path for path in paths if path not in gone]
        if not paths:
            return refused
        done = self._run("update-index", "-z", "--add", "--remove", "--replace", "--stdin", data=_lines(paths))
        if done.code == 0:
            self._note_warnings(done)
            return refused
        if self._is_filter_off(done):
            return refused + self.add_paths(paths)
        if not self._can_write(done):
            done.check("cannot record the files")
        if len(paths) == 1:
            return [*refused, (paths[0], done.words.partition("; ")[0])]
        middle = len(paths) // 2
        return refused + self.add_paths(paths[:middle]) + self.add_paths(paths[middle:])

    def write_tree(self) -> str:
        """Write the index as a tree; objects that a partial clone has not fetched may be missing."""
        return _load_tree(self._run(*_WRITE_TREE))

    def write_tree_while(self, check: Callable[[], bool]) -> tuple[str, bool]:
        """Write the tree, and return what a check says meanwhile."""
        writing = self._start(*_WRITE_TREE)
        is_still = check()
        return _load_tree(writing.finish()), is_still

    def _start_status(self, *, untracked: bool) -> Started:
        extent = ("-uall", "--ignored=matching") if untracked else ("-uno",)
        return self._start(*_STATUS, *extent, f"--ignore-submodules={self._submodules}")

    def _finish_status(self, running: Started, *, untracked: bool) -> Status:
        done = running.finish()
        if done.code and self._is_filter_off(done):
            return self.read_status(untracked=untracked)
        if done.code and self._submodules == "none" and _FAILED_SUBMODULE.search(done.err):
            self._submodules = "dirty"
            self._note("a submodule cannot be read; its changes are not looked at")
            return self.read_status(untracked=untracked)
        self._note_warnings(done)
        return load_status(done.check("cannot read the state of the files"))

    def _read_flags(self) -> list[tuple[str, bytes]]:
        listing = self.listing = b"\0" + self._run("ls-files", "-v", "-z").check("cannot list the index")
        if listing.count(b"\0H ") + 1 == listing.count(b"\0") and b"H .finestflow/" not in listing:
            return []
        ordinary = (b"H ", b"M ")
        entries = listing.split(b"\0")
        return [
            (chr(entry[0]), entry[2:])
            for entry in entries
            if (entry[:2] not in ordinary or entry.startswith(b".finestflow/", 2)) and entry
        ]

    def _start(self, *words: str) -> Started:
        return start_git(self.repo, *words, settings=self._settings, variables=self._variables)

    def _run(self, *words: str, data: bytes = b"") -> Result:
        return self._start(*words).finish(data)

    def _can_write(self, done: Result) -> bool:
        """Return whether a failure is about a path, not about the disk or the object store."""
        signs = (
            b"No space left",
            b"Read-only file system",
            b"insufficient permission for adding",
            b".lock'",
            b"Disk quota",
        )
        return not any(sign in done.err for sign in signs)

    def _is_filter_off(self, done: Result) -> bool:
        """Switch off the filter that made a command fail; return whether there was one that is now off."""
        found = _FAILED_FILTER.search(done.err)
        if found is None:
            return False
        name = found[1].decode("utf-8", "replace")
        switches = [f"filter.{name}.required=false", f"filter.{name}.clean=", f"filter.{name}.process="]
        if switches[0] in self._settings:
            return False
        self._settings += switches
        self._off.add(found[1])
        self._note(f'the filter "{name}" failed; its files are recorded as they are on disk')
        return True

    def _find_unfiltered(self, paths: Sequence[bytes]) -> list[tuple[bytes, str]]:
        """Return the large files whose filter is off, with the reason to leave them out."""
        if not self._off:
            return []
        large = [path for path in paths if self._size_of(path) > self._max_raw_size]
        if not large:
            return []
        done = self._run("check-attr", "-z", "--stdin", "filter", data=_lines(large))
        fields = done.check("cannot read the attributes of the files").split(b"\0")
        reason = f"its filter failed, and it is larger than {self._max_raw_size} bytes"
        return [(path, reason) for path, value in zip(fields[::3], fields[2::3], strict=False) if value in self._off]

    def _size_of(self, path: bytes) -> int:
        try:
            return os.lstat(os.path.join(os.fsencode(self.repo.work_tree or b""), path)).st_size
        except OSError:
            return 0

    def _note_warnings(self, done: Result) -> None:
        for path, reason in _UNOPENED.findall(done.err):
            self.unopened[path + b"/"] = reason.decode("utf-8", "replace")
        if b"external filter" in done.err or b"cannot run" in done.err or b"cannot fork to run" in done.err:
            self._note("a filter could not run; its files are recorded as they are on disk")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _moment_of(path: Path) -> Moment:
    found = path.stat()
    return Moment(found.st_ctime_ns, found.st_dev)


def _load_tree(done: Result) -> str:
    return done.check("cannot write the tree of the files").decode().strip()


def _has_shared_index(git_dir: Path) -> bool:
    """Return whether the index may be split: then most entries are in another file."""
    return any(name.startswith("sharedindex.") for name in os.listdir(git_dir))


def _copy_with_time(source: Path, target: Path) -> bytes:
    """Copy a file with its time, and return its content."""
    with open(source, "rb") as file:
        found = os.fstat(file.fileno())
        content = file.read()
    target.write_bytes(content)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    return content


def _lines(paths: Sequence[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in paths)
