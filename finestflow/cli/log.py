"""``finestflow log``: the list of runs. Needs the index alone: no git library, no store, no record is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from finestflow.cli._documents import summary_document
from finestflow.cli._options import format_option, json_option, query_argument
from finestflow.cli._output import STATUS_STYLE, Column, Styled
from finestflow.cli._session import Session, pass_session
from finestflow.cli._standing import standing_document, standing_text
from finestflow.cli._text import cut, duration, number, one_line, one_lines, value_text
from finestflow.cli._views import View, complete_view, get_view
from finestflow.errors import UsageError, nearest_hint

if TYPE_CHECKING:
    from finestflow.journal.standing import Standing
    from finestflow.workspace import Workspace

_FIELDS = ("id", "status", "name", "pipeline", "started", "seconds", "headline", "tags", "star", "note", "error")
_MORE_FIELDS = (*_FIELDS, "metrics", "params", "commit", "base", "branch", "code", "hits", "nodes", "origin")
_PARAMS = frozenset({"p", "params", "param"})
_NOTE = 80
_METRICS = frozenset({"m", "metrics", "metric"})


@click.command("log")
@query_argument()
@click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N runs.")
@click.option(
    "--sort", metavar="KEY", help="started, seconds, name, a metric or p.NAME; -KEY for descending; A,-B for several."
)
@click.option("--columns", metavar="A,B", help="Columns: id, status, name, f1, p.lr ...")
@click.option(
    "--group",
    metavar="KEY",
    help="A line for each value of a param or field, or ten ranges of a metric: mean and best of --columns.",
)
@click.option("--view", metavar="NAME", shell_complete=complete_view, help="A list that has a name in the settings.")
@format_option()
@json_option
@pass_session
def command(
    session: Session,
    query: Sequence[str],
    limit: int | None,
    sort: str | None,
    columns: str | None,
    group: str | None,
    view: str | None,
    form: str,
    as_json: bool,
) -> None:
    """List the runs, newest first.

    A query is words and keys: pipeline:digits status:failed f1>0.9 p.lr=1e-3 since:2d #tag is:star -word, joined by "and"; "or" and
    ( ) work too.
    """
    chosen = get_view(session.history.config, view) if view else View()
    words = chosen.narrowed(" ".join(query))
    for problem in session.history.problems(words) if words else ():
        session.out.warn(problem)
    limit = chosen.limit if limit is None else limit
    form = "json" if as_json else form
    sort, columns, group = sort or chosen.sort, columns or chosen.columns, group or chosen.group
    if group:
        from finestflow.cli._groups import list_groups

        list_groups(session, words, group, limit=limit, sort=sort, columns=columns, form=form)
    else:
        list_runs(session, words, limit=limit, sort=sort, columns=columns, form=form)


def list_runs(
    session: Session,
    words: str,
    *,
    limit: int | None = None,
    sort: str | None = None,
    columns: str | None = None,
    form: str = "text",
) -> None:
    """Print the runs that a query finds, in one of the forms of ``format_option``."""
    workspace = session.history
    if form == "json":
        found = workspace.select(words, sort=sort, limit=limit)
        standing = _standings(workspace, session.now) if any(not run.commit for run in found) else {}
        documents = [summary_document(run) for run in found]
        for document in documents:
            if document["id"] in standing:
                document["live"] = standing_document(standing[document["id"]])
        session.out.json("run.list", runs=documents)
        return
    fields = _MORE_FIELDS if columns else _FIELDS
    rows = workspace.select_rows(fields, words, sort=sort, limit=limit)
    if not rows and limit != 0:
        session.out.note("no runs match" if words else 'no runs yet; "finestflow run" makes one')
        if form == "text":
            return
    runs = _Runs(workspace, fields, rows, session, form)
    names = [name.strip() for name in columns.split(",")] if columns else _usual_columns(runs)
    meant = _meant(names, runs) if columns and rows else names
    if form != "text":
        cells = [_values(name, runs) if form == "csv" else _column(name)[1](runs) for name in meant]
        session.out.cells(names, zip(*cells, strict=True), form)
        return
    chosen = [_column(name) for name in meant]
    session.out.long_table([column for column, _ in chosen], [render(runs) for _, render in chosen])


class _Runs:
    """The runs of a list, field by field; what is JSON in the index is read where a column shows it.

    Args:
        workspace: Where they were found.
        fields: Names of the fields, as the index has them.
        rows: The runs.
        session: The command.
        form: How they are written.
    """

    def __init__(
        self,
        workspace: Workspace,
        fields: Sequence[str],
        rows: Sequence[Sequence[Any]],
        session: Session,
        form: str,
    ) -> None:
        self._workspace = workspace
        columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(fields)
        self._by_field = dict(zip(fields, columns, strict=True))
        self._session = session
        self._form = form

    def __getitem__(self, field: str) -> Sequence[Any]:
        return self._by_field[field]

    @cached_property
    def metrics(self) -> list[dict[str, float]]:
        """Last values by name, of each run."""
        return _load_all(self["metrics"])

    @cached_property
    def params(self) -> list[dict[str, Any]]:
        """Values by path, of each run."""
        return _load_all(self["params"])

    def short_ids(self) -> list[str]:
        """Return the shortest beginning of each id that names it alone."""
        shortest = self._workspace.short_ids(self["id"])
        return [shortest[each] for each in self["id"]]

    def progress(self) -> list[str]:
        """Return how far those have come that are going on."""
        standings = _standings(self._workspace, self._session.now)
        return [standing_text(standings[each]) if each in standings else "" for each in self["id"]]

    def moments(self) -> list[str]:
        """Return when they began."""
        return self._session.times(self["started"], self._form)

    def notes(self) -> list[str]:
        """Return what is to be remembered of them, or why they failed: cut where a person reads it."""
        texts = one_lines([note or error for note, error in zip(self["note"], self["error"], strict=True)])
        return [cut(text, _NOTE) for text in texts] if self._form == "text" else list(texts)


Render = Callable[[_Runs], Sequence[str]]


def _standings(workspace: Workspace, now: float) -> Mapping[str, Standing]:
    """Return how far the live runs have come, by id."""
    live = workspace.watch()
    if not live:
        return {}
    from finestflow.journal.standing import standing_of

    return {run.entry.run_id: standing_of(run.state, now) for run in live}


def _load_all(texts: Iterable[str]) -> list[Any]:
    """Read many JSON texts at once: a third less than one by one."""
    import json

    found: list[Any] = json.loads(f"[{','.join(texts)}]")
    return found


def _meant(names: Iterable[str], runs: _Runs) -> list[str]:
    """Return what the names of columns mean, a param that no metric is called like as ``p.NAME``; raise for one that none of the runs has."""
    metrics = {each for run in runs.metrics for key in run for each in (key, key.rpartition("/")[2])}
    params = {each for run in runs.params for key in run for each in (key, key.rpartition(".")[2])}
    known = {*_COLUMNS, *metrics, *params}
    meant = []
    for name in names:
        prefix, _, rest = name.partition(".")
        if name not in known and not (rest in known and prefix in _PARAMS | _METRICS):
            raise UsageError(f"no column {name!r}", nearest_hint(name, known, "columns"))
        meant.append(f"p.{name}" if name in params - metrics - _COLUMNS.keys() else name)
    return meant


def _usual_columns(runs: _Runs) -> list[str]:
    """Return the columns that say something about these runs."""
    columns = ["id", "status", "name", "pipeline", "when", "took"]
    if "running" in runs["status"]:
        columns.append("progress")
    if any(runs["headline"]):
        columns.append("metrics")
    if any(runs["star"]) or any(text != "[]" for text in runs["tags"]):
        columns.append("tags")
    if any(runs["note"]) or any(runs["error"]):
        columns.append("note")
    return columns


def _column(name: str) -> tuple[Column, Render]:
    """Return a column and how its cells are made."""
    if name in _COLUMNS:
        return _COLUMNS[name]
    prefix, _, rest = name.partition(".")
    from finestflow.journal.conditions import find_value

    if rest and prefix in _PARAMS:
        shown = Column(rest, shrinks=True, leaves=True)
        return shown, lambda runs: ["".join(map(value_text, find_value(each, rest, ".") or ())) for each in runs.params]
    metric = rest if rest and prefix in _METRICS else name
    shown = Column(metric, right=True, leaves=True)
    return shown, lambda runs: ["".join(map(number, find_value(each, metric, "/") or ())) for each in runs.metrics]


def _values(name: str, runs: _Runs) -> Sequence[Any]:
    """Return the cells of a column as another program wants them: numbers, spans and ids are whole."""
    fields = {"id": "id", "took": "seconds", "commit": "commit", "base": "base", "code": "code"}
    if name in fields:
        return runs[fields[name]]
    if name in _COLUMNS:
        return _COLUMNS[name][1](runs)
    from finestflow.journal.conditions import find_value

    prefix, _, rest = name.partition(".")
    if rest and prefix in _PARAMS:
        found = [find_value(each, rest, ".") for each in runs.params]
    else:
        found = [find_value(each, rest if rest and prefix in _METRICS else name, "/") for each in runs.metrics]
    return [each[0] if each else None for each in found]


def _statuses(runs: _Runs) -> Sequence[str]:
    styled = {status: Styled(status, STATUS_STYLE.get(status, "")) for status in set(runs["status"])}
    return [styled[status] for status in runs["status"]]


def _tags(runs: _Runs) -> Sequence[str]:
    marks = zip(runs["star"], _load_all(runs["tags"]), strict=True)
    return [" ".join(["★"] * star + [f"#{one_line(tag)}" for tag in tags]) for star, tags in marks]


def _pairs(runs: _Runs) -> Sequence[str]:
    return ["  ".join([f"{one_line(key)}={value_text(value)}" for key, value in each.items()]) for each in runs.params]


_COLUMNS: Mapping[str, tuple[Column, Render]] = {
    "id": (Column("id", leaves=True, style="yellow"), _Runs.short_ids),
    "status": (Column("status"), _statuses),
    "name": (Column("name"), lambda runs: one_lines(runs["name"])),
    "pipeline": (Column("pipeline", shrinks=True, leaves=True), lambda runs: one_lines(runs["pipeline"])),
    "when": (Column("when", leaves=True), _Runs.moments),
    "took": (Column("took", right=True, leaves=True), lambda runs: [duration(each) for each in runs["seconds"]]),
    "progress": (Column("progress", shrinks=True, leaves=True, style="blue"), _Runs.progress),
    "metrics": (Column("metrics", shrinks=True, leaves=True), lambda runs: one_lines(runs["headline"])),
    "params": (Column("params", shrinks=True, leaves=True), _pairs),
    "tags": (Column("tags", shrinks=True, leaves=True, style="magenta"), _tags),
    "note": (Column("note", shrinks=True, leaves=True, style="dim"), _Runs.notes),
    "commit": (Column("commit", leaves=True), lambda runs: [each[:10] for each in runs["commit"]]),
    "base": (Column("base", leaves=True), lambda runs: [(each or "")[:10] for each in runs["base"]]),
    "code": (Column("code", leaves=True), lambda runs: [(each or "")[:10] for each in runs["code"]]),
    "branch": (
        Column("branch", leaves=True),
        lambda runs: one_lines([each or "" for each in runs["branch"]]),
    ),
    "hits": (
        Column("hits", right=True, leaves=True),
        lambda runs: [f"{hits}/{nodes}" for hits, nodes in zip(runs["hits"], runs["nodes"], strict=True)],
    ),
    "origin": (Column("origin", leaves=True), lambda runs: [each or "" for each in runs["origin"]]),
}
