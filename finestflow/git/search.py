"""Texts in the files of past runs: ``git grep`` over trees.

Invariant: what is searched is the object store, not the work tree; binary files are left out. Called by ``evidence``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from finestflow.git.command import read_git

if TYPE_CHECKING:
    from finestflow.git.repository import Repository

__all__ = ["grep_trees"]


def grep_trees(repo: Repository, trees: Sequence[str], text: str, *, leave_out: str) -> dict[str, tuple[str, ...]]:
    """Return the files of each tree that contain a text as it stands; trees without any are left out.

    Args:
        repo: Where the trees are.
        trees: Object ids of trees or commits.
        text: What to look for, within one line.
        leave_out: A folder at the top whose files do not count.
    """
    done = read_git(repo, "grep", "-l", "-z", "-I", "-F", "--full-name", "-e", text, *trees)
    if done.code not in {0, 1}:  # 1: nothing was found
        done.check("cannot search the files of runs")
    found: dict[str, list[str]] = {}
    for line in done.out.decode("utf-8", "surrogateescape").split("\0"):
        tree, colon, path = line.partition(":")
        if colon and not path.startswith(f"{leave_out}/"):
            found.setdefault(tree, []).append(path)
    return {tree: tuple(paths) for tree, paths in found.items()}
