"""Work trees of past runs: the files of a commit in a folder of their own, beside the user's work.

Invariant: the user's work tree, index and HEAD stay as they are; a work tree added here has a HEAD and an index of its
own. Called by ``reproduce`` and ``bisect``.
"""

from __future__ import annotations

from pathlib import Path

from finestflow.git.command import run_git
from finestflow.git.repository import Repository

__all__ = ["add_worktree", "remove_worktree"]


def add_worktree(repo: Repository, commit: str, path: Path) -> None:
    """Check out a commit in a new folder, detached from any branch; filters run, hooks do not.

    Raises:
        RepositoryError: The folder is not empty, the commit is missing, or git refuses.
    """
    done = run_git(repo, "worktree", "add", "--detach", "--force", str(path), commit)
    done.check(f"cannot check out {commit!r} in {str(path)!r}")


def remove_worktree(repo: Repository, path: Path) -> None:
    """Remove a folder that ``add_worktree`` made, with all that was written in it; one that is gone is no error."""
    done = run_git(repo, "worktree", "remove", "--force", "--force", str(path))
    if done.code and b"is not a working tree" not in done.err:
        done.check(f"cannot remove the work tree {str(path)!r}")
