"""``finestflow env``: interpreter, platform, packages and settings of a run."""

from __future__ import annotations

from collections.abc import Mapping

import click

from finestflow.cli._options import json_option, run_argument
from finestflow.cli._output import Column
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line, value_text


@click.command("env")
@run_argument()
@click.option("--requirements", is_flag=True, help="Only the packages, in the form of requirements.txt.")
@json_option
@pass_session
def command(session: Session, run: str, requirements: bool, as_json: bool) -> None:
    """Show the environment that a run ran in."""
    found = session.history.load_run(run)
    environment = dict(found.environment)
    if as_json:
        session.out.json("environment", run=found.summary.id, environment=environment)
        return
    packages = environment.pop("packages", {})
    if requirements:
        pairs = packages.items() if isinstance(packages, Mapping) else ((str(item), None) for item in packages)
        session.out.lines(one_line(f"{name}=={version}" if version else name) for name, version in pairs)
        return
    rows = [[one_line(key), value_text(value)] for key, value in environment.items()]
    if isinstance(packages, Mapping):
        rows += [[one_line(name), one_line(version)] for name, version in packages.items()]
    else:
        rows += [["package", one_line(item)] for item in packages]
    session.out.table([Column("what"), Column("value", shrinks=True)], rows, header=False, page=True)
