"""``finestflow gc``: dropping removed runs, and outputs that no run needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from finestflow.cli._options import dry_run_option, json_option
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import ago, iso, one_line, parse_when, plural, size
from finestflow.config import GcConfig
from finestflow.config.kinds import parse_duration
from finestflow.errors import LockedError, UsageError
from finestflow.provisioned import remove_built

if TYPE_CHECKING:
    from finestflow.gc import GcPlan, GcRules
    from finestflow.model import RunId
    from finestflow.provisioned import Built

_PAUSE = 0.2
_SHOWN = 12


@click.command("gc")
@click.option(
    "--keep-last", type=click.IntRange(min=0), metavar="N", help="Drop all but the newest N, starred ones and --keep."
)
@click.option("--keep", metavar="QUERY", help="Keep the runs that a query finds; the others go.")
@click.option("--older-than", metavar="D", help='Drop only runs older than "30d", or than a date.')
@click.option(
    "--fit",
    is_flag=True,
    help="Drop the oldest of the runs that nothing keeps until the outputs fit into store.max-size.",
)
@click.option(
    "--environments",
    metavar="D",
    help='Delete environments of "reproduce --env" that nobody used for so long; gc.environments when not given.',
)
@click.option("--no-wait", is_flag=True, help="Fail when a run is going on; else its end is waited for.")
@dry_run_option
@json_option
@pass_session
def command(
    session: Session,
    /,
    keep_last: int | None,
    keep: str | None,
    older_than: str | None,
    fit: bool,
    environments: str | None,
    no_wait: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Drop removed runs and the outputs that no run needs.

    Without a rule, here or in the table "gc" of the settings, only runs that were removed ("finestflow rm") go. Starred runs always stay.
    Environments that "reproduce --env" built and nobody has used for long go too. Nothing is deleted while a run is going on.
    """
    workspace, out = session.history, session.out
    rules = partial(_rules, session, keep_last, keep, older_than, fit)
    unused = _unused(session, environments)
    chosen = rules()  # what is wrong with them is said before anything is waited for
    plan = workspace.plan_gc(chosen) if dry_run else workspace.gc(rules, _waiting(session, is_patient=not no_wait))
    if not dry_run:
        unused = [each for each in unused if remove_built(each)]
    limit = workspace.config.store.max_size
    if as_json:
        runs = [{"id": run.id, "name": run.name} for run in plan.runs]
        values = sorted(plan.values)
        gone = [{"path": str(each.home), "bytes": each.bytes, "used": iso(each.used)} for each in unused]
        out.json(
            "gc",
            dry_run=dry_run,
            runs=runs,
            values=values,
            bytes=plan.bytes,
            kept_bytes=plan.kept_bytes,
            environments=gone,
        )
        return
    for run in plan.runs:
        out.line(f"{run.id}  {one_line(run.name)}  {one_line(run.pipeline)}  {ago(run.started, session.now)}")
    for each in unused:
        packages = plural(each.packages, "package")
        out.line(
            f"environment {each.home.name[:_SHOWN]}  {packages}  {size(each.bytes)}  {ago(each.used, session.now)}"
        )
    would = "would drop" if dry_run else "dropped"
    out.note(f"{would} {plural(len(plan.runs), 'run')} and {plural(len(plan.values), 'output')}, {size(plan.bytes)}")
    if unused:
        out.note(f"{would} {plural(len(unused), 'environment')}, {size(sum(each.bytes for each in unused))}")
    if workspace.is_store_elsewhere:
        out.note(f"the outputs in {str(workspace.objects_dir)!r} stay: others may use them too")
    if plan.kept_bytes > limit:
        out.note(_too_large(plan, limit, is_fitted=fit))


def _rules(session: Session, keep_last: int | None, keep: str | None, older_than: str | None, fit: bool) -> GcRules:
    """Return the rules of the flags, or those of the settings where there is no flag."""
    from finestflow.gc import rules_of

    workspace = session.history
    given = {"keep_last": keep_last, "keep": keep, "older_than": _age(session, older_than)}
    chosen = {name: value for name, value in given.items() if value is not None}
    config = GcConfig(**chosen) if chosen else workspace.config.gc
    problems = workspace.problems(config.keep) if config.keep else []
    if problems:
        where = "--keep" if chosen else "the setting gc.keep"
        raise UsageError(f"{where} is {config.keep!r}: {problems[0]}")
    if list(chosen) == ["keep"] and keep and not workspace.select(keep, limit=1):
        raise UsageError(
            f"no run matches --keep {keep!r}, so all would go", 'if they shall: "finestflow gc --keep-last 0"'
        )
    most = workspace.config.store.max_size if fit else None
    return rules_of(config, workspace.select, session.now, most_bytes=most)


def _unused(session: Session, given: str | None) -> list[Built]:
    """Return the environments that nobody has used for as long as the flag says, or the setting."""
    if given is None:
        seconds = session.workspace.config.gc.environments
    else:
        try:
            seconds = parse_duration(given)
        except ValueError:
            raise UsageError(f"--environments is {given!r}", 'expected a span such as "30d"') from None
    return session.workspace.built_environments(unused_for=seconds)


def _age(session: Session, older_than: str | None) -> float | None:
    if older_than is None:
        return None
    try:
        return session.now - parse_when(older_than, session.now)
    except ValueError:
        raise UsageError(
            f"--older-than is {older_than!r}", 'expected a span such as "30d" or a date such as 2026-11-01'
        ) from None


def _waiting(session: Session, *, is_patient: bool) -> Callable[[RunId], None]:
    """Return what is done about a run that goes on: its end is waited for, after it was said once."""
    told: set[RunId] = set()

    def wait(run: RunId) -> None:
        if not is_patient:
            raise LockedError(f"run {run!r} is going on", 'wait for its end, or stop it with "finestflow stop"')
        if run not in told:
            told.add(run)
            session.out.note(f"waiting for the end of run {run}")
        time.sleep(_PAUSE)

    return wait


def _too_large(plan: GcPlan, limit: int, *, is_fitted: bool) -> str:
    text = (
        f"the outputs of the runs that stay have {size(plan.kept_bytes)}, more than the {size(limit)} of store.max-size"
    )
    return text if is_fitted else f'{text}: "finestflow gc --fit -n" shows which runs would have to go'
