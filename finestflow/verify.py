"""Check that what is recorded can be read: journal, annotations, index, store.

Invariant: nothing is changed; each problem names what is damaged and what to do, and one problem hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finestflow.errors import FinestflowError

if TYPE_CHECKING:
    from finestflow.cache.store import Store
    from finestflow.git.history import CommitData
    from finestflow.git.repository import Repository
    from finestflow.journal.journal import Journal
    from finestflow.model import Run

    Read = tuple[CommitData, Run | FinestflowError]

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


def verify_journal(
    repository: Repository,
    journal: Journal,
    *,
    told: Callable[[str, Iterable[Read], int], Iterable[Read]] = lambda _, pairs, __: pairs,
) -> Iterator[Finding]:
    """Read every record of the chain; yields what cannot be read.

    Args:
        repository: Where the chain is.
        journal: What reads records.
        told: Passes what is gone through on, and tells how far it is.
    """
    from finestflow.git.history import iter_commits
    from finestflow.journal.message import parse_message

    try:
        tip = journal.tip()
        commits = list(iter_commits(repository, tip)) if tip is not None else []
    except FinestflowError as error:
        yield Finding(place="journal", name="", message=error.message, hint="git fsck shows which objects are damaged")
        return
    seen: dict[str, str] = {}
    pairs = zip(commits, _iter_records(journal, [commit.oid for commit in commits]), strict=True)
    for commit, run in told("reading the records of runs", pairs, len(commits)):
        try:
            summary = parse_message(commit.message)
            if isinstance(run, FinestflowError):
                raise run
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


def _iter_records(journal: Journal, commits: list[str]) -> Iterator[Run | FinestflowError]:
    """Yield the run of each commit, or why it cannot be read."""
    at = 0
    while at < len(commits):
        try:
            for run in journal.load_many(commits[at:]):
                at += 1
                yield run
        except FinestflowError as error:
            at += 1
            yield error


def verify_store(store: Store, *, deep: bool = False) -> Iterator[Finding]:
    """Check the store; ``deep`` reads and hashes every object."""
    for problem in store.verify(deep=deep):
        yield Finding(
            place="store",
            name=problem.digest,
            message=problem.message,
            hint="nothing is lost: its task runs again when it is needed",
        )
