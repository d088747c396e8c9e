"""``finestflow diff``: what differs between two runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from finestflow.cli._address import split_address
from finestflow.cli._errors import ExitCode
from finestflow.cli._options import json_option, run_argument
from finestflow.cli._output import Column, Output, Styled, format_table, paint
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import cut, many_lines, number, one_line, value_text

if TYPE_CHECKING:
    from finestflow.compare import Change, RunDiff

_PREVIEW_ROOM = 60
_MARKS = {"added": "+", "removed": "-", "changed": "~"}
_PATCH_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@click.command("diff")
@run_argument("before", metavar="[RUN")
@click.argument("after", required=False, metavar="[RUN]]")
@click.option("--code", is_flag=True, help="Only the files, as a patch.")
@click.option("--params", is_flag=True, help="Only params and inputs.")
@click.option("--metrics", is_flag=True, help="Only metrics.")
@click.option("--env", is_flag=True, help="Only the environment.")
@click.option("--outputs", is_flag=True, help="Only outputs, and why they differ.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something differs.")
@json_option
@pass_session
def command(session: Session, /, before: str, after: str | None, exit_code: bool, as_json: bool, **only: bool) -> int:
    """Show what differs between two runs.

    Without RUN the newest is compared with the one before; one RUN is compared with the newest. RUN:NODE compares the values of an output:
    tables cell by cell, text word by word, arrays by statistics. That loads them.
    """
    workspace = session.history
    if ":" in before or ":" in (after or ""):
        return _show_values(session, before, after, exit_code=exit_code, as_json=as_json)
    if after is None:
        before, after = ("@~1", "@") if before == "@" else (before, "@")
    difference = workspace.diff(before, after)
    chosen = {name for name, wanted in only.items() if wanted}
    if as_json:
        session.out.json("diff", **document_of(difference))
    elif chosen == {"code"}:
        _show_patch(workspace.code_patch(difference), session.out)
    else:
        session.out.lines(lines_of(difference, chosen, session.out), page=True)
    return ExitCode.FAILED if exit_code and _differs(difference, chosen) else ExitCode.DONE


def _show_values(session: Session, before: str, after: str | None, *, exit_code: bool, as_json: bool) -> int:
    """Show what differs between two outputs; the second is the same one of the newest run when it is left out."""
    from finestflow.contrast import contrast

    run, node = split_address(before, needs_node=True)
    other, same = split_address(after or "@")
    if after is None and session.history.resolve(run).id == session.history.resolve("@").id:
        run, other = "@~1", "@"
    values = [session.workspace.load_output(name, place) for name, place in ((run, node), (other, same or node))]
    found = list(contrast(*values))
    out = session.out
    if as_json:
        out.json("diff.values", differences=[{"path": each.path, "text": each.text} for each in found])
    elif not found:
        out.line("nothing differs")
    else:
        room = max(len(each.path) for each in found)
        out.lines((f"{one_line(each.path.ljust(room))}  {one_line(each.text)}".strip() for each in found), page=True)
    return ExitCode.FAILED if exit_code and found else ExitCode.DONE


def _differs(difference: RunDiff, chosen: set[str]) -> bool:
    parts: dict[str, tuple[Any, ...]] = {
        "code": difference.files,
        "params": (*difference.params, *difference.inputs),
        "metrics": difference.metrics,
        "env": difference.environment,
        "outputs": difference.outputs,
    }
    return any(parts[name] for name in chosen or parts)


def lines_of(difference: RunDiff, chosen: set[str], out: Output) -> Iterator[str]:
    """Yield what differs, a section a part; all parts when none is chosen."""
    old, new = difference.before.summary, difference.after.summary
    yield f"{one_line(old.name)} ({old.id}) → {one_line(new.name)} ({new.id})"
    if not _differs(difference, chosen):
        yield "nothing differs"
        return

    def wants(name: str) -> bool:
        return not chosen or name in chosen

    if wants("code") and difference.files:
        yield from _title("files", out)
        yield from (f"  {_MARKS.get(change.kind, '~')} {one_line(change.path)}" for change in difference.files)
    if wants("params"):
        yield from _section("params", difference.params, out)
        yield from _section("inputs", difference.inputs, out)
    if wants("metrics"):
        yield from _section("metrics", difference.metrics, out, with_delta=True)
    if wants("outputs") and difference.outputs:
        yield from _title("outputs", out)
        for node in difference.outputs:
            yield f"  {out.style(one_line(node.path), 'bold')}  {_shown(node.before)} → {_shown(node.after)}"
            yield from (f"    {out.style(one_line(reason), 'dim')}" for reason in node.why)
    if wants("env"):
        yield from _section("environment", difference.environment, out)


def _shown(preview: str | None) -> str:
    return "(absent)" if preview is None else cut(one_line(preview), _PREVIEW_ROOM)


def _title(title: str, out: Output) -> Iterator[str]:
    yield ""
    yield out.style(title, "bold")


def _section(title: str, changes: Iterable[Change], out: Output, *, with_delta: bool = False) -> Iterator[str]:
    rows = []
    for change in changes:
        delta = change.delta if with_delta else None
        rows.append(
            [
                "  " + one_line(change.name),
                Styled(_value(change.before, metric=with_delta), "red"),
                "→",
                Styled(_value(change.after, metric=with_delta), "green"),
                "" if delta is None else f"{delta:+.4g}",
            ]
        )
    if not rows:
        return
    yield from _title(title, out)
    columns = [
        Column("name"),
        Column("before", shrinks=True),
        Column(""),
        Column("after", shrinks=True),
        Column("delta", right=True),
    ]
    room = out.columns if out.is_terminal else None
    yield from format_table(columns, rows, room=room, color=out.color, header=False)


def _value(value: Any, *, metric: bool) -> str:
    if value is None:
        return "(absent)"
    return number(value) if metric and isinstance(value, (int, float)) else value_text(value)


def _show_patch(patch: str, out: Output) -> None:
    lines = many_lines(patch).splitlines()
    if out.color:
        lines = [
            paint(line, _PATCH_STYLES.get(line[:1], "")) if line[:3] not in {"+++", "---"} else paint(line, "bold")
            for line in lines
        ]
    out.lines(lines, page=True)


def document_of(difference: RunDiff) -> dict[str, Any]:
    """Return what differs as JSON."""

    def changes(items: Iterable[Change]) -> list[dict[str, Any]]:
        return [{"name": c.name, "before": c.before, "after": c.after, "delta": c.delta} for c in items]

    return {
        "before": difference.before.summary.id,
        "after": difference.after.summary.id,
        "empty": difference.is_empty,
        "params": changes(difference.params),
        "inputs": changes(difference.inputs),
        "metrics": changes(difference.metrics),
        "environment": changes(difference.environment),
        "outputs": [
            {"path": n.path, "before": n.before, "after": n.after, "why": list(n.why)} for n in difference.outputs
        ],
        "files": [{"path": f.path, "kind": f.kind} for f in difference.files],
    }
