"""The refs of finestflow: their names, and how they are read, moved and repaired.

Invariant: a ref moves only from the value that the caller saw, and keeps a reflog. Names are full names always.
Called by ``journal`` and ``workspace``. Reading imports no third-party module; writing goes through GitPython.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from finestflow.errors import CorruptionError, LockedError, RefMovedError, RepositoryError
from finestflow.git.command import Result, read_git, run_git
from finestflow.git.locks import remove_stale_lock
from finestflow.git.repository import Repository

__all__ = [
    "ANNOTATIONS_REF",
    "JOURNAL_REF",
    "LIVE_PREFIX",
    "REMOTES_PREFIX",
    "adopt_journal",
    "author_identity",
    "branch_ref",
    "delete_ref",
    "list_refs",
    "read_ref",
    "read_refs",
    "repair_refs",
    "resolve_commit",
    "resolve_tree",
    "update_ref",
]

JOURNAL_REF = "refs/refs/finestflow"
"""The journal. Git finds it by ``refs/finestflow``, because a word is also looked up under ``refs/``."""
ANNOTATIONS_REF = "refs/finestflow/annotations"
LIVE_PREFIX = "refs/finestflow/live/"
REMOTES_PREFIX = "refs/finestflow/remotes/"

_SHORT_NAME = JOURNAL_REF.removeprefix("refs/")
"""How git knows it; literally a ref of that name is what ``git fetch origin refs/finestflow:refs/finestflow`` makes."""
_RECORD = ".finestflow/run.json"

_FALLBACK_AUTHOR = ("finestflow", "finestflow@localhost")
_RENAMED_PREFIX = "refs/finestflow-renamed/"
_FORMAT = "--format=%(objectname) %(refname)"
_BROKEN = re.compile(rb"broken ref|reference broken")
_PATIENCE = ("core.filesRefLockTimeout=3000", "core.packedRefsTimeout=10000")


def read_ref(repo: Repository, name: str) -> str | None:
    """Return the object id that a ref holds, by its full name, or None where there is no such ref.

    Raises:
        CorruptionError: The ref is there and holds no id, as after a power loss. To take that for an absent ref would
            start a second chain beside the first.
    """
    done = read_git(repo, "rev-parse", "--verify", "--quiet", name)
    if _BROKEN.search(done.err):
        raise _damaged(name)
    return done.out.decode().strip() if done.code == 0 else None


def read_refs(repo: Repository, *names: str) -> tuple[str | None, ...]:
    """Return the object ids of several refs, by one process; see ``read_ref``."""
    done = read_git(repo, "for-each-ref", _FORMAT, *names)
    if done.code or _BROKEN.search(done.err):
        return tuple(read_ref(repo, name) for name in names)
    found = _load_refs(done.out)
    return tuple(found.get(name) for name in names)


def list_refs(repo: Repository, prefix: str) -> dict[str, str]:
    """Return the refs whose names start with a prefix (of whole folders), sorted by name.

    One that holds no id is left out; one whose object is missing is there, so that it can be deleted.
    """
    return _load_refs(read_git(repo, "for-each-ref", _FORMAT, prefix).check("cannot list refs"))


def update_ref(repo: Repository, name: str, new: str, old: str | None, *, message: str) -> None:
    """Move a ref from one object to another.

    Args:
        old: What it must hold now; None when it must not exist.
        message: For the reflog, which is the undo of a lost update.

    Raises:
        RefMovedError: It holds something else.
        LockedError: Another process holds it for seconds.
    """
    words = ("update-ref", "--create-reflog", "-m", message, name, new, old or repo.null_oid)
    _write(repo, name, *words)


def delete_ref(repo: Repository, name: str, old: str | None = None) -> None:
    """Delete a ref; one that does not exist is no error.

    Args:
        old: What it must hold now; None when that does not matter.
    """
    words = ("update-ref", "-d", name, *([old] if old else []))
    try:
        _write(repo, name, *words)
    except CorruptionError:
        if not name.startswith(LIVE_PREFIX):
            raise
        # Git does not delete what holds no id. A live ref that lost its id has nothing left to keep.
        (repo.common_dir / name).unlink(missing_ok=True)
        _write(repo, name, *words[:3])


def resolve_commit(repo: Repository, text: str) -> str | None:
    """Return the commit that a word of the user means to git (a branch, tag, ``HEAD~2``, an id), or None."""
    if not text or text.startswith("-"):
        return None
    done = read_git(repo, "rev-parse", "--verify", "--quiet", f"{text}^{{commit}}")
    return done.out.decode().strip() if done.code == 0 else None


def resolve_tree(repo: Repository, text: str) -> str | None:
    """Return the tree of the commit that a word of the user means to git, or None."""
    if not text or text.startswith("-"):
        return None
    done = read_git(repo, "rev-parse", "--verify", "--quiet", f"{text}^{{tree}}")
    return done.out.decode().strip() if done.code == 0 else None


def branch_ref(repo: Repository, name: str) -> str | None:
    """Return the full name of a branch; None where git takes the name for no branch."""
    if not name or name.startswith("-"):
        return None
    ref = f"refs/heads/{name}"
    return ref if read_git(repo, "check-ref-format", ref).code == 0 else None


def author_identity(repo: Repository) -> tuple[str, str]:
    """Return the name and address of the user as git knows them, or else finestflow's own."""
    done = read_git(repo, "var", "GIT_AUTHOR_IDENT")
    name, opened, rest = done.out.decode("utf-8", "replace").partition(" <")
    address, closed, _ = rest.partition(">")
    return (name, address) if done.code == 0 and opened and closed else _FALLBACK_AUTHOR


def adopt_journal(repo: Repository) -> str:
    """Give a journal that was fetched under its short name its full one, where there is no other.

    Returns:
        A note on that for people to read; empty where there is none.
    """
    fetched, own = read_refs(repo, _SHORT_NAME, JOURNAL_REF)
    if fetched is None or own is not None or read_git(repo, "cat-file", "-e", f"{fetched}:{_RECORD}").code:
        return ""
    _rename(repo, _SHORT_NAME, fetched, JOURNAL_REF)
    return (
        f'the runs under the ref "{_SHORT_NAME}" are this repository\'s own now: in full it is called "{JOURNAL_REF}"'
    )


def _rename(repo: Repository, name: str, oid: str, other: str) -> None:
    data = f"create {other} {oid}\ndelete {name} {oid}\n".encode()
    run_git(repo, "update-ref", "--stdin", data=data).check(f"cannot rename the ref {name!r}")


def repair_refs(repo: Repository) -> list[str]:
    """Rename refs whose names are in the way of ours, such as one that is literally ``refs/finestflow``.

    Git stores a ref as a file, so that one forbids every ``refs/finestflow/...``. Nothing is lost: the object stays
    reachable under the new name.

    Returns:
        A note for each ref that was renamed, for people to read.
    """
    blockers = sorted({parent for name in (JOURNAL_REF, LIVE_PREFIX + "x") for parent in _folders_above(name)})
    notes = [note] if (note := adopt_journal(repo)) else []
    for name, oid in zip(blockers, read_refs(repo, *blockers), strict=True):
        if oid is None:
            continue
        renamed = f"{_RENAMED_PREFIX}{name.removeprefix('refs/').replace('/', '-')}-{oid[:12]}"
        _rename(repo, name, oid, renamed)
        notes.append(f'the ref "{name}" was in the way and is now "{renamed}"')
    return notes


def _load_refs(data: bytes) -> dict[str, str]:
    pairs = (line.partition(" ") for line in data.decode("utf-8", "surrogateescape").splitlines())
    return {name: oid for oid, _, name in pairs}


def _folders_above(name: str) -> Iterator[str]:
    parts = name.split("/")
    yield from ("/".join(parts[:end]) for end in range(2, len(parts)))


def _write(repo: Repository, name: str, *words: str) -> None:
    done = run_git(repo, *words, settings=_PATIENCE)
    if done.code and _is_locked(done) and remove_stale_lock(repo.common_dir / f"{name}.lock"):
        done = run_git(repo, *words, settings=_PATIENCE)
    if done.code == 0:
        return
    if _is_locked(done):
        raise LockedError(
            f"the ref {name!r} is locked by another process", f'if none runs, remove "{name}.lock" in .git'
        )
    if _BROKEN.search(done.err):
        raise _damaged(name)
    if any(sign in done.err for sign in (b"but expected", b"already exists", b"unable to resolve reference")):
        raise RefMovedError(f"the ref {name!r} does not hold what was expected", done.words)
    raise RepositoryError(f"cannot write the ref {name!r}: git said {done.words!r}", "see whether .git can be written")


def _is_locked(done: Result) -> bool:
    return b".lock': File exists" in done.err


def _damaged(name: str) -> CorruptionError:
    return CorruptionError(
        f"the ref {name!r} is damaged",
        f'remove ".git/{name}", then run "git update-ref {name} VALUE" with the last value in ".git/logs/{name}"',
    )
