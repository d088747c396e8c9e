"""A pane of rows: text with roles, a cursor over those that can be chosen, search, scrolling both ways.

Invariant: only lines that are seen are painted, so a log of a million lines costs what a screen of it costs. Text is data: it becomes
segments, never markup. Nearly every pane of every screen is one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from textual import events
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from finestflow_tui.bindings import bindings
from finestflow_tui.text import LONGEST, Row, Span, plain_text, wrapped
from finestflow_tui.widgets.painted import Painted, make_strip, set_extent

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["RowsView"]


class RowsView(Painted, ScrollView, inherit_bindings=False):
    """A list of rows.

    Args:
        pane: Name of the pane, for messages.
    """

    BINDINGS = bindings("rows")
    can_focus = True

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, view: RowsView, key: Any) -> None:
            super().__init__()
            self.view, self.key = view, key

    class Widened(Message):
        """The width has changed: lines that were made for another one are to be made again."""

        def __init__(self, view: RowsView) -> None:
            super().__init__()
            self.view = view

    class Opened(Message):
        """A row was clicked twice; in a pane without a cursor, ``key`` is the position of the line."""

        def __init__(self, view: RowsView, key: Any) -> None:
            super().__init__()
            self.view, self.key = view, key

    def __init__(self, *, id: str | None = None, has_cursor: bool = True, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: Sequence[Row] = ()
        self.cursor = 0
        self.has_cursor = has_cursor
        self.follows = False
        """Stay at the end while rows are added."""
        self.pattern = ""
        self._width = 0

    # -- content -----------------------------------------------------------------------------------------------------------------------

    def tell(self, problem: str) -> None:
        """Show why there is nothing to show."""
        self.show(wrapped(problem, self.room, "error"))

    def show(self, rows: Sequence[Row], *, keep: bool = False) -> None:
        """Show other rows.

        Args:
            rows: The rows; anything with a length and positions.
            keep: Stay where the cursor is: by the key of the row, else by its position.
        """
        key, before, top = self.key if keep else None, self.rows, self.scroll_offset
        self.rows = rows
        self._set_extent()
        if not keep:
            self.cursor = 0
            if top != (0, 0):
                self.scroll_to(0, 0, animate=False, immediate=True, force=True)
        elif key is not None:
            self.cursor = next((at for at, line in enumerate(rows) if line.key == key), min(self.cursor, len(rows) - 1))
        self._settle(1)
        if self.follows:
            self.scroll_to(y=len(rows), animate=False, immediate=True, force=True)
        if top != self.scroll_offset or self.has_cursor:
            self.refresh()
        else:
            self._refresh_changed(before)

    def _refresh_changed(self, before: Sequence[Row]) -> None:
        """Paint the lines that are others now: the pane beside a list changes with every key, most of its lines do not."""
        top = self.scroll_offset.y
        seen = range(top, top + self.size.height)
        changed = [at for at in seen if before[at : at + 1] != self.rows[at : at + 1]]
        for _, group in groupby(enumerate(changed), key=lambda entry: entry[1] - entry[0]):
            lines = [at for _, at in group]
            self.refresh_lines(lines[0], len(lines))

    def _set_extent(self) -> None:
        """Set how far can be scrolled."""
        set_extent(self, LONGEST, len(self.rows))

    def on_resize(self) -> None:
        """Measure anew, and say so when the width is another one."""
        self._set_extent()
        if self.room != self._width:
            self._width = self.room
            self.post_message(self.Widened(self))

    @property
    def key(self) -> Any:
        """What the row under the cursor stands for."""
        if not self.has_cursor or not 0 <= self.cursor < len(self.rows):
            return None
        return self.rows[self.cursor].key

    @property
    def has_choices(self) -> bool:
        """Whether there is anything to choose."""
        return self.has_cursor and any(line.key is not None for line in self.rows[:2000])

    def choose(self, key: Any) -> bool:
        """Put the cursor on the row that stands for something."""
        for at, line in enumerate(self.rows):
            if line.key == key:
                self._put(at)
                return True
        return False

    # -- painting ----------------------------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        app, base, room = cast("FinestflowApp", self.app), self.base, self.room
        at = y + self.scroll_offset.y
        if at >= len(self.rows):
            return Strip.blank(room, base)
        line = self.rows[at]
        is_cursor = self.has_cursor and at == self.cursor and line.key is not None
        over = (
            "cursor" if is_cursor and (self.has_focus or self.screen.focused is None) else "cell" if is_cursor else ""
        )
        strip = make_strip(app, self._marked(line), base, over=over)
        left = self.scroll_offset.x
        below = base + app.palette["cursor"] if over == "cursor" else base
        return strip.seen(left, left + room, below, "~" if app.is_ascii else "…")

    def _marked(self, line: Row) -> Iterable[Span]:
        """Give the matches of the search their role."""
        if not self.pattern:
            return line.spans
        found: list[Span] = []
        for text, role in line.spans:
            low, at = text.lower(), 0
            while (hit := low.find(self.pattern, at)) >= 0:
                found += [(text[at:hit], role), (text[hit : hit + len(self.pattern)], "match")]
                at = hit + len(self.pattern)
            found.append((text[at:], role))
        return found

    # -- moving ------------------------------------------------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        """Go to the next row that can be chosen; without any, scroll."""
        self.follows = False
        if not self.has_choices:
            self.scroll_to(y=self.scroll_offset.y + step, animate=False, immediate=True)
            return
        at = self.cursor + step
        while 0 <= at < len(self.rows) and self.rows[at].key is None:
            at += step
        if 0 <= at < len(self.rows):
            self._put(at)
        else:
            self.scroll_to(y=self.scroll_offset.y + step, animate=False, immediate=True)

    def action_aside(self, step: int) -> None:
        """Scroll to the side."""
        seen = self.rows[self.scroll_offset.y : self.scroll_offset.y + self.size.height]
        longest = max((sum(map(_length, line.spans)) for line in seen), default=0)
        x = min(self.scroll_offset.x + 8 * step, longest - self.room + 8)
        self.scroll_to(x=max(0, x), animate=False, immediate=True, force=True)

    def action_half(self, step: int) -> None:
        """Go half a page."""
        self._jump(step * max(1, self.size.height // 2))

    def action_page(self, step: int) -> None:
        """Go a page."""
        self._jump(step * max(1, self.size.height - 1))

    def action_edge(self, step: int) -> None:
        """Go to the first or the last row."""
        self.follows = step > 0
        self._jump(step * len(self.rows))
        self.follows = step > 0

    def _jump(self, rows: int) -> None:
        self.follows = False
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False, immediate=True)
        if self.has_choices:
            self.cursor = min(max(0, self.cursor + rows), len(self.rows) - 1)
            self._settle(-1 if rows > 0 else 1)
            self._put(self.cursor)

    def _settle(self, step: int) -> None:
        """Put the cursor on a row that can be chosen, near to where it is."""
        self.cursor = min(max(0, self.cursor), max(0, len(self.rows) - 1))
        if not self.has_cursor or not self.rows or self.rows[self.cursor].key is not None:
            return
        for way in (step, -step):
            at = self.cursor
            while 0 <= at < len(self.rows):
                if self.rows[at].key is not None:
                    self.cursor = at
                    return
                at += way

    def _put(self, at: int) -> None:
        old, self.cursor = self.cursor, at
        self.refresh_line(old)
        self.refresh_line(at)
        self.reveal(at)
        self.post_message(self.Moved(self, self.key))

    def reveal(self, at: int) -> None:
        """Scroll so that a row is seen."""
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if at < top:
            self.scroll_to(y=at, animate=False, immediate=True)
        elif at >= top + height:
            self.scroll_to(y=at - height + 1, animate=False, immediate=True)

    def search(self, pattern: str, step: int) -> bool:
        """Go to the next row that has a text; returns whether there is one."""
        self.pattern = pattern.lower()
        self.refresh()
        start = self.cursor if self.has_choices else self.scroll_offset.y
        count = len(self.rows)
        for offset in range(1, count + 1):
            at = (start + offset * step) % count
            if self.pattern in plain_text(self.rows[at]).lower():
                if self.rows[at].key is not None and self.has_cursor:
                    self._put(at)
                else:
                    self.scroll_to(y=max(0, at - self.size.height // 3), animate=False, immediate=True)
                return True
        return False

    def on_click(self, event: events.Click) -> None:
        """Choose the row that is clicked, open it when it is clicked twice; of a pane without a cursor the line is opened."""
        at = event.y + self.scroll_offset.y
        if not 0 <= at < len(self.rows):
            return
        if not self.has_cursor:
            if event.chain == 2:
                self.post_message(self.Opened(self, at))
        elif self.rows[at].key is not None:
            self._put(at)
            if event.chain == 2:
                self.post_message(self.Opened(self, self.key))


def _length(span: Span) -> int:
    return len(span[0])
