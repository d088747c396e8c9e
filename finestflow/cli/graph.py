"""``finestflow graph``: the nodes and edges of a run or a pipeline, as text or for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from finestflow.cli._options import json_option, target_argument
from finestflow.cli._output import STATUS_STYLE, Output
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import cut
from finestflow.drawing.notation import draw_dot, draw_mermaid
from finestflow.drawing.text import draw_rows, marks
from finestflow.errors import NotFoundError
from finestflow.graph import Graph, fold, fold_items, graph_of_nodes
from finestflow.text import duration, one_line

if TYPE_CHECKING:
    from finestflow.model import Run

_ITEMS_SHOWN = 8
"""A fan-out of so many items or more is drawn as one node."""


@click.command("graph")
@target_argument()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "mermaid", "dot", "svg", "json"]),
    default="text",
    show_default=True,
    help="How to draw it.",
)
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Fold pipelines that lie deeper inside others.")
@click.option("--items", is_flag=True, help="Draw each item of a fan-out, however many there are.")
@json_option
@pass_session
def command(session: Session, target: str | None, form: str, depth: int | None, items: bool, as_json: bool) -> None:
    """Draw the graph of a run or a pipeline.

    TARGET is a run, the newest when it is left out, or a pipeline as "run" takes it; its body is then followed without running any task.
    """
    graph = _find_graph(session, target)
    if depth is not None:
        graph = fold(graph, depth)
    if as_json or form == "json":
        _write_json(session, graph)
        return
    if not items:
        graph = fold_items(graph, _ITEMS_SHOWN)
    if form == "svg":
        from finestflow.drawing.svg import draw_svg

        session.out.raw(draw_svg(graph).encode())
    elif form == "text":
        session.out.lines(_lines(graph, session.out), page=True)
    else:
        session.out.lines(draw_mermaid(graph) if form == "mermaid" else draw_dot(graph))
    if graph.stopped:
        session.out.note(f"the graph is known up to here: {one_line(graph.stopped)}")


def _find_graph(session: Session, target: str | None) -> Graph:
    """Return the graph of the run that is named, else that of a pipeline before it runs."""
    try:
        return graph_of_nodes(session.history.load_run(target or "@").nodes)
    except NotFoundError:
        if target is None:
            raise
    from finestflow.pipeline.trace import trace

    pipeline, inputs = session.workspace.load_pipeline(target)
    return trace(pipeline, (), inputs)


def _write_json(session: Session, graph: Graph) -> None:
    nodes = [
        {
            "path": node.path,
            "task": node.task,
            "kind": node.kind,
            "status": node.status or None,
            "maybe": node.is_maybe,
            "count": node.count or None,
        }
        for node in graph.nodes
    ]
    edges = [
        {"from": edge.source, "part": edge.part or None, "to": edge.target, "input": edge.name, "kind": edge.kind}
        for edge in graph.edges
    ]
    session.out.json("graph", nodes=nodes, edges=edges, stopped=graph.stopped or None)


def text_graph(run: Run, out: Output) -> Iterator[str]:
    """Yield the graph of a run as lines of text."""
    return _lines(fold_items(graph_of_nodes(run.nodes), _ITEMS_SHOWN), out)


def _lines(graph: Graph, out: Output) -> Iterator[str]:
    """Yield a line a node: lanes, name, status, and where its inputs come from."""
    rows = list(draw_rows(graph))
    room = max((len(row.lanes) for row in rows), default=0)
    names = [one_line(row.label) + marks(row.node) for row in rows]
    widest = max(map(len, names), default=0)
    statuses = [" ".join(part for part in (row.node.status, _took(row.node.seconds)) if part) for row in rows]
    longest = max(map(len, statuses), default=0)
    for row, name, status in zip(rows, names, statuses, strict=True):
        styled = out.style(f"{status:<{longest}}", STATUS_STYLE.get(row.node.status, ""))
        inputs = one_line(row.inputs)
        if out.is_terminal:
            inputs = cut(inputs, max(out.columns - room - widest - longest - 6, 12))
        came = out.style(f"← {inputs}", "dim") if inputs else ""
        label = out.style(f"{name:<{widest}}", "bold")
        parts = [f"{row.lanes:<{room}}", label, *([styled] if longest else []), came]
        yield "  ".join(parts).rstrip()


def _took(seconds: float) -> str:
    return duration(seconds) if seconds else ""
