"""What the mouse does on every screen beyond choosing: a border is dragged, the right button opens the actions. Nothing needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.screen import Screen
from textual.widget import Widget

from finestflow_tui.keys import Choice, key_named, key_text

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["Pointing"]

_GAP = 2
_LEAST, _REST = 20, 30
_BESIDE = 100
"""Columns from which the style sheet puts panes beside each other."""
_RIGHT = 3


class Pointing(Screen[None]):
    """A screen with panes beside each other."""

    NAME = ""
    _dragged: Widget | None = None

    if TYPE_CHECKING:

        @property
        def ff(self) -> FinestflowApp:
            """The app."""

        def foot_keys(self) -> Sequence[str]:
            """Return what the last line names."""

        def menu(self, heading: str, choices: Sequence[Choice]) -> None:
            """Open a menu."""

    def resize_pane(self, pane: Widget, columns: int) -> None:
        """Give a pane another width, as far as both sides keep some room; the screen has it the next time too."""
        width = max(_LEAST, min(self.size.width - _REST, columns))
        pane.styles.width = self.ff.state.sizes[f"{self.NAME}.{pane.id}"] = width

    def on_mount(self) -> None:
        """Give panes the widths that they were given last, where they stand beside each other."""
        for pane in self.query(".aside, .side") if self.app.size.width >= _BESIDE else ():
            width = self.ff.state.sizes.get(f"{self.NAME}.{pane.id}", 0)
            if _LEAST <= width <= self.app.size.width - _REST:
                pane.styles.width = width

    def _border_at(self, x: int, y: int) -> Widget | None:
        """Return the pane whose border is at a place: the gap between it and its neighbour."""
        if self.has_class("-narrow"):
            return None
        for pane in self.query(".aside, .side"):
            region = pane.region
            start = region.x - _GAP if pane.has_class("aside") else region.right
            if region.area and region.y <= y < region.bottom and start <= x < start + _GAP:
                return pane
        return None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of a border."""
        self._dragged = self._border_at(event.screen_x, event.screen_y) if event.button == 1 else None
        if self._dragged is not None:
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the border that is held."""
        pane = self._dragged
        if pane is None:
            return
        is_aside = pane.has_class("aside")
        wide = pane.region.right - event.screen_x - _GAP if is_aside else event.screen_x - pane.region.x
        self.resize_pane(pane, wide)

    def on_mouse_up(self) -> None:
        """Let go."""
        if self._dragged is not None:
            self._dragged = None
            self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        """Open the actions of the screen, for what was clicked."""
        if event.button != _RIGHT:
            return
        event.stop()
        changed, is_ascii = self.ff.keys, self.ff.is_ascii
        keys = [key_named(name) for name in dict.fromkeys(self.foot_keys()) if name != "tab"]
        self.menu(
            "actions",
            [
                Choice(key_text(changed.get(key.id, key.keys), is_ascii=is_ascii).split(" ")[0], key.text, key.action)
                for key in keys
            ],
        )
