"""What ``git status --porcelain=v2 -z`` says, as data.

Invariant: paths stay bytes, because git's paths have no encoding. Called by ``snapshot``.
"""

from __future__ import annotations

from dataclasses import dataclass

from finestflow.errors import RepositoryError

__all__ = ["Status", "Tracked", "load_status"]


@dataclass(frozen=True, slots=True)
class Tracked:
    """A tracked path that is not as in HEAD.

    ``index`` and ``disk`` are git's two letters: how the index differs from HEAD, and the disk from the index.
    ``submodule`` is ``N...`` for a file, ``S`` and three marks (new commit, changes, untracked files) for a submodule.
    """

    path: bytes
    index: str
    disk: str
    submodule: str
    is_unmerged: bool

    @property
    def is_submodule(self) -> bool:
        """Whether the path is a submodule in HEAD, in the index or on disk."""
        return self.submodule.startswith("S")

    @property
    def is_dirty_inside(self) -> bool:
        """Whether a submodule has changes or files of its own that are in no commit."""
        return self.is_submodule and self.submodule[2:] != ".."

    @property
    def is_changed_on_disk(self) -> bool:
        """Whether the disk holds something else than the index; for a submodule, another commit."""
        if self.is_unmerged:
            return True
        if self.is_submodule and self.disk == "M":
            return self.submodule[1] == "C"
        return self.disk != "."


@dataclass(frozen=True, slots=True)
class Status:
    """HEAD's commit and branch (None: unborn, detached), and the paths that are not as in HEAD; a folder ends in a slash."""

    base: str | None
    branch: str | None
    tracked: list[Tracked]
    untracked: list[bytes]
    ignored: list[bytes]


def load_status(data: bytes) -> Status:
    """Parse the output of ``git status --porcelain=v2 -z --branch --no-renames``."""
    base = branch = None
    tracked: list[Tracked] = []
    untracked: list[bytes] = []
    ignored: list[bytes] = []
    for entry in data.split(b"\0"):
        kind = entry[:2]
        if kind == b"? ":
            untracked.append(entry[2:])
        elif kind == b"! ":
            ignored.append(entry[2:])
        elif kind == b"1 ":
            tracked.append(_load_tracked(entry.split(b" ", 8)))
        elif kind == b"u ":
            tracked.append(_load_tracked(entry.split(b" ", 10)))
        elif entry.startswith(b"# branch.oid "):
            base = _word_unless(entry, "(initial)")
        elif entry.startswith(b"# branch.head "):
            branch = _word_unless(entry, "(detached)")
        elif entry and not entry.startswith(b"#"):
            raise RepositoryError(f"git status printed what finestflow does not know: {entry!r}", "report this")
    return Status(base, branch, tracked, untracked, ignored)


def _load_tracked(fields: list[bytes]) -> Tracked:
    letters = fields[1].decode()
    return Tracked(fields[-1], letters[0], letters[1], fields[2].decode(), fields[0] == b"u")


def _word_unless(entry: bytes, absent: str) -> str | None:
    word = entry.split(b" ", 2)[2].decode("utf-8", "replace")
    return None if word == absent else word
