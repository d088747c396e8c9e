"""The part of a terminal that changes in place: a frame at the bottom, lines that stay above it.

Invariant: each change is one write, so nothing flickers and nothing is torn; a terminal that is gone ends the showing, never the run.
``_follow`` draws on it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from finestflow.cli._frame import Line

__all__ = ["Screen"]

_END_OF_LINE = "\x1b[K\n"


class Screen:
    """The last lines of a terminal.

    Args:
        stream: Where the terminal is written to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._widths: list[int] = []
        self.is_gone = False

    def size(self) -> tuple[int, int]:
        """Return (columns, lines) as they are now."""
        try:
            columns, lines = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        return columns or 80, lines or 24

    def draw(self, frame: Sequence[Line], above: Sequence[str] = ()) -> None:
        """Put a frame in the place of the one before.

        Args:
            frame: Its lines, none wider than the terminal.
            above: Lines that stay above it for good.
        """
        columns, _ = self.size()
        lines = "".join(f"{line}{_END_OF_LINE}" for line in (*above, *(line.text for line in frame)))
        self._write(f"{self._back(columns)}{lines}\x1b[J")
        self._widths = [line.width for line in frame]

    def _back(self, columns: int) -> str:
        """Return what takes the cursor to where the frame began; a terminal that became narrower has folded its lines."""
        up = sum(max(1, -(-width // columns)) for width in self._widths)
        return f"\x1b[{up}F" if up else "\r"

    def _write(self, text: str) -> None:
        if self.is_gone:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self.is_gone = True
