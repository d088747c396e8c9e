"""``finestflow diff``: what differs between two runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from finestflow.cli._address import split_address
from finestflow.cli._difference import PARTS, Row, document_of, lines_of, markdown_of, patch_lines, rows_of
from finestflow.cli._errors import ExitCode
from finestflow.cli._markdown import cell, table
from finestflow.cli._options import format_option, json_option, run_argument
from finestflow.cli._output import Output
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line

if TYPE_CHECKING:
    from finestflow.compare import RunDiff
    from finestflow.workspace import Workspace


@click.command("diff")
@run_argument("before", metavar="[RUN")
@click.argument("after", required=False, metavar="[RUN|.]]")
@click.option("--code", is_flag=True, help="Only the files, as a patch.")
@click.option("--params", is_flag=True, help="Only params and inputs.")
@click.option("--metrics", is_flag=True, help="Only metrics.")
@click.option("--env", is_flag=True, help="Only the environment.")
@click.option("--outputs", is_flag=True, help="Only outputs, and why they differ.")
@click.option("--graph", is_flag=True, help="Only nodes and edges.")
@click.option("--logs", is_flag=True, help="Only what was printed, as a patch for each node.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something differs.")
@format_option()
@json_option
@pass_session
def command(
    session: Session, /, before: str, after: str | None, exit_code: bool, form: str, as_json: bool, **only: bool
) -> int:
    """Show what differs between two runs.

    Without RUN the newest is compared with the one before; one RUN is compared with the newest, "RUN ." with the files and the environment as
    they are now. RUN:NODE compares the values of an output: tables cell by cell, text word by word, arrays by statistics. That loads them.
    """
    as_json = as_json or form == "json"
    if ":" in before or ":" in (after or ""):
        return _show_values(session, before, after, exit_code=exit_code, form="json" if as_json else form)
    if after is None:
        before, after = ("@~1", "@") if before == "@" else (before, "@")
    workspace, out = session.history, session.out
    difference = _find_difference(workspace, before, after)
    chosen = {name for name, wanted in only.items() if wanted}
    parts = chosen & PARTS.keys() if chosen else PARTS.keys()
    logs = workspace.log_patches(difference) if "logs" in chosen and after != "." else None
    if as_json:
        out.json("diff", **document_of(difference), logs=logs)
    elif form == "csv":
        _write_csv(Row._fields, rows_of(difference, parts), out)
    else:
        patches = {f"log of {path or difference.after.summary.pipeline}": patch for path, patch in (logs or {}).items()}
        tables = parts - {"code"} if chosen and chosen <= {"code", "logs"} else parts
        if parts != tables and (patch := workspace.code_patch(difference)):
            patches = {"files": patch, **patches}
        lines = markdown_of(difference, tables, patches) if form == "md" else _lines(difference, tables, patches, out)
        out.lines(lines, page=True)
        if not (tables or patches):
            out.note("nothing differs")
    return ExitCode.FAILED if exit_code and (logs or any(rows_of(difference, parts))) else ExitCode.DONE


def _find_difference(workspace: Workspace, before: str, after: str) -> RunDiff:
    if after == ".":
        return workspace.diff_present(workspace.load_run(before))
    return workspace.diff(before, after)


def _lines(difference: RunDiff, parts: Collection[str], patches: Mapping[str, str], out: Output) -> Iterator[str]:
    """Yield what differs in some parts, then patches; the patch of files alone is bare, so that git can apply it."""
    if parts:
        yield from lines_of(difference, out, parts)
    for title, patch in patches.items():
        if parts or title != "files":
            yield from ("", out.style(one_line(title), "bold"))
        yield from patch_lines(patch, out)


def _show_values(session: Session, before: str, after: str | None, *, exit_code: bool, form: str) -> int:
    """Show what differs between two outputs; the second is the same one of the newest run when it is left out."""
    from finestflow.contrast import contrast

    run, node = split_address(before, needs_node=True)
    other, same = split_address(after or "@")
    if after is None and session.history.resolve(run).id == session.history.resolve("@").id:
        run, other = "@~1", "@"
    values = [session.workspace.load_output(name, place) for name, place in ((run, node), (other, same or node))]
    found = list(contrast(*values))
    out = session.out
    if form == "json":
        out.json("diff.values", differences=[{"path": each.path, "text": each.text} for each in found])
    elif form == "csv":
        _write_csv(("path", "text"), ((each.path, each.text) for each in found), out)
    elif not found:
        out.line("nothing differs")
    elif form == "md":
        out.lines(table(["", ""], ([cell(each.path), cell(each.text)] for each in found)))
    else:
        room = max(len(each.path) for each in found)
        out.lines((f"{one_line(each.path.ljust(room))}  {one_line(each.text)}".strip() for each in found), page=True)
    return ExitCode.FAILED if exit_code and found else ExitCode.DONE


def _write_csv(heads: Iterable[str], rows: Iterable[Iterable[Any]], out: Output) -> None:
    """A line a thing, for a spreadsheet: values as they are, not as they are shown."""
    import csv

    writer = csv.writer(out.out, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
