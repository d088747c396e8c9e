"""How git is started: with which environment, and with what read from its pipes.

Invariant: a child's environment is made from the repository's, never from this process's own, and holds no ``GIT_*``
that an enclosing hook or alias left there. Output is bytes. Called by every other module of this package.

``read_git`` is a plain subprocess, for readers that must not pay for an import (0.1 s); ``start_git`` and ``run_git``
go through GitPython, for everything that writes or is heavier than its import.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finestflow.errors import RepositoryError

if TYPE_CHECKING:
    from git.cmd import Git

    from finestflow.git.repository import Repository

__all__ = ["Result", "Started", "clean_environment", "git_missing", "open_git", "read_git", "run_git", "start_git"]

_KEPT = frozenset(
    {
        "GIT_ALLOW_PROTOCOL",
        "GIT_ASKPASS",
        "GIT_ATTR_NOSYSTEM",
        "GIT_AUTHOR_EMAIL",
        "GIT_AUTHOR_NAME",
        "GIT_CEILING_DIRECTORIES",
        "GIT_COMMITTER_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_EXEC_PATH",
        "GIT_PROXY_COMMAND",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_TEMPLATE_DIR",
        "GIT_TERMINAL_PROMPT",
    }
)
_KEPT_PREFIXES = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_HTTP_", "GIT_SSL_")

_SETTINGS = (
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "core.safecrlf=false",
    "advice.addEmbeddedRepo=false",
)


class Result(NamedTuple):
    """What a git process left: its exit code, output and messages."""

    code: int
    out: bytes
    err: bytes

    @property
    def words(self) -> str:
        """What git said, without the prefixes that it puts before it."""
        lines = self.err.decode("utf-8", "replace").strip().splitlines()
        return "; ".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in lines)

    def check(self, action: str) -> bytes:
        """Return the output, or raise what git said when it failed.

        Args:
            action: What was tried, for the message: ``cannot write the tree``.
        """
        if self.code:
            raise RepositoryError(f"{action}: git said {self.words!r}", "run the same in git to see more")
        return self.out


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for git children: the given one without what a hook or an alias leaves in it.

    Identity, transport and configuration that people set on purpose stay. Messages are in English (they are parsed),
    text in the user's encoding (filters may depend on it).
    """
    clean = {
        name: value
        for name, value in environ.items()
        if not name.startswith("GIT_") or name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    if clean.get("LC_ALL"):
        clean["LC_CTYPE"] = clean["LC_ALL"]
    clean.update(
        LC_ALL="",
        LC_MESSAGES="C",
        LANGUAGE="C",
        GIT_OPTIONAL_LOCKS="0",
        GIT_LITERAL_PATHSPECS="1",
        GIT_NO_LAZY_FETCH="1",
        GIT_PAGER="cat",
    )
    return clean


def git_missing() -> RepositoryError:
    """Return the error for a machine without git."""
    return RepositoryError('the program "git" was not found on the PATH', "install git, or add it to the PATH")


def _not_started(repo: Repository) -> RepositoryError:
    """Return why git did not start: the system names the same error for a program and for a folder that is not there."""
    folder = _folder(repo)
    if folder.is_dir():
        return git_missing()
    return RepositoryError(
        f"the repository in {str(folder)!r} is gone", "it was deleted or moved; look where it is now"
    )


def read_git(
    repo: Repository, *args: str, data: bytes | None = None, variables: Mapping[str, str] | None = None
) -> Result:
    """Run git to read something, without importing GitPython.

    Args:
        variables: Environment variables over those of the repository.
    """
    try:
        done = subprocess.run(
            _command(args, ()),
            input=data or b"",
            capture_output=True,
            cwd=_folder(repo),
            env=_environment(repo, variables or {}),
            check=False,
        )
    except FileNotFoundError:
        raise _not_started(repo) from None
    return Result(done.returncode, done.stdout, done.stderr)


@contextmanager
def open_git(repo: Repository, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run git with open pipes, to be read while it runs; it ends with the block, whatever happens."""
    try:
        process = subprocess.Popen(
            _command(args, ()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # nobody reads it meanwhile, and a full pipe would stop git
            cwd=_folder(repo),
            env=_environment(repo, {}),
        )
    except FileNotFoundError:
        raise _not_started(repo) from None
    try:
        yield process
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                pass  # what was not yet written has no reader any more
        process.wait()


class Started:
    """A git process that runs; ``finish`` waits for it."""

    __slots__ = ("_process",)

    def __init__(self, process: Git.AutoInterrupt) -> None:
        self._process = process

    def finish(self, data: bytes = b"") -> Result:
        """Give the process its input, read all it prints, and wait for it."""
        out, err = self._process.communicate(data)
        return Result(self._process.returncode, out, err)


def start_git(
    repo: Repository, *args: str, settings: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Started:
    """Start git through GitPython, with pipes.

    Args:
        settings: Configuration for this one process, as ``name=value``.
        variables: Environment variables over those of the repository.
    """
    try:
        from git.cmd import Git
        from git.exc import GitCommandNotFound
    except ImportError:  # GitPython looks for git when it is imported
        raise git_missing() from None
    environment = _environment(repo, variables or {})
    command = [*_without_inherited(environment), *_command(args, settings)]
    try:
        process = Git(str(_folder(repo))).execute(
            command,
            istream=subprocess.PIPE,
            as_process=True,
            env=environment,
        )
    except GitCommandNotFound:
        raise git_missing() from None
    return Started(process)


def run_git(
    repo: Repository,
    *args: str,
    data: bytes = b"",
    settings: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Result:
    """Run git through GitPython and wait for it; see ``start_git``."""
    return start_git(repo, *args, settings=settings, variables=variables).finish(data)


def _command(args: Sequence[str], settings: Sequence[str]) -> list[str]:
    return ["git", *(word for setting in (*_SETTINGS, *settings) for word in ("-c", setting)), *args]


def _folder(repo: Repository) -> Path:
    return repo.work_tree or repo.git_dir


def _environment(repo: Repository, variables: Mapping[str, str]) -> dict[str, str]:
    environment = {**repo.environ, "GIT_DIR": str(repo.git_dir), **variables}
    if repo.work_tree is not None:
        environment["GIT_WORK_TREE"] = str(repo.work_tree)
    return environment


def _without_inherited(environment: Mapping[str, str]) -> list[str]:
    """Return the words that keep this process's own variables from git.

    GitPython gives each child a copy of ``os.environ``; ``env -u`` takes away what is not ours to pass on.
    """
    foreign = [name for name in os.environ if name not in environment]
    if not foreign or sys.platform == "win32":
        return []
    return ["env", *(word for name in foreign for word in ("-u", name))]
