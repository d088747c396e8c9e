"""A graph as an SVG picture, without any other program: for notebooks, reports and the command line.

Layers from left to right by the longest way to each node, ordered within a layer so that few edges cross: the method of Sugiyama, Tagawa and
Toda (1981) with median sweeps, long edges by way of points in the layers between. Invariant: names are data, and are escaped.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from statistics import median

from finestflow.drawing.notation import STATUS_COLORS
from finestflow.drawing.text import holders, marks
from finestflow.graph import Edge, Graph, GraphNode

__all__ = ["draw_svg"]

_CHARACTER, _PADDING, _HEIGHT, _ROW, _GAP, _MARGIN = 7.0, 22.0, 30.0, 44.0, 46.0, 8.0
_SWEEPS = 8
_LONGEST = 34

Point = tuple[int, str]
"""A place in a layer: of a node, or of an edge that passes; the layer, and a name that is unique in it."""


def draw_svg(graph: Graph) -> str:
    """Return the picture as the text of an SVG element; it takes the colour of the text around it."""
    holding = holders(graph)
    nodes = {node.path: node for node in graph.nodes if node.path not in holding}
    edges = _single([edge for edge in graph.edges if edge.source in nodes and edge.target in nodes])
    rank = _ranks(nodes, edges)
    routes = {(edge.source, edge.target): _route(edge, rank) for edge in edges}
    layers = _ordered(rank, list(routes.values()))
    heights = _heights(layers, list(routes.values()))
    widths = {path: len(_name(node)) * _CHARACTER + _PADDING for path, node in nodes.items()}
    lefts = _lefts(layers, widths)
    body = [*_edges(edges, routes, rank, lefts, heights, widths), *_boxes(nodes, rank, lefts, heights, widths)]
    right = max((lefts[rank[path]] + widths[path] for path in nodes), default=0.0) + _MARGIN
    bottom = max(heights.values(), default=0.0) + _HEIGHT + _MARGIN
    style = 'font-family="ui-monospace, SFMono-Regular, Menlo, monospace" font-size="11.5" fill="none" stroke="currentColor"'
    size = f'width="{right:.0f}" height="{bottom:.0f}" viewBox="0 0 {right:.0f} {bottom:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {style}>{"".join(body)}</svg>\n'


def _single(edges: Sequence[Edge]) -> list[Edge]:
    """Return one edge for each pair of nodes, with the names of all of them."""
    found: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        known = found.get((edge.source, edge.target))
        if known is None or (known.kind == "control" and edge.kind != "control"):
            found[edge.source, edge.target] = edge
        elif edge.name and edge.name not in known.name.split(", "):
            found[edge.source, edge.target] = known._replace(name=f"{known.name}, {edge.name}")
    return list(found.values())


def _ranks(nodes: Mapping[str, GraphNode], edges: Sequence[Edge]) -> dict[str, int]:
    """Return the layer of each node: one more than the deepest of those that it takes from, which all come before it."""
    position = {path: index for index, path in enumerate(nodes)}
    rank: dict[str, int] = {}
    for path in nodes:
        above = [e.source for e in edges if e.target == path and position[e.source] < position[path]]
        rank[path] = max((rank[source] + 1 for source in above), default=0)
    return rank


def _route(edge: Edge, rank: Mapping[str, int]) -> list[Point]:
    """Return the places that an edge goes by, its ends included."""
    first, last = rank[edge.source], rank[edge.target]
    between: list[Point] = [(layer, f"\0{edge.source}\0{edge.target}") for layer in range(first + 1, last)]
    return [(first, edge.source), *between, (last, edge.target)]


def _ordered(rank: Mapping[str, int], routes: Sequence[Sequence[Point]]) -> list[list[str]]:
    """Return the places of each layer from top to bottom."""
    layers: list[list[str]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for path, layer in rank.items():
        layers[layer].append(path)
    for route in routes:
        for layer, name in route[1:-1]:
            layers[layer].append(name)
    before, after = _neighbours(routes)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for layer in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            fixed = {name: index for index, name in enumerate(layers[layer - 1 if down else layer + 1])}
            joined = before if down else after
            places = {
                name: median([fixed[other] for other in joined.get((layer, name), []) if other in fixed] or [index])
                for index, name in enumerate(layers[layer])
            }
            layers[layer].sort(key=places.__getitem__)
    return layers


def _neighbours(routes: Sequence[Sequence[Point]]) -> tuple[dict[Point, list[str]], dict[Point, list[str]]]:
    before: dict[Point, list[str]] = {}
    after: dict[Point, list[str]] = {}
    for route in routes:
        for one, other in itertools.pairwise(route):
            before.setdefault(other, []).append(one[1])
            after.setdefault(one, []).append(other[1])
    return before, after


def _heights(layers: Sequence[Sequence[str]], routes: Sequence[Sequence[Point]]) -> dict[Point, float]:
    """Return how far down each place is: as near to its neighbours as its layer allows."""
    before, after = _neighbours(routes)
    heights = {
        (layer, name): _MARGIN + index * _ROW for layer, names in enumerate(layers) for index, name in enumerate(names)
    }
    for sweep in range(_SWEEPS):
        order = range(len(layers)) if sweep % 2 == 0 else range(len(layers) - 1, -1, -1)
        for layer in order:
            wanted = []
            for name in layers[layer]:
                beside = [heights[layer - 1, other] for other in before.get((layer, name), [])]
                beside += [heights[layer + 1, other] for other in after.get((layer, name), [])]
                wanted.append(sum(beside) / len(beside) if beside else heights[layer, name])
            for name, height in zip(layers[layer], _spread(wanted), strict=True):
                heights[layer, name] = height
    top = min(heights.values(), default=0.0)
    return {place: height - top + _MARGIN for place, height in heights.items()}


def _spread(wanted: Sequence[float]) -> list[float]:
    """Return heights in the same order, a row apart at least, and as near to the wanted ones as groups of them can be."""
    groups: list[tuple[float, int]] = []  # where a group begins, and how many it has
    for height in wanted:
        start, count = height, 1
        while groups and groups[-1][0] + groups[-1][1] * _ROW > start:
            other, more = groups.pop()
            start = (other * more + (start - more * _ROW) * count) / (more + count)
            count += more
        groups.append((start, count))
    return [start + index * _ROW for start, count in groups for index in range(count)]


def _lefts(layers: Sequence[Sequence[str]], widths: Mapping[str, float]) -> list[float]:
    """Return where each layer begins, and where the one after the last would."""
    lefts = [_MARGIN]
    for names in layers:
        lefts.append(lefts[-1] + max((widths.get(name, 0.0) for name in names), default=0.0) + _GAP)
    return lefts


def _name(node: GraphNode) -> str:
    name = node.path if len(node.path) <= _LONGEST else f"...{node.path[3 - _LONGEST :]}"
    return name + marks(node)


def _edges(
    edges: Sequence[Edge],
    routes: Mapping[tuple[str, str], Sequence[Point]],
    rank: Mapping[str, int],
    lefts: Sequence[float],
    heights: Mapping[Point, float],
    widths: Mapping[str, float],
) -> Iterator[str]:
    for edge in edges:
        if rank[edge.source] >= rank[edge.target]:
            continue
        route = routes[edge.source, edge.target]
        x, y = lefts[rank[edge.source]] + widths[edge.source], heights[route[0]] + _HEIGHT / 2
        path = f"M{x:.0f} {y:.0f}"
        for layer, name in route[1:]:
            to_x, to_y = lefts[layer] - (4 if name == edge.target else 0), heights[layer, name] + _HEIGHT / 2
            bend = (to_x - x) / 2
            path += f"C{x + bend:.0f} {y:.0f} {to_x - bend:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
            x, y = to_x, to_y
            if name != edge.target:
                x = lefts[layer + 1] - _GAP
                path += f"L{x:.0f} {y:.0f}"
        dash = {"control": ' stroke-dasharray="1.5 4"', "text": ' stroke-dasharray="5 3"'}.get(edge.kind, "")
        title = f"{edge.source}{edge.part} → {edge.target}{f': {edge.name}' if edge.name else ''}"
        yield f'<g stroke-opacity="0.55"><title>{escape(title)}</title><path d="{path}"{dash}/>'
        yield f'<path d="M{x:.0f} {y - 3.5:.1f}L{x + 4:.0f} {y:.1f}L{x:.0f} {y + 3.5:.1f}"/></g>'


def _boxes(
    nodes: Mapping[str, GraphNode],
    rank: Mapping[str, int],
    lefts: Sequence[float],
    heights: Mapping[Point, float],
    widths: Mapping[str, float],
) -> Iterator[str]:
    for path, node in nodes.items():
        x, y, width = lefts[rank[path]], heights[rank[path], path], widths[path]
        color = STATUS_COLORS.get(node.status)
        stroke = f' stroke="{color}" stroke-width="1.6"' if color else ""
        dash = ' stroke-dasharray="4 3"' if node.is_maybe else ""
        fill = f' fill="{color}" fill-opacity="0.08"' if color else ""
        title = " ".join(part for part in (node.path, node.task, node.status) if part)
        yield f"<g><title>{escape(title)}</title>"
        yield f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_HEIGHT:.0f}" rx="6"{stroke}{dash}{fill}/>'
        yield (
            f'<text x="{x + width / 2:.0f}" y="{y + _HEIGHT / 2 + 4:.0f}" text-anchor="middle" stroke="none" '
            f'fill="currentColor">{escape(_name(node))}</text></g>'
        )
