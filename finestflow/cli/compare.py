"""``finestflow compare``: many runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from finestflow.cli import _markdown as markdown
from finestflow.cli._documents import summary_document
from finestflow.cli._options import format_option, json_option
from finestflow.cli._output import Column, Output, Styled
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import cut, number, one_line, value_text
from finestflow.errors import NotFoundError

if TYPE_CHECKING:
    from finestflow.comparison import Row, SideBySide
    from finestflow.model import RunSummary
    from finestflow.workspace import Workspace

_CELL = 24
_DEFAULT_COUNT = 20


@click.command("compare")
@click.argument("runs", nargs=-1, metavar="[QUERY|RUN]...")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    default=_DEFAULT_COUNT,
    show_default=True,
    metavar="N",
    help="At most N runs.",
)
@click.option("--sort", metavar="KEY", help="started, a metric or p.NAME; -KEY for descending.")
@click.option("--code", is_flag=True, help="Also the versions of each function, class and constant.")
@click.option("--all", "is_whole", is_flag=True, help="Also what is the same in all runs.")
@format_option()
@json_option
@pass_session
def command(
    session: Session,
    runs: Sequence[str],
    limit: int,
    sort: str | None,
    code: bool,
    is_whole: bool,
    form: str,
    as_json: bool,
) -> None:
    """Put runs side by side: what differs between them, and the best.

    Params, inputs, metrics, and the version of each task's code. Name the runs, or give a query that finds them. The best value of a metric is marked where its name, or [metrics] in the settings, says which is better; "Fit(): v2"
    is the second version of that task's code among these runs, by age.
    """
    from finestflow.comparison import COMPARED_FILES, compare_runs

    workspace = session.history
    chosen = _choose(workspace, runs, limit, sort, session)
    loaded = workspace.load_runs(chosen, with_series=False, files=COMPARED_FILES)
    table = compare_runs(
        list(workspace.told("reading the records of runs", loaded, len(chosen))), with_parts=code, goals=workspace.goals
    )
    if form in {"text", "md"} and not (as_json or is_whole):
        table = table.folded()
    shown = table if is_whole or len(chosen) == 1 else table.differing()
    if as_json or form == "json":
        session.out.json("compare", **_document(shown))
    elif form == "csv":
        _write_csv(shown, session.out)
    elif form == "md":
        heads = ["", *shown.titles]
        session.out.lines(markdown.table(heads, _marked_rows(shown)))
    elif not shown.rows:
        session.out.line(f"nothing differs between {len(chosen)} runs")
    else:
        _show(shown, session.out)


def show_runs(session: Session, runs: Sequence[RunSummary]) -> None:
    """Print what differs between some runs."""
    from finestflow.comparison import COMPARED_FILES, compare_runs

    loaded = session.workspace.load_runs(runs, with_series=False, files=COMPARED_FILES)
    table = compare_runs(list(loaded), goals=session.workspace.goals).differing()
    if table.rows:
        _show(table, session.out)


def _choose(
    workspace: Workspace, words: Sequence[str], limit: int, sort: str | None, session: Session
) -> list[RunSummary]:
    """Return the runs that are named, or those that a query finds."""
    named = _resolve_all(workspace, words)
    if named is not None:
        return named
    query = " ".join(words)
    problems = workspace.problems(query) if query else []
    for problem in problems:
        session.out.warn(problem)
    found = workspace.select(query, sort=sort, limit=limit)
    if not found:
        hint = "words are all names of runs, or a query together; finestflow log lists the runs"
        raise NotFoundError(
            f"no run matches {query!r}" if query else "no runs yet", hint if query else "finestflow run"
        )
    return found


def _resolve_all(workspace: Workspace, words: Sequence[str]) -> list[RunSummary] | None:
    if not words:
        return None
    try:
        return list({run.id: run for run in map(workspace.resolve, words)}.values())
    except NotFoundError as error:
        run = next((word for word in words if word.startswith("@")), None)
        if run is not None and len(words) > 1:
            raise NotFoundError(
                error.message, f"beside {run!r} all words are names of runs; a query is one alone"
            ) from None
        if run is not None:
            raise
        return None


def _text(row: Row, value: Any) -> str:
    if value is None:
        return ""
    return number(value) if row.kind == "metric" else value if row.kind in {"code", "part"} else value_text(value)


def _cell(row: Row, place: int, width: int = _CELL) -> str:
    text = cut(one_line(_text(row, row.values[place])), width)
    return Styled(text + "*", "green") if place in row.best else text


def _show(table: SideBySide, out: Output) -> None:
    """A column a run while they fit, else a line a run."""
    across, titles = [_heading(row) for row in table.rows], [one_line(title) for title in table.titles]
    room = out.columns if out.is_terminal else 160
    needed = max(map(len, across)) + sum(
        2 + max(len(title), *(len(_cell(row, i)) for row in table.rows)) for i, title in enumerate(titles)
    )
    if needed <= room:
        columns = [Column("run", style="bold"), *(Column(title, right=True) for title in titles)]
        rows = [
            [head, *(_cell(row, i) for i in range(len(table.runs)))]
            for head, row in zip(across, table.rows, strict=True)
        ]
        out.table(columns, rows, page=True)
    else:
        columns = [
            Column("run", style="bold"),
            *(Column(head, right=True, shrinks=True, leaves=True) for head in across),
        ]
        cells = [[title, *(_cell(row, i) for row in table.rows)] for i, title in enumerate(titles)]
        out.table(columns, cells, page=True)
    if any(row.best for row in table.rows):
        out.note("* best of these runs", "dim")


def _heading(row: Row) -> str:
    from finestflow.compare import SEED

    arrow = {"max": " ↑", "min": " ↓"}.get(row.goal or "", "")
    prefix = "p." if row.kind == "param" else "input " if row.kind == "input" and row.name != SEED else ""
    return prefix + one_line(row.name) + arrow


def _marked_rows(table: SideBySide) -> Iterator[list[str]]:
    """Yield the cells of a table, the best in bold."""
    for row in table.rows:
        texts = [markdown.cell(_text(row, value)) for value in row.values]
        cells = [f"**{text}**" if place in row.best else text for place, text in enumerate(texts)]
        yield [markdown.cell(_heading(row)), *cells]


def _write_csv(table: SideBySide, out: Output) -> None:
    """A line a run, for a spreadsheet: values as they are, not as they are shown."""
    import csv

    writer = csv.writer(out.out, lineterminator="\n")
    writer.writerow(["run", "id", *(_heading(row).removesuffix(" ↑").removesuffix(" ↓") for row in table.rows)])
    for place, run in enumerate(table.runs):
        values = [row.values[place] for row in table.rows]
        writer.writerow([run.name, run.id, *("" if value is None else value for value in values)])


def _document(table: SideBySide) -> dict[str, Any]:
    return {
        "runs": [summary_document(run) for run in table.runs],
        "rows": [
            {
                "kind": row.kind,
                "name": row.name,
                "goal": row.goal,
                "values": list(row.values),
                "best": sorted(row.best),
            }
            for row in table.rows
        ],
    }
