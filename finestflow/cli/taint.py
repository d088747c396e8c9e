"""``finestflow taint``: the runs and cached outputs that used a function or a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from finestflow.cli._options import json_option
from finestflow.cli._output import Column
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line, plural
from finestflow.errors import UsageError

if TYPE_CHECKING:
    from finestflow.evidence import Use
    from finestflow.model import Digest, RunSummary


@click.command("taint")
@click.argument("what", metavar="TEXT|FUNCTION")
@click.option("--query", default="", metavar="QUERY", help="Only among the runs that this finds.")
@json_option
@pass_session
def command(session: Session, what: str, query: str, as_json: bool) -> None:
    """List the runs and outputs that used a function or a text.

    A name such as data.clean or clean finds the calls whose code reached that function, class or constant, with the version that ran and
    whether the output is still in the store. Anything else is looked for as text in the files of every run.
    """
    from finestflow.evidence import USE_FILES, find_uses, search_code

    if not what.strip():
        raise UsageError("nothing is looked for", "name a function, such as data.clean, or a text of the files")
    if "\n" in what:
        raise UsageError("the text has several lines", "files are searched line by line: give one that tells most")
    workspace = session.history
    runs = [run for run in workspace.select(query, sort="-started") if run.commit]
    is_name = all(part.isidentifier() for part in what.removesuffix("()").replace(":", ".").split("."))
    loaded = workspace.load_runs(runs, with_series=False, files=USE_FILES)
    uses = list(find_uses(workspace.told("reading the records of runs", loaded, len(runs)), what)) if is_name else []
    texts = [] if uses else list(search_code(workspace.require_repository(), runs, what))
    stored = {use.output for use in uses if use.output is not None and workspace.store.has(use.output)}
    if as_json:
        session.out.json(
            "taint", what=what, uses=[_use_document(use, stored) for use in uses], texts=_text_documents(texts)
        )
    elif uses:
        _show_uses(session, uses, stored)
    elif texts:
        times = session.times([run.started for run, _ in texts])
        rows = [
            [one_line(run.name), when, one_line(", ".join(files))]
            for (run, files), when in zip(texts, times, strict=True)
        ]
        session.out.table([Column("run"), Column("when"), Column("files", shrinks=True)], rows, page=True)
    else:
        session.out.note(f"none of {plural(len(runs), 'run')} used {what!r}")


def _show_uses(session: Session, uses: Sequence[Use], stored: set[Digest]) -> None:
    names = {
        version: f"v{place}" for place, version in enumerate(dict.fromkeys(use.version for use in reversed(uses)), 1)
    }
    columns = [Column("run"), Column("when"), Column("node"), Column("used"), Column("version"), Column("output")]
    rows = [
        [
            one_line(use.run.name),
            when,
            one_line(use.node),
            one_line(use.part),
            names[use.version],
            _output_text(use, stored),
        ]
        for use, when in zip(uses, session.times([use.run.started for use in uses]), strict=True)
    ]
    session.out.table(columns, rows, page=True)
    outputs = {use.output for use in uses if use.output is not None}
    session.out.note(f"{plural(len(outputs), 'output')}, {len(stored)} of them in the store", "dim")


def _output_text(use: Use, stored: set[Digest]) -> str:
    if use.output is None:
        return ""
    return use.output[:10] + (" hit" if use.is_hit else "") + ("" if use.output in stored else " (gone)")


def _use_document(use: Use, stored: set[Digest]) -> dict[str, Any]:
    return {
        "run": use.run.id,
        "node": use.node,
        "part": use.part,
        "version": use.version,
        "output": use.output,
        "hit": use.is_hit,
        "stored": use.output in stored,
    }


def _text_documents(texts: Sequence[tuple[RunSummary, tuple[str, ...]]]) -> list[dict[str, Any]]:
    return [{"run": run.id, "files": list(files)} for run, files in texts]
