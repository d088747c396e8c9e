"""Code as evidence: who used a function or a text; a branch from a run; a file as it was.

Invariant: nothing of a run is executed, and nothing of the user's is changed but the branch that ``promote`` makes. Git searches and lists;
records are only read where a function is looked for. Called by the commands ``taint``, ``promote`` and ``recover``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finestflow.errors import NotFoundError, UsageError
from finestflow.model import Digest, Run, RunSummary

if TYPE_CHECKING:
    from finestflow.git.objects import Objects
    from finestflow.git.repository import Repository

__all__ = ["USE_FILES", "FileVersion", "Use", "find_uses", "iter_versions", "promote", "search_code"]

USE_FILES = ("run.json", "tasks.json")
"""Of a record: what tells the code that calls used."""
_TREES_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A call whose code reached a function, class or constant.

    ``version`` is what its fingerprint says of that part: a hash, or a value; ``hit`` whether the output came from an earlier run.
    """

    run: RunSummary
    node: str
    part: str
    version: str
    output: Digest | None
    is_hit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """One content of a file, and the newest run that had it."""

    run: RunSummary
    blob: str


# -- who used it -----------------------------------------------------------------------------------------------------------------------


def find_uses(runs: Iterable[Run], name: str) -> Iterator[Use]:
    """Yield the calls that depended on a function, class or constant.

    Args:
        runs: Where to look.
        name: ``module.function``, or a few words of it that stand together.
    """
    wanted = name.removesuffix("()").replace(":", ".")
    for run in runs:
        for node in run.nodes.values():
            for part, version in node.code.items():
                if _names(part, wanted):
                    output = node.output.digest if node.output is not None else None
                    yield Use(
                        run=run.summary,
                        node=node.path,
                        part=part,
                        version=version,
                        output=output,
                        is_hit=node.hit_of is not None,
                    )


def _names(part: str, wanted: str) -> bool:
    return f".{wanted}." in f".{part.replace(':', '.')}."


def search_code(
    repo: Repository, runs: Sequence[RunSummary], text: str
) -> Iterator[tuple[RunSummary, tuple[str, ...]]]:
    """Yield the runs whose files contain a text, with those files; each tree is searched once.

    Args:
        repo: Where the snapshots are.
        runs: Which runs.
        text: What to look for, as it stands.
    """
    from finestflow.git.search import grep_trees

    same: dict[str, list[RunSummary]] = {}
    for run in runs:
        if run.code and run.commit:
            same.setdefault(run.code, []).append(run)
    by_commit = {alike[0].commit: alike for alike in same.values()}  # the tree alone may be gone: no ref reaches it
    commits = list(by_commit)
    for start in range(0, len(commits), _TREES_AT_ONCE):
        found = grep_trees(repo, commits[start : start + _TREES_AT_ONCE], text, leave_out=".finestflow")
        for commit, files in found.items():
            for run in by_commit[commit]:
                yield run, files


# -- taking it back --------------------------------------------------------------------------------------------------------------------


def promote(repo: Repository, run: Run, branch: str, *, identity: tuple[str, str], now: float) -> str:
    """Make a branch whose one new commit has the files of a run, on top of the commit that the run was based on.

    The commit has the run's id, params and metrics as trailers; the record's own folder is not in it.

    Args:
        repo: The repository.
        run: The run.
        branch: Name of the branch; there must be none of that name.
        identity: Name and address of the author.
        now: The time, in seconds since the epoch.

    Returns:
        The commit.

    Raises:
        UsageError: No branch can be called that, or there is one already; or the run has no snapshot.
    """
    from finestflow.git.objects import Objects
    from finestflow.git.refs import branch_ref, read_ref, resolve_commit, update_ref

    if run.snapshot is None:
        raise UsageError(f"run {run.summary.name!r} has no snapshot", "its files could not be recorded")
    ref = branch_ref(repo, branch)
    if ref is None:
        raise UsageError(f"no branch can be called {branch!r}", "git check-ref-format says what a name may be")
    if read_ref(repo, ref) is not None:
        raise UsageError(f"there is a branch {branch!r} already", "name another one")
    base = run.snapshot.base
    parents = [base] if base is not None and resolve_commit(repo, base) is not None else []
    with Objects(repo) as objects:
        commit = objects.write_commit(
            tree=run.snapshot.tree,
            parents=parents,
            message=_message(run.summary),
            author=identity,
            author_time=int(run.summary.started),
            commit_time=int(now),
        )
    update_ref(repo, ref, commit, None, message=f"finestflow: promote {run.summary.name}")
    return commit


def _message(run: RunSummary) -> str:
    from finestflow.journal.message import one_line

    subject = run.note.splitlines()[0] if run.note else f"{run.pipeline}: the code of {run.name}"
    trailers = [f"Finestflow-Run: {run.id}", f"Finestflow-Name: {run.name}"]
    trailers += [f"Param: {one_line(f'{name}={value}')}" for name, value in run.params.items()]
    trailers += [f"Metric: {one_line(f'{name}={value:.6g}')}" for name, value in run.metrics.items()]
    return "\n".join([subject, "", *trailers]) + "\n"


def iter_versions(objects: Objects, runs: Iterable[RunSummary], path: str) -> Iterator[FileVersion]:
    """Yield the contents that a file had, each with the newest run that had it.

    Args:
        objects: Where the snapshots are.
        runs: Newest first.
        path: The file, from the top of the repository.

    Raises:
        NotFoundError: No run has such a file.
    """
    seen: set[str] = set()
    trees: dict[str, str | None] = {}
    for run in runs:
        if not run.code:
            continue
        if run.code not in trees:
            trees[run.code] = objects.find_path(run.commit or run.code, path)
        blob = trees[run.code]
        if blob is not None and blob not in seen:
            seen.add(blob)
            yield FileVersion(run=run, blob=blob)
    if not seen:
        raise NotFoundError(f"no run has a file {path!r}", "name it as git does, from the top of the repository")
