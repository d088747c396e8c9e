"""Rows of the runs that are going on: at most four, cut and never wrapped."""

from __future__ import annotations

from collections.abc import Sequence

from finestflow_tui.glyphs import SPINNER, bar, sparkline
from finestflow_tui.live import LiveRun
from finestflow_tui.text import Row, Span, cut, duration, number, one_line, pad, plural, row, width
from finestflow_tui.widgets.line import fitted

__all__ = ["live_rows"]

_MOST = 4
_ETA = len("eta 1m30s")


def live_rows(runs: Sequence[LiveRun], columns: int, now: float, *, beat: int = 0) -> list[Row]:
    """Return the live strip.

    Args:
        runs: Runs that are going on, newest first.
        columns: Room.
        now: The time.
        beat: Counts up, so that the sign turns.
    """
    if not runs:
        return []
    sign = SPINNER[beat % len(SPINNER)]
    if columns < 100:
        first = _spans(runs[0], columns, now, sign)
        more = f"+{len(runs) - 1} " if len(runs) > 1 else ""
        return [row(" ", (more, "running"), *first, key=runs[0].id)]
    rows = [row(" ", *_spans(run, columns, now, sign), key=run.id) for run in runs[:_MOST]]
    if len(runs) > _MOST:
        rows[-1] = row((f"   and {len(runs) - _MOST + 1} more: is:live lists them", "dim"))
    return rows


def _spans(live: LiveRun, columns: int, now: float, sign: str) -> list[Span]:
    summary = live.summary
    done, known, hits = live.counts
    wide = 24 if columns >= 100 else 10
    filled, left = bar(done / known if known else 0, wide)
    spans: list[Span] = [
        (f"{sign} ", "running"),
        (pad(cut(one_line(summary.name), 18), 18), "name"),
        (f" {cut(one_line(summary.pipeline), 12)} ", "dim"),
        (filled, "running"),
        (left, "dim"),
        (f" {done}/{known}  ", ""),
    ]
    room = columns - 4 - sum(width(text) for text, _ in spans)
    return [*spans, *fitted(_parts(live, now, hits), room)]


def _parts(live: LiveRun, now: float, hits: int) -> list[list[Span]]:
    """Return what else is told of a run, the most important first: as much is shown as there is room for."""
    parts: list[list[Span]] = []
    current = live.current
    progress, left = live.progress_of(current, now)
    if current:
        parts.append([(cut(one_line(current), 20), "bold"), (f" {progress}" if progress else "", "")])
    if left:
        parts.append([(pad(left, _ETA), "running")])  # what follows stays where it is
    series = [metric for metric in live.run.metrics.values() if len(metric.values) > 1]
    if series:
        last = series[-1]
        told = f"{one_line(last.name.rpartition('/')[2])} {number(last.last)} "
        parts.append([(told + sparkline([value for _, value, _ in last.values], 10), "metric")])
    if hits:
        parts.append([(plural(hits, "hit"), "hit")])
    parts.append([(duration(max(0.0, now - live.summary.started)), "dim")])
    return parts
