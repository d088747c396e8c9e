"""A page about some runs: table, curves, graph, differences. One HTML file that needs nothing else, neither a server nor a network.

Invariant: whatever came from a run is escaped, and nothing of a run is unpickled or executed. Without scripts everything is there; with them the
table can be sorted. Called by ``finestflow report``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from finestflow.comparison import SideBySide, compare_runs
from finestflow.drawing.svg import draw_svg
from finestflow.goals import GUESSED, Goals
from finestflow.graph import graph_of_nodes
from finestflow.journal.headline import choose_metrics
from finestflow.model import Metric, Run

if TYPE_CHECKING:
    from finestflow.compare import Change, RunDiff

__all__ = ["Section", "build_report"]

_WIDTH, _HEIGHT, _MARGIN = 460, 200, 72
_MOST_POINTS = 400
_MOST_CURVES = 12
_PATCH_LINES = 400
_COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22")
_DASHES = (("none", "━━"), ("7 3", "╍╍"), ("2 3", "┅┅"))
"""How lines look, and their sign in the legend, when the colours have been used up once and twice."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #888; --accent: #0a7; --mark: #0a73; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { position: sticky; left: 0; background: Canvas; } table.sort th { cursor: pointer; } td.n { text-align: right; } td.w { white-space: normal; } .dim { color: var(--dim); } .best { background: var(--mark); font-weight: 600; }
.ok { color: #0a7; } .failed, .killed { color: #d33; } .cancelled { color: #c80; }
.curves { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; } figcaption { font-weight: 600; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; } svg { max-width: 100%; }
pre { overflow-x: auto; font: 12.5px/1.4 ui-monospace, monospace; } .add { color: #0a7; } .del { color: #d33; } .at { color: #38c; }
summary { cursor: pointer; padding: .2rem 0; }
"""
_SCRIPT = """
document.querySelectorAll('table.sort th').forEach((th, i, all) => th.addEventListener('click', () => {
  const table = th.closest('table'), column = [...th.parentNode.children].indexOf(th), rows = [...table.tBodies[0].rows];
  const sign = th.dataset.sign = th.dataset.sign === '1' ? '-1' : '1';
  const key = row => { const t = row.cells[column].dataset.v ?? row.cells[column].textContent; return isNaN(t) || t === '' ? t : +t; };
  rows.sort((a, b) => sign * (key(a) > key(b) ? 1 : key(a) < key(b) ? -1 : 0)).forEach(row => table.tBodies[0].append(row));
}));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What differs between two runs that follow each other, with the patch of their files."""

    diff: RunDiff
    patch: str


def build_report(
    runs: Sequence[Run], sections: Iterable[Section], *, title: str, now: float, goals: Goals = GUESSED
) -> str:
    """Return the page.

    Args:
        runs: At least one, in the order in which they are shown, with their series.
        sections: The differences that are shown.
        title: Its heading.
        now: The time, in seconds since the epoch.
        goals: Which way of a metric is better.
    """
    made = datetime.fromtimestamp(now, UTC).astimezone().isoformat(sep=" ", timespec="minutes")
    parts = [
        f"<h1>{escape(title)}</h1><p class=dim>{len(runs)} runs · made by finestflow, {made}</p>",
        "<h2>Runs</h2>",
        _runs_table(runs),
    ]
    compared = compare_runs(runs, goals=goals).folded()
    compared = compared.differing() if len(runs) > 1 else compared
    if compared.rows:
        parts += ["<h2>What differs</h2>" if len(runs) > 1 else "<h2>Params and metrics</h2>", _comparison(compared)]
    curves = list(_curves(runs))
    if curves:
        parts += ["<h2>Curves</h2>", f"<div class=curves>{''.join(curves)}</div>"]
    if runs[0].nodes:
        parts += [f"<h2>Graph of {escape(runs[0].summary.name)}</h2>", draw_svg(graph_of_nodes(runs[0].nodes))]
    told = [_section(section) for section in sections]
    if told:
        parts += ["<h2>From run to run</h2>", *told]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}<script>{_SCRIPT}</script></body></html>\n"


# -- tables ----------------------------------------------------------------------------------------------------------------------------


def _runs_table(runs: Sequence[Run]) -> str:
    heads = ["run", "pipeline", "status", "started", "took", "metrics"]
    has_tags = any(run.summary.tags for run in runs)
    has_notes = any(run.summary.note or run.summary.error for run in runs)
    heads += ["tags"] * has_tags + ["note"] * has_notes
    rows = []
    for run in runs:
        it = run.summary
        started = datetime.fromtimestamp(it.started, UTC).astimezone().isoformat(sep=" ", timespec="seconds")
        metrics = "  ".join(f"{label}={value:.5g}" for label, value in choose_metrics(it.metrics))
        cells = [
            f"<td title='{it.id}'>{escape(it.name)}{' ★' if it.star else ''}</td><td>{escape(it.pipeline)}</td>",
            f"<td class='{it.status.value}'>{it.status.value}</td><td data-v='{it.started}'>{started}</td>",
            f"<td class=n data-v='{it.seconds}'>{it.seconds:.3g}s</td><td class=w>{escape(metrics)}</td>",
        ]
        cells += [f"<td>{escape(' '.join(f'#{tag}' for tag in it.tags))}</td>"] * has_tags
        cells += [f"<td class='dim w'>{escape(it.note or it.error)}</td>"] * has_notes
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table class=sort><thead><tr>{_heads(heads)}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _comparison(table: SideBySide) -> str:
    rows = []
    for row in table.rows:
        arrow = {"max": " ↑", "min": " ↓"}.get(row.goal or "", "")
        cells = [
            f"<td class='n{' best' if place in row.best else ''}'>{escape(_shown(value))}</td>"
            for place, value in enumerate(row.values)
        ]
        rows.append(f"<tr><td>{escape(row.name)}{arrow} <span class=dim>{row.kind}</span></td>{''.join(cells)}</tr>")
    heads = _heads(["", *table.titles])
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _heads(names: Iterable[str]) -> str:
    return "".join(f"<th>{escape(name)}</th>" for name in names)


def _shown(value: object) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


# -- curves ----------------------------------------------------------------------------------------------------------------------------


def _curves(runs: Sequence[Run]) -> Iterator[str]:
    """Yield a plot for each metric that has a curve in some run; the runs keep their colours in all of them."""
    names = dict.fromkeys(name for run in runs for name, metric in run.metrics.items() if len(metric.values) > 1)
    for name in list(names)[:_MOST_CURVES]:
        lines = [(place, _points(run.metrics[name])) for place, run in enumerate(runs) if name in run.metrics]
        drawn = [(place, points) for place, points in lines if len(points) > 1]
        if drawn:
            yield f"<figure><figcaption>{escape(name)}</figcaption>{_plot(drawn, [run.summary.name for run in runs])}</figure>"


def _points(metric: Metric) -> list[tuple[float, float]]:
    """Return (step, value) of a curve, at most so many: of each stretch its lowest and its highest."""
    points = [
        (place if step is None else step, value)
        for place, (step, value, _) in enumerate(metric.values)
        if math.isfinite(value)
    ]
    if len(points) <= _MOST_POINTS:
        return points
    size = math.ceil(2 * len(points) / _MOST_POINTS)
    thin: list[tuple[float, float]] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        thin += sorted({min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])})
    return thin


def _plot(lines: Sequence[tuple[int, list[tuple[float, float]]]], names: Sequence[str]) -> str:
    xs = [x for _, points in lines for x, _ in points]
    ys = [y for _, points in lines for _, y in points]
    (left, right), (low, high) = (min(xs), max(xs)), (min(ys), max(ys))
    across, up = (right - left) or 1.0, (high - low) or 1.0

    def at(x: float, y: float) -> str:
        column = _MARGIN + (x - left) / across * (_WIDTH - _MARGIN - 8)
        return f"{column:.1f},{_HEIGHT - 22 - (y - low) / up * (_HEIGHT - 34):.1f}"

    paths = "".join(
        f"<polyline fill=none stroke='{_COLORS[place % len(_COLORS)]}' stroke-width=1.6 stroke-dasharray='{_dashes(place)[0]}' points='{' '.join(at(x, y) for x, y in points)}'>"
        f"<title>{escape(names[place])}</title></polyline>"
        for place, points in lines
    )
    axes = (
        f"<path d='M{_MARGIN},8V{_HEIGHT - 22}H{_WIDTH - 8}' fill=none stroke='currentColor' opacity=.4 />"
        f"<text x={_MARGIN - 4} y=14 text-anchor=end>{high:.4g}</text><text x={_MARGIN - 4} y={_HEIGHT - 22} text-anchor=end>{low:.4g}</text>"
        f"<text x={_MARGIN} y={_HEIGHT - 6}>{left:.4g}</text><text x={_WIDTH - 8} y={_HEIGHT - 6} text-anchor=end>{right:.4g}</text>"
    )
    legend = " ".join(
        f"<span style='color:{_COLORS[place % len(_COLORS)]}'>{_dashes(place)[1]} {escape(names[place])}</span>"
        for place, _ in lines
    )
    return (
        f"<svg width={_WIDTH} height={_HEIGHT} viewBox='0 0 {_WIDTH} {_HEIGHT}'>{axes}{paths}</svg><div>{legend}</div>"
    )


def _dashes(place: int) -> tuple[str, str]:
    return _DASHES[place // len(_COLORS) % len(_DASHES)]


# -- differences -----------------------------------------------------------------------------------------------------------------------


def _section(section: Section) -> str:
    diff = section.diff.folded()
    parts = [
        _changes("params", diff.params),
        _changes("inputs", diff.inputs),
        _changes("metrics", diff.metrics),
        _changes("environment", diff.environment),
    ]
    if diff.outputs:
        items = "".join(
            f"<li>{escape(node.path)}: {escape(node.before or '(absent)')} → {escape(node.after or '(absent)')}"
            f" <span class=dim>{escape('; '.join(node.why))}</span></li>"
            for node in diff.outputs
        )
        parts.append(f"<h4>outputs</h4><ul>{items}</ul>")
    parts += [_changes("nodes", diff.nodes), _changes("edges", diff.edges)]
    if section.patch:
        parts.append(f"<h4>code</h4><pre>{_patch(section.patch)}</pre>")
    body = "".join(parts) or "<p class=dim>nothing differs</p>"
    return f"<details><summary>{escape(diff.before.summary.name)} → {escape(diff.after.summary.name)}</summary>{body}</details>"


def _changes(title: str, changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    rows = "".join(
        f"<tr><td>{escape(change.name)}</td><td class=del>{escape(_shown(change.before))}</td>"
        f"<td class=add>{escape(_shown(change.after))}</td></tr>"
        for change in changes
    )
    return f"<h4>{title}</h4><table>{rows}</table>"


_PATCH_CLASSES: Mapping[str, str] = {"+": "add", "-": "del", "@": "at"}


def _patch(patch: str) -> str:
    lines = patch.splitlines()
    told = [f"<span class={_PATCH_CLASSES.get(line[:1], 'x')}>{escape(line)}</span>" for line in lines[:_PATCH_LINES]]
    if len(lines) > _PATCH_LINES:
        told.append(f"<span class=dim>… {len(lines) - _PATCH_LINES} more lines</span>")
    return "\n".join(told)
