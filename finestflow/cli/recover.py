"""``finestflow recover``: a file as a run had it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finestflow.cli._options import json_option
from finestflow.cli._output import Column
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import iso, one_line, parse_when
from finestflow.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from finestflow.evidence import FileVersion
    from finestflow.git.objects import Objects
    from finestflow.model import RunSummary
    from finestflow.workspace import Workspace

_TIMES = (
    'times are 2d, 12h, "30 minutes ago", today, yesterday, 2026-11-01, 2026-11-01T12:30; runs: see "finestflow log"'
)


@click.command("recover")
@click.argument("file")
@click.option(
    "--at", metavar="TIME|RUN", help='As it was then: 2d, "30 minutes ago", yesterday, 2026-11-01, or as a run had it.'
)
@click.option("-o", "--output", metavar="PATH", help="Write it there, which must not exist yet, instead of to stdout.")
@click.option("--list", "is_list", is_flag=True, help="List its versions, newest first.")
@json_option
@pass_session
def command(session: Session, file: str, at: str | None, output: str | None, is_list: bool, as_json: bool) -> None:
    """Print a file as a run had it.

    Without --at that is the newest version that differs from what is there now. Every run keeps the files as they were, so what was edited or deleted since is still there. FILE is relative to the current folder.
    """
    from finestflow.evidence import iter_versions
    from finestflow.git.objects import Objects

    workspace = session.history
    path = _path_in_repository(workspace, session.folder / file)
    with Objects(workspace.require_repository()) as objects:
        versions = list(iter_versions(objects, _runs(workspace, session, at), path))
        if is_list or (as_json and output is None):
            _list(session, path, versions, as_json=as_json)
            return
        chosen = _choose(objects, versions, session.folder / file, is_dated=at is not None)
        data = objects.read_blob(chosen.blob)
    if output is None:
        session.out.raw(data)
        return
    place = session.folder / output
    try:
        with place.open("xb") as stream:
            stream.write(data)
    except FileExistsError:
        raise UsageError(f"{output!r} is there already", "name another file, or print it and redirect") from None
    if as_json:
        session.out.json("file", path=place, bytes=len(data), run=chosen.run.id, blob=chosen.blob)
    else:
        session.out.note(f"wrote {output}")


def _path_in_repository(workspace: Workspace, place: Path) -> str:
    path = Path(os.path.abspath(place))
    if not path.is_relative_to(workspace.root):
        raise UsageError(f"{str(path)!r} is not in this repository", f"its top is {str(workspace.root)!r}")
    return path.relative_to(workspace.root).as_posix()


def _runs(workspace: Workspace, session: Session, at: str | None) -> list[RunSummary]:
    """Return the runs that count, newest first: all, those up to a time, or one."""
    if at is None:
        return workspace.select(sort="-started")
    try:
        limit = parse_when(at, session.now)
    except ValueError:
        try:
            return [workspace.resolve(at)]
        except NotFoundError as error:
            raise NotFoundError(f"--at is {at!r}, which is neither a time nor a run", _TIMES) from error
    runs = [run for run in workspace.select(sort="-started") if run.started <= limit]
    if not runs:
        raise NotFoundError(f"no run is as old as {at!r}", 'list them with "finestflow log"')
    return runs


def _choose(objects: Objects, versions: Sequence[FileVersion], place: Path, *, is_dated: bool) -> FileVersion:
    """Return the newest version, of those that differ from the file as it is unless a time was given."""
    if is_dated or not place.is_file():
        return versions[0]
    data = place.read_bytes()
    for version in versions:
        if objects.read_blob(version.blob) != data:
            return version
    raise NotFoundError("no run has another version of it", "it is as every run had it")


def _list(session: Session, path: str, versions: Sequence[FileVersion], *, as_json: bool) -> None:
    if as_json:
        rows = [{"run": v.run.id, "started": iso(v.run.started), "blob": v.blob} for v in versions]
        session.out.json("file.versions", path=path, versions=rows)
        return
    columns = [Column("run"), Column("when"), Column("blob")]
    times = session.times([version.run.started for version in versions])
    cells = [[one_line(v.run.name), when, v.blob[:10]] for v, when in zip(versions, times, strict=True)]
    session.out.table(columns, cells, page=True)
