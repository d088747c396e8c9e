"""The line of tabs with their numbers; a click opens one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.message import Message

from finestflow_tui.text import Row, Span, row, width
from finestflow_tui.widgets.line import Lines

__all__ = ["TabBar"]


class TabBar(Lines):
    """The tabs of a screen.

    Args:
        texts: Returns what each tab is called for a number of columns, and the role of the text while another one is open.
        current: Returns the position of the one that is open.
    """

    class Chosen(Message):
        """A tab was clicked; its number, from 1."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    def __init__(
        self, texts: Callable[[int], Sequence[Span]], current: Callable[[], int], *, id: str | None = None
    ) -> None:
        super().__init__(self._tab_rows, id=id)
        self._texts = texts
        self._current = current

    def _tab_rows(self, columns: int) -> Sequence[Row]:
        texts, opened = self._texts(columns), self._current()
        pad = self._pad(texts, columns)
        spans: list[Span] = [("" if pad else " ", "")]
        for at, (text, role) in enumerate(texts):
            is_open = at == opened
            spans += [
                (" " * len(pad), ""),
                (f"{pad}{at + 1} ", "match" if is_open else "key"),
                (f"{text}{pad}", "match" if is_open else role),
                ("" if pad else " ", ""),
            ]
        return [row(*spans), row("")]

    def _pad(self, texts: Sequence[Span], columns: int) -> str:
        """Return what stands at both sides of a tab; nothing where all of them would not be seen whole."""
        return " " if sum(width(f"   {at} {text}") for at, (text, _) in enumerate(texts, 1)) <= columns else ""

    def on_click(self, event: events.Click) -> None:
        """Tell which tab was clicked."""
        texts = self._texts(self.size.width)
        x, sides = 1, 2 * len(self._pad(texts, self.size.width))
        for at, (text, _) in enumerate(texts, 1):
            wide = width(f"{at} {text}") + sides
            if x <= event.x < x + wide:
                self.post_message(self.Chosen(at))
                return
            x += wide + 1
