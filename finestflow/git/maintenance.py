"""Upkeep of the objects that runs add: packing in the background, and dropping runs from a chain.

Invariant: nothing that a ref reaches is lost; a chain is rewritten only by an explicit ``gc``. Called by the runner
(after each run) and by ``gc``.
"""

from __future__ import annotations

from collections.abc import Callable

from finestflow.git.command import run_git
from finestflow.git.history import CommitData, iter_commits
from finestflow.git.objects import Objects
from finestflow.git.refs import delete_ref, read_ref, update_ref
from finestflow.git.repository import Repository

__all__ = ["expire_reflog", "rewrite_chain", "start_maintenance"]

# Git 2.37 to 2.40 have cruft packs and do not use them unasked: without, each rewrite leaves thousands of loose objects.
_SETTINGS = ("gc.cruftPacks=true", "gc.autoDetach=true", "maintenance.autoDetach=true")


def start_maintenance(repo: Repository, *, since: float = 0.0) -> None:
    """Let git pack what has gathered, if it finds that worth while; it goes on in the background by itself.

    Git guesses the number of loose objects from one folder of 256, so it need not be asked while nothing comes into that: of a run's objects one
    does every ten runs or so.

    Args:
        repo: The repository.
        since: When the objects began to come that may be too many.
    """
    folder = repo.common_dir / "objects" / "17"
    try:
        if folder.stat().st_mtime < since or not any(folder.iterdir()):
            return
    except FileNotFoundError:
        return
    run_git(repo, "maintenance", "run", "--auto", "--quiet", settings=_SETTINGS)


def rewrite_chain(repo: Repository, ref: str, drop: Callable[[CommitData], bool], *, message: str) -> str | None:
    """Rewrite the chain of commits under a ref without some of them, and move the ref.

    Commits before the first that is dropped keep their ids; later ones get new ids, and keep every byte but the parent.
    The caller holds the lock of the journal.

    Returns:
        The new tip; None when no commit is left, and then the ref is gone.

    Raises:
        RefMovedError: Somebody else moved the ref meanwhile; nothing has changed.
    """
    old = read_ref(repo, ref)
    if old is None:
        return None
    tip: str | None = None
    rewritten: list[tuple[str, list[str]]] = []
    for commit in iter_commits(repo, old):
        if drop(commit):
            continue
        parents = [tip] if tip is not None else []
        if tuple(parents) != commit.parents or (rewritten and tip == rewritten[-1][0]):
            rewritten.append((commit.oid, parents))
        tip = commit.oid
    if tip is None:
        delete_ref(repo, ref, old)
        return None
    if rewritten:
        with Objects(repo) as objects:
            tip = objects.write_reparented(rewritten).get(tip, tip)
    if tip != old:
        update_ref(repo, ref, tip, old, message=message)
    return tip


def expire_reflog(repo: Repository, ref: str) -> None:
    """Forget what a ref held before, so that git may drop the objects in its own time."""
    run_git(repo, "reflog", "expire", "--expire=all", "--expire-unreachable=all", ref).check(
        f"cannot expire the reflog of {ref!r}"
    )
