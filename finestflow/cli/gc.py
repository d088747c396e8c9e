"""``finestflow gc``: dropping removed runs, and outputs that no run needs."""

from __future__ import annotations

import click

from finestflow.cli._options import dry_run_option, json_option
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import ago, one_line, parse_when, plural, size
from finestflow.errors import UsageError


@click.command("gc")
@click.option(
    "--keep-last", type=click.IntRange(min=0), metavar="N", help="Drop all but the newest N, starred ones and --keep."
)
@click.option("--keep", metavar="QUERY", help="Keep the runs that a query finds; the others go.")
@click.option("--older-than", metavar="D", help='Drop only runs older than "30d", or than a date.')
@dry_run_option
@json_option
@pass_session
def command(
    session: Session, /, keep_last: int | None, keep: str | None, older_than: str | None, dry_run: bool, as_json: bool
) -> None:
    """Drop removed runs and the outputs that no run needs.

    Without a rule only runs that were removed ("finestflow rm") go. Starred runs always stay. It waits for runs that go on.
    """
    workspace, out = session.history, session.out
    age = None
    if older_than is not None:
        try:
            age = session.now - parse_when(older_than, session.now)
        except ValueError:
            raise UsageError(
                f"--older-than is {older_than!r}", 'expected a span such as "30d" or a date such as 2026-11-01'
            ) from None
    problems = workspace.problems(keep) if keep else []
    if problems:
        raise UsageError(f"--keep {keep!r}: {problems[0]}")
    plan = workspace.plan_gc(keep_last=keep_last, keep=keep or "", older_than=age)
    freed = plan.bytes if dry_run else workspace.gc(plan)
    if as_json:
        runs = [{"id": run.id, "name": run.name} for run in plan.runs]
        out.json("gc", dry_run=dry_run, runs=runs, values=list(plan.values), bytes=freed)
        return
    for run in plan.runs:
        out.line(f"{run.id}  {one_line(run.name)}  {one_line(run.pipeline)}  {ago(run.started, session.now)}")
    would = "would drop" if dry_run else "dropped"
    out.note(f"{would} {plural(len(plan.runs), 'run')} and {plural(len(plan.values), 'output')}, {size(freed)}")
