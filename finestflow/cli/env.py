"""``finestflow env``: interpreter, platform, packages and settings of a run, or what differs between two."""

from __future__ import annotations

import click

from finestflow.cli._errors import ExitCode
from finestflow.cli._options import json_option, run_argument
from finestflow.cli._output import Column
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line, value_text
from finestflow.errors import UsageError
from finestflow.requirements import Packages, dump_requirements


@click.command("env")
@run_argument()
@click.argument("other", required=False, metavar="[RUN]")
@click.option("--requirements", is_flag=True, help="Only the packages, as lines that pip and uv install.")
@json_option
@pass_session
def command(session: Session, run: str, other: str | None, requirements: bool, as_json: bool) -> int:
    """Show the environment that a run ran in, or with two runs what differs between theirs.

    Of environment variables there are those that [run] record-env names. A package that no index gave is shown with where it came from.
    """
    if other is not None:
        if requirements:
            raise UsageError("--requirements is for one run", "finestflow env RUN --requirements")
        return _show_difference(session, run, other, as_json=as_json)
    found = session.history.load_run(run)
    environment = dict(found.environment)
    if as_json:
        session.out.json("environment", run=found.summary.id, environment=environment)
        return ExitCode.DONE
    packages, origins = environment.pop("packages", {}), environment.pop("origins", {})
    if requirements:
        text, rest = dump_requirements(Packages(packages, origins), str(environment.get("python", "")))
        session.out.lines(text.splitlines())
        for name, version in rest.versions.items():
            session.out.warn(f"no requirement can name {one_line(name)} {one_line(version)}")
        return ExitCode.DONE
    rows = [[one_line(key), value_text(value), ""] for key, value in environment.items()]
    rows += [[one_line(name), one_line(version), one_line(origins.get(name, ""))] for name, version in packages.items()]
    columns = [Column("what"), Column("value", shrinks=True), Column("from", shrinks=True, style="dim")]
    session.out.table(columns, rows, header=False, page=True)
    return ExitCode.DONE


def _show_difference(session: Session, run: str, other: str, *, as_json: bool) -> int:
    difference = session.history.diff(run, other)
    changes, out = difference.environment, session.out
    if as_json:
        out.json(
            "environment.diff",
            before=difference.before.summary.id,
            after=difference.after.summary.id,
            changes=[{"name": change.name, "before": change.before, "after": change.after} for change in changes],
        )
    elif not changes:
        out.line("nothing differs")
    else:
        rows = [[one_line(c.name), _value(c.before), "→", _value(c.after)] for c in changes]
        columns = [Column("what"), Column("before", shrinks=True), Column(""), Column("after", shrinks=True)]
        out.table(columns, rows, header=False, page=True)
    return ExitCode.DONE


def _value(value: object) -> str:
    return "(absent)" if value is None else value_text(value)
