"""``finestflow init``: a repository that is ready, made if there is none."""

from __future__ import annotations

import subprocess

import click

from finestflow.cli._options import json_option
from finestflow.cli._session import Session, pass_session
from finestflow.config import PROJECT_FILE, find_project_file
from finestflow.errors import RepositoryError
from finestflow.git.command import clean_environment
from finestflow.git.repository import find_repository

_TEMPLATE = """\
# Settings of finestflow; "finestflow config list" shows all of them, and where each value comes from.

# default-pipeline = "train"

# [pipelines.train]
# target = "train.py:Train"           # file.py:Class or module:Class
# params = { "fit.lr" = 0.1 }
# inputs = { epochs = 20 }
"""

# Whether `git log` prints the names of our refs beside commits; they point at commits that no branch has.
_HIDDEN = ("log.excludeDecoration", "refs/refs/")


@click.command("init")
@json_option
@pass_session
def command(session: Session, as_json: bool) -> None:
    """Prepare a repository for finestflow; safe to repeat.

    It creates a git repository where there is none, writes a .finestflow.toml that explains itself, and keeps git log tidy.
    Nothing is committed.
    """
    out, environ = session.out, session.environ
    repository = find_repository(session.folder, environ)
    is_new = repository is None
    if is_new:
        _git(session, "init", "--quiet")
        repository = find_repository(session.folder, environ)
        out.note(f"made a git repository in {session.folder}")
    known = _git(session, "config", "--local", "--get-all", _HIDDEN[0], check=False).splitlines()
    if _HIDDEN[1] not in known:
        _git(session, "config", "--local", "--add", *_HIDDEN)
        out.note(f"git log shows no names of runs ({_HIDDEN[0]} = {_HIDDEN[1]})")
    file = find_project_file(session.folder)
    root = repository.work_tree if repository is not None else None
    is_written = file is None or (root is not None and not file.is_relative_to(root))
    if is_written:
        file = (root or session.folder) / PROJECT_FILE
        file.write_text(_TEMPLATE, encoding="utf-8")
        out.note(f"wrote {file.name}")
    if as_json:
        out.json("init", root=root, created=is_new, settings=file, written=is_written)
    out.note('ready: "finestflow run file.py:Pipeline" runs and records a pipeline')


def _git(session: Session, *arguments: str, check: bool = True) -> str:
    environ = clean_environment(session.environ)
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=session.folder, env=environ, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise RepositoryError("git is not installed", "install it, and make sure that it is on the PATH") from None
    if check and done.returncode:
        raise RepositoryError(f"git {arguments[0]}: {done.stderr.strip().removeprefix('fatal: ')}")
    return done.stdout
