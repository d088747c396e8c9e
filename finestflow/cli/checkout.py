"""``finestflow checkout``: the files of a run, in a work tree of their own."""

from __future__ import annotations

import click

from finestflow.cli._options import json_option, run_argument
from finestflow.cli._session import Session, pass_session
from finestflow.errors import RepositoryError, UsageError


@click.command("checkout")
@run_argument(required=True)
@click.argument("folder", required=False, metavar="[DIR]")
@json_option
@pass_session
def command(session: Session, run: str, folder: str | None, as_json: bool) -> None:
    """Make a work tree of the files of a run.

    Your own files, branch and index stay as they are. DIR is a new folder beside the repository, named after the run, when left out.
    """
    from finestflow.git.checkout import add_worktree

    workspace = session.history
    summary = workspace.resolve(run)
    repository = workspace.repository
    if repository is None:
        raise RepositoryError("no git repository here")
    if not summary.commit:
        raise UsageError(f"run {summary.name!r} still goes on", "its files are recorded when it ends")
    root = repository.work_tree or repository.common_dir
    path = session.folder / folder if folder else root.parent / f"{root.name}-{summary.name}"
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{str(path)!r} is there already", "name another folder")
    add_worktree(repository, summary.commit, path)
    if as_json:
        session.out.json("checkout", run=summary.id, commit=summary.commit, path=path)
        return
    session.out.line(str(path))
    session.out.note(f'the files of {summary.name}; "git worktree remove {path}" takes it away')
