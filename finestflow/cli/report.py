"""``finestflow report``: a page about some runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import click

from finestflow.cli._options import json_option, query_argument
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import plural
from finestflow.errors import NotFoundError, UsageError


@click.command("report")
@query_argument()
@click.option("-o", "--output", required=True, metavar="FILE.html", help="Where the page goes.")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="At most N runs."
)
@click.option("--sort", metavar="KEY", help="started, a metric or p.NAME; -KEY for descending.")
@click.option("--title", metavar="TEXT", help="Its heading; the query when left out.")
@json_option
@pass_session
def command(
    session: Session,
    query: Sequence[str],
    output: str,
    limit: int,
    sort: str | None,
    title: str | None,
    as_json: bool,
) -> None:
    """Write a page about some runs, in one HTML file.

    Table, curves, graph and differences of the runs that a query finds. It needs no server and no network, and can be mailed or attached as it is. A file that is there already is replaced.
    """
    from finestflow.report import Section, build_report

    workspace = session.history
    words = " ".join(query)
    for problem in workspace.problems(words) if words else ():
        session.out.warn(problem)
    found = workspace.select(words, sort=sort, limit=limit)
    if not found:
        raise NotFoundError(f"no run matches {words!r}" if words else "no runs yet", "finestflow log")
    runs = list(workspace.load_runs(found))
    ended = sorted((run for run in runs if run.summary.commit), key=lambda run: run.summary.started)
    sections = []
    for before, after in itertools.pairwise(ended):
        diff = workspace.diff(before.summary.id, after.summary.id)
        sections.append(Section(diff=diff, patch=workspace.code_patch(diff)))
    page = build_report(
        runs, reversed(sections), title=title or words or "Runs", now=session.now, goals=session.workspace.goals
    )
    place = session.folder / output
    try:
        place.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output!r} cannot be written: {error.strerror}", "name another file with -o") from None
    if as_json:
        session.out.json("report", path=place, runs=[run.summary.id for run in runs])
    else:
        session.out.note(f"wrote {output}: {plural(len(runs), 'run')}")
