"""What differs between two runs, as rows: files side by side or one under the other, values, outputs, graphs, logs, and why tasks ran.

Invariant: a line that was removed is on the left or begins with a minus, one that was added is on the right or begins with a plus, with or
without colours; words that differ within a pair of lines stand out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

from finestflow.compare import RunDiff
from finestflow.git.objects import FileChange
from finestflow.goals import GUESSED, Goals
from finestflow.graph import fold_items, graph_of_nodes
from finestflow.model import NodeStatus, RunSummary
from finestflow.picture import Picture
from finestflow_tui.glyphs import run_glyph
from finestflow_tui.layout.dag import Drawing, draw_dag
from finestflow_tui.text import (
    Row,
    Span,
    cut,
    fit,
    many_lines,
    one_line,
    pad,
    plural,
    row,
    title,
    width,
)
from finestflow_tui.views.code import highlight
from finestflow_tui.views.picture import picture_rows
from finestflow_tui.views.runs import better, moved
from finestflow_tui.views.tasks import base_of, terse

__all__ = [
    "Hunk",
    "Inside",
    "counts_of",
    "diff_rows",
    "file_rows",
    "graph_of",
    "head_spans",
    "log_rows",
    "output_rows",
    "parse_patch",
    "printed_rows",
    "why_rows",
]

ALL_LOGS = "\0"
"""Stands for the logs of all nodes, where a path is expected."""
SPLIT_AT = 110
"""Columns from which two sides fit beside each other."""
_HEAD = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")
_WORD = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\w+|\s+|.")
_SIGNS = {"added": ("A", "good"), "removed": ("D", "bad"), "changed": ("M", "warning")}
_SIMILAR = 0.4
_SEVERAL = 4
_PICTURE_ROWS = 14
_PATH = 22
"""Columns of a path that is followed by how many lines came and went."""
_ITEM = re.compile(r"(?:\[\d+\]|/\d+)(?=/|$).*")


class Hunk(NamedTuple):
    """A piece of a patch: where it begins on both sides, what encloses it, lines with their sign."""

    old: int
    new: int
    heading: str
    lines: tuple[tuple[str, str], ...]


def counts_of(diff: RunDiff) -> dict[str, int]:
    """Return how many things differ, by the tab that shows them."""
    return {
        "code": len(diff.files),
        "params": len(diff.params) + len(diff.inputs),
        "metrics": len(diff.metrics),
        "env": len(diff.environment),
        "outputs": len(diff.outputs),
        "graph": len(diff.nodes) + len(diff.edges),
    }


def parse_patch(text: str) -> list[Hunk]:
    """Return the hunks of the patch of one file."""
    hunks: list[Hunk] = []
    lines: list[tuple[str, str]] = []
    for line in text.split("\n"):
        head = _HEAD.match(line)
        if head is not None:
            lines = []
            hunks.append(Hunk(int(head[1]), int(head[2]), one_line(head[3]), ()))
        elif hunks and line[:1] in {" ", "+", "-"}:
            lines.append((line[0], many_lines(line[1:]).expandtabs(4)[:2000]))
            hunks[-1] = hunks[-1]._replace(lines=tuple(lines))
    return hunks


def diff_rows(name: str, hunks: Sequence[Hunk], columns: int, *, split: bool, words: bool = True) -> list[Row]:
    """Return a file's hunks; the head of each has its position as key.

    Args:
        name: The file: its suffix says how it is coloured.
        hunks: Its hunks.
        columns: Room.
        split: Both sides beside each other.
        words: Mark the words that differ within a pair of lines.
    """
    if not hunks:
        return [row(("no lines differ: the file is binary, renamed, or has another mode", "dim"))]
    rows: list[Row] = []
    for at, hunk in enumerate(hunks):
        where = f"{one_line(name)}:{hunk.new}"
        rows.append(row(("⋯ ", "hunk"), (where, "hunk"), (f"  {hunk.heading}" if hunk.heading else "", "dim"), key=at))
        rows += _split_rows(name, hunk, columns, words) if split else _unified_rows(name, hunk, words)
        rows.append(row(""))
    return rows


class _Side(NamedTuple):
    number: int
    spans: tuple[Span, ...]


def _sides(name: str, hunk: Hunk, has_words: bool) -> list[tuple[_Side | None, _Side | None]]:
    """Return pairs of lines: equal ones, changed ones, and those that have no partner."""
    old = [text for sign, text in hunk.lines if sign != "+"]
    new = [text for sign, text in hunk.lines if sign != "-"]
    old_spans, new_spans = highlight(name, "\n".join(old)), highlight(name, "\n".join(new))
    pairs: list[tuple[_Side | None, _Side | None]] = []
    left, right, at = 0, 0, 0
    while at < len(hunk.lines):
        if hunk.lines[at][0] == " ":
            pairs.append((_Side(hunk.old + left, old_spans[left]), _Side(hunk.new + right, new_spans[right])))
            left, right, at = left + 1, right + 1, at + 1
            continue
        removed, added = [], []
        while at < len(hunk.lines) and hunk.lines[at][0] == "-":
            removed.append((hunk.old + left, old[left], old_spans[left]))
            left, at = left + 1, at + 1
        while at < len(hunk.lines) and hunk.lines[at][0] == "+":
            added.append((hunk.new + right, new[right], new_spans[right]))
            right, at = right + 1, at + 1
        for before, after in zip_longest(removed, added):
            if before is None or after is None:
                pairs.append(
                    (
                        None if before is None else _Side(before[0], _over(before[2], "removed")),
                        None if after is None else _Side(after[0], _over(after[2], "added")),
                    )
                )
                continue
            less, more = _words(before[1], after[1]) if has_words else ([], [])
            pairs.append(
                (_Side(before[0], _over(before[2], "removed", less)), _Side(after[0], _over(after[2], "added", more)))
            )
    return pairs


def _words(before: str, after: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the ranges of characters that differ; none where the lines have little in common."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < _SIMILAR:
        return [], []
    starts_old, starts_new = _starts(old), _starts(new)
    less, more = [], []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            less.append((starts_old[a], starts_old[b]))
            more.append((starts_new[c], starts_new[d]))
    return less, more


def _starts(words: Sequence[str]) -> list[int]:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    return starts


def _over(spans: Iterable[Span], role: str, words: Sequence[tuple[int, int]] = ()) -> tuple[Span, ...]:
    """Lay a role below spans, and that of changed words below some characters."""
    made: list[Span] = []
    at = 0
    cuts = sorted({edge for pair in words for edge in pair})
    for text, its in spans:
        start = at
        at += len(text)
        for left, right in zip(
            [start, *(each for each in cuts if start < each < at)],
            [*(each for each in cuts if start < each < at), at],
            strict=True,
        ):
            is_word = any(low <= left < high for low, high in words)
            below = f"{role}-word" if is_word else role
            made.append((text[left - start : right - start], f"{below}+{its}" if its and not is_word else below))
    return tuple(made) or (("", role),)


def _unified_rows(name: str, hunk: Hunk, has_words: bool) -> list[Row]:
    rows: list[Row] = []
    removed: list[Row] = []
    added: list[Row] = []
    for left, right in _sides(name, hunk, has_words):
        is_equal = left is not None and right is not None and not any("removed" in role for _, role in left.spans)
        if is_equal and left is not None and right is not None:
            rows += [*removed, *added]
            removed, added = [], []
            rows.append(Row(((f"{left.number:>5} {right.number:>5}   ", "dim"), *right.spans)))
            continue
        if left is not None:
            removed.append(Row(((f"{left.number:>5}       ", "dim"), ("− ", "removed"), *left.spans)))
        if right is not None:
            added.append(Row(((f"      {right.number:>5} ", "dim"), ("+ ", "added"), *right.spans)))
    return [*rows, *removed, *added]


def _split_rows(name: str, hunk: Hunk, columns: int, has_words: bool) -> list[Row]:
    room = max(20, (columns - 3) // 2 - 7)
    return [
        Row((*_half(left, room, "−"), (" │ ", "dim"), *_half(right, room, "+")))
        for left, right in _sides(name, hunk, has_words)
    ]


def _half(side: _Side | None, room: int, sign: str) -> tuple[Span, ...]:
    if side is None:
        return (("╱" * (room + 7), "pending"),)
    role = next(
        (
            role.partition("+")[0].removesuffix("-word")
            for _, role in side.spans
            if role.startswith(("removed", "added"))
        ),
        "",
    )
    return ((f"{side.number:>5}", "dim"), (f"{sign} " if role else "  ", role), *fit((*side.spans, ("", role)), room))


def file_rows(files: Sequence[FileChange], counts: Mapping[str, tuple[int, int]] = {}) -> list[Row]:
    """Return the files that differ; their key is their path.

    Args:
        files: The files.
        counts: How many lines came and went, by path, as far as that is known.
    """
    if not files:
        return [row(("the code is the same", "dim"))]
    room = min(_PATH, max(width(one_line(change.path)) for change in files))
    rows = []
    for change in files:
        came, went = counts.get(change.path, (0, 0))
        name, told = one_line(change.path), [(f"  +{came}", "good")] * bool(came) + [(f"  −{went}", "bad")] * bool(went)
        shown = pad(cut(name, room), room) if told else name
        rows.append(row(_SIGNS.get(change.kind, ("M", "warning")), " ", (shown, "bold"), *told, key=change.path))
    return rows


def printed_rows(patches: Mapping[str, str], pipeline: str) -> list[Row]:
    """Return the nodes that printed something else, with how many lines went and came; their key is their path.

    Args:
        patches: By path, as ``Workspace.log_patches`` gives them.
        pipeline: What the lines of the body are called.
    """
    rows = [row(("all, from the first difference", "title"), key=ALL_LOGS)]
    for path, patch in patches.items():
        lines = patch.split("\n")
        more, less = sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)
        rows.append(row((one_line(path or pipeline), "bold"), (f"  +{more}", "good"), (f" −{less}", "bad"), key=path))
    return rows


def why_rows(diff: RunDiff) -> list[Row]:
    """Return why the later run computed what it did not find: the differences between the runs, node by node."""
    reasons = {change.path: change.why for change in diff.outputs}
    alike: dict[tuple[str, NodeStatus, tuple[str, ...]], list[str]] = {}
    for path, node in diff.after.nodes.items():
        if node.kind == "pipeline":
            continue
        whys = reasons.get(path, ()) or ((node.why,) if node.status is not NodeStatus.HIT and node.why else ())
        told = tuple(terse("; ".join(whys)).split("; "))
        if whys:
            alike.setdefault((base_of(diff.after, path), node.status, told), []).append(path)
    rows: list[Row] = [row(""), title("why it ran again")]
    for (base, status, told), paths in alike.items():
        for label in [f"{base} ×{len(paths)}"] if len(paths) >= _SEVERAL else paths:
            rows.append(row((f"{one_line(label)}  ", "bold"), (status.value, status.value)))
            rows += [row((f"  {each}", "dim")) for each in told[:6]]
    return rows if alike else [row(""), row(("every task was a hit", "dim"))]


def excerpts(before: str | None, after: str | None, columns: int) -> tuple[str, str]:
    """Return both values in so many columns, from shortly before the first difference on where they are longer."""
    old, new = ("(absent)" if text is None else one_line(text) for text in (before, after))
    start = 0
    if old != new and max(width(old), width(new)) > columns:
        pairs = enumerate(zip(old, new, strict=False))
        same = next((at for at, (left, right) in pairs if left != right), min(len(old), len(new)))
        start = max(0, same - columns // 3)
    return tuple(cut(("…" if start else "") + text[start:], columns) for text in (old, new))  # type: ignore[return-value]


class Inside(NamedTuple):
    """What differs inside an output: part by part, and both values where they are pictures."""

    parts: Sequence[Mapping[str, str]] = ()
    pictures: tuple[Picture, Picture] | None = None


def output_rows(
    diff: RunDiff,
    inside: Mapping[str, Inside] | None = None,
    *,
    told: RunDiff | None = None,
    columns: int = 120,
    colored: bool = True,
) -> list[Row]:
    """Return outputs that differ, what they were, and why; how many are equal.

    Args:
        diff: What differs.
        inside: What differs inside the values, by path, as far as that is known.
        told: The same with large families as one change each, where these are to be shown so.
        columns: Room of a line.
        colored: Whether pictures may have colours.
    """
    rows: list[Row] = []
    for change in (told or diff).outputs:
        rows.append(row((one_line(change.path), "bold"), key=change.path))
        found = (inside or {}).get(change.path, Inside())
        if found.pictures is not None:
            rows += _pictures_beside(*found.pictures, columns, colored=colored)
        else:
            before, after = excerpts(change.before, change.after, columns - 8)
            if before == after:  # what differs is in none of the little that is shown
                before, after = (f"{before}  {(digest or '')[:10]}" for digest in change.digests)
            rows += [row(("  A  ", "dim"), (before, "bad")), row(("  B  ", "dim"), (after, "good"))]
        rows += [
            row(f"     {one_line(each['path'])} ".rstrip(), "  ", (one_line(each["text"]), "warning"))
            for each in found.parts
        ]
        rows += [row(("     " + one_line(why), "dim")) for why in change.why]
        rows.append(row(""))
    different = {change.path for change in diff.outputs}
    same = [
        path
        for path, node in diff.after.nodes.items()
        if path in diff.before.nodes and path not in different and node.kind != "pipeline"
    ]
    equal = f"{plural(len(same), 'output')} the same: {', '.join(map(one_line, same[:12]))}"
    return [*rows, row((equal if same else "no output is the same", "dim"))]


def _pictures_beside(before: Picture, after: Picture, columns: int, *, colored: bool) -> list[Row]:
    """Return two pictures beside each other, under the letters of their runs."""
    room = max(8, (columns - 6) // 2)
    sides = [picture_rows(each, room, _PICTURE_ROWS, colored=colored) for each in (before, after)]
    head = row("  ", (pad("A", room), "bad"), "  ", ("B", "good"))
    empty = Row(())
    return [
        head,
        *(
            Row((("  ", ""), *fit((*left.spans, ("", "")), room), ("  ", ""), *right.spans))
            for left, right in zip_longest(*sides, fillvalue=empty)
        ),
    ]


class Merged(NamedTuple):
    """Both graphs in one drawing."""

    drawing: Drawing
    roles: Mapping[str, str]
    edges: tuple[tuple[str, str], ...]


def graph_of(diff: RunDiff, *, turned: bool) -> Merged:
    """Draw both graphs as one: a plus or a minus before what is in one run only, a tilde where the output differs; items of a fan-out are one node."""
    graphs = [fold_items(graph_of_nodes(run.nodes), _SEVERAL) for run in (diff.before, diff.after)]
    old, new = ({node.path: node for node in graph.nodes} for graph in graphs)
    changed = {_ITEM.sub("", change.path) for change in diff.outputs} | {change.path for change in diff.outputs}
    labels: dict[str, str] = {}
    roles: dict[str, str] = {}
    for path, node in (old | new).items():
        if path not in old or path not in new:
            sign, role = ("+", "good") if path in new else ("−", "bad")
        else:
            sign, role = ("~", "warning") if path in changed else ("=", "dim")
        several = f" ×{node.count}" if node.count > 1 else ""
        labels[path], roles[path] = f"{sign} {cut(one_line(path), 24)}{several}", role
    edges = dict.fromkeys((edge.source, edge.target) for graph in graphs for edge in graph.edges)
    return Merged(draw_dag(list(labels), edges, labels, turned=turned), roles, tuple(edges))


_CLOCK = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]*Z?|\d\d:\d\d:\d\d[.,\d]*|\b\d+(?:\.\d+)? ?(?:ms|s|sec|seconds)\b|\[replayed from run \w+\]"
)


def log_rows(before: bytes, after: bytes, columns: int) -> list[Row]:
    """Return both logs beside each other from some lines before the first one that differs when times are left out."""
    old, new = (many_lines(text.decode("utf-8", "replace")).expandtabs(4).split("\n") for text in (before, after))
    old, new = ([line for line in lines if not line.startswith("[replayed from run ")] for lines in (old, new))
    first = next(
        (
            at
            for at, (a, b) in enumerate(zip_longest(old, new))
            if _CLOCK.sub("", a or "\0") != _CLOCK.sub("", b or "\0")
        ),
        None,
    )
    if first is None:
        return [row(("the logs are the same, but for times", "dim"))]
    room = max(20, (columns - 3) // 2)
    rows = [row((f"the first line that differs is line {first + 1}", "warning")), row("")]
    for at in range(max(0, first - 5), min(max(len(old), len(new)), first + 500)):
        left, right = old[at] if at < len(old) else "", new[at] if at < len(new) else ""
        differs = _CLOCK.sub("", left) != _CLOCK.sub("", right)
        rows.append(
            row(
                (pad(cut(left, room), room), "removed" if differs and left else ""),
                (" │ " if not differs else " ≠ ", "dim"),
                (cut(right, room), "added" if differs and right else ""),
            )
        )
    return rows


def head_spans(before: RunSummary, after: RunSummary, letters: Mapping[str, str], goals: Goals = GUESSED) -> list[Span]:
    """Return both runs in one line, with how the metric that says most changed."""
    spans: list[Span] = []
    for name, run, role in (("A", before, "bad"), ("B", after, "good")):
        spans += [
            (f" {letters.get(run.id, name)} ", "bold"),
            (one_line(run.name), "name"),
            (f" {run.id[:6]}", "id"),
            (f"  {run_glyph(run.status)} {run.status.value}", run.status.value),
        ][: 4 if run.id != before.id or role == "bad" else 2]
        spans.append((" →" if role == "bad" else "  ", "dim"))
    shared = [
        name
        for name in reversed(list(after.metrics))
        if name in before.metrics and moved(before.metrics[name], after.metrics[name])
    ]
    for name in shared[:2]:
        spans += [
            (f" {one_line(name.rpartition('/')[2])} ", "dim"),
            better(name, before.metrics[name], after.metrics[name], goals),
        ]
    return spans
