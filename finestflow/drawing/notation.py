"""A graph in the notations of Mermaid and Graphviz."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finestflow.drawing.text import marks
from finestflow.graph import Edge, Graph

__all__ = ["STATUS_COLORS", "draw_dot", "draw_mermaid"]

STATUS_COLORS = {
    "ok": "#2e7d32",
    "hit": "#00838f",
    "run": "#1565c0",
    "running": "#1565c0",
    "failed": "#c62828",
    "killed": "#c62828",
}
"""Colours of boxes by status, dark enough on white and light enough on black."""


def draw_mermaid(graph: Graph) -> Iterator[str]:
    """Yield the lines of a Mermaid flowchart."""
    ids = {node.path: f"n{number}" for number, node in enumerate(graph.nodes)}
    yield "flowchart LR"
    for node in graph.nodes:
        status = f":::{node.status}" if node.status in STATUS_COLORS else ""
        yield f'  {ids[node.path]}["{_plain(node.path + marks(node))}"]{status}'
    for edge in graph.edges:
        begin, end = ("--", "-->") if edge.kind == "data" else ("-.", ".->")
        label = _plain(_label(edge))
        arrow = f'{begin} "{label}" {end}' if label else end.replace(".->", "-.->")
        yield f"  {ids[edge.source]} {arrow} {ids[edge.target]}"
    for status in dict.fromkeys(node.status for node in graph.nodes):
        if status in STATUS_COLORS:
            yield f"  classDef {status} stroke:{STATUS_COLORS[status]}"


def draw_dot(graph: Graph) -> Iterator[str]:
    """Yield the lines of a Graphviz graph."""
    yield "digraph finestflow {"
    yield '  rankdir=LR; node [shape=box, style=rounded, fontname="sans-serif"]; edge [fontname="sans-serif", fontsize=10];'
    for node in graph.nodes:
        color = STATUS_COLORS.get(node.status, "#757575")
        style = ', style="rounded,dashed"' if node.is_maybe else ""
        label = _quoted(node.path + marks(node))
        yield f'  "{_quoted(node.path)}" [label="{label}", color="{color}", tooltip="{_quoted(node.task)}"{style}];'
    for edge in graph.edges:
        style = "" if edge.kind == "data" else ", style=dotted"
        yield f'  "{_quoted(edge.source)}" -> "{_quoted(edge.target)}" [label="{_quoted(_label(edge))}"{style}];'
    yield "}"


def _label(edge: Edge) -> str:
    return ("~" if edge.kind == "text" else "") + edge.name + (f" {edge.part}" if edge.part else "")


def _plain(text: str) -> str:
    return re.sub(r'["<>&|\x00-\x1f\x7f-\x9f]', "'", text)


def _quoted(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text).replace("\\", "\\\\").replace('"', '\\"')
