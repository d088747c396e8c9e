"""``finestflow log --group KEY``: runs that have a value in common, with mean, deviation and best of their metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from finestflow.cli._output import Column
from finestflow.cli._text import moments, number, one_line, value_text
from finestflow.errors import QueryError
from finestflow.journal.listing import Listing, Range, gather

if TYPE_CHECKING:
    from finestflow.cli._session import Session
    from finestflow.goals import Goals
    from finestflow.journal.listing import Group, Stat
    from finestflow.workspace import Workspace

__all__ = ["list_groups"]

_METRICS = 3
_RANGES = 10
"""Numbers that nobody chose, such as metrics, are told in so many ranges; so are those of params where there are more than ``_MOST_VALUES``."""
_MOST_VALUES = 100


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
    is_chosen = _is_param(workspace, by) and (len(groups) <= _MOST_VALUES or limit is not None)
    if form in {"text", "md"} and not is_chosen:
        groups = gather(groups, _RANGES)
    if sort is not None:
        groups = _sorted(groups, sort)
    groups = groups if limit is None else groups[:limit]
    if form == "json":
        documents = [{"value": g.value, "runs": g.runs, "metrics": _documents(g, workspace.goals)} for g in groups]
        session.out.json("run.groups", by=by, groups=documents)
        return
    if not groups:
        session.out.note("no runs match" if words else 'no runs yet; "finestflow run" makes one')
        if form == "text":
            return
    heads = [Column(one_line(by), shrinks=True, style="bold"), Column("runs", right=True)]
    for metric in metrics:
        heads += [Column(one_line(metric), right=True), Column("best", right=True, leaves=True)]
    session.out.table(heads, [_cells(by, group, metrics, workspace.goals) for group in groups], page=True, form=form)


def _is_param(workspace: Workspace, name: str) -> bool:
    """Whether a key names params: those were chosen, so that each value of them says something."""
    metrics, params = workspace.index.known_names()
    kind, _, rest = name.partition(".")
    return name in params - metrics or (kind in {"p", "params"} and rest in params)


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
    known, _ = workspace.index.known_names()
    # what is called a metric need not be looked for among params
    names = {f"m.{name}" if name in known else name: name for name in metrics}
    return [
        group._replace(stats={names[name]: stat for name, stat in group.stats.items()})
        for group in Listing(workspace.index).groups(by, query, metrics=list(names))
    ]


def _best(metric: str, stat: Stat, goals: Goals) -> float | None:
    """Return the best number; None where nothing says which way is better."""
    return {"max": stat.most, "min": stat.least}.get(goals.of(metric) or "")


def _sorted(groups: list[Group], sort: str) -> list[Group]:
    name, is_reversed = sort.removeprefix("-"), sort.startswith("-")
    if name == "runs":
        return sorted(groups, key=lambda group: group.runs, reverse=is_reversed)
    with_it = [group for group in groups if name in group.stats]
    if not with_it:
        raise QueryError(f"groups have no {name!r} to be sorted by", "runs, or a metric that is shown: see --columns")
    with_it.sort(key=lambda group: group.stats[name].mean, reverse=is_reversed)
    return with_it + [group for group in groups if name not in group.stats]


def _value_text(by: str, value: Any) -> str:
    shown = (lambda number: moments([number])[0]) if by == "started" else number
    if isinstance(value, Range):
        return f"{shown(value.low)} … {shown(value.high)}"
    if value is None:
        return "-"
    return shown(value) if by == "started" else value_text(value)


def _cells(by: str, group: Group, metrics: Sequence[str], goals: Goals) -> list[str]:
    cells = [_value_text(by, group.value), str(group.runs)]
    for metric in metrics:
        stat = group.stats.get(metric)
        if stat is None:
            cells += ["", ""]
            continue
        spread = f" ± {number(stat.deviation)}" if stat.numbers > 1 else ""
        cells += [number(stat.mean) + spread, number(_best(metric, stat, goals))]
    return cells


def _documents(group: Group, goals: Goals) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "count": stat.numbers,
            "mean": stat.mean,
            "deviation": stat.deviation,
            "min": stat.least,
            "max": stat.most,
            "best": _best(name, stat, goals),
        }
        for name, stat in group.stats.items()
    }
