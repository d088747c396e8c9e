"""What differs between two runs, as text, Markdown, CSV and JSON: what ``diff`` and ``bisect`` print."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from finestflow.cli._markdown import cell, fence, table
from finestflow.cli._output import Column, Output, Styled, format_table, paint
from finestflow.cli._text import cut, many_lines, number, one_line, value_text

if TYPE_CHECKING:
    from finestflow.compare import Change, RunDiff

__all__ = ["PARTS", "document_of", "lines_of", "markdown_of", "patch_lines", "rows_of"]

_PREVIEW_ROOM = 60
_DIGEST = 8
_MARKS = {"added": "+", "removed": "-", "changed": "~"}
_PATCH_STYLES = {"+": "green", "-": "red", "@": "cyan"}
PARTS: Mapping[str, tuple[str, ...]] = {
    "code": ("files",),
    "params": ("params", "inputs"),
    "metrics": ("metrics",),
    "outputs": ("outputs",),
    "graph": ("nodes", "edges"),
    "env": ("environment",),
}
"""What can be chosen, and what of a difference it is, in the order in which it is shown."""


class Row(NamedTuple):
    """One thing that differs; ``change`` is added, removed or changed, and ``before`` and ``after`` are None for files. Outputs have digests."""

    part: str
    name: str
    change: str
    before: Any
    after: Any
    delta: float | None = None
    before_digest: str | None = None
    after_digest: str | None = None


def rows_of(difference: RunDiff, parts: Collection[str] = tuple(PARTS)) -> Iterator[Row]:
    """Yield what differs in some parts, a row a thing."""
    for part in (field for name, fields in PARTS.items() if name in parts for field in fields):
        for item in getattr(difference, part):
            if part == "files":
                yield Row(part, item.path, item.kind, None, None)
                continue
            name = item.path if part == "outputs" else item.name
            delta = item.delta if part == "metrics" else None
            change = "added" if item.before is None else "removed" if item.after is None else "changed"
            digests = item.digests if part == "outputs" else (None, None)
            yield Row(part, name, change, item.before, item.after, delta, *digests)


# -- text ------------------------------------------------------------------------------------------------------------------------------


def lines_of(difference: RunDiff, out: Output, parts: Collection[str] = tuple(PARTS)) -> Iterator[str]:
    """Yield what differs in some parts, a section a part; of the items of a large fan-out one line."""
    difference = difference.folded()
    yield _title(difference)
    is_empty = True
    for field in (field for name, fields in PARTS.items() if name in parts for field in fields):
        lines = list(_section(field, getattr(difference, field), out))
        if lines:
            is_empty = False
            yield from ("", out.style(field, "bold"), *lines)
    if is_empty:
        yield "nothing differs"


def _title(difference: RunDiff) -> str:
    old, new = difference.before.summary, difference.after.summary
    shown = one_line(new.name) + ("" if _is_present(difference) else f" ({new.id})")
    return f"{one_line(old.name)} ({old.id}) → {shown}"


def _is_present(difference: RunDiff) -> bool:
    """Whether a run is compared with what is there now, which is no run."""
    old, new = difference.before.summary, difference.after.summary
    return old.id == new.id and bool(old.commit) and not new.commit


def _section(part: str, found: Iterable[Any], out: Output) -> Iterator[str]:
    if part == "files":
        yield from (f"  {_MARKS.get(change.kind, '~')} {one_line(change.path)}" for change in found)
    elif part == "outputs":
        for node in found:
            shown = " → ".join(_previews(node.before, node.after, node.digests))
            yield f"  {out.style(one_line(node.path), 'bold')}  {shown}"
            yield from (f"    {out.style(one_line(reason), 'dim')}" for reason in node.why)
    else:
        yield from _changes(found, out, is_metric=part == "metrics")


def _changes(changes: Iterable[Change], out: Output, *, is_metric: bool) -> Iterator[str]:
    rows = []
    for change in changes:
        delta = change.delta if is_metric else None
        rows.append(
            [
                "  " + one_line(change.name),
                Styled(_value(change.before, is_metric=is_metric), "red"),
                "→",
                Styled(_value(change.after, is_metric=is_metric), "green"),
                "" if delta is None else f"{delta:+.4g}",
            ]
        )
    columns = [
        Column("name"),
        Column("before", shrinks=True),
        Column(""),
        Column("after", shrinks=True),
        Column("delta", right=True),
    ]
    room = out.columns if out.is_terminal else None
    return format_table(columns, rows, room=room, color=out.color, header=False) if rows else iter(())


def _previews(before: str | None, after: str | None, digests: tuple[str | None, str | None]) -> tuple[str, str]:
    """Return two outputs as a person reads them: with the beginnings of their digests where they look the same."""
    old, new = _shown(before), _shown(after)
    if old != new:
        return old, new
    left, right = ((each or "")[:_DIGEST] for each in digests)
    return f"{old} {left}".rstrip(), f"{new} {right}".rstrip()


def _shown(preview: str | None) -> str:
    return "(absent)" if preview is None else cut(one_line(preview), _PREVIEW_ROOM)


def _value(value: Any, *, is_metric: bool) -> str:
    if value is None:
        return "(absent)"
    return number(value) if is_metric and isinstance(value, (int, float)) else value_text(value)


def patch_lines(patch: str, out: Output) -> list[str]:
    """Return a patch as lines for a terminal."""
    lines = many_lines(patch).splitlines()
    if not out.color:
        return lines
    return [
        paint(line, _PATCH_STYLES.get(line[:1], "")) if line[:3] not in {"+++", "---"} else paint(line, "bold")
        for line in lines
    ]


# -- for other programs ----------------------------------------------------------------------------------------------------------------


def markdown_of(difference: RunDiff, parts: Collection[str], patches: Mapping[str, str]) -> Iterator[str]:
    """Yield what differs in some parts as a table, and then patches, each under its title."""
    yield f"**{cell(_title(difference))}**"
    rows = [_markdown_row(row) for row in rows_of(difference.folded(), parts)]
    if rows:
        yield ""
        yield from table(["", "", "before", "after", ""], rows)
    for title, patch in patches.items():
        yield from ("", cell(title), "", *fence(many_lines(patch), "diff"))
    if not rows and not patches:
        yield from ("", "nothing differs")


def _markdown_row(row: Row) -> list[str]:
    if row.part == "files":
        return [row.part, cell(row.name), "", row.change, ""]
    is_metric = row.part == "metrics"
    if row.part == "outputs":
        texts = _previews(row.before, row.after, row[6:])
    else:
        texts = _value(row.before, is_metric=is_metric), _value(row.after, is_metric=is_metric)
    return [row.part, cell(row.name), *map(cell, texts), "" if row.delta is None else f"{row.delta:+.4g}"]


def document_of(difference: RunDiff) -> dict[str, Any]:
    """Return what differs as JSON."""

    def changes(items: Iterable[Change]) -> list[dict[str, Any]]:
        return [{"name": c.name, "before": c.before, "after": c.after, "delta": c.delta} for c in items]

    return {
        "before": difference.before.summary.id,
        "after": None if _is_present(difference) else difference.after.summary.id,
        "empty": difference.is_empty,
        "params": changes(difference.params),
        "inputs": changes(difference.inputs),
        "metrics": changes(difference.metrics),
        "environment": changes(difference.environment),
        "outputs": [
            {"path": n.path, "before": n.before, "after": n.after, "digests": list(n.digests), "why": list(n.why)}
            for n in difference.outputs
        ],
        "graph": {"nodes": changes(difference.nodes), "edges": changes(difference.edges)},
        "files": [{"path": f.path, "kind": f.kind} for f in difference.files],
    }
