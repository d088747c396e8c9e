"""A drawing of a graph with a cursor on a node: what the node depends on and what depends on it is lit, the rest is dim."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from finestflow_tui.bindings import bindings
from finestflow_tui.layout.dag import Box, Drawing
from finestflow_tui.text import Span
from finestflow_tui.widgets.painted import Painted, make_strip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finestflow_tui.app import FinestflowApp
    from finestflow_tui.views.tasks import Shape

__all__ = ["DagView"]


class DagView(Painted, ScrollView, inherit_bindings=False):
    """A graph."""

    BINDINGS = bindings("graph")
    can_focus = True

    class Moved(Message):
        """Another node is chosen."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Opened(Message):
        """A node was clicked twice."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.drawing = Drawing([], {}, 0)
        self.key = ""
        self._shape: Shape | None = None
        self._roles: Mapping[str, str] = {}
        self._lit: frozenset[str] = frozenset()
        self._held: Offset | None = None

    def show(self, drawing: Drawing, shape: Shape, roles: Mapping[str, str]) -> None:
        """Show a graph; the cursor stays on its node.

        Args:
            drawing: The rows.
            shape: Knows what depends on what.
            roles: The role of each node.
        """
        self.drawing, self._shape, self._roles = drawing, shape, roles
        columns = max((sum(len(text) for text, _ in pieces) for pieces in drawing.rows), default=0)
        self.virtual_size = Size(columns, len(drawing.rows))
        if self.key not in drawing.boxes:
            self.key = next(iter(drawing.boxes), "")
        self._lit = shape.near(self.key)
        self.refresh()

    def choose(self, key: str) -> None:
        """Put the cursor on a node."""
        if key not in self.drawing.boxes or self._shape is None:
            return
        self.key = key
        self._lit = self._shape.near(key)
        box = self.drawing.boxes[key]
        self.scroll_to_region(
            Region(max(0, box.x - 2), box.y, box.width + 4, 1), animate=False, immediate=True, force=True
        )
        self.refresh()
        self.post_message(self.Moved(key))

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        app, base, size = cast("FinestflowApp", self.app), self.base, self.size
        at = y + self.scroll_offset.y
        if at >= len(self.drawing.rows):
            return Strip.blank(size.width, base)
        spans: list[Span] = []
        for text, about in self.drawing.rows[at]:
            if about in self.drawing.boxes and text[:1] not in "─│╭╮╰╯├┤┬┴┼ ╴╵╶╷":
                name = str(about)
                sign, label = text[:1], text[1:]
                is_lit = name in self._lit
                spans.append((sign, self._roles.get(name, "")))
                spans.append((label, "match" if name == self.key else "bold" if is_lit else "dim"))
            else:
                spans.append((text, "title" if about in self._lit else "dim"))
        left = self.scroll_offset.x
        return make_strip(app, spans, base).crop_extend(left, left + size.width, base)

    # -- moving ------------------------------------------------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        """Go to the nearest node below or above."""
        self._go(0, step)

    def action_aside(self, step: int) -> None:
        """Go to the nearest node on one side."""
        self._go(step, 0)

    def _go(self, right: int, down: int) -> None:
        here = self.drawing.boxes.get(self.key)
        if here is None:
            return
        best: tuple[float, str] | None = None
        for name, box in self.drawing.boxes.items():
            across, along = _middle(box) - _middle(here), box.y - here.y
            if down and along * down > 0:
                distance = abs(along) * 3.0 + abs(across)
            elif right and across * right > 0:
                distance = abs(across) + abs(along) * 6.0
            else:
                continue
            if best is None or distance < best[0]:
                best = distance, name
        if best is not None:
            self.choose(best[1])

    def action_half(self, step: int) -> None:
        """Pan half a page."""
        self.scroll_to(y=self.scroll_offset.y + step * self.size.height // 2, animate=False, immediate=True)

    def action_page(self, step: int) -> None:
        """Pan a page."""
        self.scroll_to(y=self.scroll_offset.y + step * self.size.height, animate=False, immediate=True)

    def action_pan(self, right: int, down: int) -> None:
        """Move the drawing."""
        x, y = self.scroll_offset
        self.scroll_to(x=x + 8 * right, y=y + 3 * down, animate=False, immediate=True, force=True)

    def action_edge(self, step: int) -> None:
        """Go to the first or the last node."""
        ordered = sorted(self.drawing.boxes, key=lambda name: (self.drawing.boxes[name].y, self.drawing.boxes[name].x))
        if ordered:
            self.choose(ordered[0 if step < 0 else -1])

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the drawing."""
        if event.button == 1:
            self._held = event.screen_offset
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the drawing that is held."""
        if self._held is not None and event.screen_offset != self._held:
            moved = self._held - event.screen_offset
            self._held = event.screen_offset
            x, y = self.scroll_offset
            self.scroll_to(x=x + moved.x, y=y + moved.y, animate=False, immediate=True, force=True)

    def on_mouse_up(self) -> None:
        """Let go."""
        self._held = None
        self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        """Choose what is clicked."""
        x, y = event.x + self.scroll_offset.x, event.y + self.scroll_offset.y
        for name, box in self.drawing.boxes.items():
            if box.y == y and box.x <= x < box.x + box.width:
                self.choose(name)
                if event.chain == 2:
                    self.post_message(self.Opened())


def _middle(box: Box) -> float:
    return box.x + box.width / 2
