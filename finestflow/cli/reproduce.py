"""``finestflow reproduce``: a record, run again in a work tree of its own, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from finestflow.cli._errors import ExitCode
from finestflow.cli._options import json_option, run_argument
from finestflow.cli._output import Column, Output, Styled, format_table
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line
from finestflow.errors import UsageError
from finestflow.sweep import iter_settings

if TYPE_CHECKING:
    from finestflow.model import Run
    from finestflow.reproduce import Verdict
    from finestflow.rerun import Prepare

_STYLES = {"identical": "green", "within tolerance": "green", "not comparable": "dim"}


@click.command("reproduce")
@run_argument(required=True)
@click.option("--into", metavar="DIR", help="Keep the work tree, in this new folder.")
@click.option("--tolerance", type=float, metavar="X", help="Numbers that differ by at most X count as equal.")
@click.option("-p", "given", multiple=True, metavar="PATH=VALUE", help="Values that no record holds, such as secrets.")
@click.option("--env", "with_environment", is_flag=True, help="In the recorded environment, built with uv or pip.")
@click.option("--without", multiple=True, metavar="PACKAGE", help="With --env: leave a package out; may be repeated.")
@json_option
@pass_session
def command(
    session: Session,
    run: str,
    into: str | None,
    tolerance: float | None,
    given: Sequence[str],
    with_environment: bool,
    without: Sequence[str],
    as_json: bool,
) -> int:
    """Run a record again and compare it, output by output.

    It happens in a work tree of the run's commit, in a process of its own, without the cache; your files stay as they are.
    The new run is recorded. The exit code is 3 when an output differs.

    With --env the recorded Python and packages are installed into an environment that is kept for the next time; what cannot be had is said first.
    """
    workspace = session.history
    found = workspace.load_run(run)
    values = list(iter_settings(given))
    if len(values) > 1:
        raise UsageError("a run is reproduced with one value for each path")
    if without and not with_environment:
        raise UsageError("--without is for --env", "finestflow reproduce RUN --env --without PACKAGE")
    preflight = workspace.inspect(found)
    prepare, notes = _provide(session, found, without) if with_environment else (None, preflight.changes)
    _warn(session.out, preflight.missing, () if with_environment else notes)
    if preflight.part:
        session.out.note(one_line(preflight.part))
    folder = session.folder / into if into else None
    verdict = workspace.reproduce(found, preflight, into=folder, given=values[0], tolerance=tolerance, prepare=prepare)
    if as_json:
        session.out.json(
            "reproduction",
            run=found.summary.id,
            reproduced_by=verdict.run,
            identical=verdict.identical,
            first=verdict.first or None,
            changes=list(notes),
            missing=list(preflight.missing),
            nodes=[asdict(node) for node in verdict.nodes],
        )
    else:
        session.out.lines(_lines(verdict, session.out))
    return ExitCode.DONE if verdict.identical else ExitCode.DIFFERED


def _provide(session: Session, run: Run, without: Sequence[str]) -> tuple[Prepare, Sequence[str]]:
    """Say what cannot be had, and have the rest built; return what to run in, and what was said."""
    plan = session.workspace.plan_provision(run, without)
    said = list(plan.notes)
    for note in plan.notes:
        session.out.note(one_line(note))

    def say(text: str) -> None:
        said.append(text)
        session.out.note(one_line(text))

    return session.workspace.provide(plan, say), said


def _warn(out: Output, missing: Sequence[str], changes: Sequence[str]) -> None:
    """Say before it starts what may make a difference."""
    for sentence in missing:
        out.warn(one_line(sentence))
    if changes:
        shown = changes if out.verbosity > 0 else changes[:3]
        out.note("not as it was: " + "; ".join(one_line(change) for change in shown))
        if len(shown) < len(changes):
            out.note(f"and {len(changes) - len(shown)} more; -v lists them")


def _lines(verdict: Verdict, out: Output) -> Iterator[str]:
    rows = [
        [
            one_line(node.path),
            Styled(node.verdict, _STYLES.get(node.verdict, "red")),
            (node.before or "")[:12],
            (node.after or "")[:12] if node.after != node.before else "",
            one_line(node.detail),
        ]
        for node in verdict.nodes
    ]
    columns = [
        Column("node"),
        Column("verdict"),
        Column("before"),
        Column("after"),
        Column("detail", shrinks=True, style="dim"),
    ]
    yield from format_table(columns, rows, room=out.columns if out.is_terminal else None, color=out.color)
    yield out.style(one_line(verdict.summary()), "green" if verdict.identical else "bold red")
