"""``finestflow queue``: runs that wait for their turn, listed and worked off."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from finestflow.cli._options import format_option, json_option
from finestflow.cli._output import STATUS_STYLE, Column, Styled
from finestflow.cli._queue import open_queue, work_off
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import iso, one_line
from finestflow.errors import UsageError

if TYPE_CHECKING:
    from finestflow.queue import Entry


@click.group("queue", invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Keep runs that wait for their turn.

    "finestflow run ... --queue" adds them, "finestflow queue run -j 2" works them off, also after a restart; each runs once.
    """
    if as_json and ctx.invoked_subcommand is not None:
        raise UsageError(
            "--json stands behind the name of the command", f"finestflow queue {ctx.invoked_subcommand} --json"
        )
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, form="text", as_json=as_json)


@command.command("list")
@format_option()
@json_option
@pass_session
def list_(session: Session, form: str, as_json: bool) -> None:
    """List the runs that wait, go on, and have ended."""
    entries = open_queue(session).entries()
    if as_json or form == "json":
        session.out.json("queue", entries=[_document(entry) for entry in entries])
        return
    if not entries:
        session.out.note('the queue is empty; "finestflow run ... --queue" adds to it')
        if form == "text":
            return
    columns = [
        Column("entry", right=True),
        Column("state"),
        Column("added"),
        Column("run"),
        Column("command", shrinks=True),
    ]
    rows = [
        [
            str(entry.number),
            Styled(entry.state, STATUS_STYLE.get(entry.state, "dim")),
            added,
            entry.run,
            one_line(shlex.join(entry.words)),
        ]
        for entry, added in zip(entries, session.times([entry.added for entry in entries], form), strict=True)
    ]
    session.out.table(columns, rows, page=True, form=form)


@command.command("run")
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="How many runs at a time.")
@click.option("--keep-going", is_flag=True, help="After a failed run, go on with the next.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line an entry that has ended.")
@pass_session
def run(session: Session, jobs: int, keep_going: bool, as_json: bool) -> int:
    """Work off what waits, each run in a process of its own."""
    if not as_json and not any(entry.state == "waiting" for entry in open_queue(session).entries()):
        session.out.note('nothing waits; "finestflow run ... --queue" adds to the queue')
    return work_off(session, jobs=jobs, keep_going=keep_going, as_json=as_json)


@command.command("rm")
@click.argument("numbers", nargs=-1, type=int, metavar="[ENTRY]...")
@click.option("--ended", is_flag=True, help="All that have ended.")
@json_option
@pass_session
def remove(session: Session, numbers: Sequence[int], ended: bool, as_json: bool) -> None:
    """Take entries out of the queue; their runs stay."""
    from finestflow.queue import ENDED

    queue = open_queue(session)
    chosen = [*numbers, *(e.number for e in queue.entries() if ended and e.state in ENDED and e.number not in numbers)]
    if not chosen and not ended:
        raise UsageError("no entry is named", "finestflow queue lists them; --ended takes all that have ended")
    queue.remove(chosen)
    if as_json:
        session.out.json("queue.rm", entries=chosen)
        return
    session.out.note(f"took away: {', '.join(map(str, chosen)) or 'nothing'}")


@command.command("retry")
@click.argument("numbers", nargs=-1, required=True, type=int, metavar="ENTRY...")
@json_option
@pass_session
def retry(session: Session, numbers: Sequence[int], as_json: bool) -> None:
    """Let entries that have ended wait again."""
    open_queue(session).retry(numbers)
    if as_json:
        session.out.json("queue.retry", entries=numbers)
    else:
        session.out.note(f"waiting again: {', '.join(map(str, numbers))}")


def _document(entry: Entry) -> dict[str, object]:
    return {
        "entry": entry.number,
        "state": entry.state,
        "run": entry.run or None,
        "batch": entry.batch,
        "words": list(entry.words),
        "folder": entry.folder,
        "added": iso(entry.added),
        "ended": iso(entry.ended),
    }
