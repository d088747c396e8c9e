"""What a run has printed, as rows that are made when they are looked at: a log of a million lines costs an index of its line ends.

Colours that a program wrote are left out with every other escape sequence; a line that a progress bar overwrote keeps its last state.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import overload

from finestflow_tui.text import LONGEST, Row, many_lines, row

__all__ = ["LogRows"]

_LOUD = (("error", "error"), ("traceback", "error"), ("exception", "error"), ("warning", "warning"), ("== ", "title"))


class LogRows(Sequence[Row]):
    """The lines of a text.

    Args:
        data: The text as it was written.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._ends = array("q", [-1])
        at = data.find(b"\n")
        while at >= 0:
            self._ends.append(at)
            at = data.find(b"\n", at + 1)
        if data and not data.endswith(b"\n"):
            self._ends.append(len(data))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        if not 0 <= at < len(self):
            raise IndexError(at)
        raw = self.data[self._ends[at] + 1 : min(self._ends[at + 1], self._ends[at] + 1 + 8 * LONGEST)]
        text = many_lines(raw.decode("utf-8", "replace")).expandtabs(4)[:LONGEST]
        low = text[:200].lower()
        return row(
            (
                text,
                next((role for word, role in _LOUD if low.startswith(word) or (word in low and role == "error")), ""),
            )
        )

    def find(self, pattern: str, start: int, step: int) -> int | None:
        """Return the next line that has a text, going round; it is looked for in the bytes, not line by line."""
        wanted, data = pattern.lower().encode(), self.data.lower()
        if not wanted or not len(self):
            return None
        from bisect import bisect_left

        if step > 0:
            at = data.find(wanted, self._ends[min(start + 1, len(self))] + 1)
            at = data.find(wanted) if at < 0 else at
        else:
            at = data.rfind(wanted, 0, max(0, self._ends[start] + 1))
            at = data.rfind(wanted) if at < 0 else at
        return None if at < 0 else bisect_left(self._ends, at) - 1
