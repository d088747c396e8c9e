"""``finestflow log --group KEY``: runs that have a value in common, with mean, deviation and best of their metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from finestflow.cli._output import Column
from finestflow.cli._text import number, one_line, value_text
from finestflow.errors import QueryError

if TYPE_CHECKING:
    from finestflow.cli._session import Session
    from finestflow.workspace import Workspace

__all__ = ["list_groups"]

_METRICS = 3


class Stat(NamedTuple):
    """What the runs of a group have of a metric; ``best`` is None where its name does not say which direction is."""

    numbers: int
    mean: float
    deviation: float
    least: float
    most: float
    best: float | None


class Group(NamedTuple):
    """The runs with one value; None is that of runs that have none."""

    value: Any
    runs: int
    stats: dict[str, Stat]


def list_groups(
    session: Session,
    words: str,
    by: str,
    *,
    sort: str | None = None,
    columns: str | None = None,
    limit: int | None = None,
    form: str = "text",
) -> None:
    """Print the groups of the runs that a query finds; runs that go on are not among them.

    Args:
        session: Where.
        words: The query.
        by: A field, metric or param.
        sort: ``runs`` or a metric, by its mean; ``-`` before it turns the order round. By the value when not given.
        columns: The metrics; those that say most when not given.
        limit: How many groups at most.
        form: How they are written; see ``format_option``.
    """
    workspace = session.history
    workspace.index.check_key(by)
    metrics = [name.strip() for name in columns.split(",")] if columns else _usual_metrics(workspace, words)
    for metric in metrics:
        workspace.index.check_key(metric)
    groups = _groups(workspace, words, by, metrics)
    if sort is not None:
        groups = _sorted(groups, sort)
    groups = groups if limit is None else groups[:limit]
    if form == "json":
        documents = [{"value": g.value, "runs": g.runs, "metrics": _documents(g)} for g in groups]
        session.out.json("run.groups", by=by, groups=documents)
        return
    if not groups:
        session.out.note("no runs match" if words else 'no runs yet; "finestflow run" makes one')
        if form == "text":
            return
    heads = [Column(one_line(by), shrinks=True, style="bold"), Column("runs", right=True)]
    for metric in metrics:
        heads += [Column(one_line(metric), right=True), Column("best", right=True, leaves=True)]
    session.out.table(heads, [_cells(group, metrics) for group in groups], page=True, form=form)


def _usual_metrics(workspace: Workspace, words: str) -> list[str]:
    """Return the metrics that say most of the newest of these runs that has any."""
    from finestflow.journal.headline import choose_metrics

    for run in workspace.select(words, sort="-started", limit=20):
        if run.metrics:
            return [label for label, _ in choose_metrics(run.metrics, _METRICS)]
    return []


def _groups(workspace: Workspace, words: str, by: str, metrics: Sequence[str]) -> list[Group]:
    """Return the groups in the order of their values; runs without one come last."""
    query = workspace.parse_query(words) if words else None
    found: dict[Any, list[tuple[Any, ...]]] = {}
    known, _ = workspace.index.known_names()
    columns = [f"m.{name}" if name in known else name for name in metrics]  # which need not be looked for among params
    for value, *values in workspace.index.rows([by, *columns], query, sort="started"):
        found.setdefault(value, []).append(tuple(values))
    return [
        Group(value, len(rows), {m: stat for m, column in _columns(metrics, rows) if (stat := _stat(m, column))})
        for value, rows in sorted(found.items(), key=lambda group: _place(group[0]))
    ]


def _place(value: Any) -> tuple[bool, bool, Any]:
    """Return where a value stands: numbers, texts, none."""
    return value is None, isinstance(value, str), "" if value is None else value


def _columns(metrics: Sequence[str], rows: list[tuple[Any, ...]]) -> zip[tuple[str, tuple[Any, ...]]]:
    return zip(metrics, zip(*rows, strict=True), strict=True)


def _stat(metric: str, values: Sequence[Any]) -> Stat | None:
    from finestflow.compare import goal_of

    numbers = [value for value in values if isinstance(value, (int, float))]
    if not numbers:
        return None
    least, most = min(numbers), max(numbers)
    best = {"max": most, "min": least}.get(goal_of(metric) or "")
    mean = sum(numbers) / len(numbers)
    # The module statistics goes by fractions: that takes ten times as long, and fails where a sum is infinite.
    square = sum([(number - mean) * (number - mean) for number in numbers]) / max(1, len(numbers) - 1)
    return Stat(len(numbers), mean, math.sqrt(square), least, most, best)


def _sorted(groups: list[Group], sort: str) -> list[Group]:
    name, is_reversed = sort.removeprefix("-"), sort.startswith("-")
    if name == "runs":
        return sorted(groups, key=lambda group: group.runs, reverse=is_reversed)
    with_it = [group for group in groups if name in group.stats]
    if not with_it:
        raise QueryError(f"groups have no {name!r} to be sorted by", "runs, or a metric that is shown: see --columns")
    with_it.sort(key=lambda group: group.stats[name].mean, reverse=is_reversed)
    return with_it + [group for group in groups if name not in group.stats]


def _cells(group: Group, metrics: Sequence[str]) -> list[str]:
    cells = ["-" if group.value is None else value_text(group.value), str(group.runs)]
    for metric in metrics:
        stat = group.stats.get(metric)
        if stat is None:
            cells += ["", ""]
            continue
        spread = f" ± {number(stat.deviation)}" if stat.numbers > 1 else ""
        cells += [number(stat.mean) + spread, number(stat.best)]
    return cells


def _documents(group: Group) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "count": stat.numbers,
            "mean": stat.mean,
            "deviation": stat.deviation,
            "min": stat.least,
            "max": stat.most,
            "best": stat.best,
        }
        for name, stat in group.stats.items()
    }
