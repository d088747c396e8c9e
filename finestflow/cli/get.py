"""``finestflow get``: an output, copied out of the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from finestflow.cache.preview import type_name
from finestflow.cli._address import split_address
from finestflow.cli._formats import dump_value, natural_suffix, write_value
from finestflow.cli._options import json_option, run_argument
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import size
from finestflow.errors import UsageError

_TEXT_FORMS = {".txt", ".json", ".csv"}


@click.command("get")
@run_argument("output", required=True, metavar="RUN:NODE[.OUTPUT]")
@click.option(
    "-o", "path", metavar="PATH", help="Where to; its suffix decides the form: .json .csv .npy .parquet .png .txt .pkl"
)
@json_option
@pass_session
def command(session: Session, output: str, path: str | None, as_json: bool) -> None:
    """Copy an output out of the store.

    Without -o it is printed, as text or JSON where it has such a form, else as the bytes of its natural form. With --json what JSON cannot hold
    is told as "finestflow show RUN:NODE --value --json" tells it; with -o, where it was written.
    """
    name, place = split_address(output, needs_node=True)
    workspace = session.history
    run = workspace.load_run(name)
    value = workspace.load_output(run, place)
    out = session.out
    if path is not None:
        target = write_value(value, session.folder / path)
        written = target.stat().st_size if target.is_file() else None
        if as_json:
            out.json("file", run=run.summary.id, output=place, path=target, bytes=written)
        else:
            out.note(f"{target}  {'a folder' if written is None else size(written)}")
        return
    if as_json:
        _print_json(session, run.summary.id, place, value)
        return
    if isinstance(value, Path):
        if value.is_dir():
            raise UsageError(f"{output!r} is a folder", "name where it goes with -o")
        out.raw(value.read_bytes())
        return
    data, form = dump_value(value)
    if form not in _TEXT_FORMS and out.is_terminal:
        raise UsageError(
            f"{output!r} is a {type(value).__name__}, not text",
            f"write it to a file: -o {place.split('/')[-1]}{form}",
        )
    if form == ".txt" and out.is_terminal:
        from finestflow.cli._text import many_lines

        out.line(many_lines(data.decode()).rstrip("\n"))
    else:
        out.raw(data)


def _print_json(session: Session, run: str, place: str, value: Any) -> None:
    """Write a value that JSON can hold, or else its beginning."""
    form = "" if isinstance(value, Path) else natural_suffix(value)
    if form not in {".txt", ".json"}:
        from finestflow.excerpt import excerpt_of

        session.out.json("value", run=run, output=place, value=excerpt_of(value).document())
        return
    whole = value if form == ".txt" else json.loads(dump_value(value)[0])
    session.out.json("output", run=run, output=place, type=type_name(value), value=whole)
