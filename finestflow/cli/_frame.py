"""A frame of the live display: the rows of a board as lines that fit a terminal.

Invariant: no line is wider and no frame is taller than it is told, whatever the run is; what was finished first gives way first. Pure: the
same board, size and time give the same frame. ``_follow`` shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from finestflow.cli._board import Board, Row
from finestflow.cli._output import STATUS_STYLE, paint
from finestflow.cli._text import cut, duration, number, one_line, pad, plural, width
from finestflow.journal.standing import remaining

__all__ = ["Drawing", "Line", "draw_frame"]

Segment = tuple[str, str]
_LABEL = 24
_BAR = 20
_GLYPHS = {"ok": "●", "hit": "◌", "failed": "✗", "killed": "✗", "skipped": "⊘", "cancelled": "⊘", "pending": "·"}
_TURNING = "◐◓◑◒"
_PLAIN = {"ok": "+", "hit": "=", "failed": "x", "killed": "x", "skipped": "-", "cancelled": "-", "pending": "."}
_PLAIN_TURNING = "|/-\\"
_WORDS = {"ok": "done", "hit": "hit", "failed": "failed", "skipped": "skipped", "cancelled": "cancelled"}


class Line(NamedTuple):
    """A line with its escape sequences, and how many columns it takes."""

    text: str
    width: int


class Drawing:
    """How lines are drawn on a terminal.

    Args:
        columns: Its width.
        lines: How many lines a frame may have.
        color: Whether there is colour.
        unicode: Whether it can show more than ASCII.
    """

    def __init__(self, columns: int, lines: int, *, color: bool, unicode: bool = True) -> None:
        self.columns = max(1, columns)
        self.lines = max(1, lines)
        self.color = color
        self.unicode = unicode

    def join(self, segments: Iterable[Segment]) -> Line:
        """Return one line of texts, each in its style, cut where the terminal ends."""
        room = self.columns
        parts = []
        for text, style in segments:
            shown = cut(text if self.unicode else text.encode("ascii", "replace").decode(), room)
            if not self.unicode:
                shown = shown.replace("…", "~")
            room -= width(shown)
            parts.append(paint(shown, style) if self.color and style else shown)
            if shown != text or room <= 0:
                break
        return Line("".join(parts), self.columns - room)

    def glyph(self, status: str, turn: int) -> Segment:
        """Return the sign of a status in its colour; that of what is running turns."""
        turning = _TURNING if self.unicode else _PLAIN_TURNING
        signs = _GLYPHS if self.unicode else _PLAIN
        sign = turning[turn % len(turning)] if status == "running" else signs.get(status, "?")
        return sign, STATUS_STYLE.get(status, "")

    def bar(self, share: float, columns: int) -> str:
        """Return how much is done."""
        full, empty = ("━", "╌") if self.unicode else ("#", ".")
        return f"{full * round(min(1.0, max(0.0, share)) * columns)}".ljust(columns, empty)


def draw_frame(board: Board, drawing: Drawing, *, elapsed: float, now: float, turn: int = 0) -> list[Line]:
    """Return the lines of a frame: what was folded, the rows, and how the whole stands.

    Args:
        board: The run.
        drawing: The terminal.
        elapsed: Seconds since the run began.
        now: The time as the events tell it.
        turn: Turns the signs of what is running.
    """
    foot = drawing.join(_foot(board, elapsed))
    if drawing.lines < 2:
        return [foot]
    rows, folded = _choose_rows(list(board.rows.values()), drawing.lines - 1)
    room = min(_LABEL, max([width(row.label) for row in rows], default=0), max(8, drawing.columns // 3))
    lines = [drawing.join(_folded(folded))] if folded else []
    return [*lines, *(drawing.join(_row(row, drawing, room, now, turn)) for row in rows), foot]


def _choose_rows(rows: Sequence[Row], room: int) -> tuple[list[Row], list[Row]]:
    """Return the rows that are shown and those that are folded into a count, for which a line is needed."""
    if len(rows) <= room:
        return list(rows), []
    running = [row for row in rows if row.running]
    wrong = sorted((row for row in rows if not row.running and row.status == "failed"), key=lambda row: -row.order)
    others = sorted((row for row in rows if not row.running and row.status != "failed"), key=lambda row: -row.order)
    shown = set(map(id, [*running, *wrong, *others][: max(0, room - 1)]))
    return [row for row in rows if id(row) in shown], [row for row in rows if id(row) not in shown]


def _folded(rows: Sequence[Row]) -> list[Segment]:
    """Return the line for rows that have no room."""
    counts: dict[str, int] = {}
    for row in rows:
        for status, count in row.counts.items():
            counts[status] = counts.get(status, 0) + count
        counts["running"] = counts.get("running", 0) + len(row.running)
    return [("  … ", "dim"), (f"{sum(row.size for row in rows):,} more: ", "dim"), *_counted(counts)]


def _counted(counts: dict[str, int]) -> list[Segment]:
    segments: list[Segment] = []
    for status in ("running", "ok", "hit", "failed", "killed", "skipped", "cancelled"):
        if counts.get(status):
            segments += [(", ", "")] * bool(segments)
            segments.append((f"{counts[status]:,} {_WORDS.get(status, status)}", STATUS_STYLE.get(status, "")))
    return segments


def _row(row: Row, drawing: Drawing, room: int, now: float, turn: int) -> list[Segment]:
    seconds = _seconds_of(row, now)
    head = [
        ("  ", ""),
        drawing.glyph(row.status, turn),
        (" " + pad(cut(row.label, room), room), ""),
        (f"  {duration(seconds) if seconds is not None else '':>6}  ", ""),
    ]
    left = drawing.columns - sum(width(text) for text, _ in head)
    if row.size > 1:
        return [*head, *_items(row, drawing, left, seconds)]
    if row.running:
        return [*head, *_advance(row, drawing, left, seconds or 0.0)]
    return [*head, (row.remark, "red" if row.status == "failed" else "dim")]


def _seconds_of(row: Row, now: float) -> float | None:
    """Return how long a row has been at work: one node by its own clock, many from the first to the last."""
    if row.running:
        return max(0.0, now - (row.began if row.began is not None else now))
    if row.size > 1 and row.began is not None and row.ended is not None:
        return max(0.0, row.ended - row.began)
    return row.seconds if row.seconds or row.counts["ok"] or row.counts["failed"] else None


def _items(row: Row, drawing: Drawing, left: int, seconds: float | None) -> list[Segment]:
    """Return how far a fan-out is: a bar while it goes, and counts."""
    counts = _counted(dict(row.counts))
    if not row.running:
        return [*counts, ("  " + row.remark if row.counts["failed"] else "", "dim")]
    taken = sum(width(text) for text, _ in counts) + 14
    bar: list[Segment] = []
    if row.done and row.total and left - taken >= 6:
        bar = [(drawing.bar(row.done / row.total, min(_BAR, left - taken)) + "  ", "cyan")]
    rest = remaining(seconds or 0.0, row.done, row.total)
    return [*bar, *(counts or [(f"{len(row.running)} running", "blue")]), (_left(rest), "")]


def _advance(row: Row, drawing: Drawing, left: int, seconds: float) -> list[Segment]:
    """Return how far a node is: its progress where it tells it, and its last metric."""
    segments: list[Segment] = []
    if row.progress is not None:
        done, total = row.progress
        if not total:
            segments.append((f"{done:g}  ", "cyan"))
        else:
            size = min(_BAR, left - 16)
            share = min(1.0, max(0.0, done / total))
            segments.append((f"{drawing.bar(share, size)} " * (size >= 4) + f"{share:4.0%}", "cyan"))
            segments.append((_left(remaining(seconds, done, total)) + "  ", ""))
    if row.metric is not None:
        name, value = row.metric
        segments.append((f"{one_line(name)}={number(value)}", "yellow"))
    return segments


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"  {duration(seconds)} left"


def _foot(board: Board, elapsed: float) -> list[Segment]:
    done, known = board.counts.total(), board.known
    shown = {status: count for status, count in board.counts.items() if status != "ok"}
    if board.running:
        shown["running"] = board.running
    tasks = f"{done:,}/{known:,} tasks" if known > done else plural(done, "task")
    segments: list[Segment] = [(f"  {duration(elapsed)}", "bold"), (f"  {tasks}", "")]
    if shown:
        segments += [("  ", ""), *_counted(shown)]
    if board.metric is not None:
        name, value = board.metric
        segments.append((f"  {one_line(name)}={number(value)}", "yellow"))
    return segments
