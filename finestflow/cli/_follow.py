"""What ``run`` and ``reproduce`` show while a run goes: a live display, plain lines, or JSON lines.

A follower is given every event of the run, what tasks print among them, from whichever thread it comes. Invariant: what a follower cannot show
never disturbs the run, and no line of a task is torn by another one or by the display.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from finestflow.cli._board import Board
from finestflow.cli._frame import Drawing, Line, draw_frame
from finestflow.cli._lines import NodeLines, label_of
from finestflow.cli._output import SCHEMA, STATUS_STYLE, Output, dump_json, paint
from finestflow.cli._screen import Screen
from finestflow.cli._text import cut, duration, headline, many_lines, one_line, plural, width
from finestflow.executor.descriptors import release
from finestflow.journal.standing import group_of

if TYPE_CHECKING:
    from finestflow.model import RunSummary

__all__ = ["Follower", "JsonFollower", "LiveFollower", "PlainFollower", "make_follower", "summary_line"]

Event = Mapping[str, Any]
_PATH_ROOM = 16
_FRAME_SECONDS = 0.1
_TURN_SECONDS = 0.25
_MOST_WAITING = 1000
"""Lines of tasks that wait for the next frame at most; a task that prints more waits for the terminal."""
_ITEMS_TOLD = 10
"""Items of a fan-out that get a line each where the display is plain; the others are counted at the end."""


class Follower(AbstractContextManager["Follower"], Protocol):
    """Takes the events of a run."""

    def __call__(self, event: Event) -> None:
        """Take one event."""


def make_follower(out: Output, *, as_json: bool) -> Follower:
    """Return the follower that suits where the output goes."""
    if as_json:
        return JsonFollower(out)
    if out.can_redraw and out.verbosity >= 0:
        return LiveFollower(out)
    return PlainFollower(out)


def _labelled(lines: list[tuple[str, str]], board: Board, *, color: bool) -> list[str]:
    """Return lines of nodes, with the node before them where several run at a time."""
    return [f"{label_of(node, color=color)}{line}" if board.is_parallel and node else line for node, line in lines]


def _is_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf32"}


class _Listening:
    """Takes events under a lock, one at a time; a subclass shows them."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._board = Board()
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        with self._lock:
            try:
                self._board.apply(event)
            except (KeyError, TypeError, ValueError, AttributeError):
                return
            self._show(event)

    def _show(self, event: Event) -> None:
        raise NotImplementedError


class JsonFollower(_Listening):
    """One JSON object a line on stdout for each event; what tasks print is among them."""

    def _show(self, event: Event) -> None:
        fields = {key: value for key, value in event.items() if key != "e"}
        self._out.line(dump_json({"schema": SCHEMA, "kind": f"event.{event['e']}", **fields}, ascii_only=True))
        self._out.out.flush()


class PlainFollower(_Listening):
    """One line on stderr when a node ends, and what tasks print on stdout; the form does not depend on a terminal.

    Args:
        out: The streams.
        shows_text: Whether what tasks print is shown.
    """

    def __init__(self, out: Output, *, shows_text: bool = True) -> None:
        super().__init__(out)
        self._texts = NodeLines() if shows_text and out.verbosity >= 0 else None
        self._folded: set[str] = set()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._write(list(self._texts.flush()) if self._texts is not None else [])

    def _show(self, event: Event) -> None:
        kind = event["e"]
        if kind == "run":
            self._out.note(f"run {one_line(event['name'])} ({event['id']}) of {one_line(event['pipeline'])}")
        elif kind == "start":
            self._out.detail(f"  started  {one_line(event['path'])}")
        elif kind == "node":
            self._show_node(event)
        elif kind == "note":
            self._out.note(f"note: {one_line(event['text'])}")
        elif kind == "cancel":
            self._out.note(_cancelling(event))
        elif kind == "text" and self._texts is not None:
            self._write([(event["node"], line) for line in self._texts.feed(event["node"], event["text"])])
        elif kind == "end":
            self._show_rest()

    def _show_node(self, event: Event) -> None:
        if self._texts is not None:
            self._write(list(self._texts.flush(event["path"])))
        row = self._board.rows.get(group_of(event["path"]))
        if row is None or event["status"] == "failed" or row.done <= _ITEMS_TOLD:
            self._out.note(_node_line(event, color=self._out.color_err))
        elif row.group not in self._folded:
            self._folded.add(row.group)
            self._out.note(f"  more of {one_line(row.group)} are counted at the end")

    def _show_rest(self) -> None:
        for row in self._board.rows.values():
            if row.done > _ITEMS_TOLD:
                counts = ", ".join(f"{count:,} {status}" for status, count in row.counts.items())
                self._out.note(f"  {row.label}: {counts}")

    def _write(self, lines: list[tuple[str, str]]) -> None:
        """Write whole lines of nodes."""
        if not lines:
            return
        self._out.lines(_labelled(lines, self._board, color=self._out.color))
        self._out.out.flush()


def _cancelling(event: Event) -> str:
    """Return what is said when a run begins to end before its time."""
    again = "; Ctrl-C again ends at once" if str(event.get("error")).startswith("KeyboardInterrupt") else ""
    return f"cancelling: what runs is ended, and the run is recorded{again}"


def _node_line(event: Event, *, color: bool) -> str:
    status = str(event["status"])
    padded = f"{status:<7}"
    why = event.get("why")  # of what is skipped it names the node whose error this is
    reason = one_line((status == "skipped" and why) or event.get("error") or why or "")
    shown = paint(padded, STATUS_STYLE.get(status, "")) if color else padded
    return f"  {shown}  {duration(event.get('seconds')):>6}  {one_line(event['path']):<{_PATH_ROOM}}  {reason}".rstrip()


def summary_line(summary: RunSummary, *, color: bool) -> str:
    """Return the one line that a run ends with."""
    status = summary.status.value
    shown = paint(status, STATUS_STYLE[status]) if color else status
    nodes = f"{plural(summary.nodes, 'task')}, {plural(summary.hits, 'hit')}"
    text = f"{one_line(summary.name)}: {shown} in {duration(summary.seconds)}, {nodes}  {headline(summary.metrics)}"
    return text.rstrip()


class LiveFollower(_Listening):
    """A display at the bottom of the terminal that shows how the nodes stand; what tasks print goes by above it.

    Drawn ten times a second at most, and only when something has changed, by a thread of its own.
    """

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        self._screen = Screen(out.err)
        self._texts = NodeLines()
        self._above: list[str] = []
        self._began = time.monotonic()
        self._is_stale = False
        self._is_aside = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="finestflow-display", daemon=True)
        self._hook: Callable[..., Any] = sys.breakpointhook

    def __enter__(self) -> Self:
        self._hook, sys.breakpointhook = sys.breakpointhook, self._break
        self._out.above = self._take_line
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        sys.breakpointhook = self._hook
        self._out.above = None
        self._ended.set()
        self._thread.join()
        with self._lock:
            if not self._is_aside:
                self._take_lines(list(self._texts.flush()))
                self._draw(is_last=True)

    def _show(self, event: Event) -> None:
        kind = event["e"]
        self._is_stale = True
        if kind == "text":
            self._take_text(event["node"], event["text"])
        elif kind == "node":
            self._take_lines(list(self._texts.flush(event["path"])))
            if self._is_aside:
                self._out.note(_node_line(event, color=self._out.color_err))
        elif kind == "cancel":
            self._above += self._paint([_cancelling(event)], "dim")
            self._draw()
        elif kind == "note":
            self._above += self._paint(f"note: {many_lines(str(event['text']))}".split("\n"), "dim")
        elif kind == "run":
            self._began = time.monotonic()
            title = f"run {one_line(event['name'])} ({event['id']}) of {one_line(event['pipeline'])}"
            self._above += self._paint([title], "bold")

    def _take_line(self, line: str) -> None:
        """Take what the program itself has to say."""
        with self._lock:
            self._is_stale = True
            self._above.append(line)

    def _take_text(self, node: str, text: str) -> None:
        if self._is_aside:
            self._out.out.write(text)
            self._out.out.flush()
        else:
            self._take_lines([(node, line) for line in self._texts.feed(node, text)])

    def _take_lines(self, lines: list[tuple[str, str]]) -> None:
        """Take whole lines of nodes."""
        shown = _labelled(lines, self._board, color=self._out.color_err)
        if self._out.is_terminal:
            self._above += shown
        elif shown:
            self._out.lines(shown)
            self._out.out.flush()
        if len(self._above) > _MOST_WAITING:
            self._draw()

    def _paint(self, lines: list[str], style: str) -> list[str]:
        return [paint(line, style) if self._out.color_err else line for line in lines]

    def _work(self) -> None:
        turned = 0.0
        while not self._ended.wait(_FRAME_SECONDS):
            with self._lock:
                if self._is_aside or self._screen.is_gone:
                    return
                now = time.monotonic()
                if self._is_stale or now - turned >= _TURN_SECONDS:
                    turned = now
                    self._draw()

    def _draw(self, *, is_last: bool = False) -> None:
        """Show the frame as it is now; the last one stays."""
        self._is_stale = False
        columns, lines = self._screen.size()
        drawing = Drawing(columns - 1, lines - 1, color=self._out.color_err, unicode=_is_unicode(self._out.err))
        elapsed = time.monotonic() - self._began
        frame: list[Line] = []
        if self._board.name:
            turn = int(elapsed / _TURN_SECONDS)
            frame = draw_frame(self._board, drawing, elapsed=elapsed, now=time.time(), turn=turn)
        begun = cut(one_line(self._texts.unended), columns - 1)
        if begun:
            frame = [Line(begun, width(begun)), *frame][: lines - 1]
        if is_last:
            frame = frame[:-1]  # the summary says what the last line does
        self._screen.draw(frame, self._above)
        self._above.clear()

    def _break(self, *args: Any, **kwargs: Any) -> Any:
        """Step aside for a debugger: from here on lines are plain, and prompts and answers have the terminal."""
        release()
        with self._lock:
            self._take_lines(list(self._texts.flush()))
            self._draw()
            self._out.above = None
            self._is_aside = True
        if self._hook is not sys.__breakpointhook__ or self._out.has_debugger:
            return self._hook(*args, **kwargs)
        import pdb  # noqa: T100 - it was asked for

        pdb.Pdb().set_trace(sys._getframe().f_back)  # noqa: SLF001 - so that it stops where breakpoint() stands
        return None
