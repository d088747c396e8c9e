"""``finestflow cache``: the values of the store, listed and evicted one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from finestflow.cli._options import dry_run_option, format_option, json_option
from finestflow.cli._output import Column
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import cut, duration, one_line, plural, size
from finestflow.errors import LockedError, NotFoundError, UsageError

if TYPE_CHECKING:
    from finestflow.cache.holdings import Held
    from finestflow.model import RunId

_SHOWN = 12
_PREVIEW = 60
_SHORTEST = 6


@click.group("cache", invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Look at the values of the store, and evict single ones.

    "finestflow gc" frees what no run needs; this is for a value that is wrong or too large.
    """
    if as_json and ctx.invoked_subcommand is not None:
        raise UsageError(
            "--json stands behind the name of the command", f"finestflow cache {ctx.invoked_subcommand} --json"
        )
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, limit=50, sort="size", form="text", as_json=as_json)


@command.command("list")
@click.option("-n", "limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@click.option(
    "--sort", type=click.Choice(["size", "cost", "uses"]), default="size", help="What is the greatest comes first."
)
@format_option()
@json_option
@pass_session
def list_(session: Session, limit: int, sort: str, form: str, as_json: bool) -> None:
    """List the values: size, what they cost to compute, how many entries name them."""
    held = session.history.held_values(sort)[:limit]
    if as_json or form == "json":
        session.out.json("cache", values=[_document(each) for each in held])
        return
    columns = [
        Column("digest"),
        Column("size", right=True),
        Column("cost", right=True),
        Column("uses", right=True),
        Column("type", shrinks=True),
        Column("value", shrinks=True, style="dim"),
    ]
    is_whole = form == "csv"
    rows = [
        [
            each.info.digest if is_whole else each.info.digest[:_SHOWN],
            str(each.info.size) if is_whole else size(each.info.size),
            str(each.seconds) if is_whole else duration(each.seconds) if each.seconds else "",
            str(each.entries),
            one_line(each.type),
            one_line(each.info.preview) if is_whole else cut(one_line(each.info.preview), _PREVIEW),
        ]
        for each in held
    ]
    session.out.table(columns, rows, page=True, form=form)


@command.command("rm")
@click.argument("digests", nargs=-1, required=True, metavar="DIGEST...")
@dry_run_option
@json_option
@pass_session
def remove(session: Session, digests: Sequence[str], dry_run: bool, as_json: bool) -> None:
    """Evict values by their digests, or beginnings of them.

    The tasks that made them are computed again when they are needed; records stay. Nothing is evicted while a run is going on.
    """
    from finestflow.cache.holdings import find_held

    workspace = session.history
    held = workspace.held_values("size")
    chosen: dict[str, Held] = {}
    for digest in digests:
        found = find_held(held, digest)
        if len(digest) < _SHORTEST or len(found) > 1:
            raise UsageError(f"{digest!r} is too short to name one value", "write more of the digest")
        if not found:
            raise NotFoundError(f"no value of the store has the digest {digest!r}", "finestflow cache list")
        chosen[found[0].info.digest] = found[0]
    if not dry_run:
        workspace.evict(chosen, _refuse)
    freed = sum(each.info.size for each in chosen.values())
    if as_json:
        session.out.json("cache.rm", dry_run=dry_run, values=list(chosen), bytes=freed)
    else:
        session.out.note(f"{'would evict' if dry_run else 'evicted'} {plural(len(chosen), 'value')}, {size(freed)}")


def _refuse(run: RunId) -> None:
    raise LockedError(f"run {run!r} is going on", 'wait for its end, or stop it with "finestflow stop"')


def _document(held: Held) -> dict[str, object]:
    info = held.info
    return {
        "digest": info.digest,
        "size": info.size,
        "type": info.type,
        "kind": held.kind or "output",
        "preview": info.preview,
        "seconds": held.seconds,
        "entries": held.entries,
        "run": held.run or None,
    }
