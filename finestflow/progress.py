"""Loops that tell how far they are: ``run.track(range(20))``.

Invariant: a loop tells ten times a second at most, and nothing that goes wrong while telling reaches the loop. A loop inside another one refines
the outer one's progress, since one call has one. ``current`` and ``started`` make loops.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO, TypeVar

__all__ = ["Bar", "iter_tracked", "terminal"]

_SECONDS = 0.1
_WIDTH = 20
Item = TypeVar("Item")
Report = Callable[[float, float | None], None]


class _Open(threading.local):
    """The loops that are going on in this thread, the outermost first."""

    def __init__(self) -> None:
        self.loops: list[_Loop] = []


_open = _Open()


class _Loop:
    """How far one loop is."""

    def __init__(self, total: float | None, report: Report) -> None:
        self.done = 0.0
        self.total = total
        self._report = report
        self._outer = next((each for each in reversed(_open.loops) if each.belongs_to(report)), None)
        self._told = 0.0
        self._last = -1.0

    def belongs_to(self, report: Report) -> bool:
        """Whether it tells the same call."""
        return self._report == report

    def step(self, part: float = 0.0, *, is_last: bool = False) -> None:
        """Tell how far it is, with a part of the next item, unless that was told just now."""
        if self._outer is not None:
            self._outer.step((self.done + part) / self.total if self.total else 0.0)
            return
        now, done = time.monotonic(), self.done + part
        if done != self._last and (is_last or now - self._told >= _SECONDS):
            self._told, self._last = now, done
            self._report(done, self.total)


def iter_tracked(items: Iterable[Item], total: float | None, report: Report) -> Iterator[Item]:
    """Yield the items and report how many are done.

    Args:
        items: What is looped over.
        total: How many there are; their ``len`` when None.
        report: Takes (done, total), total None where nobody knows it.
    """
    if total is None:
        try:
            total = len(items)  # type: ignore[arg-type]
        except (TypeError, AttributeError):
            total = None
    loop = _Loop(total, report)
    _open.loops.append(loop)
    try:
        loop.step()
        for item in items:
            yield item
            loop.done += 1
            loop.step()
        loop.step(is_last=True)
    finally:
        if loop in _open.loops:
            _open.loops.remove(loop)


class Bar:
    """A line on a terminal that shows how far a loop is.

    Args:
        name: What it is about.
        stream: The terminal; nothing is shown on anything else.
    """

    def __init__(self, name: str, stream: TextIO | None) -> None:
        self._name = name
        self._stream = stream
        self._began: float | None = None
        self._is_shown = False

    def show(self, done: float, total: float | None) -> None:
        """Draw the line anew."""
        if self._stream is None or not self._stream.isatty():
            return
        now = time.monotonic()
        self._began = now if self._began is None or not done else self._began
        text = f"{self._name}  {_text(done, total, now - self._began)}"
        self._stream.write(f"\r{text}\x1b[K")
        self._is_shown = True
        if total and done >= total:
            self.close()
        self._stream.flush()

    def clear(self) -> None:
        """Take the line away until it is drawn again: something else is about to be printed."""
        if self._is_shown and self._stream is not None:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
        self._is_shown = False

    def close(self) -> None:
        """Leave the line as it is, and let what comes next begin on a new one."""
        if self._is_shown and self._stream is not None:
            self._stream.write("\n")
        self._is_shown, self._began = False, None


def _text(done: float, total: float | None, seconds: float) -> str:
    if not total:
        return f"{done:g}"
    share = min(1.0, max(0.0, done / total))
    left = f"  {seconds * (1 - share) / share:.0f}s left" if 0 < share < 1 else ""
    return f"{'━' * round(share * _WIDTH):╌<{_WIDTH}}  {share:4.0%}{left}"


def terminal() -> TextIO | None:
    """Return the stream of this process that may be a terminal, whatever captures its output."""
    stream: Any = sys.__stderr__
    return stream  # type: ignore[no-any-return]
