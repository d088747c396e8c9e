"""``finestflow promote``: a branch from a run."""

from __future__ import annotations

import click

from finestflow.cli._options import json_option, run_argument
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line


@click.command("promote")
@run_argument(required=True)
@click.argument("branch")
@json_option
@pass_session
def command(session: Session, run: str, branch: str, as_json: bool) -> None:
    """Make a branch from a run.

    It has the files of the run in one new commit, on top of the commit that the run was based on, with the run's id, params and metrics as
    trailers. Your own branch, index and files stay as they are.
    """
    from finestflow.evidence import promote
    from finestflow.git.refs import author_identity

    workspace = session.history
    repository = workspace.require_repository()
    found = workspace.load_run(run)
    commit = promote(repository, found, branch, identity=author_identity(repository), now=session.now)
    if as_json:
        session.out.json("promote", run=found.summary.id, branch=branch, commit=commit)
        return
    session.out.line(f"{branch} {commit[:10]}")
    session.out.note(f'the files of {one_line(found.summary.name)}; "git switch {branch}" takes you there')
