"""``finestflow verify``: damage, looked for."""

from __future__ import annotations

import click

from finestflow.cli._errors import ExitCode
from finestflow.cli._options import json_option
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import one_line, plural


@click.command("verify")
@click.option("--deep", is_flag=True, help="Read every output and compare its digest.")
@json_option
@pass_session
def command(session: Session, deep: bool, as_json: bool) -> int:
    """Check records and outputs for damage.

    Nothing is changed. The exit code is 5 when something is damaged.
    """
    findings = list(session.history.verify(deep=deep))
    out = session.out
    if as_json:
        documents = [{"place": f.place, "name": f.name, "message": f.message, "hint": f.hint} for f in findings]
        out.json("verification", deep=deep, ok=not findings, problems=documents)
    else:
        for finding in findings:
            out.line(f"{finding.place}: {one_line(finding.name)[:12]}: {one_line(finding.message)}")
        out.note(plural(len(findings), "problem") if findings else "no problems")
        for hint in dict.fromkeys(finding.hint for finding in findings if finding.hint):
            out.note(f"hint: {one_line(hint)}")
    return ExitCode.CORRUPT if findings else ExitCode.DONE
