"""``finestflow get``: an output, copied out of the store."""

from __future__ import annotations

from pathlib import Path

import click

from finestflow.cli._address import split_address
from finestflow.cli._formats import dump_value, write_value
from finestflow.cli._options import run_argument
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import size
from finestflow.errors import UsageError

_TEXT_FORMS = {".txt", ".json", ".csv"}


@click.command("get")
@run_argument("output", required=True, metavar="RUN:NODE[.OUTPUT]")
@click.option(
    "-o", "path", metavar="PATH", help="Where to; its suffix decides the form: .json .csv .npy .parquet .png .txt .pkl"
)
@pass_session
def command(session: Session, output: str, path: str | None) -> None:
    """Copy an output out of the store.

    Without -o it is printed, as text or JSON where it has such a form, else as the bytes of its natural form.
    """
    name, place = split_address(output, needs_node=True)
    workspace = session.history
    run = workspace.load_run(name)
    value = workspace.load_output(run, place)
    out = session.out
    if path is not None:
        target = write_value(value, session.folder / path)
        out.note(f"{target}  {size(target.stat().st_size) if target.is_file() else 'a folder'}")
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
