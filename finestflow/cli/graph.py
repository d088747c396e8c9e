"""``finestflow graph``: the nodes and edges of a run, as text or for other programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import click

from finestflow.cli._options import target_argument
from finestflow.cli._output import STATUS_STYLE, Output
from finestflow.cli._session import Session, pass_session
from finestflow.cli._text import duration, one_line
from finestflow.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from finestflow.model import NodeRecord, Run

_COLORS = {"ok": "#2e7d32", "hit": "#00838f", "failed": "#c62828", "killed": "#c62828", "running": "#1565c0"}


class Edge(NamedTuple):
    """An output that goes into an input; ``part`` is ``[0]`` or ``.x`` where only a part of it does."""

    source: str
    target: str
    name: str
    part: str


@click.command("graph")
@target_argument()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "mermaid", "dot", "svg", "json"]),
    default="text",
    show_default=True,
    help="svg needs Graphviz.",
)
@pass_session
def command(session: Session, target: str | None, form: str) -> None:
    """Draw the graph of a run or a pipeline.

    TARGET is a run, the newest when it is left out, or a pipeline as "run" takes it; the graph of a pipeline comes from its plan.
    """
    nodes = _find_nodes(session, target)
    edges = list(iter_edges(nodes))
    if form == "json":
        documents = [{"path": n.path, "task": n.task, "kind": n.kind, "status": n.status.value} for n in nodes.values()]
        joined = [{"from": e.source, "part": e.part or None, "to": e.target, "input": e.name} for e in edges]
        session.out.json("graph", nodes=documents, edges=joined)
    elif form == "text":
        session.out.lines(_text(nodes, edges, session.out), page=True)
    elif form == "mermaid":
        session.out.lines(_mermaid(nodes, edges))
    elif form == "dot":
        session.out.lines(_dot(nodes, edges))
    else:
        session.out.raw(_svg("\n".join(_dot(nodes, edges))))


def _find_nodes(session: Session, target: str | None) -> Mapping[str, NodeRecord]:
    """Return the nodes of the run that is named, else those of a pipeline's plan."""
    try:
        return session.history.load_run(target or "@").nodes
    except NotFoundError:
        if target is None:
            raise
    workspace = session.workspace
    pipeline, inputs = workspace.load_pipeline(target)
    return workspace.plan(pipeline, (), inputs).run.nodes


def iter_edges(nodes: Mapping[str, NodeRecord]) -> Iterator[Edge]:
    """Yield the edges between nodes, in the order of the nodes."""
    for node in nodes.values():
        for name, item in node.inputs.items():
            source = item.source or ""
            path = source if source in nodes else _path_of(source, nodes)
            if path:
                yield Edge(path, node.path, name, source[len(path) :])


def _path_of(source: str, nodes: Mapping[str, NodeRecord]) -> str:
    fitting = [path for path in nodes if source.startswith((f"{path}[", f"{path}."))]
    return max(fitting, key=len, default="")


def text_graph(run: Run, out: Output) -> Iterator[str]:
    """Yield the graph of a run as lines of text."""
    return _text(run.nodes, list(iter_edges(run.nodes)), out)


def _text(nodes: Mapping[str, NodeRecord], edges: list[Edge], out: Output) -> Iterator[str]:
    """Yield a line a node, deeper ones further in, each with where its inputs come from."""
    depth: dict[str, int] = {}
    for path in nodes:
        above = [depth.get(edge.source, 0) for edge in edges if edge.target == path and edge.source != path]
        depth[path] = max(above, default=-1) + 1
    for path, node in sorted(nodes.items(), key=lambda item: depth[item[0]]):
        status = out.style(node.status.value, STATUS_STYLE[node.status.value])
        sources = ", ".join(f"{edge.name}={one_line(edge.source + edge.part)}" for edge in edges if edge.target == path)
        took = f" {duration(node.seconds)}" if node.seconds else ""
        came = f"  ← {sources}" if sources else ""
        yield f"{'   ' * depth[path]}{out.style(one_line(path), 'bold')} {status}{took}{out.style(came, 'dim')}"


def _quote(text: str) -> str:
    return one_line(text).replace("\\", "\\\\").replace('"', '\\"')


def _mermaid(nodes: Mapping[str, NodeRecord], edges: list[Edge]) -> Iterator[str]:
    ids = {path: f"n{number}" for number, path in enumerate(nodes)}
    yield "flowchart LR"
    for path, node in nodes.items():
        label = re.sub(r'["<>&]', "'", one_line(path))
        yield f'  {ids[path]}["{label}"]' + (f":::{node.status.value}" if node.status.value in _COLORS else "")
    for edge in edges:
        label = re.sub(r'["<>&|]', "'", one_line(edge.name + (f" {edge.part}" if edge.part else "")))
        yield f'  {ids[edge.source]} -- "{label}" --> {ids[edge.target]}'
    for status in dict.fromkeys(node.status.value for node in nodes.values()):
        if status in _COLORS:
            yield f"  classDef {status} stroke:{_COLORS[status]}"


def _dot(nodes: Mapping[str, NodeRecord], edges: list[Edge]) -> Iterator[str]:
    yield "digraph finestflow {"
    yield '  rankdir=LR; node [shape=box, style=rounded, fontname="sans-serif"]; edge [fontname="sans-serif", fontsize=10];'
    for path, node in nodes.items():
        color = _COLORS.get(node.status.value, "#757575")
        yield f'  "{_quote(path)}" [color="{color}", tooltip="{_quote(node.task)}"];'
    for edge in edges:
        yield f'  "{_quote(edge.source)}" -> "{_quote(edge.target)}" [label="{_quote(edge.name)}"];'
    yield "}"


def _svg(dot: str) -> bytes:
    import subprocess

    try:
        done = subprocess.run(["dot", "-Tsvg"], input=dot.encode(), capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError('the program "dot" is not there', "install Graphviz, or use --format mermaid") from None
    if done.returncode:
        raise UsageError(f"dot: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
