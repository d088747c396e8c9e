"""``finestflow bisect``: the run at which a metric broke, and what changed in it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from finestflow.cli._difference import document_of, lines_of
from finestflow.cli._options import json_option
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import number, one_line, plural
from finestflow.errors import NotFoundError


@click.command("bisect", context_settings={"ignore_unknown_options": True})
@click.argument("condition", nargs=-1, required=True, metavar="METRIC OP VALUE")
@click.option(
    "--query", default="", metavar="QUERY", help="Only among the runs that this finds, such as pipeline:digits."
)
@json_option
@pass_session
def command(session: Session, condition: Sequence[str], query: str, as_json: bool) -> None:
    """Find the run at which a metric broke.

    It is shown with what differs between it and the good run before it. The condition says what a good run fulfils: finestflow bisect 'f1 > 0.9'. Runs without the metric are passed over; nothing runs.
    """
    from finestflow.bisect import Search, parse_threshold

    workspace = session.history
    threshold = parse_threshold(condition)
    search = Search(workspace.index, threshold, workspace.parse_query(query) if query else None)
    found = search.find_break()
    if found is None:
        raise NotFoundError(f"no run has a metric {threshold.metric!r}", 'see which there are with "finestflow log"')
    out, good, bad = session.out, found.good, found.bad
    difference = workspace.diff(good.id, bad.id) if good is not None and bad is not None else None
    if as_json:
        out.json(
            "bisect",
            condition=str(threshold),
            good=None if good is None else good.id,
            bad=None if bad is None else bad.id,
            repaired=found.is_repaired,
            runs=search.count(),
            diff=None if difference is None else document_of(difference),
        )
    elif bad is None:
        out.line(f"{threshold} holds in all of {plural(search.count(), 'run')}")
    elif difference is None:
        out.line(f"{threshold} does not hold in the first run that has it: {one_line(bad.name)} ({number(bad.value)})")
    else:
        assert good is not None
        out.line(f"{threshold} held in {one_line(good.name)} ({number(good.value)})")
        again = "; later runs are good again" if found.is_repaired else ""
        out.line(f"and broke in {out.style(one_line(bad.name), 'bold')} ({number(bad.value)}){again}")
        out.line()
        out.lines(lines_of(difference, out))
