"""``finestflow logs``: what a run or a node wrote, also while it goes."""

from __future__ import annotations

import time

import click

from finestflow.cli._address import split_address
from finestflow.cli._options import run_argument
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import many_lines
from finestflow.errors import UsageError

_PAUSE = 0.2


@click.command("logs")
@run_argument(metavar="[RUN[:NODE]]")
@click.option("-f", "--follow", is_flag=True, help="Go on while the run goes.")
@click.option("--raw", is_flag=True, help="Bytes as they were written, escape sequences included.")
@pass_session
def command(session: Session, run: str, follow: bool, raw: bool) -> None:
    """Print what a run or a node wrote."""
    workspace = session.history
    name, node = split_address(run)
    if raw and session.out.is_terminal:
        raise UsageError("--raw would send control characters to the terminal", "send it to a file or a pipe")
    shown = 0
    while True:
        is_live = follow and workspace.is_live(name)
        data = workspace.read_log(name, node or None)
        fresh = data[shown:]
        if is_live:  # a line that is still being written is shown when it is whole
            fresh = fresh[: fresh.rfind(b"\n") + 1]
        shown += len(fresh)
        if raw:
            session.out.raw(fresh)
        elif fresh:
            text = many_lines(fresh.decode("utf-8", "replace"))
            session.out.out.write(text if text.endswith("\n") else text + "\n")
            session.out.out.flush()
        if not is_live:
            return
        time.sleep(_PAUSE)
