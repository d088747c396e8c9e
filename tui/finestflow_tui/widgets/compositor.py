"""What goes to the terminal when panes that lie side by side have changed: their lines as they are.

Textual cuts every line of the screen where any widget begins or ends and puts the pieces together again, since widgets may lie over each other; on a
screen of ours that is a third of what a key costs. Invariant: where anything lies over something else, or is blank, Textual's own way is taken.
``Frame`` composes with it; as ``painted`` it leans on the inside of Textual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor, CompositorUpdate
from textual.geometry import Region
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.widget import Widget

__all__ = ["PaneCompositor"]


class _Lines(CompositorUpdate):
    """Lines with the place where each begins."""

    def __init__(self, lines: Sequence[tuple[int, int, Strip]]) -> None:
        self._lines = lines

    def render_segments(self, console: Console) -> str:
        """Return what is sent to the terminal."""
        return "".join([f"\x1b[{y + 1};{x + 1}H{strip.render(console)}" for x, y, strip in self._lines])


class PaneCompositor(Compositor):
    """Composes a screen."""

    def __init__(self) -> None:
        super().__init__()
        self._panes: tuple[object, list[tuple[Widget, Region, Region]]] = None, []
        """The widgets that are seen, and of those that nothing lies over: the region, and what is seen of it."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """Return what has changed."""
        pieces = self._pieces()
        if pieces is None:
            return super().render_partial_update()
        self._dirty_regions.clear()
        lines = []
        for widget, region, piece in pieces:
            strips = widget.render_lines(piece.translate(-region.offset))
            lines += [(piece.x, y, strip) for y, strip in enumerate(strips, piece.y)]
        return cast("ChopsUpdate", _Lines(lines))  # any update will do

    def _pieces(self) -> list[tuple[Widget, Region, Region]] | None:
        """Return widgets with their regions and what is to be painted of each; None where these are not all that is seen there."""
        pieces, screen = list[tuple[Widget, Region, Region]](), self.size.region
        for dirty in self._dirty_regions:
            room = screen.intersection(dirty).area
            for widget, region, seen in self._side_by_side():
                piece = seen.intersection(dirty)
                if piece:
                    pieces.append((widget, region, piece))
                    room -= piece.area
            if room:
                return None
        return pieces or None

    def _side_by_side(self) -> list[tuple[Widget, Region, Region]]:
        """Return the widgets without children; none where one lies over another."""
        visible = self.visible_widgets
        if self._panes[0] is not visible:
            self._panes = visible, _panes_of(visible)
        return self._panes[1]


def _panes_of(visible: Mapping[Widget, tuple[Region, Region]]) -> list[tuple[Widget, Region, Region]]:
    panes, before = list[tuple[Widget, Region, Region]](), list[tuple[Widget, Region]]()
    parents = {widget.parent for widget in visible if not isinstance(widget, ScrollBar)}
    for widget, (region, clip) in visible.items():  # from the front to the back
        seen = region.intersection(clip)
        if not seen:
            continue
        if widget not in parents:
            for other, its in before:
                if other.parent is widget and its.right == seen.right and its.height == seen.height:
                    seen = seen.shrink((0, its.width, 0, 0))  # its scroll bar
                elif its.overlaps(seen):
                    return []
            panes.append((widget, region, seen))
        before.append((widget, seen))
    return panes
