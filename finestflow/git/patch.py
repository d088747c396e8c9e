"""Patches between two runs, as text to read.

Invariant: plumbing makes them, so no setting of the user's (external diff, prefixes, colours) changes their form, and
what finestflow records beside the files is never in them. Called by ``compare`` and the terminal UI.
"""

from __future__ import annotations

from collections.abc import Sequence

from finestflow.git.command import read_git
from finestflow.git.repository import Repository

__all__ = ["count_lines", "read_patch"]

_LEFT_OUT = ":(top,exclude,literal).finestflow"


def read_patch(
    repo: Repository, a: str, b: str, paths: Sequence[str] = (), *, context: int = 3, ignores_space: bool = False
) -> str:
    """Return the patch from one commit or tree to another, with renames found; empty when nothing differs.

    Args:
        paths: Files and folders to stay with, literally; all when there are none.
        context: Equal lines around what differs.
        ignores_space: Lines that differ in nothing but spaces are equal.
    """
    chosen = [f":(top,literal){path}" for path in paths]  # without any, all but what is left out
    words = (
        "diff-tree",
        "-r",
        "-p",
        "-M",
        "--histogram",
        f"-U{context}",
        *(["-w"] if ignores_space else []),
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        a,
        b,
        "--",
        *chosen,
        _LEFT_OUT,
    )
    done = read_git(repo, *words, variables={"GIT_LITERAL_PATHSPECS": "0", "GIT_NO_LAZY_FETCH": "0"})
    return done.check(f"cannot compare {a!r} with {b!r}").decode("utf-8", "replace")


def count_lines(repo: Repository, a: str, b: str) -> dict[str, tuple[int, int]]:
    """Return how many lines of each file came and how many went from one commit or tree to another; of binary files nothing."""
    words = (
        "diff-tree",
        "-r",
        "-z",
        "--numstat",
        "--histogram",
        "--no-ext-diff",
        "--no-textconv",
        a,
        b,
        "--",
        _LEFT_OUT,
    )
    done = read_git(repo, *words, variables={"GIT_LITERAL_PATHSPECS": "0", "GIT_NO_LAZY_FETCH": "0"})
    text = done.check(f"cannot compare {a!r} with {b!r}").decode("utf-8", "surrogateescape")
    lines = (line.split("\t", 2) for line in text.split("\0") if line)
    return {path: (int(came), int(went)) for came, went, path in lines if came != "-"}
