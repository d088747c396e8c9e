"""The tasks of a run: as lanes with a table and a time line, as a layered drawing, and one of them in full.

Invariant: items of a fan-out are folded into one line until they are opened; with many nodes all are. Every row's key is the path of a node.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from finestflow.address import shown_parts
from finestflow.cache.components import WIRING
from finestflow.graph import graph_of_nodes
from finestflow.model import WHY_HIT, NodeRecord, NodeStatus, Run
from finestflow_tui.glyphs import node_glyph
from finestflow_tui.layout.dag import Drawing, draw_dag
from finestflow_tui.layout.rails import draw_rails
from finestflow_tui.text import (
    Row,
    Span,
    cut,
    duration,
    fields,
    number,
    one_line,
    pad,
    plural,
    row,
    size,
    text_rows,
    title,
    value_text,
    width,
    wrapped,
)

__all__ = ["Shape", "base_of", "drawing_of", "node_rows", "shape_of", "summary_line", "task_rows", "terse"]

_ITEM = re.compile(r"\[\d+\](?=/|$)")
_FEW = 4
_USED, _TOLD = 24, 40
"""Columns of what calls used: they give way to so many of why they ran."""
_MEASURABLE = 0.1
"""Seconds from which a call lasts long enough for its share of a core to mean something."""
_OPEN = frozenset({NodeStatus.RUNNING, NodeStatus.PENDING})
_STATUS, _TIMES = 7, 8
_LEAST_BAR, _WIDEST_BAR = 10, 40
"""Columns of the time line: it gives way to why tasks ran, and takes what is left."""
_TERSE = (
    (re.compile(rf"^{re.escape(WHY_HIT)}$"), "same code + inputs"),
    (re.compile(r"^skipped: '([^']+)' "), r"\1 "),
    (re.compile(r"\bparam '([^']+)' (.*?) -> "), r"\1 \2 → "),
    (re.compile(r"\binput (['\"])(.+?)\1(?: changed)?"), r"input \2"),
    (re.compile(r"\binput ([^;\[]+)\[[^\]]+\](?:; input \1\[[^\]]+\])+"), r"input \1"),
    (re.compile(r"\bchanged `(?:[^`]*?\.)??([^.`]+(?:\.[^.`]+)?)`"), r"code \1"),
)
_ORDER = (
    NodeStatus.FAILED,
    NodeStatus.KILLED,
    NodeStatus.RUNNING,
    NodeStatus.CANCELLED,
    NodeStatus.OK,
    NodeStatus.HIT,
    NodeStatus.SKIPPED,
    NodeStatus.PENDING,
)


class Line(NamedTuple):
    """A node, or the items of a fan-out as one."""

    path: str
    nodes: tuple[NodeRecord, ...]

    @property
    def status(self) -> NodeStatus:
        """The status that matters most."""
        return min((node.status for node in self.nodes), key=_ORDER.index)

    @property
    def label(self) -> str:
        """What it is called."""
        name = one_line(self.path)
        return f"{name} ×{len(self.nodes)}" if len(self.nodes) > 1 else name


class Shape(NamedTuple):
    """The lines of a run in an order in which sources come first, and the edges between them."""

    lines: tuple[Line, ...]
    edges: tuple[tuple[str, str], ...]

    def near(self, path: str) -> frozenset[str]:
        """Return a node with all that it depends on and all that depends on it."""
        found = {path}
        for forwards in (True, False):
            waiting = [path]
            while waiting:
                at = waiting.pop()
                for source, target in self.edges:
                    start, end = (source, target) if forwards else (target, source)
                    if start == at and end not in found:
                        found.add(end)
                        waiting.append(end)
        return frozenset(found)


def base_of(run: Run, path: str) -> str:
    """Return what an item of a fan-out is folded into: ``embed`` for ``embed[3]`` and, where ``embed`` is a map, for ``embed/3`` and what lies below."""
    parts = path.split("/")
    for at, part in enumerate(parts):
        above = "/".join(parts[:at])
        if part.isdigit() and above in run.nodes and run.nodes[above].kind == "map":
            return _ITEM.sub("", above)
    return _ITEM.sub("", path)


def shape_of(run: Run, unfolded: Collection[str] = ()) -> Shape:
    """Return the lines and edges of a run.

    Args:
        run: The run.
        unfolded: Fan-outs whose items have lines of their own.
    """
    items: dict[str, list[NodeRecord]] = {}
    for node in run.nodes.values():
        items.setdefault(base_of(run, node.path), []).append(node)
    home: dict[str, str] = {}
    lines: dict[str, tuple[NodeRecord, ...]] = {}
    for base, nodes in items.items():
        is_folded = len(nodes) >= _FEW and base not in unfolded
        if is_folded:
            lines[base] = tuple(node for node in nodes if node.path != base or node.kind == "task") or tuple(nodes)
        for node in nodes:
            home[node.path] = base if is_folded else node.path
            if not is_folded:
                lines[node.path] = (node,)
    edges = dict.fromkeys(
        (home[edge.source], home[edge.target])
        for edge in graph_of_nodes(run.nodes).edges
        if edge.source in home and edge.target in home
    )
    pairs = [(source, target) for source, target in edges if source != target]
    return Shape(tuple(Line(path, lines[path]) for path in _sorted(list(lines), pairs)), tuple(pairs))


def _sorted(paths: list[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Put sources before targets, else keep the order."""
    open_sources = dict.fromkeys(paths, 0)
    targets: dict[str, list[str]] = {}
    for source, target in pairs:
        open_sources[target] += 1
        targets.setdefault(source, []).append(target)
    places = {path: at for at, path in enumerate(paths)}
    ready = [path for path in paths if not open_sources[path]]
    done: list[str] = []
    while ready:
        path = ready.pop(0)
        done.append(path)
        for target in targets.get(path, ()):
            open_sources[target] -= 1
            if not open_sources[target]:
                ready.append(target)
        ready.sort(key=places.__getitem__)
    return done + [path for path in paths if path not in set(done)]


def task_rows(
    run: Run,
    shape: Shape,
    columns: int,
    now: float,
    saved: Mapping[str, float] = {},
    progress: Callable[[str], str] = lambda _: "",
) -> list[Row]:
    """Return a line a node: lanes, name, status, why, when.

    Args:
        run: The run.
        shape: Its lines and edges.
        columns: Room.
        now: The time, for nodes that run.
        saved: Seconds that hits took when they were computed, by path.
        progress: Returns how far a node that runs has come.
    """
    rails = draw_rails(
        [line.path for line in shape.lines], shape.edges, {line.path: _glyph(line) for line in shape.lines}
    )
    lane_room = min(max((width(drawn) for drawn, _ in rails), default=1), max(8, columns // 3))
    name_room = min(28, max((width(line.label) for line in shape.lines), default=4))
    whys = [_progress(line, progress) or _why(line) for line in shape.lines]
    longest = max((width(why) for why, _ in whys), default=0)
    status_room = max(_STATUS, *(len(line.status.value) for line in shape.lines)) + 1 if shape.lines else 0
    free = columns - lane_room - name_room - status_room - _TIMES - 5
    is_measured = free - _USED - _LEAST_BAR >= min(longest, _TOLD) and any(
        node.cpu is not None for line in shape.lines for node in line.nodes
    )
    free -= _USED if is_measured else 0
    gantt = max(0, min(_WIDEST_BAR, max(_LEAST_BAR, free - longest), free - 2 * _LEAST_BAR))
    why_room = min(longest, free - gantt)
    begun, ended = _span(run, now)
    rows = []
    for line, (drawn, column), (why, role) in zip(shape.lines, rails, whys, strict=True):
        status = line.status
        spans: list[Span] = [
            (drawn[:column], "dim"),
            (drawn[column : column + 1], status.value),
            (drawn[column + 1 : lane_room], "dim"),
            (" " * (lane_room - width(drawn[:lane_room]) + 1), ""),
            (pad(cut(line.label, name_room), name_room), "bold"),
            (" ", ""),
            (pad(status.value, status_room), status.value),
        ]
        if why_room > 6 or why_room == longest > 0:
            spans += [(pad(cut(why, why_room), why_room), role), (" ", "")]
        spans += _times(line, begun, ended, gantt, now, sum(saved.get(node.path, 0.0) for node in line.nodes))
        if is_measured:
            spans.append((_used_columns(line), "dim"))
        rows.append(Row(tuple(spans), line.path))
    return rows


def _times(line: Line, begun: float, ended: float, gantt: int, now: float, saved: float) -> list[Span]:
    """Return when a line ran and how long it took; of hits, how long they took when they were computed."""
    seconds = sum(node.seconds for node in line.nodes if node.status is not NodeStatus.HIT)
    if line.status is NodeStatus.RUNNING and line.nodes[0].started:
        seconds = now - line.nodes[0].started
    frame = 2 if gantt else 0
    if line.status is NodeStatus.HIT and not seconds:
        text = f"saved {duration(saved)}" if saved else ""
        return [(pad(text, gantt + frame + _TIMES, right=True), "hit")]
    bar = [("▕", "dim"), *_bar(line, begun, ended, gantt, now), ("▏", "dim")] if gantt else []
    return [*bar, (pad(duration(seconds) if seconds else "", _TIMES, right=True), "")]


def _used_columns(line: Line) -> str:
    """Return the CPU time of all calls of a line and the most memory of one, in columns."""
    cpu = [node.cpu for node in line.nodes if node.cpu is not None]
    memory = [node.memory for node in line.nodes if node.memory is not None]
    texts = (f"cpu {duration(sum(cpu))}" if cpu else "", size(max(memory)) if memory else "")
    return "".join(pad(text, _USED // 2, right=True) for text in texts)


def _glyph(line: Line) -> str:
    statuses = {node.status for node in line.nodes}
    return (
        "◍" if len(statuses) > 1 and not statuses & {NodeStatus.FAILED, NodeStatus.RUNNING} else node_glyph(line.status)
    )


def terse(why: str) -> str:
    """Return why a node ran in as few words as a table has room for."""
    text = one_line(why)
    for pattern, words in _TERSE:
        text = pattern.sub(words, text)
    return text


def _progress(line: Line, progress: Callable[[str], str]) -> Span | None:
    """Return how far the nodes of a line have come that are running."""
    told = [text for node in line.nodes if node.status is NodeStatus.RUNNING and (text := progress(node.path))]
    return (", ".join(told[:_FEW]), "running") if told else None


def _why(line: Line) -> Span:
    error = next((node.error for node in line.nodes if node.error and node.status is not NodeStatus.SKIPPED), "")
    if error:
        return one_line(error.strip().rpartition("\n")[2]), "error"
    if len(line.nodes) == 1:
        return terse(line.nodes[0].why), "dim"
    counts: dict[NodeStatus, int] = {}
    for node in line.nodes:
        counts[node.status] = counts.get(node.status, 0) + 1
    first = next((node.why for node in line.nodes if node.status is not NodeStatus.HIT and node.why), "")
    if len(counts) == 1:
        return terse(first or line.nodes[0].why), "dim"
    if counts.keys() == {NodeStatus.OK, NodeStatus.HIT}:
        told = f"{counts[NodeStatus.OK]} of {len(line.nodes)} ran"
    else:
        told = ", ".join(f"{count} {status.value}" for status, count in counts.items())
    return told + (f": {terse(first)}" if first else ""), "dim"


def _span(run: Run, now: float) -> tuple[float, float]:
    begun = run.summary.started
    ended = run.ended or (begun + run.summary.seconds if run.summary.commit else now)
    return begun, max(ended, begun + 1e-3)


def _bar(line: Line, begun: float, ended: float, columns: int, now: float) -> list[Span]:
    started = [node.started for node in line.nodes if node.started is not None and node.status is not NodeStatus.HIT]
    if not started:
        return [(" " * columns, "")]
    ends = [
        node.started + (now - node.started if node.status in _OPEN else node.seconds)
        for node in line.nodes
        if node.started is not None
    ]
    scale = columns / (ended - begun)
    left = min(columns - 1, max(0, int((min(started) - begun) * scale)))
    right = min(columns, max(left + 1, round((max(ends) - begun) * scale)))
    return [(" " * left, ""), ("━" * (right - left), line.status.value), (" " * (columns - right), "")]


def drawing_of(shape: Shape, *, turned: bool, timed: bool = False, boxed: bool = False) -> Drawing:
    """Draw the layers of a run.

    Args:
        shape: Its lines and edges.
        turned: From left to right, in place of top down.
        timed: Each node says how long it took.
        boxed: Each node has a border.
    """
    labels = {
        line.path: f"{_glyph(line)} {cut(line.label, 24)}{_time_of(line) if timed else ''}" for line in shape.lines
    }
    return draw_dag([line.path for line in shape.lines], shape.edges, labels, turned=turned, boxed=boxed)


def _time_of(line: Line) -> str:
    seconds = sum(node.seconds for node in line.nodes if node.status is not NodeStatus.HIT)
    return f" {duration(seconds)}" if seconds else ""


def node_rows(
    run: Run,
    path: str,
    whys: Sequence[str],
    now: float,
    *,
    is_folded: bool = False,
    saved: float = 0.0,
    columns: int = 76,
) -> list[Row]:
    """Return one node in full, or the items of a fan-out.

    Args:
        run: The run.
        path: Path of the node.
        whys: Why it ran, in sentences.
        now: The time.
        is_folded: The items of a fan-out are one line.
        saved: Seconds that it took when it was computed, of a hit.
        columns: Room for sentences.
    """
    node = run.nodes.get(path)
    items = [each for each in run.nodes.values() if each.kind == "task" and base_of(run, each.path) == path]
    if node is None and not items:
        return []
    if node is None or (len(items) >= _FEW and is_folded):
        rows = [row((f"{one_line(path)} ×{len(items)}", "name")), row("")]
        rows += [
            row(
                (node_glyph(each.status), each.status.value),
                f" {one_line(each.path)}  ",
                (duration(each.seconds), "dim"),
                (f"  {terse(each.why)}", "dim"),
            )
            for each in items[:500]
        ]
        return rows
    seconds = now - node.started if node.status is NodeStatus.RUNNING and node.started else node.seconds
    rows = [
        row(
            (one_line(node.path), "name"),
            "  ",
            (f"{node_glyph(node.status)} {node.status.value}", node.status.value),
            (f"  {duration(seconds)}", "dim"),
        ),
        row((one_line(node.task), "dim")),
        row(""),
    ]
    for at, why in enumerate(whys):
        rows += wrapped(why, columns, "dim" if at else "")
    if saved:
        rows.append(row(("saved  ", "dim"), (duration(saved), "hit")))
    if node.cpu is not None:
        rows += [row(("used  ", "dim"), used_text(node))]
    if node.error:
        rows += [row(""), title("error"), *text_rows(node.error.rstrip(), "error")]
    rows += _section(
        "in", [(name, _input_text(item.source, item.preview, item.digest)) for name, item in node.inputs.items()]
    )
    if node.output is not None:
        output = node.output
        about = [
            ("value", one_line(output.preview)),
            ("type", one_line(output.type)),
            ("size", size(output.size)),
            ("digest", (output.digest or "none")[:16]),
        ]
        about += [
            (one_line(name), digest[:16]) for name, digest in sorted(shown_parts(output).items(), key=_natural)[:12]
        ]
        about += [("note", one_line(output.note))] if output.note else []
        rows += _section("out", about)
    rows += _section("params", [(name, value_text(value)) for name, value in node.params.items()], "param")
    rows += _section("metrics", _metrics_of(run, path), "metric")
    if len(node.attempts) > 1:
        rows += _section(
            "attempts",
            [(each.status.value, f"{duration(each.seconds)}  {one_line(each.error)}") for each in node.attempts],
        )
    rows += _section(
        "depends on", [(name, _code_text(value)) for name, value in node.code.items() if name != WIRING], "dim"
    )
    key = [("key", node.key or "")] if node.key else []
    rows += _section("identity", [*key, *([("seed", str(node.seed))] if node.seed is not None else [])], "dim")
    rows += [row(("note: " + one_line(note), "warning")) for note in node.notes]
    return rows


def _natural(part: tuple[str, str]) -> list[tuple[int, str]]:
    """Return what parts are sorted by: the second item of a list before the tenth."""
    return [(int(each), "") if each.isdecimal() else (0, each) for each in re.split(r"(\d+)", part[0])]


def used_text(node: NodeRecord) -> str:
    """Return what a call used of its machine, as far as it was measured: CPU, how much of a core that is, the most memory."""
    if node.cpu is None:
        return ""
    share = f" ({100 * node.cpu / node.seconds:.0f}% of a core)" if node.seconds >= _MEASURABLE else ""
    most = "" if node.memory is None else f", {size(node.memory)}"
    return f"cpu {duration(node.cpu)}{share}{most}"


def _section(name: str, pairs: Sequence[tuple[str, str]], role: str = "") -> list[Row]:
    return [row(""), title(name), *(Row((("  ", ""), *line.spans)) for line in fields(pairs, role))] if pairs else []


def _input_text(source: str | None, preview: str, digest: str | None) -> str:
    came = f"from {one_line(source)}" if source else one_line(preview)
    return f"{came}  {(digest or 'no digest')[:10]}"


def _metrics_of(run: Run, path: str) -> list[tuple[str, str]]:
    start = f"{path}/"
    found: Mapping[str, float] = {name: metric.last for name, metric in run.metrics.items() if name.startswith(start)}
    return [(name[len(start) :], number(value)) for name, value in found.items()]


def _code_text(value: str) -> str:
    digest, _, constant = value.partition(" ")
    return one_line(constant) or (value if len(value) < 64 else digest[:10])


def summary_line(run: Run) -> str:
    """Return how many tasks ran, were found, failed."""
    counts: dict[str, int] = {}
    for node in run.nodes.values():
        if node.kind == "task":
            counts[node.status.value] = counts.get(node.status.value, 0) + 1
    return " · ".join(
        plural(count, status) if status == "hit" else f"{count} {status}" for status, count in counts.items()
    )
