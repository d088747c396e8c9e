"""``finestflow du``: how much room runs and outputs take."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finestflow.cli._options import format_option, json_option, query_argument
from finestflow.cli._output import Column
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line, size

if TYPE_CHECKING:
    from finestflow.gc import Share


@click.command("du")
@query_argument()
@click.option(
    "--by", type=click.Choice(["run", "task"]), help="The outputs of each run, or of each task; largest first."
)
@format_option()
@json_option
@pass_session
def command(session: Session, query: Sequence[str], by: str | None, form: str, as_json: bool) -> None:
    """Show how much room runs and outputs take.

    With --by, of the runs that a query finds: "alone" is what only that run or task needs, and what its removal would free. Records lie in
    git's own objects, packed with everything else; "git count-objects -vH" shows those. Environments are those that "reproduce --env" built, for all
    repositories of this user.
    """
    form = "json" if as_json else form
    if by is not None or query:
        _show_shares(session, " ".join(query), by or "run", form)
    else:
        _show_all(session, form)


def _show_shares(session: Session, query: str, by: str, form: str) -> None:
    for problem in session.history.problems(query) if query else ():
        session.out.warn(problem)
    shares = session.history.shares(query, by_task=by == "task")
    if form == "json":
        session.out.json("usage.shares", by=by, shares=[_document(share) for share in shares])
        return
    times = session.times([share.started for share in shares], form)
    shown = str if form == "csv" else size
    rows = [
        [
            one_line(share.name),
            *([] if by == "task" else [when]),
            str(share.values),
            shown(share.bytes),
            shown(share.alone),
        ]
        for share, when in zip(shares, times, strict=True)
    ]
    heads = [Column("task")] if by == "task" else [Column("run"), Column("when", leaves=True)]
    numbers = [Column(name, right=True) for name in ("values", "size", "alone")]
    session.out.table([*heads, *numbers], rows, page=True, form=form)


def _document(share: Share) -> dict[str, object]:
    name = {"run": share.run, "name": share.name} if share.run else {"task": share.name}
    return {**name, "values": share.values, "bytes": share.bytes, "alone_bytes": share.alone}


def _show_all(session: Session, form: str) -> None:
    workspace = session.history
    usage = workspace.usage()
    runs = workspace.index.count()
    other = sum(_iter_sizes(workspace.state_dir, skip="store"))
    built = workspace.built_environments()
    built_bytes = sum(each.bytes for each in built)
    if form == "json":
        session.out.json(
            "usage",
            runs=runs,
            entries=usage.entries,
            values=usage.values,
            objects={"count": usage.objects, "bytes": usage.object_bytes},
            database_bytes=usage.database_bytes,
            state_bytes=other,
            environments={"count": len(built), "bytes": built_bytes},
            limit_bytes=workspace.config.store.max_size,
        )
        return
    shown = str if form == "csv" else size
    rows = [
        ["runs", str(runs), ""],
        ["cache entries", str(usage.entries), ""],
        ["outputs", str(usage.values), shown(usage.database_bytes + usage.object_bytes)],
        ["  in the database", "", shown(usage.database_bytes)],
        ["  as files", str(usage.objects), shown(usage.object_bytes)],
        ["index and the like", "", shown(other)],
        *([["environments", str(len(built)), shown(built_bytes)]] if built else []),
    ]
    session.out.table([Column("what"), Column("count", right=True), Column("size", right=True)], rows, form=form)
    if usage.database_bytes + usage.object_bytes > workspace.config.store.max_size:
        limit = size(workspace.config.store.max_size)
        session.out.note(f'the outputs have more than the {limit} of store.max-size: see "finestflow gc --fit -n"')


def _iter_sizes(folder: Path, skip: str) -> Iterator[int]:
    """Yield the sizes of the files below a folder, but for one sub-folder of it; what goes meanwhile is passed over."""
    for parent, folders, files in os.walk(folder):
        if Path(parent) == folder and skip in folders:
            folders.remove(skip)
        for name in files:
            try:
                yield os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
