"""The files as they are, as a git tree, without touching anything of the user's.

Invariant: HEAD, index, work tree, stash and ``git status`` stay byte for byte what they were; no lock of the user's is
taken. Tracked files are always in; a stray file never fails a run, it is left out and named.
Called by the runner and by comparisons with "now".

In order: copy the index; ask git what differs from it; look at each such path; record or remove it; write the tree; ask again, until
nothing moves any more. Nobody has to be asked again where the times show that all this was already so at the moment of the copy: what git took
to be unchanged by the times in the index is; what was recorded has not changed since then (``ctime``, which programs cannot set); and no name has
come or gone (the times of the folders). So 60,000 files are looked at once, not twice (0.21 s of CPU instead of 0.31 s).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from finestflow.errors import RepositoryError
from finestflow.git.command import read_git
from finestflow.git.names import Moment, are_names_still
from finestflow.git.private_index import PrivateIndex
from finestflow.git.repository import Repository
from finestflow.git.selection import SnapshotRules, digest_file, find_pattern, leave_out_crowds, omit, text_of
from finestflow.git.status import Status, Tracked
from finestflow.model import Omitted, Snapshot

__all__ = ["SnapshotRules", "take_snapshot"]

_ROUNDS = 3
_OURS = b".finestflow/"
_DIGEST_BUDGET = 64_000_000
_MAX_OMITTED = 1_000


def take_snapshot(repo: Repository, rules: SnapshotRules, *, index: Path) -> Snapshot:
    """Write the files of a work tree as a tree, as they are now.

    Args:
        repo: The repository; the work tree it was found from.
        rules: Which untracked files are taken.
        index: Where a copy of the user's index may live meanwhile, in a folder of ours on the same disk.

    Raises:
        RepositoryError: There is no work tree, or git cannot write.
    """
    if repo.work_tree is None:
        raise RepositoryError(
            f"the repository {str(repo.git_dir)!r} has no files to record", "run in a work tree of it"
        )
    private = PrivateIndex(repo, index, max_raw_size=rules.max_file_size)
    try:
        return _Recording(repo, repo.work_tree, rules, private).take()
    finally:
        private.remove()


class _Signature(NamedTuple):
    """What the disk says of a path."""

    mode: int
    size: int
    mtime: int
    ctime: int
    inode: int


@dataclass(slots=True)
class _Round:
    """What one look at the files asks for: paths to record and to remove, and what the disk said of each."""

    add: list[bytes] = field(default_factory=list)
    remove: list[bytes] = field(default_factory=list)
    paths: dict[bytes, _Signature | None] = field(default_factory=dict)


class _Recording:
    """One snapshot while it is taken."""

    def __init__(self, repo: Repository, work_tree: Path, rules: SnapshotRules, private: PrivateIndex) -> None:
        self._repo = repo
        self._root = os.fsencode(work_tree) + b"/"
        self._rules = rules
        self._private = private
        self._leave_out = tuple(os.fsencode(folder).strip(b"/") + b"/" for folder in rules.leave_out)
        self._omitted: dict[bytes, Omitted] = {}
        self._decided: set[bytes] = set()
        self._omitted_folders: list[bytes] = []
        self._changed: set[bytes] = set()
        self._untracked: set[bytes] = set()
        self._seen: dict[bytes, _Signature | None] = {}
        self._linked: dict[bytes, bool] = {b"": False}
        self._digest_budget = _DIGEST_BUDGET
        self._notes: list[str] = []

    def take(self) -> Snapshot:
        first = self._read_first()
        tree, is_stable = self._settle(first)
        if not is_stable:
            self._notes.append("files changed while they were recorded")
        for folder, reason in self._private.unopened.items():
            self._omit(folder, reason.lower())
        return Snapshot(
            tree=tree,
            base=first.base,
            branch=first.branch,
            changed=len(self._changed),
            untracked=len(self._untracked),
            omitted=self._listed(),
            stable=is_stable,
            notes=(*self._notes, *self._private.notes),
        )

    def _settle(self, status: Status) -> tuple[str, bool]:
        """Record what a status asks for until nothing moves; return the tree, and whether it came to that."""
        asked = self._look_at(status)
        if not asked.paths:
            return self._private.write_tree(), True
        for _ in range(_ROUNDS):
            self._record(asked)
            tree, is_still = self._private.write_tree_while(partial(self._was_so_before, asked, status))
            if is_still:
                return tree, True
            again = self._private.read_status(untracked=self._rules.untracked)
            asked = self._look_at(again)
            if not asked.paths:
                return tree, True
            if all(self._seen.get(path, ()) == now for path, now in asked.paths.items()):
                # Git sees a difference where nothing was written: an edit within one tick of the clock, or a filter
                # that gives something else each time.
                self._record(asked)
                return self._private.write_tree(), True
        return tree, False

    def _was_so_before(self, asked: _Round, first: Status) -> bool:
        """Return whether the times show that all files were as they are recorded before the first status, all at once."""
        made = self._private.made
        return (
            made is not None
            and self._private.is_as_copied
            and self._rules.untracked  # else git has not told of all folders
            and all(
                now is None or (now == _sign(self._root + path) and max(now.mtime, now.ctime) < made.time)
                for path, now in asked.paths.items()
            )
            and self._are_names_still(first, made)
        )

    def _are_names_still(self, first: Status, made: Moment) -> bool:
        """Return whether no name has come or gone since that moment."""
        told = (*first.untracked, *first.ignored)
        closed = [path[:-1] for path in told if path.endswith(b"/")]
        seen = {path.rstrip(b"/").rpartition(b"/")[0] for path in told}
        seen.update(
            folder[2:] for folder in {entry.rpartition(b"/")[0] for entry in self._private.listing.split(b"\0")}
        )
        return are_names_still(self._root, seen, [*closed, b".git"], made)

    def _read_first(self) -> Status:
        """Read the status, after what hides files from it is out of the way."""
        private = self._private
        status, flagged = private.read_status_and_flags(untracked=self._rules.untracked)
        ours = {path for _, path in flagged if path.startswith(_OURS)}
        if ours:
            private.remove_paths(sorted(ours))
        assumed = [path for flag, path in flagged if flag.islower() and path not in ours]
        skipped = [path for flag, path in flagged if flag in "sS" and path not in ours and self._is_to_be_seen(path)]
        if assumed:
            private.clear_flags(assumed, "assume-unchanged")
        if skipped:
            private.clear_flags(skipped, "skip-worktree")
        if assumed or skipped:
            status = private.read_status(untracked=self._rules.untracked)
        return status

    def _is_to_be_seen(self, path: bytes) -> bool:
        """Return whether a skip-worktree file is looked at: not where a sparse checkout left it out."""
        if not (self._repo.git_dir / "info" / "sparse-checkout").exists():
            return True
        return os.path.lexists(self._root + path) and not self._is_below_link(path)

    def _look_at(self, status: Status) -> _Round:
        """Decide on each path of a status."""
        asked = _Round()
        for entry in status.tracked:
            if not entry.path.startswith(_OURS):
                self._look_at_tracked(entry, asked)
        fresh = [path for path in status.untracked if self._is_wanted(path)]
        kept, crowds = leave_out_crowds(fresh, max(0, self._rules.max_files - len(self._untracked)))
        for folder, count in crowds.items():
            self._omit_folder(folder, f"{count} untracked files, the limit is {self._rules.max_files}", fresh)
        for path in kept:
            self._ask(asked, path)
            self._untracked.add(path)
        return asked

    def _look_at_tracked(self, entry: Tracked, asked: _Round) -> None:
        path = entry.path
        if entry.is_dirty_inside:
            self._note(f'the submodule "{text_of(path)}" has changes that are not recorded, only its commit is')
        if entry.is_unmerged:
            self._note(f'"{text_of(path)}" has an unresolved conflict')
        if path not in self._untracked and (entry.is_changed_on_disk or entry.index != "."):
            self._changed.add(path)
        if not entry.is_changed_on_disk or path in self._decided:
            return
        mode = self._ask(asked, path)
        if mode is None or stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            return
        if stat.S_ISDIR(mode) and entry.is_submodule:
            return
        asked.add.remove(path)
        asked.remove.append(path)
        if not stat.S_ISDIR(mode):
            self._omit(path, f"it is {_kind(mode)}")

    def _ask(self, asked: _Round, path: bytes) -> int | None:
        """Ask for a path to be recorded, or removed where nothing lies; return its mode."""
        try:
            found = os.lstat(self._root + path)
        except OSError:
            found = None
        if found is not None and self._is_below_link(path):
            asked.remove.append(path)
            asked.paths[path] = None
            return None
        asked.add.append(path)
        if found is None:
            asked.paths[path] = None
            return None
        asked.paths[path] = _signature(found)
        return found.st_mode

    def _is_wanted(self, path: bytes) -> bool:
        """Return whether an untracked path may enter; name it with the reason where it may not."""
        if path in self._untracked:
            return True
        if self._is_decided(path):
            return False
        if path.endswith(b"/"):
            self._omit(path, self._describe_repository(path))
            return False
        excluded = find_pattern(path, self._rules.exclude)
        if excluded is not None and excluded.folder is not None:
            self._omit_folder(excluded.folder, f'excluded by "{excluded.pattern}"', ())
            return False
        try:
            found = os.lstat(self._root + path)
        except OSError:
            return False
        if excluded is not None:
            # No digest: such a file may be a secret that is short enough to be guessed.
            self._omitted[path] = omit(path, f'excluded by "{excluded.pattern}"', found.st_size)
            self._decided.add(path)
        elif not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
            self._omit(path, f"it is {_kind(found.st_mode)}")
        elif stat.S_ISREG(found.st_mode) and not os.access(self._root + path, os.R_OK):
            self._omit(path, "it cannot be read")
        elif found.st_size > self._rules.max_file_size:
            self._omit(path, f"larger than {self._rules.max_file_size} bytes", found.st_size)
        else:
            return True
        return False

    def _is_decided(self, path: bytes) -> bool:
        """Return whether a path is left out, for good."""
        return path in self._decided or path.startswith((_OURS, *self._leave_out, *self._omitted_folders))

    def _record(self, asked: _Round) -> None:
        if asked.remove:
            self._private.remove_paths(asked.remove)
        for path, words in self._private.add_paths(asked.add):
            self._omit(path, f"not recorded by git: {words}")
            self._untracked.discard(path)
        self._seen.update(asked.paths)

    def _describe_repository(self, path: bytes) -> str:
        """Return the reason for leaving out a repository inside this one, with its commit."""
        folder = os.fsdecode(self._root + path)
        inner = Repository(
            work_tree=Path(folder),
            git_dir=Path(folder, ".git"),
            common_dir=Path(folder, ".git"),
            object_format=self._repo.object_format,
            environ=self._repo.environ,
        )
        done = read_git(inner, "rev-parse", "--verify", "--quiet", "HEAD")
        return (
            f"a repository of its own, at commit {done.out.decode().strip()}"
            if done.code == 0
            else "a repository of its own"
        )

    def _is_below_link(self, path: bytes) -> bool:
        """Return whether a folder above a path is a symbolic link: what lies behind it is not at this path."""
        folder = os.path.dirname(path)
        known = self._linked.get(folder)
        if known is None:
            known = self._is_below_link(folder) or os.path.islink(self._root + folder)
            self._linked[folder] = known
        return known

    def _omit(self, path: bytes, reason: str, size: int | None = None) -> None:
        digest = None
        if size is not None and size <= self._digest_budget:
            self._digest_budget -= size
            digest = digest_file(os.fsdecode(self._root + path))
        self._decided.add(path)
        self._omitted[path] = omit(path, reason, size, digest)

    def _omit_folder(self, folder: bytes, reason: str, paths: Sequence[bytes]) -> None:
        if folder:
            self._omitted_folders.append(folder + b"/")
        else:
            self._decided.update(path for path in paths if b"/" not in path)
        self._omitted[folder + b"/"] = omit(folder + b"/" if folder else b"./", reason)

    def _listed(self) -> tuple[Omitted, ...]:
        rows = sorted(self._omitted.values(), key=lambda row: row.path)
        if len(rows) > _MAX_OMITTED:
            self._notes.append(f"{len(rows) - _MAX_OMITTED} more files are left out than are listed")
        return tuple(rows[:_MAX_OMITTED])

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)


def _signature(found: os.stat_result) -> _Signature:
    return _Signature(found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _sign(place: bytes) -> _Signature | None:
    """Return what the disk says of a path; None where nothing lies."""
    try:
        return _signature(os.lstat(place))
    except OSError:
        return None


def _kind(mode: int) -> str:
    """Name a kind of file that git cannot record."""
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISDIR, "a folder"))
    return next((name for test, name in kinds if test(mode)), "a device")
