"""``finestflow env``: interpreter, platform, packages and settings of a run, or what differs between two."""

from __future__ import annotations

from collections.abc import Mapping

import click

from finestflow.cli._errors import ExitCode
from finestflow.cli._options import json_option, run_argument
from finestflow.cli._output import Column
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line, value_text
from finestflow.errors import UsageError


@click.command("env")
@run_argument()
@click.argument("other", required=False, metavar="[RUN]")
@click.option("--requirements", is_flag=True, help="Only the packages, in the form of requirements.txt.")
@json_option
@pass_session
def command(session: Session, run: str, other: str | None, requirements: bool, as_json: bool) -> int:
    """Show the environment that a run ran in, or with two runs what differs between theirs.

    Of environment variables there are those that [run] record-env names.
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
    packages = environment.pop("packages", {})
    if requirements:
        pairs = packages.items() if isinstance(packages, Mapping) else ((str(item), None) for item in packages)
        session.out.lines(one_line(f"{name}=={version}" if version else name) for name, version in pairs)
        return ExitCode.DONE
    rows = [[one_line(key), value_text(value)] for key, value in environment.items()]
    if isinstance(packages, Mapping):
        rows += [[one_line(name), one_line(version)] for name, version in packages.items()]
    else:
        rows += [["package", one_line(item)] for item in packages]
    session.out.table([Column("what"), Column("value", shrinks=True)], rows, header=False, page=True)
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
