"""A graph as a list with lanes on its left, as ``git log --graph`` draws history: one line a node, any size, a few columns wide.

Invariant: a lane carries the output of one node, from its row to the row of the last node that takes it. Used by the view of tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from finestflow_tui.layout.canvas import EAST, NORTH, SOUTH, WEST, Canvas

__all__ = ["draw_rails"]

_MOST = 24


def draw_rails(
    nodes: Sequence[str], edges: Iterable[tuple[str, str]], glyphs: Mapping[str, str]
) -> list[tuple[str, int]]:
    """Draw the lanes of each node.

    Args:
        nodes: In an order in which sources come before targets.
        edges: (source, target).
        glyphs: The sign of each node, one column.

    Returns:
        For each node its lanes as text, and the column of its sign.
    """
    places = {node: at for at, node in enumerate(nodes)}
    sources: dict[str, list[str]] = {node: [] for node in nodes}
    last: dict[str, int] = {}
    for source, target in edges:
        if places[source] < places[target]:
            sources[target].append(source)
            last[source] = max(last.get(source, 0), places[target])
    canvas = Canvas()
    lanes: list[str | None] = []
    columns: list[int] = []
    for at, node in enumerate(nodes):
        given = [source for source in dict.fromkeys(sources[node]) if source in lanes]
        ending = [lanes.index(source) for source in given if last[source] == at]
        own = min(ending) if ending else next((place for place, lane in enumerate(lanes) if lane is None), len(lanes))
        if own == len(lanes):
            lanes.append(None)
        for place, lane in enumerate(lanes):
            if lane is not None and lane not in given:
                canvas.touch(place * 2, at, NORTH | SOUTH, lane)
        for source in given:
            place = lanes.index(source)
            goes_on = last[source] > at
            canvas.touch(place * 2, at, NORTH | (SOUTH if goes_on else 0), source)
            if place != own:
                canvas.touch(place * 2, at, EAST if place < own else WEST, source)
                low, high = sorted((place * 2, own * 2))
                for column in range(low + 1, high):
                    canvas.touch(column, at, EAST | WEST, source)
        for source in given:
            if last[source] == at:
                lanes[lanes.index(source)] = None
        lanes[own] = node if last.get(node, 0) > at else lanes[own]
        canvas.text(own * 2, at, glyphs[node], node)
        columns.append(own * 2)
        while lanes and lanes[-1] is None:
            lanes.pop()
    drawn = ["".join(text for text, _ in pieces)[: _MOST * 2].rstrip() for pieces in canvas.rows()]
    return list(zip(drawn, columns, strict=True))
