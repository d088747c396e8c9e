"""Lines of spans that nobody scrolls: heads, feet, tabs, the live strip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from finestflow_tui.text import Row, Span, width
from finestflow_tui.widgets.painted import Painted, make_strip

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["Lines", "fitted", "spread"]

Part = tuple[Sequence[Span], object]


def spread(left: Sequence[Span], right: Sequence[Span], columns: int) -> list[Span]:
    """Put spans at both ends of a line; the right ones give way."""
    room = columns - sum(width(text) for text, _ in left)
    kept: list[Span] = []
    for span in reversed(right):
        if width(span[0]) > room - 1:
            break
        kept.insert(0, span)
        room -= width(span[0])
    return [*left, (" " * max(0, room), ""), *kept]


def fitted(parts: Sequence[Sequence[Span]], columns: int, gap: str = "  ") -> list[Span]:
    """Put parts one after another, as many as fit as a whole."""
    spans: list[Span] = []
    room = columns
    for part in parts:
        wide = sum(width(text) for text, _ in part) + len(gap)
        if wide > room + len(gap):
            break
        spans += [*part, (gap, "")]
        room -= wide
    return spans


class Lines(Painted):
    """Some lines, made anew for each width.

    Args:
        make: Returns the rows for a number of columns.
        over: A role that lies below the whole line.
    """

    DEFAULT_CSS = "Lines { height: auto; width: 1fr; }"

    class Clicked(Message):
        """A row that stands for something was clicked."""

        def __init__(self, lines: Lines, key: object, x: int) -> None:
            super().__init__()
            self.lines, self.key, self.x = lines, key, x

    def __init__(self, make: Callable[[int], Sequence[Row]], *, over: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._make = make
        self._over = over
        self._rows: Sequence[Row] = ()
        self._made_for = -1

    def update(self) -> int:
        """Make the lines again, and return how many more there are; the screen is laid out anew only when that is not 0."""
        before = self._rows
        self._made_for = -1
        self._ready(self.size.width)
        more = len(self._rows) - len(before)
        if self._rows != before:
            self.refresh(layout=more != 0 and self.styles.is_auto_height)
        return more

    def _ready(self, columns: int) -> None:
        if self._made_for != columns:
            self._rows = self._make(columns)
            self._made_for = columns

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines there are."""
        self._ready(width)
        return len(self._rows)

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        app, base, columns = cast("FinestflowApp", self.app), self.base, self.size.width
        self._ready(columns)
        if y >= len(self._rows):
            return Strip.blank(columns, base)
        below = base + app.palette[self._over] if self._over else base
        return make_strip(app, self._rows[y].spans, base, over=self._over).crop_extend(0, columns, below)

    def on_click(self, event: events.Click) -> None:
        """Tell what was clicked."""
        if event.y < len(self._rows):
            self.post_message(self.Clicked(self, self._rows[event.y].key, event.x))
