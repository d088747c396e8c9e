"""A layered drawing of a graph in cells of text.

Layers by longest paths; long edges through places of their own, shared by all edges of one source; the order in layers by barycentres, the
best of some sweeps by counted crossings; places by medians of neighbours with the order kept; and between two layers a channel of tracks, one
net a source, or a target where its sources have no other. Invariant: no two nodes overlap, a line leads exactly from a source to its targets,
the same graph gives the same drawing. The method is that of Sugiyama, Tagawa and Toda (1981). Imports nothing of Textual.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from finestflow_tui.layout.canvas import NORTH, SOUTH, Canvas

__all__ = ["Box", "Drawing", "draw_dag"]

_SWEEPS = 12
_GAP = 3
_BORDER = 4
"""Columns of a border on both sides of a text, half as many rows above and below it."""

Layers = list[list[str]]


class Box(NamedTuple):
    """Where a node is drawn."""

    x: int
    y: int
    width: int


class Drawing(NamedTuple):
    """Rows of pieces of text: a piece is about a node by its name, about the net of a source, or about nothing."""

    rows: list[list[tuple[str, object]]]
    boxes: dict[str, Box]
    crossings: int


def draw_dag(
    nodes: Sequence[str],
    edges: Iterable[tuple[str, str]],
    labels: Mapping[str, str],
    *,
    turned: bool = False,
    boxed: bool = False,
) -> Drawing:
    """Draw a graph.

    Args:
        nodes: Names; where their order matters for nothing else, it is kept.
        edges: (source, target); those that would close a cycle are left out.
        labels: What is written, by node.
        turned: From left to right instead of from the top down.
        boxed: Each node within a border.
    """
    known = set(nodes)
    pairs = [edge for edge in dict.fromkeys(edges) if edge[0] in known and edge[1] in known and edge[0] != edge[1]]
    ranks = _rank(nodes, pairs)
    pairs = [(source, target) for source, target in pairs if ranks[source] < ranks[target]]
    layers, links = _split_long(nodes, pairs, ranks)
    layers, crossings = _order(layers, links)
    border = _BORDER if boxed else 0
    wide = {name: (1 + border // 2 if turned else len(text) + border) for name, text in labels.items()}
    across = {name: wide.get(name, 1) for layer in layers for name in layer}
    places = _place(layers, links, across, 1 if turned else _GAP)
    return _draw(layers, links, places, labels, crossings, turned=turned, border=border)


def _rank(nodes: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Give each node its layer: as early as its sources allow, then towards its targets where it has more of them."""
    targets: dict[str, list[str]] = {node: [] for node in nodes}
    open_sources = dict.fromkeys(nodes, 0)
    for source, target in pairs:
        targets[source].append(target)
        open_sources[target] += 1
    sources_of = (
        {node: [source for source, target in pairs if target == node] for node in nodes}
        if len(pairs) < 400
        else _sources(nodes, pairs)
    )
    ranks = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not open_sources[node]]
    order = []
    while ready:
        node = ready.pop(0)
        order.append(node)
        for target in targets[node]:
            ranks[target] = max(ranks[target], ranks[node] + 1)
            open_sources[target] -= 1
            if not open_sources[target]:
                ready.append(target)
    for node in reversed(order):
        below = [ranks[target] for target in targets[node]]
        if below and len(below) > len(sources_of[node]):
            ranks[node] = max(ranks[node], min(below) - 1)
    return ranks


def _sources(nodes: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in pairs:
        found[target].append(source)
    return found


def _split_long(
    nodes: Sequence[str], pairs: Sequence[tuple[str, str]], ranks: Mapping[str, int]
) -> tuple[Layers, list[list[tuple[str, str]]]]:
    """Return the layers and the links between each and the next; long edges go through places of their own, one a source and layer."""
    count = max(ranks.values(), default=-1) + 1
    layers: Layers = [[] for _ in range(count)]
    for node in nodes:
        layers[ranks[node]].append(node)
    links: list[dict[tuple[str, str], None]] = [{} for _ in range(count)]
    for source, target in pairs:
        at = source
        for rank in range(ranks[source], ranks[target]):
            via = target if rank + 1 == ranks[target] else f"\0{source}\0{rank + 1}"
            if via != target and via not in layers[rank + 1]:
                layers[rank + 1].append(via)
            links[rank][at, via] = None
            at = via
    return layers, [list(each) for each in links]


def _order(layers: Layers, links: Sequence[Sequence[tuple[str, str]]]) -> tuple[Layers, int]:
    """Order each layer by the mean place of its neighbours, up and down, and keep the best."""
    best, least = [list(layer) for layer in layers], _crossings(layers, links)
    current = [list(layer) for layer in layers]
    for sweep in range(_SWEEPS):
        if not least:
            break
        is_down = sweep % 2 == 0
        steps = range(1, len(current)) if is_down else range(len(current) - 2, -1, -1)
        for at in steps:
            beside = current[at - 1] if is_down else current[at + 1]
            places = {name: place for place, name in enumerate(beside)}
            near: dict[str, list[int]] = {}
            for source, target in links[at - 1] if is_down else links[at]:
                name, other = (target, source) if is_down else (source, target)
                near.setdefault(name, []).append(places[other])
            means = {name: sum(beside_it) / len(beside_it) for name, beside_it in near.items()}
            kept: dict[str, float] = {name: place for place, name in enumerate(current[at])}
            by_mean = [(means.get(name, kept[name]), kept[name], name) for name in current[at]]
            current[at] = [name for _, _, name in sorted(by_mean)]
        count = _crossings(current, links)
        if count < least:
            best, least = [list(layer) for layer in current], count
    return best, least


def _crossings(layers: Layers, links: Sequence[Sequence[tuple[str, str]]]) -> int:
    """Count the pairs of links that cross, by inversions in a Fenwick tree."""
    total = 0
    for at, (upper, lower) in enumerate(pairwise(layers)):
        above = {name: place for place, name in enumerate(upper)}
        below = {name: place for place, name in enumerate(lower)}
        ends = [below[target] for _, target in sorted(links[at], key=lambda link: (above[link[0]], below[link[1]]))]
        tree = [0] * (len(lower) + 1)
        for seen, end in enumerate(ends):
            at_most, place = 0, end + 1
            while place:
                at_most += tree[place]
                place -= place & -place
            total += seen - at_most
            place = end + 1
            while place <= len(lower):
                tree[place] += 1
                place += place & -place
    return total


def _place(
    layers: Layers, links: Sequence[Sequence[tuple[str, str]]], across: Mapping[str, int], gap: int
) -> dict[str, int]:
    """Return the middle of each node across its layer: near to the median of its neighbours, in order, with a gap between."""
    centres: dict[str, float] = {}
    for layer in layers:
        at = 0.0
        for name in layer:
            centres[name] = at + across[name] / 2
            at += across[name] + gap
    near: dict[str, list[str]] = {}
    for each in links:
        for source, target in each:
            near.setdefault(source, []).append(target)
            near.setdefault(target, []).append(source)
    for sweep in range(8):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = []
            for name in layer:
                beside = sorted(centres[other] for other in near.get(name, ()))
                half = len(beside) // 2
                wanted.append(
                    centres[name]
                    if not beside
                    else beside[half]
                    if len(beside) % 2
                    else (beside[half - 1] + beside[half]) / 2
                )
            centres.update(zip(layer, _spread(layer, wanted, across, gap), strict=True))
    left = min((centres[name] - across[name] / 2 for layer in layers for name in layer), default=0)
    places: dict[str, int] = {}
    for layer in layers:
        edge = 0
        for name in layer:
            start = max(edge, round(centres[name] - left - across[name] / 2))
            places[name] = start + across[name] // 2
            edge = start + across[name] + gap
    return places


def _spread(layer: Sequence[str], wanted: Sequence[float], across: Mapping[str, int], gap: int) -> list[float]:
    """Keep the order and the gaps, as near to what is wanted as can be: pool adjacent violators."""
    offsets = [0.0]
    for left, right in pairwise(layer):
        offsets.append(offsets[-1] + (across[left] + across[right]) / 2 + gap)
    pools: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets, strict=False):
        mean, count = value - offset, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


class _Net(NamedTuple):
    """Lines of one channel that belong together: they leave at some places and arrive at others."""

    about: str
    leaves: tuple[int, ...]
    arrives: tuple[int, ...]

    @property
    def low(self) -> int:
        return min(*self.leaves, *self.arrives)

    @property
    def high(self) -> int:
        return max(*self.leaves, *self.arrives)


def _nets(links: Sequence[tuple[str, str]], places: Mapping[str, int]) -> list[_Net]:
    """Join the links of one source; those of a target whose sources have no other target are joined there."""
    targets: dict[str, list[str]] = {}
    sources: dict[str, list[str]] = {}
    for source, target in links:
        targets.setdefault(source, []).append(target)
        sources.setdefault(target, []).append(source)
    nets, done = [], set()
    for target, its in sources.items():
        if len(its) > 1 and all(targets[source] == [target] for source in its):
            nets.append(_Net(target, tuple(places[source] for source in its), (places[target],)))
            done.update(its)
    nets += [
        _Net(source, (places[source],), tuple(places[target] for target in its))
        for source, its in targets.items()
        if source not in done
    ]
    return nets


def _tracks(nets: Sequence[_Net]) -> list[tuple[_Net, int]]:
    """Give each net a track so that lying parts do not overlap, and what leaves a column lies above what arrives in it."""
    bent = [net for net in nets if net.low != net.high]
    below: dict[int, set[int]] = {at: set() for at in range(len(bent))}
    for at, net in enumerate(bent):
        for other_at, other in enumerate(bent):
            if at != other_at and set(other.leaves) & set(net.arrives):
                below[at].add(other_at)
    tracks: dict[int, int] = {}
    waiting = sorted(range(len(bent)), key=lambda at: (bent[at].low, bent[at].high))
    track = 0
    while waiting:
        free = [at for at in waiting if not (below[at] & set(waiting)) - {at}] or waiting[:1]
        edge = -2
        for at in free:
            if bent[at].low > edge:
                tracks[at] = track
                edge = bent[at].high + 1
        waiting = [at for at in waiting if at not in tracks]
        track += 1
    return [(net, 0) for net in nets if net.low == net.high] + [(bent[at], found) for at, found in tracks.items()]


def _draw(
    layers: Layers,
    links: Sequence[Sequence[tuple[str, str]]],
    places: Mapping[str, int],
    labels: Mapping[str, str],
    crossings: int,
    *,
    turned: bool,
    border: int,
) -> Drawing:
    canvas = Canvas(turned=turned)
    boxes: dict[str, Box] = {}
    leaving, arriving = ([{link[end] for link in between} for between in links] for end in (0, 1))
    along = 0
    for at, layer in enumerate(layers):
        longest = max((len(labels[name]) for name in layer if name in labels), default=0)
        depth = longest + border + 1 if turned else 1 + border // 2
        for name in layer:
            if name not in labels:
                for step in range(depth):
                    canvas.touch(places[name], along + step, 5, name.split("\0")[1])
                continue
            text = labels[name]
            x, y = (
                (along + border // 2, places[name]) if turned else (places[name] - len(text) // 2, along + border // 4)
            )
            boxes[name] = Box(x, y, len(text))
            canvas.text(x, y, text, name)
            if border:
                joins = NORTH * (at > 0 and name in arriving[at - 1]) | SOUTH * (name in leaving[at])
                _frame(canvas, boxes[name], name, joins, places[name], turned=turned)
        along += depth
        tracked = _tracks(_nets(links[at], places))
        high = max([track for _, track in tracked], default=-1) + 1
        height = high + turned
        starts = {
            places[name]: along - depth + len(labels[name]) + border for name in layer if turned and name in labels
        }
        _channel(canvas, tracked, along, max(1, height), starts)
        along += max(1, height) if at < len(layers) - 1 else 0
    return Drawing([list(pieces) for pieces in canvas.rows()], boxes, crossings)


def _frame(canvas: Canvas, box: Box, name: str, joins: int, place: int, *, turned: bool) -> None:
    """Draw the border of a node, joined to the lines that arrive and leave."""
    sides, ends = (box.x - 2, box.x + box.width + 1), (box.y - 1, box.y + 1)
    (low, high), (first, last) = (ends, sides) if turned else (sides, ends)
    corners = ((low, first), (high, first), (high, last), (low, last))
    for start, end in pairwise((*corners, corners[0])):
        canvas.line(start, end, name)
    if joins & NORTH:
        canvas.touch(place, first, NORTH, name)
    if joins & SOUTH:
        canvas.touch(place, last, SOUTH, name)


def _channel(
    canvas: Canvas,
    tracked: Sequence[tuple[_Net, int]],
    top: int,
    height: int,
    starts: Mapping[int, int],
) -> None:
    """Draw the lines between a layer and the next one; where nodes end before the layer does, ``starts`` says where."""
    for net, track in tracked:
        about = net.about.split("\0")[1] if net.about.startswith("\0") else net.about
        lying = top + track
        for x in net.leaves:
            for along in range(starts.get(x, top), lying):
                canvas.touch(x, along, 5, about)
            canvas.touch(x, lying, 1, about)
        for x in net.arrives:
            canvas.touch(x, lying, 4, about)
            for along in range(lying + 1, top + height):
                canvas.touch(x, along, 5, about)
        if net.low != net.high:
            canvas.line((net.low, lying), (net.high, lying), about)
