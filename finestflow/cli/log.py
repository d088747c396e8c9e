"""``finestflow log``: the list of runs. Needs the index alone: no git library, no store, no record is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import click

from finestflow.cli._documents import summary_document
from finestflow.cli._options import json_option, query_argument
from finestflow.cli._output import STATUS_STYLE, Column, Styled
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import ago, duration, headline, iso, number, one_line, value_text
from finestflow.errors import UsageError, nearest_hint

if TYPE_CHECKING:
    from finestflow.model import RunSummary

_KNOWN = (
    "id status name pipeline when took metrics params tags note commit base branch hits origin".split()  # noqa: SIM905
)
_PREFIXES = frozenset({"p", "params", "param", "m", "metrics", "metric"})


@click.command("log")
@query_argument()
@click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N runs.")
@click.option("--sort", metavar="KEY", help="started, seconds, name, a metric or p.NAME; -KEY for descending.")
@click.option("--columns", metavar="A,B", help="Columns: id, status, name, f1, p.lr ...")
@json_option
@pass_session
def command(
    session: Session, query: Sequence[str], limit: int | None, sort: str | None, columns: str | None, as_json: bool
) -> None:
    """List the runs, newest first.

    A query is words and keys: pipeline:digits status:failed f1>0.9 p.lr=1e-3 since:2d #tag is:star -word, joined by "and"; "or" and
    ( ) work too.
    """
    workspace = session.history
    runs = workspace.select(" ".join(query), sort=sort, limit=limit)
    for problem in workspace.problems(" ".join(query)):
        session.out.warn(problem)
    if as_json:
        session.out.json("run.list", runs=[summary_document(run) for run in runs])
        return
    if not runs:
        session.out.note("no runs match" if query else 'no runs yet; "finestflow run" makes one')
        return
    short = workspace.short_ids(runs)
    names = columns.split(",") if columns else _usual_columns(runs)
    now = session.now
    if columns:
        _check_names(names, runs)
    chosen = [_column(name.strip(), short, now, session.out.is_terminal) for name in names]
    rows = [[render(run) for _, render in chosen] for run in runs]
    session.out.table([column for column, _ in chosen], rows, page=True)


Render = Callable[["RunSummary"], str]


def _check_names(names: Iterable[str], runs: Sequence[RunSummary]) -> None:
    """Raise for a column that none of the runs has."""
    values = {key for run in runs for key in (*run.metrics, *run.params)}
    known = {*_KNOWN, *values, *(key.rsplit("/", 1)[-1] for key in values)}
    for name in names:
        bare = name.strip()
        prefix, _, rest = bare.partition(".")
        if bare not in known and not (rest in known and prefix in _PREFIXES):
            raise UsageError(f"no column {bare!r}", nearest_hint(bare, known, "columns"))


def _usual_columns(runs: Sequence[RunSummary]) -> list[str]:
    """Return the columns that say something about these runs."""
    columns = ["id", "status", "name", "pipeline", "when", "took"]
    if any(run.metrics for run in runs):
        columns.append("metrics")
    if any(run.tags or run.star for run in runs):
        columns.append("tags")
    if any(run.note or run.error for run in runs):
        columns.append("note")
    return columns


def _column(name: str, short: dict[str, str], now: float, is_terminal: bool) -> tuple[Column, Render]:
    """Return a column and how its cells are made."""
    known: dict[str, tuple[Column, Render]] = {
        "id": (Column("id", style="yellow"), lambda run: short[run.id]),
        "status": (Column("status"), lambda run: Styled(run.status.value, STATUS_STYLE[run.status.value])),
        "name": (Column("name"), lambda run: one_line(run.name)),
        "pipeline": (Column("pipeline", shrinks=True), lambda run: one_line(run.pipeline)),
        "when": (
            Column("when"),
            (lambda run: ago(run.started, now)) if is_terminal else (lambda run: iso(run.started, "seconds") or ""),
        ),
        "took": (Column("took", right=True), lambda run: duration(run.seconds)),
        "metrics": (Column("metrics", shrinks=True), lambda run: headline(run.metrics)),
        "params": (Column("params", shrinks=True), lambda run: _pairs(run.params.items())),
        "tags": (Column("tags", shrinks=True, style="magenta"), _tags),
        "note": (Column("note", shrinks=True, style="dim"), lambda run: one_line(run.note or run.error)),
        "commit": (Column("commit"), lambda run: run.commit[:10]),
        "base": (Column("base"), lambda run: (run.base or "")[:10]),
        "branch": (Column("branch"), lambda run: one_line(run.branch or "")),
        "hits": (Column("hits", right=True), lambda run: f"{run.hits}/{run.nodes}"),
        "origin": (Column("origin"), lambda run: run.origin or ""),
    }
    if name in known:
        return known[name]
    key, _, rest = name.partition(".")
    if rest and key in {"p", "params", "param"}:
        return Column(rest, shrinks=True), lambda run: value_text(run.params[rest]) if rest in run.params else ""
    metric = rest if rest and key in {"m", "metrics", "metric"} else name
    if not metric:
        raise UsageError(f"no column {name!r}", nearest_hint(name, known, "columns"))
    return Column(metric, right=True), lambda run: number(_find_metric(run, metric))


def _find_metric(run: RunSummary, name: str) -> float | None:
    """Return a metric by its whole name, else the only one of a node with that name."""
    if name in run.metrics:
        return run.metrics[name]
    found = [value for key, value in run.metrics.items() if key.endswith(f"/{name}")]
    return found[0] if len(found) == 1 else None


def _tags(run: RunSummary) -> str:
    return " ".join(["★"] * run.star + [f"#{one_line(tag)}" for tag in run.tags])


def _pairs(pairs: Iterable[tuple[str, object]]) -> str:
    return "  ".join(f"{one_line(name)}={value_text(value)}" for name, value in pairs)
