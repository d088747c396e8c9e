"""``finestflow for``: the runs of exactly the files of a commit."""

from __future__ import annotations

import click

from finestflow.cli._options import json_option
from finestflow.cli._session import Session, pass_session
from finestflow.cli.log import list_runs
from finestflow.errors import NotFoundError


@click.command("for")
@click.argument("commit", default="HEAD", metavar="[COMMIT]")
@json_option
@pass_session
def command(session: Session, commit: str, as_json: bool) -> None:
    """List the runs of exactly the files of a commit.

    COMMIT is a commit, a branch or a tag; HEAD when left out. A run counts when every file was as in the commit, none changed and none added.
    """
    from finestflow.git.refs import resolve_tree

    workspace = session.history
    tree = resolve_tree(workspace.require_repository(), commit)
    if tree is None:
        raise NotFoundError(f"git knows no commit {commit!r}", "write a branch, a tag or an id; git log shows some")
    list_runs(session, f"code:{tree}", form="json" if as_json else "text")
