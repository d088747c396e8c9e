"""``finestflow du``: how much room runs and outputs take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from finestflow.cli._options import json_option
from finestflow.cli._output import Column
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import size


@click.command("du")
@json_option
@pass_session
def command(session: Session, as_json: bool) -> None:
    """Show how much room runs and outputs take.

    Records lie in git's own objects, packed with everything else; "git count-objects -vH" shows those.
    """
    workspace = session.history
    usage = workspace.usage()
    runs = len(workspace.select())
    other = sum(_iter_sizes(workspace.state_dir, skip="store"))
    if as_json:
        session.out.json(
            "usage",
            runs=runs,
            entries=usage.entries,
            values=usage.values,
            objects={"count": usage.objects, "bytes": usage.object_bytes},
            database_bytes=usage.database_bytes,
            state_bytes=other,
            limit_bytes=workspace.config.store.max_size,
        )
        return
    rows = [
        ["runs", str(runs), ""],
        ["cache entries", str(usage.entries), ""],
        ["outputs", str(usage.values), size(usage.database_bytes + usage.object_bytes)],
        ["  in the database", "", size(usage.database_bytes)],
        ["  as files", str(usage.objects), size(usage.object_bytes)],
        ["index and the like", "", size(other)],
    ]
    session.out.table([Column("what"), Column("count", right=True), Column("size", right=True)], rows)
    if usage.database_bytes + usage.object_bytes > workspace.config.store.max_size:
        session.out.note(
            f'the store is larger than {size(workspace.config.store.max_size)}: "finestflow gc -n" shows what could go'
        )


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
