"""``finestflow stop``: end a run that is going on, in this terminal or elsewhere on this machine."""

from __future__ import annotations

import click

from finestflow.cli._documents import summary_document
from finestflow.cli._follow import summary_line
from finestflow.cli._options import json_option, run_argument
from finestflow.cli._session import Session, pass_session

_GRACE = 2.0
_PATIENCE = 30.0


@click.command("stop")
@run_argument(required=True)
@click.option("--now", "kills", is_flag=True, help="Kill it when it has not ended after 2 seconds.")
@json_option
@pass_session
def command(session: Session, run: str, kills: bool, as_json: bool) -> None:
    """Stop a run that is going on.

    Its process is interrupted as by Ctrl-C, ends its tasks and records the run as cancelled; with --now one that does not answer is killed,
    and the run is recorded as killed.
    """
    summary = session.history.stop(run, patience=_GRACE if kills else _PATIENCE, kills=kills)
    if as_json:
        session.out.json("stop", run=summary_document(summary))
    else:
        session.out.note(summary_line(summary, color=session.out.color_err))
