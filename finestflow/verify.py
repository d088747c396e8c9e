"""Check that what is recorded can be read: journal, annotations, index, store.

Invariant: nothing is changed; each problem names what is damaged and what to do, and one problem hides no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finestflow.errors import FinestflowError

if TYPE_CHECKING:
    from finestflow.cache.store import Store
    from finestflow.git.repository import Repository
    from finestflow.journal.journal import Journal

__all__ = ["Finding", "verify_journal", "verify_store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is damaged or missing.

    Attributes:
        place: ``journal`` or ``store``.
        name: The run, commit or digest; empty where there is none.
        message: What is wrong.
        hint: What to do.
    """

    place: str
    name: str
    message: str
    hint: str = ""


def verify_journal(repository: Repository, journal: Journal) -> Iterator[Finding]:
    """Read every record of the chain; yields what cannot be read."""
    from finestflow.git.history import iter_commits
    from finestflow.journal.message import parse_message

    try:
        tip = journal.tip()
        commits = list(iter_commits(repository, tip)) if tip is not None else []
    except FinestflowError as error:
        yield Finding(place="journal", name="", message=error.message, hint="git fsck shows which objects are damaged")
        return
    seen: dict[str, str] = {}
    for commit in commits:
        try:
            summary = parse_message(commit.message)
            run = journal.load(commit.oid)
        except FinestflowError as error:
            yield Finding(place="journal", name=commit.oid, message=error.message, hint=error.hint)
            continue
        if summary.id != run.summary.id:
            yield Finding(place="journal", name=commit.oid, message="its message and its record name different runs")
        if run.summary.id in seen:
            yield Finding(
                place="journal",
                name=commit.oid,
                message=f"run {run.summary.id} is also in commit {seen[run.summary.id][:12]}",
            )
        seen[run.summary.id] = commit.oid


def verify_store(store: Store, *, deep: bool = False) -> Iterator[Finding]:
    """Check the store; ``deep`` reads and hashes every object."""
    for problem in store.verify(deep=deep):
        yield Finding(
            place="store",
            name=problem.digest,
            message=problem.message,
            hint="nothing is lost: its task runs again when it is needed",
        )
