"""The list of runs: its columns, the cells of a run, the heading of a group, the preview of the run under the cursor.

Invariant: everything follows from summaries, which one page of the index gives; only ``preview_more`` needs the whole record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from finestflow.goals import GUESSED, Goals
from finestflow.journal.conditions import find_value
from finestflow.journal.listing import Group, Range
from finestflow.model import NodeStatus, Run, RunStatus, RunSummary
from finestflow_tui.glyphs import LETTERS, node_glyph, run_glyph, sparkline
from finestflow_tui.text import (
    Row,
    Span,
    ago,
    cut,
    delta,
    duration,
    number,
    one_line,
    pad,
    plural,
    row,
    title,
    value_text,
    width,
)
from finestflow_tui.views.tasks import shape_of, terse

__all__ = [
    "COURSE",
    "Column",
    "best_values",
    "cells_of",
    "choose_columns",
    "column_named",
    "distinct",
    "group_spans",
    "preview",
    "preview_more",
    "status_text",
    "unreadable",
]

_PLAIN = (
    "status",
    "name",
    "id",
    "pipeline",
    "when",
    "took",
    "tags",
    "note",
    "commit",
    "base",
    "branch",
    "hits",
    "origin",
    "error",
)
_SORTS = {"when": "started", "took": "seconds"}
_WIDEST = {"name": 24, "note": 40, "tags": 24, "pipeline": 14, "branch": 16, "error": 40}
_HEADLINES, _METRICS, _PARAMS = 2, 8, 12
COURSE = 12
"""Columns of the terminal that the course of a metric takes."""
GAP = 2
"""Columns of the terminal between two of the list."""


class Column(NamedTuple):
    """A column of the list; ``key`` is ``m.loss``, ``c.loss`` for how that went, ``p.lr`` or the name of a field."""

    key: str
    title: str
    width: int
    right: bool
    role: str

    @property
    def sort(self) -> str:
        """The key that the index sorts by."""
        return f"m.{self.key[2:]}" if self.is_course else _SORTS.get(self.key, self.key)

    @property
    def is_metric(self) -> bool:
        """Whether it shows a metric."""
        return self.key.startswith("m.")

    @property
    def is_course(self) -> bool:
        """Whether it shows how a metric went, which no summary tells."""
        return self.key.startswith("c.")


def column_named(name: str, runs: Iterable[RunSummary], now: float) -> Column:
    """Make a column, as wide as what it shows of some runs.

    Args:
        name: A field, ``m.NAME``, ``c.NAME`` or ``p.NAME``; ``metrics.NAME``, ``courses.NAME`` and ``params.NAME`` too.
        runs: The runs to measure.
        now: The time.
    """
    prefix, _, rest = name.partition(".")
    if prefix in {"c", "courses"} and rest:
        return Column(f"c.{rest}", f"~{one_line(rest.rpartition('/')[2])}", COURSE, False, "metric")
    key = f"{prefix[0]}.{rest}" if rest and prefix in {"m", "p", "metrics", "params"} else name
    if key not in _PLAIN and key[:2] not in {"m.", "p."}:
        key = f"m.{key}"
    label = one_line(key[2:].rpartition("/")[2] if key.startswith("m.") else key.removeprefix("p."))
    is_value = key[:2] in {"m.", "p."}
    bare = Column(key, label, 0, False, "")
    widths = [width(_cell(run, bare, now)[0]) for run in runs]
    widest = _WIDEST.get(key, 12 if is_value else 16)
    least = 18 if key == "name" else 1
    room = min(widest, max([least, width(label) + (1 if is_value or key in {"when", "took"} else 0), *widths, 1]))
    role = {"m.": "metric", "p.": "param"}.get(
        key[:2], {"tags": "tag", "id": "id", "note": "note", "error": "error"}.get(key, "")
    )
    return Column(
        key,
        "" if key == "status" else label,
        1 if key == "status" else room,
        is_value or key in {"took", "hits", "when"},
        role,
    )


def choose_columns(
    runs: Sequence[RunSummary], now: float, *, everything: bool = False, room: int | None = None
) -> list[Column]:
    """Choose the columns that say something about some runs: how good they were, what made the difference, then all other metrics.

    Args:
        runs: The first runs of the list.
        now: The time.
        everything: Params that are equal in all of them too.
        room: Where the first metric and the first param would not be seen in so many columns, how long runs took gives way to them.
    """
    names = ["status", "name"]
    if len({run.pipeline for run in runs}) > 1:
        names.append("pipeline")
    names += ["when", "took"]
    metrics = [f"m.{name}" for name in _metric_names(runs)[:_METRICS]]
    params = [f"p.{name}" for name in _param_names(runs, everything=everything)[:_PARAMS]]
    names += [*metrics[:_HEADLINES], *params, *metrics[_HEADLINES:]]
    if any(run.tags or run.star for run in runs):
        names.append("tags")
    if any(run.note or run.error for run in runs):
        names.append("note")
    columns = distinct([column_named(name, runs, now) for name in names])
    return columns if room is None else _tell_first(columns, (*metrics[:1], *params[:1]), room)


def _tell_first(columns: list[Column], wanted: Collection[str], room: int) -> list[Column]:
    """Put what says more before what says less, where there is no room for both: the first metric, the first param, then the rest."""
    last = max((at for at, column in enumerate(columns) if column.key in wanted), default=0)
    if sum(column.width + GAP for column in columns[: last + 1]) <= room:
        return columns
    plain = [column for column in columns if column.key in {"status", "name", "pipeline", "when"}]
    first = [column for column in columns if column.key in wanted]
    return [*plain, *first, *(column for column in columns if column not in plain and column not in first)]


def distinct(columns: Sequence[Column]) -> list[Column]:
    """Give columns that would have the same title their whole name."""
    titles = [column.title for column in columns]
    return [
        column
        if titles.count(column.title) == 1
        else column._replace(title=one_line(column.key[2:]), width=max(column.width, min(16, len(column.key) - 1)))
        for column in columns
    ]


def _metric_names(runs: Sequence[RunSummary]) -> list[str]:
    """Return names of metrics, those of pipelines and of last nodes first, as ``choose_metrics`` puts them, but last those that are the same in all runs."""
    values: dict[str, set[object]] = {}
    for run in runs:
        own = [name for name in run.metrics if "/" not in name]
        for name in own + [name for name in reversed(list(run.metrics)) if "/" in name]:
            values.setdefault(name, set()).add(run.metrics[name])
    return sorted(values, key=lambda name: len(values[name]) == 1)


def _param_names(runs: Sequence[RunSummary], *, everything: bool) -> list[str]:
    """Return names of params, those with the most values first."""
    values: dict[str, set[str]] = {}
    for run in runs:
        for name, value in run.params.items():
            values.setdefault(name, set()).add(repr(value))
    ordered = sorted(values, key=lambda name: -len(values[name]))
    return [name for name in ordered if everything or len(values[name]) > 1]


def cells_of(run: RunSummary, columns: Iterable[Column], now: float, best: Mapping[str, float] = {}) -> list[Span]:
    """Return the cells of a run, neither cut nor padded.

    Args:
        run: The run.
        columns: The columns.
        now: The time.
        best: The best value of metrics in the list, by column: it stands out.
    """
    return [
        (_cell(run, column, now)[0], "best")
        if column.key in best and _metric(run, column.key[2:]) == best[column.key]
        else _cell(run, column, now)
        for column in columns
    ]


def best_values(ranges: Mapping[str, Range], goals: Goals) -> dict[str, float]:
    """Return the best value of each metric of which one way is better and not all values are equal.

    Args:
        ranges: By the key of a column.
        goals: Which way is better.
    """
    found = {}
    for key, limits in ranges.items():
        goal = goals.of(key[2:])
        if goal is not None and limits.low < limits.high:
            found[key] = limits.high if goal == "max" else limits.low
    return found


def _metric(run: RunSummary, name: str) -> float | None:
    found = find_value(run.metrics, name, "/")
    return None if found is None else found[0]


def _cell(run: RunSummary, column: Column, now: float) -> Span:
    key = column.key
    if key.startswith("m."):
        value = _metric(run, key[2:])
        return ("·", "dim") if value is None else (number(value), column.role)
    if key.startswith("p."):
        found = find_value(run.params, key[2:], ".")
        return ("·", "dim") if found is None else (cut(value_text(found[0]), 40), column.role)
    field = _FIELDS.get(key)
    return field(run, now) if field is not None else (one_line(getattr(run, key, "") or ""), "")


def _tags(run: RunSummary, _now: float) -> Span:
    return " ".join(["★"] * run.star + [f"#{one_line(tag)}" for tag in run.tags]), "star" if run.star else "tag"


_FIELDS: dict[str, Callable[[RunSummary, float], Span]] = {
    "status": lambda run, _: (run_glyph(run.status), run.status.value),
    "name": lambda run, _: (one_line(run.name)[:200] + (" ★" if run.star else ""), "name"),
    "id": lambda run, _: (run.id[:6], "id"),
    "when": lambda run, now: (ago(run.started, now).removesuffix(" ago"), "dim"),
    "took": lambda run, _: (duration(run.seconds), ""),
    "tags": _tags,
    "note": lambda run, _: (one_line(run.error or run.note)[:200], "error" if run.error else "note"),
    "commit": lambda run, _: (run.commit[:8], "id"),
    "base": lambda run, _: ((run.base or "")[:8], "id"),
    "hits": lambda run, _: (f"{run.hits}/{run.nodes}", "hit"),
}


def group_spans(
    group: Group, by: str, *, is_folded: bool, goals: Goals = GUESSED, letters: Mapping[str, str] = {}
) -> list[Span]:
    """Return the heading of a group: its value, how many, means, deviations and best values of the metrics.

    Args:
        group: The group.
        by: What it is grouped by.
        is_folded: Whether its runs are hidden.
        goals: Which way of a metric is better.
        letters: Marks of the runs that have the best values, by metric.
    """
    name = by.partition(".")[2] or by
    spans: list[Span] = [("▸ " if is_folded else "▾ ", "title"), (f"{one_line(name)}=", "dim")]
    spans += [(_group_text(group.value), "param"), (f"   {plural(group.runs, 'run')}", "")]
    for key, stat in group.stats.items():
        spread = f" ±{stat.deviation:.2g}" if stat.numbers > 1 else ""
        spans += [
            (f"   {one_line(key[2:].rpartition('/')[2])} ", "dim"),
            (f"{number(stat.mean)}{spread}", "metric"),
        ]
        goal = goals.of(key[2:])
        if goal is not None and stat.numbers > 1:
            spans += [(" best ", "dim"), (number(stat.most if goal == "max" else stat.least), "best")]
            if key in letters:
                spans.append((f" {letters[key]}", f"mark{LETTERS.index(letters[key]) % 6}"))
    return spans


def _group_text(value: object) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, Range):
        return f"{number(value.low)} … {number(value.high)}"
    if isinstance(value, float) and value.is_integer():
        return number(value)  # the index knows numbers, not whether they were written with a point
    return cut(value_text(value), 40)


def unreadable(cells: Sequence[Span], columns: Sequence[Column]) -> list[Span]:
    """Return the cells of a run whose record cannot be read: the list knows it from its commit message alone."""
    marked = {"status": "?"}
    return [
        (marked.get(column.key, cell[0]), "error" if column.key in {"status", "name"} else cell[1])
        for column, cell in zip(columns, cells, strict=True)
    ]


def status_text(run: RunSummary) -> Span:
    """Return the sign and the word of a run's status."""
    return f"{run_glyph(run.status)} {run.status.value}", run.status.value


def preview(run: RunSummary, before: RunSummary | None, now: float, goals: Goals = GUESSED) -> list[Row]:
    """Return what is known of a run without its record: where it stands, what differs from the run before it, params, metrics."""
    rows = [
        row((one_line(run.name), "name"), "  ", status_text(run), ("  ★" if run.star else "", "star")),
        row(
            (
                f"{ago(run.started, now)} · {duration(run.seconds)} · {plural(run.nodes, 'task')}, {plural(run.hits, 'hit')}",
                "dim",
            )
        ),
        row((_code_text(run), "dim")),
        row((f"{run.id}", "id"), (f"  {run.commit[:10]}", "id")),
    ]
    if run.tags:
        rows.append(row((" ".join(f"#{one_line(tag)}" for tag in run.tags), "tag")))
    if run.note:
        rows.append(row((f"“{one_line(run.note)}”", "note")))
    if run.error:
        rows.append(row((one_line(run.error), "error")))
    if run.reproduces:
        rows.append(row((f"reproduces {run.reproduces}", "dim")))
    rows += _versus(run, before, goals)
    rows += _values("metrics", {name: number(value) for name, value in run.metrics.items()}, "metric")
    rows += _values("params", {name: value_text(value) for name, value in run.params.items()}, "param")
    return rows


def _code_text(run: RunSummary) -> str:
    parts = [one_line(run.branch or ""), run.base[:7] if run.base else "no commit"]
    base = ("@" if run.base else ", ").join(part for part in parts if part)
    changed, untracked = run.dirty
    return base + (f" ±{changed}" if changed else "") + (f" +{untracked}" if untracked else "")


def _values(name: str, values: Mapping[str, str], role: str) -> list[Row]:
    if not values:
        return []
    room = min(20, max(width(one_line(key)) for key in values))
    shown = [row((f"  {pad(cut(one_line(key), room), room)}  ", "dim"), (value, role)) for key, value in values.items()]
    return [row(""), title(name), *shown]


def _versus(run: RunSummary, before: RunSummary | None, goals: Goals) -> list[Row]:
    if before is None:
        return []
    params: list[tuple[str, list[Span]]] = []
    for name, value in run.params.items():
        if repr(before.params.get(name)) != repr(value):
            old = value_text(before.params[name]) if name in before.params else "·"
            params.append((name, [(f"{old} → {value_text(value)}", "param")]))
    metrics: list[tuple[str, list[Span]]] = []
    labels = _short_names(run.metrics)
    for name, metric in run.metrics.items():
        past = before.metrics.get(name)
        if past is not None and moved(past, metric):
            change = [(f"{number(past)} → {number(metric)}  ", "metric"), better(name, past, metric, goals)]
            metrics.append((labels[name], change))
    rows = [row(""), title("since the run before", one_line(before.name))]
    for found in (params, metrics):
        room = min(20, max((width(one_line(name)) for name, _ in found), default=0))
        rows += [row((f"  {pad(cut(one_line(name), room), room)}  ", "dim"), *spans) for name, spans in found]
    if run.code != before.code:
        rows.append(row(("  the code differs (d)", "dim")))
    return rows if len(rows) > 2 else [*rows, row(("  nothing differs", "dim"))]


def _short_names(names: Iterable[str]) -> dict[str, str]:
    """Return metrics without the nodes that logged them, where that still tells them apart."""
    lasts = [name.rpartition("/")[2] for name in names]
    return {name: last if lasts.count(last) == 1 else name for name, last in zip(names, lasts, strict=True)}


def moved(before: float, after: float) -> bool:
    """Return whether a metric is another than before; what was no number and is none has not moved."""
    return before != after and not (math.isnan(before) and math.isnan(after))


def better(name: str, before: float, after: float, goals: Goals) -> Span:
    """Return the difference of a metric with an arrow, and whether it is for the better."""
    if math.isnan(before) or math.isnan(after):
        return "", ""
    goal = goals.of(name)
    arrow = "▲" if after > before else "▼"
    role = "" if goal is None else "good" if (after > before) == (goal == "max") else "bad"
    return f"{arrow} {delta(before, after)}", role


def preview_more(run: Run) -> list[Row]:
    """Return what the record adds: how each task went, how metrics went, the end of a traceback."""
    rows = []
    lines = [line for line in shape_of(run).lines if line.nodes[0].kind != "pipeline"]
    if lines:
        rows = [row(""), title("tasks")]
        room = min(18, max(width(line.label) for line in lines[:12]))
        for line in lines[:12]:
            node = next((each for each in line.nodes if each.error), line.nodes[0])
            error = "" if node.status is NodeStatus.SKIPPED else one_line(node.error)
            name = pad(cut(line.label, room), room)
            rows.append(
                row(
                    " ",
                    (node_glyph(line.status), line.status.value),
                    f" {name}  ",
                    (error or terse(node.why), "error" if error else "dim"),
                )
            )
        if len(lines) > 12:
            rows.append(row((f"   and {len(lines) - 12} more", "dim")))
    series = [metric for metric in run.metrics.values() if len(metric.values) > 1]
    if series:
        room = min(16, max(width(one_line(metric.name)) for metric in series[:4]))
        rows += [row(""), title("over time")]
        rows += [
            row(
                (f"  {pad(cut(one_line(metric.name), room), room)}  ", "dim"),
                (sparkline([value for _, value, _ in metric.values], 14), "metric"),
                f"  {number(metric.last)}",
            )
            for metric in series[:4]
        ]
    if run.summary.status is RunStatus.FAILED and run.traceback:
        rows += [row(""), title("traceback")]
        rows += [row((one_line(line)[:200], "error")) for line in run.traceback.rstrip().splitlines()[-6:]]
    return rows
