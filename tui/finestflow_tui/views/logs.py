"""What a run has printed, as rows that are made when they are looked at: a log of a million lines costs an index of its line ends.

Of what a program asked of the terminal its colours are kept, every other escape sequence is left out; a line that a progress bar overwrote
keeps its last state. Lines of several nodes stand in the order in which they were written, as far as that is known, each under the name and
the colour of its node. They can be narrowed down to a level, and put into the order of the times that stand in them: a record has neither
of its own, only what the lines say.
"""

from __future__ import annotations

import heapq
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import overload

from finestflow.model import NodeStatus, Run
from finestflow_tui.text import LONGEST, Row, Span, cut, many_lines, one_line, pad, row, width

__all__ = ["LEVELS", "LogRows", "NodeLog", "by_stamp", "frame_in", "merged"]

LEVELS = ("debug", "info", "warning", "error", "critical")
"""What a line may say of itself, the loudest last."""

_LOUD = (("error", "error"), ("traceback", "error"), ("exception", "error"), ("warning", "warning"))
_TROUBLE = re.compile(rb"error|traceback|exception|critical|fatal", re.IGNORECASE)
_COLOR = re.compile(r"\x1b\[([\d;]*)m")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_NAMES = rb"(DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b"
_LEVEL = re.compile(
    rb"(?:\x1b\[[\d;]*m|\W){0,20}"
    + _NAMES
    + rb"|\W{0,3}\d[\d:T-]{6}.{0,80}?\b"
    + _NAMES
    # without a name: a warning of Python, the last line of a traceback, its first
    + rb"|(?:\S+:\d+: )?\w*?(Warning|Error|Exception): |(Traceback) \(most recent"
)
_SAME = {"warn": "warning", "exception": "error", "traceback": "error", "fatal": "critical"}
_STAMP = re.compile(rb"\W{0,3}((?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?)")
_RESETS = frozenset({"", "39", "49", "22"})
_LABEL = 20
_MARKS = 6


class NodeLog:
    """What one node printed, or a part of it.

    Args:
        data: The text as it was written.
        node: The node.
    """

    def __init__(self, data: bytes, node: str = "") -> None:
        self.data = data
        self.node = node
        self._ends = array("q", [-1])
        at = data.find(b"\n")
        while at >= 0:
            self._ends.append(at)
            at = data.find(b"\n", at + 1)
        if data and not data.endswith(b"\n"):
            self._ends.append(len(data))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def spans(self, at: int) -> tuple[Span, ...]:
        """Return a line."""
        raw = self.data[self._ends[at] + 1 : min(self._ends[at + 1], self._ends[at] + 1 + 8 * LONGEST)]
        return _spans(raw.decode("utf-8", "replace"))

    def find(self, wanted: re.Pattern[bytes], start: int, step: int) -> int | None:
        """Return the next line from ``start`` on that a pattern is found in, or the one before it, not going round."""
        if step > 0:
            found = wanted.search(self.data, self._ends[min(start, len(self))] + 1)
            return None if found is None else bisect_left(self._ends, found.start()) - 1
        last = None
        for found in wanted.finditer(self.data, 0, max(0, self._ends[max(0, min(start + 1, len(self)))])):
            last = found.start()
        return None if last is None else bisect_left(self._ends, last) - 1


def _louder(data: bytes, least: int) -> bytes:
    """Return the lines that tell of a level or a louder one, each with what belongs to it: lines that are set in, and the end of a traceback."""
    kept: list[bytes] = []
    is_kept = is_traceback = False
    for line in data.splitlines(keepends=True):
        found = _LEVEL.match(line)
        if found is not None:
            word = next(filter(None, found.groups())).decode().lower()
            is_kept, is_traceback = LEVELS.index(_SAME.get(word, word)) >= least, found[4] is not None
        elif not line[:1].isspace():
            is_kept, is_traceback = is_traceback, False  # a traceback ends with the error, which no longer is set in
        if is_kept:
            kept.append(line)
    return b"".join(kept)


def _spans(text: str) -> tuple[Span, ...]:
    """Return a line with the colours that a program gave it; where it gave none, errors and warnings stand out."""
    text = text.rstrip("\r").rpartition("\r")[2]
    if "\x1b[" not in text:
        shown = many_lines(text).expandtabs(4)[:LONGEST]
        low = shown[:200].lower()
        loud = (role for word, role in _LOUD if low.startswith(word) or (word in low and role == "error"))
        frame = _FRAME.search(shown)
        if frame is not None:
            return ((shown[: frame.start()], ""), (frame[0], "link"), (shown[frame.end() :], ""))
        return ((shown, next(loud, "")),)
    spans: list[Span] = []
    at, role = 0, ""
    for found in _COLOR.finditer(text):
        spans.append((text[at : found.start()], role))
        role = _after(role, found[1])
        at = found.end()
    spans.append((text[at:], role))
    return tuple((many_lines(part).expandtabs(4)[:LONGEST], role) for part, role in spans if part) or (("", ""),)


def _after(role: str, codes: str) -> str:
    """Return the role of what follows some codes."""
    if codes.strip("0") in _RESETS:
        return ""
    if codes.startswith("0;") or not role:
        return f"sgr:{codes.removeprefix('0;')}"
    return f"{role};{codes}"


class LogRows(Sequence[Row]):
    """The lines of one node, or of several under their names.

    Args:
        parts: What was printed, in order; a node may come several times.
        named: Each line begins with the name of its node.
    """

    def __init__(self, parts: Iterable[NodeLog], *, named: bool = False) -> None:
        self.parts: list[NodeLog] = []
        self._starts = array("q", [0])
        self._colors: dict[str, str] = {}
        self._named = named
        for part in parts:
            self.add(part)

    def add(self, part: NodeLog) -> None:
        """Add what was printed next."""
        if len(part):
            self._colors.setdefault(part.node, f"mark{len(self._colors) % _MARKS}")
            self.parts.append(part)
            self._starts.append(self._starts[-1] + len(part))

    def copy(self) -> LogRows:
        """Return what it is now, which later additions do not change."""
        return LogRows(self.parts, named=self._named)

    def from_level(self, level: str) -> LogRows:
        """Return the lines that tell of a level or a louder one; all of them without a level."""
        if not level:
            return self
        least = LEVELS.index(level)
        return LogRows((NodeLog(_louder(part.data, least), part.node) for part in self.parts), named=self._named)

    @property
    def text(self) -> str:
        """All of it, with nothing but letters and line ends."""
        return "\n".join("".join(text for text, _ in line.spans) for line in self) + "\n"

    @property
    def _room(self) -> int:
        return min(_LABEL, max((width(one_line(node)) for node in self._colors), default=0))

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        if not 0 <= at < len(self):
            raise IndexError(at)
        place = bisect_right(self._starts, at) - 1
        part = self.parts[place]
        spans = part.spans(at - self._starts[place])
        if not self._named:
            return Row(spans)
        room = self._room
        label = pad(cut(one_line(part.node), room), room)
        return row((label, self._colors[part.node]), (" │ ", "dim"), *spans)

    def find(self, pattern: str, start: int, step: int) -> int | None:
        """Return the next line that has a text, going round; without a text, the next one that tells of an error.

        It is looked for in the bytes, not line by line.
        """
        wanted = re.compile(re.escape(pattern.encode()), re.IGNORECASE) if pattern else _TROUBLE
        if not len(self):
            return None
        start = (start + step) % len(self)
        first = bisect_right(self._starts, start) - 1
        count = len(self.parts)
        for offset in range(count + 1):
            place = (first + offset * step) % count
            part = self.parts[place]
            begin = start - self._starts[place] if not offset else 0 if step > 0 else len(part) - 1
            found = part.find(wanted, begin, step)
            if found is not None:
                return self._starts[place] + found
        return None


def merged(run: Run, logs: Mapping[str, bytes]) -> LogRows:
    """Return what all nodes of a run printed: first what hits had printed in earlier runs, then what ran, by the time when it began; last the traceback.

    Args:
        run: The run.
        logs: What each node printed, by path; the body of the pipeline is under the empty one.
    """

    def begun(path: str) -> float:
        node = run.nodes.get(path)
        if node is None:
            return run.summary.started
        return -1.0 if node.status is NodeStatus.HIT or node.started is None else node.started

    paths = sorted(logs, key=begun)
    parts = [NodeLog(logs[path], path or run.summary.pipeline) for path in paths]
    return LogRows([*parts, *_traceback_of(run)], named=True)


def _traceback_of(run: Run) -> list[NodeLog]:
    """Return what Python said when the run failed, under the node that did: a program that is stopped by an error prints nothing of it."""
    node = next((path for path, node in run.nodes.items() if node.status is NodeStatus.FAILED), run.summary.pipeline)
    return [NodeLog(run.traceback.encode(), node)] if run.traceback else []


def by_stamp(run: Run, logs: Mapping[str, bytes]) -> LogRows:
    """Return what all nodes of a run printed, by the times that stand at the beginning of lines.

    A line without a time stays behind the one before it; nodes whose lines have none come first, as ``merged`` puts them.

    Args:
        run: The run.
        logs: What each node printed, by path.
    """
    rows = merged(run, logs)
    stamped = heapq.merge(*(_stamped(part) for part in rows.parts), key=itemgetter(0))
    groups = groupby(stamped, key=itemgetter(1))
    return LogRows((NodeLog(b"".join(line for _, _, line in lines), node) for node, lines in groups), named=True)


def _stamped(part: NodeLog) -> Iterator[tuple[bytes, str, bytes]]:
    """Yield each line with the time that it was written at, as it says, and its node."""
    stamp = b""
    for line in part.data.splitlines(keepends=True):
        found = _STAMP.match(line)
        if found is not None:
            stamp = max(stamp, found[1].replace(b"T", b" ").replace(b",", b"."))
        yield stamp, part.node, line if line.endswith(b"\n") else line + b"\n"


def frame_in(rows: Sequence[Row]) -> tuple[str, int] | None:
    """Return the file and line of the last frame of a traceback in some rows."""
    for line in reversed(rows):
        found = _FRAME.search("".join(text for text, _ in line.spans))
        if found is not None:
            return found[1], int(found[2])
    return None
