"""A canvas of cells: lines are kept as directions and become glyphs at the end, so that junctions are right by construction.

Invariant: lines of one net join where they meet, lines of different nets cross, the upright one over the lying one. Used by ``dag`` and
``rails``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["EAST", "NORTH", "SOUTH", "WEST", "Canvas"]

NORTH, EAST, SOUTH, WEST = 1, 2, 4, 8
_GLYPHS = " ╵╶╰╷│╭├╴╯─┴╮┤┬┼"
_TURNED = {NORTH: WEST, WEST: NORTH, SOUTH: EAST, EAST: SOUTH}


class Canvas:
    """Lines and texts at places (column, row).

    Args:
        turned: Columns and rows change places, directions with them.
    """

    def __init__(self, *, turned: bool = False) -> None:
        self._turned = turned
        self._nets: dict[tuple[int, int], dict[Any, int]] = {}
        self._texts: dict[int, list[tuple[int, str, Any]]] = {}

    def line(self, start: tuple[int, int], end: tuple[int, int], net: Any) -> None:
        """Draw a straight line between two places, both included."""
        (x, y), (to_x, to_y) = sorted((start, end))
        if x == to_x and y == to_y:
            self._add(x, y, 0, net)
        elif x == to_x:
            for row in range(y, to_y + 1):
                self._add(x, row, (NORTH if row > y else 0) | (SOUTH if row < to_y else 0), net)
        else:
            for column in range(x, to_x + 1):
                self._add(column, y, (WEST if column > x else 0) | (EAST if column < to_x else 0), net)

    def touch(self, x: int, y: int, direction: int, net: Any) -> None:
        """Let a line end at the border of its cell, towards a direction."""
        self._add(x, y, direction, net)

    def _add(self, x: int, y: int, bits: int, net: Any) -> None:
        if self._turned:
            x, y = y, x
            bits = sum(_TURNED[each] for each in (NORTH, EAST, SOUTH, WEST) if bits & each)
        found = self._nets.setdefault((x, y), {})
        found[net] = found.get(net, 0) | bits

    def text(self, x: int, y: int, text: str, about: Any) -> None:
        """Write a text that begins at a place; it is written over lines."""
        self._texts.setdefault(y, []).append((x, text, about))

    def nets_at(self, x: int, y: int) -> frozenset[Any]:
        """Return the nets that have a line in a cell."""
        return frozenset(net for net, bits in self._nets.get((x, y), {}).items() if bits)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        wide = [x + 1 for x, _ in self._nets] + [
            x + len(text) for texts in self._texts.values() for x, text, _ in texts
        ]
        high = [y + 1 for _, y in self._nets] + [y + 1 for y in self._texts]
        return max(wide, default=0), max(high, default=0)

    def rows(self) -> Iterable[list[tuple[str, Any]]]:
        """Yield each row as pieces of text with what they are about: the net of a line where it is one alone, what ``text`` was given."""
        columns, rows = self.size
        for y in range(rows):
            pieces: list[tuple[str, Any]] = []
            x = 0
            texts = sorted(self._texts.get(y, ()), key=lambda each: each[0])
            for start, text, about in [*texts, (columns, "", None)]:
                while x < start:
                    glyph, net = self._glyph(x, y)
                    if pieces and pieces[-1][1] == net:
                        pieces[-1] = (pieces[-1][0] + glyph, net)
                    else:
                        pieces.append((glyph, net))
                    x += 1
                if text:
                    pieces.append((text, about))
                    x = max(x, start + len(text))
            yield pieces

    def _glyph(self, x: int, y: int) -> tuple[str, Any]:
        nets = {net: bits for net, bits in self._nets.get((x, y), {}).items() if bits}
        if not nets:
            return " ", None
        if len(nets) == 1:
            ((net, bits),) = nets.items()
            return _GLYPHS[bits], net
        upright = [net for net, bits in nets.items() if bits == NORTH | SOUTH]
        lying = [net for net, bits in nets.items() if bits == EAST | WEST]
        if len(upright) == 1 and len(upright) + len(lying) == len(nets):
            return "│", upright[0]
        bits = 0
        for each in nets.values():
            bits |= each
        return _GLYPHS[bits], None
