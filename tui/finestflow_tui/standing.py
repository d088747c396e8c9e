"""What the head of the list says of the repository beside its runs: the branch, changed files, how much the store holds, deleted runs.

Invariant: ``measure`` is for a worker, since git looks at every file that it knows and each file of the store is looked at; it writes nothing, and
where something cannot be told, it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from finestflow.errors import RepositoryError
from finestflow_tui.history import History
from finestflow_tui.text import Span, one_line, size, width
from finestflow_tui.widgets.line import spread

__all__ = ["Standing", "head_spans", "measure"]

_STATUS = (
    *("--no-optional-locks", "status", "--porcelain=v2", "-z", "--branch", "--no-renames", "--no-ahead-behind"),
    *("-uno", "--ignore-submodules=dirty"),
)
_GAP = 3
"""Columns between the two ends, and at the edge."""


class Standing(NamedTuple):
    """How the repository stands.

    Attributes:
        branch: The branch, or the beginning of the commit where there is none.
        changed: Files that git knows and that are not as in HEAD.
        bytes: What the store takes.
        removed: Deleted runs that can come back.
    """

    branch: str = ""
    changed: int = 0
    bytes: int = 0
    removed: int = 0


def measure(history: History) -> Standing:
    """Look at the files, the store and the index."""
    branch, changed = "", 0
    with suppress(RepositoryError):
        branch, changed = _read_branch(history)
    removed = history.searching.index.count(history.parse("is:removed"))
    return Standing(branch, changed, history.workspace.measure_store(), removed)


def _read_branch(history: History) -> tuple[str, int]:
    from finestflow.git.command import read_git
    from finestflow.git.status import load_status

    repository = history.workspace.require_repository()
    if repository.work_tree is None:
        return "", 0
    status = load_status(read_git(repository, *_STATUS).check("cannot read the state of the files"))
    return status.branch or f"@{(status.base or '')[:7]}", len(status.tracked)


def head_spans(left: Sequence[Span], right: Sequence[Span], standing: Standing, columns: int) -> list[Span]:
    """Return the line: what is at both ends in any case, and of the rest as much as there is room for, the branch first and the trash last.

    Args:
        left: Where this is; of the last of these the end is shown where the whole has no room.
        right: Which runs there are.
        standing: The rest.
        columns: Columns of the screen.
    """
    dirty = f" ±{standing.changed}" if standing.changed else ""
    texts = (
        f"  {one_line(standing.branch)}{dirty}" if standing.branch else "",
        f" · cache {size(standing.bytes)}" if standing.bytes else "",
        f" · trash {standing.removed:,}" if standing.removed else "",
    )
    *before, (place, role) = left
    room, told = columns - sum(width(text) for text, _ in (*before, *right)) - _GAP, list[Span]()
    if width(place) > room:
        while place and width(place) > room - 2:
            place = place[1:]
        place = f" …{place}"
    room -= width(place)
    for text in texts:
        room -= width(text)
        told.append((text if room >= 0 else "", "dim"))
    branch, cache, trash = told
    return spread([*before, (place, role), branch], [*right, cache, trash, (" ", "")], columns)
