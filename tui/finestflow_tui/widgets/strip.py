"""A line of the screen as it goes to the terminal: made once for its place, with each style told by how it differs from the one before.

Textual's strip has seven caches for what is cut out of it, which take three quarters of making one; ours is cut in one way only. And Textual sets each
piece of text off with all of its style, some 45 bytes, and a reset; a line of a table has twenty of them. Here only what differs from the piece before is
sent, which halves what a key costs over a slow link. Invariant: on the terminal it looks the same. ``painted`` makes all lines of our widgets such
strips.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

__all__ = ["Line"]

_CODES = re.compile(r"[34]8;(?:2;\d+;\d+;\d+|5;\d+)|\d+")
_ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "8": "28", "9": "29"}
"""What takes an attribute away again; 22 takes both of the first two."""


class _Nothing:
    """Stands where Textual would keep what was cut out of a strip."""

    def get(self, _: object) -> None:
        return None

    def __setitem__(self, _: object, value: object) -> None:
        """Forget it."""


_NOTHING: Any = _Nothing()


class Line(Strip):
    """A strip of segments."""

    __slots__ = ("is_shown",)

    def __init__(self, segments: Iterable[Segment], cell_length: int | None = None, *, is_shown: bool = False) -> None:
        self.is_shown = is_shown
        """Whether its styles have gone through the filters of the app."""
        self._segments = list(segments)
        self._cell_length = cell_length
        self._divide_cache: Any = ((), ())
        self._crop_cache = self._style_cache = self._filter_cache = _NOTHING
        self._line_length_cache = self._crop_extend_cache = self._offsets_cache = _NOTHING
        self._render_cache = None
        self._link_ids = None
        self._cell_count = None

    @classmethod
    def of(cls, strip: Strip) -> Line:
        """Return a strip as a line."""
        return strip if isinstance(strip, Line) else cls(strip, strip._cell_length)  # noqa: SLF001

    def crop_extend(self, start: int, end: int, style: Style | None) -> Line:
        """Return so much of it, with blanks where it is shorter."""
        length = self.cell_length
        if start == 0 and length <= end:
            return self if length == end else Line([*self._segments, Segment(" " * (end - length), style)], end)
        return Line.of(super().crop_extend(start, end, style))

    def seen(self, left: int, right: int, style: Style | None, more: str) -> Line:
        """Return what is seen of it between two columns; where text goes on to the right, the last cell says so: half a number is another number."""
        if self.cell_length <= right or not self.crop(right - 1).text.strip():
            return self.crop_extend(left, right, style)
        shown = list(self.crop(left, right - 1))
        return Line([*shown, Segment(more, shown[-1].style if shown else style)], right - left, is_shown=self.is_shown)

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """Return it in pieces; the screen is divided in the same way at each paint."""
        length = self.cell_length
        places = [cut for cut in cuts if cut <= length]
        if places and places[0] == length:  # the rest lies beside it
            return [self]
        if self._divide_cache[0] != places:
            pieces, begin = [], 0
            for end, segments in zip(places, Segment.divide(self._segments, places), strict=False):
                pieces.append(Line(segments, end - begin))
                begin = end
            self._divide_cache = places, pieces
        return cast("Sequence[Strip]", self._divide_cache[1])

    def render(self, console: Console) -> str:
        """Return what is sent to the terminal."""
        if self._render_cache is None:
            self._render_cache = self._render(console._color_system or ColorSystem.TRUECOLOR)  # noqa: SLF001
        return self._render_cache

    def _render(self, system: ColorSystem) -> str:
        sent, before = list[str](), ""
        for text, style, _ in self._segments:
            codes = "" if style is None else style._ansi or self.render_ansi(style, system)  # noqa: SLF001
            if codes != before:
                sent.append(_difference(before, codes))
                before = codes
            sent.append(text)
        if before:
            sent.append("\x1b[0m")
        return "".join(sent)


@lru_cache(maxsize=4096)
def _difference(before: str, after: str) -> str:
    """Return the shortest sequence that leads from one style to another."""
    if not before or not after:
        return f"\x1b[{after or 0}m"
    whole = f"\x1b[0;{after}m"
    old, new = _CODES.findall(before), _CODES.findall(after)
    gone = [code for code in old if code not in new]
    codes = [code for code in new if code not in old]
    for code in gone:
        if code in _ENDS:
            codes.insert(0, _ENDS[code])
            codes += [each for each in new if _ENDS.get(each) == _ENDS[code] and each not in codes]
        elif (layer := _layer(code)) is None:
            return whole
        elif layer not in map(_layer, codes):
            codes.insert(0, layer)
    return min(f"\x1b[{';'.join(dict.fromkeys(codes))}m", whole, key=len)


def _layer(code: str) -> str | None:
    """Return what sets back the colour that a code sets, of the text or of what is behind it; None for a code that sets none."""
    if code.startswith(("38;", "48;")):
        return f"{code[0]}9"
    number = int(code)
    if 30 <= number <= 39 or 90 <= number <= 97:
        return "39"
    return "49" if 40 <= number <= 49 or 100 <= number <= 107 else None
