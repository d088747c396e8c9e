"""Where the repository is: found once with plain ``git rev-parse``, then passed down.

Invariant: git itself decides what is a repository and whether it may be used (``safe.directory``), because the first
call names no ``GIT_DIR``. Called by ``workspace``; imports no third-party module, so that a listing stays cheap.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from finestflow.errors import RepositoryError
from finestflow.git.command import clean_environment, git_missing

__all__ = ["Repository", "find_repository"]

_FACTS = ("--is-bare-repository", "--is-inside-work-tree", "--show-object-format")
_FOLDERS = ("--absolute-git-dir", "--git-common-dir", "--show-toplevel")
_NO_WORK_TREE = b"must be run in a work tree"


class Repository(NamedTuple):
    """A git repository, as seen from one of its work trees.

    ``git_dir`` is the folder of this work tree, ``common_dir`` the one that all of them share; they are equal in the
    main work tree. ``environ`` is the environment for git children.
    """

    work_tree: Path | None
    git_dir: Path
    common_dir: Path
    object_format: str
    environ: Mapping[str, str]

    @property
    def state_dir(self) -> Path:
        """Where finestflow keeps what is not in git: shared by all work trees."""
        return self.common_dir / "finestflow"

    @property
    def null_oid(self) -> str:
        """The object id that stands for no object."""
        return "0" * (64 if self.object_format == "sha256" else 40)


def find_repository(start: Path, environ: Mapping[str, str]) -> Repository | None:
    """Return the repository that a folder is in, or None where there is none.

    Args:
        start: The folder to look from; inside a ``.git`` folder, its work tree is found as well.
        environ: The environment of the user; what an enclosing git left in it is ignored.

    Raises:
        RepositoryError: There is no git, or git refuses the repository; the message holds git's words.
    """
    if not start.is_dir():
        raise RepositoryError(f"there is no folder {str(start)!r}", "give a folder that exists")
    environment = clean_environment(environ)
    facts = _read_facts(start, environment)
    if facts is None:
        return None
    is_bare, is_inside, object_format, folders = facts
    if not is_bare and not is_inside:
        main = _work_tree_of(folders[0])
        inner = _read_facts(main, environment) if main is not None else None
        if inner is not None and inner[1]:
            folders = inner[3]
    git_dir, common_dir, *work_tree = folders
    return Repository(
        work_tree=work_tree[0] if work_tree else None,
        git_dir=git_dir,
        common_dir=common_dir,
        object_format=object_format,
        environ=environment,
    )


def _read_facts(start: Path, environment: Mapping[str, str]) -> tuple[bool, bool, str, list[Path]] | None:
    """Ask git from a folder: is bare, is inside a work tree, object format, folders (two without a work tree)."""
    done = _rev_parse(start, environment, *_FACTS, *_FOLDERS)
    if done.returncode and _NO_WORK_TREE not in done.stderr:
        _raise_refusal(done.stderr, start)
        return None
    is_bare, is_inside, object_format, *lines = done.stdout.removesuffix(b"\n").split(b"\n")
    if len(lines) != (2 if done.returncode else 3):  # a newline in a path: one answer a process
        asked = _FOLDERS[:2] if done.returncode else _FOLDERS
        lines = [_rev_parse(start, environment, folder).stdout.removesuffix(b"\n") for folder in asked]
    folders = [(start / line.decode("utf-8", "surrogateescape")).resolve() for line in lines]
    return is_bare == b"true", is_inside == b"true", object_format.decode(), folders


def _rev_parse(start: Path, environment: Mapping[str, str], *flags: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "rev-parse", *flags],
            cwd=start,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise git_missing() from None


def _raise_refusal(stderr: bytes, start: Path) -> None:
    """Raise what git said about a repository that it refuses; return where there is none at all."""
    words = stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
    if words.startswith("not a git repository (or any"):
        return
    if "dubious ownership" in words or "safe.directory" in words:
        first, _, rest = words.partition("\n")
        advice = " ".join(rest.split()) or "git config --global --add safe.directory FOLDER"
        raise RepositoryError(f"git refuses the repository: {first}", advice.lower()[:1] + advice[1:])
    raise RepositoryError(f"git cannot read the repository at {str(start)!r}: {words}", "run git status there")


def _work_tree_of(git_dir: Path) -> Path | None:
    """Return the work tree that a ``.git`` folder, or the folder of a linked work tree, belongs to."""
    if git_dir.name == ".git":
        return git_dir.parent
    link = git_dir / "gitdir"
    if not link.is_file():
        return None
    work_tree = Path(link.read_text(encoding="utf-8", errors="surrogateescape").strip()).parent
    return work_tree if work_tree.is_dir() else None
