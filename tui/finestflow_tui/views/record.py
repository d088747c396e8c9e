"""The other sides of a run: params, configuration, environment, outputs, metrics, files; each a list of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finestflow.address import shown_parts
from finestflow.git.objects import FileChange
from finestflow.goals import GUESSED, Goals
from finestflow.model import Metric, Run, RunSummary
from finestflow_tui.glyphs import run_glyph, sparkline
from finestflow_tui.text import (
    Row,
    Span,
    ago,
    columns_of,
    cut,
    duration,
    fields,
    number,
    one_line,
    plural,
    row,
    size,
    title,
    value_text,
    word_for_shell,
)

__all__ = [
    "environment_rows",
    "file_rows",
    "head_spans",
    "metric_rows",
    "output_rows",
    "output_text",
    "param_rows",
    "resource_rows",
]

_SIGNS = {"added": "A", "removed": "D", "changed": "M"}


def head_spans(run: RunSummary, letter: str, now: float) -> list[Span]:
    """Return who a run is, in one line."""
    spans: list[Span] = [
        (f" {letter} " if letter else " ", "mark0"),
        (one_line(run.name), "name"),
        (f"  {run.id[:6]}", "id"),
        ("  ", ""),
    ]
    spans += [
        (f"{run_glyph(run.status)} {run.status.value}", run.status.value),
        (f"  {duration(run.seconds)}", ""),
        (f"  {ago(run.started, now)}", "dim"),
    ]
    if run.branch or run.base:
        changed, untracked = run.dirty
        dirty = (f" ±{changed}" if changed else "") + (f" +{untracked}" if untracked else "")
        spans.append((f"  {one_line(run.branch or '')}@{(run.base or '')[:7]}{dirty}", "dim"))
    if run.note:
        spans.append((f"  “{cut(one_line(run.note), 40)}”", "note"))
    if run.star:
        spans.append(("  ★", "star"))
    if run.tags:
        spans.append(("  " + " ".join(f"#{one_line(tag)}" for tag in run.tags), "tag"))
    return spans


def param_rows(run: Run) -> list[Row]:
    """Return params and inputs, and what the pipeline returned."""
    rows = [
        title("params"),
        *fields(((name, value_text(value)) for name, value in run.summary.params.items()), "param", keyed=True),
    ]
    if run.inputs or run.input_digests:
        rows += [
            row(""),
            title("inputs"),
            *fields(((name, value_text(value)) for name, value in run.inputs.items()), keyed=True),
        ]
        rows += fields(
            ((name, f"digest {digest[:16]}") for name, digest in run.input_digests.items() if name not in run.inputs),
            keyed=True,
        )
    rows += [
        row(""),
        title("settings of the run"),
        *fields((name, value_text(value)) for name, value in run.settings.items()),
    ]
    if run.argv:
        rows += [row(""), title("command"), row(f"  {one_line(' '.join(run.argv))}")]
    if run.returned:
        rows += [row(""), title("returned"), row(f"  {one_line(run.returned)}")]
    return rows


def environment_rows(run: Run) -> list[Row]:
    """Return interpreter, platform, packages and their origins, variables, and what the snapshot left out."""
    environment = run.environment
    plain = [(name, value_text(value)) for name, value in environment.items() if not isinstance(value, Mapping)]
    rows = [title("where it ran"), *fields(plain, keyed=True)]
    for name, role in (("packages", ""), ("origins", ""), ("variables", "param")):
        found: Mapping[str, Any] = environment.get(name, {})
        if found:
            rows += [
                row(""),
                title(name, str(len(found))),
                *fields(((key, value_text(value)) for key, value in found.items()), role, keyed=True),
            ]
    snapshot = run.snapshot
    if snapshot is not None:
        told = [
            ("tree", snapshot.tree),
            ("base", snapshot.base or "no commit"),
            ("branch", one_line(snapshot.branch or "none")),
        ]
        told += [("changed", plural(snapshot.changed, "file")), ("untracked", plural(snapshot.untracked, "file"))]
        rows += [
            row(""),
            title("snapshot", "" if snapshot.stable else "files changed while it was taken"),
            *fields(told),
        ]
        if snapshot.omitted:
            rows += [row(""), title("left out of the snapshot", str(len(snapshot.omitted)))]
            rows += columns_of(
                [
                    [("  " + one_line(each.path), ""), (size(each.size), "dim"), (one_line(each.reason), "dim")]
                    for each in snapshot.omitted
                ]
            )
    rows += [row((f"note: {one_line(note)}", "warning")) for note in run.notes]
    return rows


def output_rows(run: Run, has: Callable[[str], bool]) -> list[Row]:
    """Return the outputs of nodes: name, type, size, digest, who uses it, whether the value is still there.

    Args:
        run: The run.
        has: Whether the store has a value.
    """
    named = {address.partition(".")[0]: name for name, address in run.outputs.items()}
    users: dict[str, list[str]] = {}
    for node in run.nodes.values():
        for item in node.inputs.values():
            if item.source:
                users.setdefault(item.source.partition("[")[0], []).append(node.path)
    cells, keys = [], []
    for path, node in run.nodes.items():
        output = node.output
        if output is None or node.kind == "pipeline":
            continue
        is_there = output.digest is not None and has(output.digest)
        where: Span = ("store", "ok") if is_there else ("gone", "warning") if output.digest else ("not kept", "dim")
        used = ", ".join(dict.fromkeys(one_line(user) for user in users.get(path, ())))
        label = one_line(path) + (f" = {one_line(named[path])}" if path in named else "")
        cells.append(
            [
                (label, "bold"),
                (cut(one_line(output.type), 24), "dim"),
                (size(output.size), ""),
                ((output.digest or "")[:10], "id"),
                where,
                (used, "dim"),
            ]
        )
        keys.append(path)
    if not cells:
        return [row(("no outputs are recorded", "dim"))]
    head = [
        [
            ("output", "head"),
            ("type", "head"),
            ("size", "head"),
            ("digest", "head"),
            ("where", "head"),
            ("used by", "head"),
        ]
    ]
    return columns_of(head + cells, right=frozenset({2}), keys=[None, *keys], room=36)


def output_text(run: Run, path: str) -> list[Row]:
    """Return what the record says of an output: nothing is unpickled for it."""
    node = run.nodes[path]
    output = node.output
    if output is None:
        return []
    rows = [row((one_line(path), "name")), row("")]
    rows += fields(
        [
            ("type", one_line(output.type)),
            ("size", size(output.size)),
            ("digest", output.digest or "none"),
            ("preview", ""),
        ]
    )
    rows += [row("  " + part) for part in _chunks(one_line(output.preview), 80)]
    if output.note:
        rows += [row(""), row((one_line(output.note), "warning"))]
    if output.parts:
        rows += [
            row(""),
            title("parts", str(len(output.parts))),
            *fields((one_line(name), digest[:16]) for name, digest in shown_parts(output).items()),
        ]
    named = f"{word_for_shell(run.summary.name, run.summary.id)}:{one_line(path)}"
    rows += [
        row(""),
        row(("E", "key"), " save it: ", (f"finestflow get {named} -o FILE", "dim")),
        row(("o", "key"), " open it with the system's program"),
    ]
    return rows


def _chunks(text: str, columns: int) -> list[str]:
    return [text[at : at + columns] for at in range(0, len(text), columns)]


def metric_rows(metrics: Mapping[str, Metric], columns: int, goals: Goals = GUESSED) -> list[Row]:
    """Return the metrics: last, best, how many, and how they went; those with a course come first."""
    ordered: Sequence[Metric] = sorted(metrics.values(), key=lambda metric: len(metric.values) < 2)
    if not ordered:
        return [row(("no metrics were logged: self.log(loss=...) in a task does", "dim"))]
    arrows, ends = {"max": "↑", "min": "↓", None: " "}, {"max": max, "min": min}
    cells: list[list[Span]] = [[("metric", "head"), ("last", "head"), ("best", "head"), ("n", "head"), ("", "")]]
    for metric in ordered:
        values = [value for _, value, _ in metric.values]
        goal = goals.of(metric.name)
        known = [value for value in values if not math.isnan(value)]
        best = metric.best if metric.best is not None or goal is None or not known else ends[goal](known)
        chart = sparkline(values, max(4, min(24, columns - 34))) if len(values) > 1 else ""
        name = f"{arrows[goal]} {one_line(metric.name)}"
        cells.append(
            [
                (name, "bold"),
                (number(metric.last), "metric"),
                ("" if best is None else number(best), "dim"),
                (str(metric.count), "dim"),
                (chart, "metric"),
            ]
        )
    return columns_of(cells, right=frozenset({1, 2, 3}), keys=[None, *(metric.name for metric in ordered)], room=28)


def resource_rows(run: Run, columns: int) -> list[Row]:
    """Return what the run used of its machine: mean, most, and how that went; the key is the name."""
    cells: list[list[Span]] = []
    for used in run.resources.values():
        told = size if used.name.endswith("memory") else _percent
        chart = sparkline([value for _, value in used.values], max(4, min(24, columns - 34)))
        values: list[Span] = [(told(int(used.mean)), "metric"), (told(int(used.peak)), "dim")]
        cells.append([("  " + one_line(used.name), "bold"), *values, (chart, "metric")])
    if not cells:
        return []
    head: list[Span] = [("used of the machine", "title"), ("mean", "head"), ("most", "head"), ("", "")]
    return [row(""), *columns_of([head, *cells], right=frozenset({1, 2}), keys=[None, *run.resources], room=28)]


def _percent(value: int) -> str:
    return f"{value}%"


def file_rows(paths: Sequence[str], changed: Sequence[FileChange]) -> list[Row]:
    """Return the files of a snapshot, those that differ from the commit it began with first."""
    signs = {change.path: _SIGNS.get(change.kind, "M") for change in changed}
    rows = [
        row(
            (signs[path], {"A": "good", "D": "bad"}.get(signs[path], "warning")),
            " ",
            (one_line(path), "bold"),
            key=path,
        )
        for path in signs
    ]
    if rows:
        rows = [title("differ from the commit", str(len(rows))), *rows, row(""), title("all files", str(len(paths)))]
    return [*rows, *(row("  ", one_line(path), key=path) for path in paths if path not in signs)]
