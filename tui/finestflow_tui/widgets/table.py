"""The virtual table of runs: a vector of numbers, of which only the rows on the screen are fetched, formatted and painted.

Invariant: nothing costs more for more runs but the vector itself, eight bytes each; a key that moves the cursor paints two lines. It knows
nothing of queries: the screen gives the vector, the columns and a way to fetch pages.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from finestflow_tui.bindings import bindings
from finestflow_tui.text import LONGEST, Span, cut, pad
from finestflow_tui.views.runs import Column
from finestflow_tui.widgets.painted import Painted, make_strip, set_extent

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["Cells", "RunTable"]

_GUTTER = 4
_GAP = 2
_FIXED = frozenset({"status", "name"})
_KEPT = 1000
"""Rows that are kept, and lines."""
_NOTHING_AT = 2
_MORE = 3
"""Columns of the mark that says how many columns lie to the right."""
_LINES, _AHEAD = 2, 8
"""Where so many rows of the screen are missing, the cursor scrolls by lines: then those above and below are fetched too."""


Cells = Callable[[Sequence[Column]], Sequence[Span]]
Fetch = Callable[[Collection[int]], Mapping[int, Cells | Sequence[Span]]]


class _Place(NamedTuple):
    column: int
    width: int


class RunTable(Painted, ScrollView, inherit_bindings=False):
    """The table.

    Args:
        fetch: Returns rows by number: what makes the cells of some columns, or the spans of a heading.
    """

    BINDINGS = bindings("table")
    can_focus = True

    class Moved(Message):
        """The cursor is on another row."""

    class Opened(Message):
        """A row was clicked twice."""

    class HeaderClicked(Message):
        """A heading was clicked."""

    class GutterClicked(Message):
        """The place of the mark was clicked."""

    def __init__(self, fetch: Fetch, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.order: array[int] = array("q")
        self.columns: list[Column] = []
        self.cursor = 0
        self.column = 1
        self.gutters: Mapping[int, Span] = {}
        """Marks and pins by number."""
        self.sorted_by: tuple[str, ...] = ()
        self._fetch = fetch
        self._rows: dict[int, Cells | Sequence[Span]] = {}
        self._strips: dict[tuple[Any, ...], Strip] = {}
        self._offset = 0
        self._placed: tuple[tuple[object, ...], list[_Place]] = (), []
        """The columns that are seen, and what that depends on."""
        self._nothing = ""
        self._room = 0

    # -- content -----------------------------------------------------------------------------------------------------------------------

    def show(
        self, order: array[int], *, cursor: int | None = None, line: int | None = None, is_whole: bool = True
    ) -> None:
        """Show other rows.

        Args:
            order: Numbers of runs.
            cursor: The position to go to; where the cursor is when not given.
            line: How many rows below the first one that is seen; where the cursor is on the screen when not given.
            is_whole: Whether these are all; if not, the scroll bar waits for the rest.
        """
        line, before = self.line if line is None else line, self._seen
        self.order = order
        if is_whole:
            set_extent(self, LONGEST, len(order) + 1)
        if cursor is not None:
            self.cursor = cursor
            self.scroll_to(y=max(0, cursor - line), animate=False, immediate=True, force=True)
        self.cursor = min(max(0, self.cursor), max(0, len(order) - 1))
        self._reveal()
        if self._seen != before:
            self.refresh()

    @property
    def line(self) -> int:
        """How many rows the cursor is below the first one that is seen."""
        return self.cursor - self.scroll_offset.y

    def make_room(self, lines: int) -> None:
        """Keep the row under the cursor where it is on the screen, though so many lines come above the table, or go; at its top the table moves."""
        if self.cursor:
            self.scroll_to(y=max(0, self.scroll_offset.y + lines), animate=False, immediate=True, force=True)

    def set_nothing(self, text: str) -> None:
        """Say something else where there are no rows."""
        if text != self._nothing:
            self._nothing = text
            self.refresh()

    @property
    def _seen(self) -> tuple[array[int], int]:
        """What is on the screen: the numbers of its rows, and where the cursor is among them."""
        top, height = self.scroll_offset.y, max(2, self.size.height)
        return self.order[top : top + height], self.cursor - top

    def set_gutters(self, gutters: Mapping[int, Span]) -> None:
        """Show other marks and pins."""
        if gutters != self.gutters:
            self.gutters = gutters
            self.refresh()

    def set_columns(self, columns: list[Column]) -> None:
        """Show other columns; the cursor stays on the one it is on."""
        key = self.columns[self.column].key if self.column < len(self.columns) else ""
        self.columns = columns
        names = [column.key for column in columns]
        self.column = names.index(key) if key in names else min(self.column, len(columns) - 1)
        self._offset = 0
        self._show_column()
        self.restyle()

    def restyle(self) -> None:
        """Paint all rows again, from what was fetched."""
        self._strips.clear()
        self.refresh()

    def forget(self, numbers: Iterable[int] | None = None) -> None:
        """Fetch rows again when they are painted next.

        Args:
            numbers: Which; all when not given.
        """
        if numbers is None:
            self._rows.clear()
            self.restyle()
            return
        gone = set(numbers)
        for number in gone:
            self._rows.pop(number, None)
        self._strips = {key: strip for key, strip in self._strips.items() if key[0] not in gone}
        top = self.scroll_offset.y
        for at, number in enumerate(self.order[top : top + self.size.height], top):
            if number in gone:
                self.refresh_line(at + 1)

    @property
    def number(self) -> int | None:
        """The number of the row under the cursor."""
        return self.order[self.cursor] if self.cursor < len(self.order) else None

    @property
    def current_column(self) -> Column | None:
        """The column under the column cursor."""
        return self.columns[self.column] if self.column < len(self.columns) else None

    # -- painting ----------------------------------------------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines; the room for all of them is measured once."""
        self._room = self.room
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Paint the header, or one row."""
        room = self._room
        if y == 0:
            return self._header(room)
        at = self.scroll_offset.y + y - 1
        base = self.base
        if not self.order and y == _NOTHING_AT:
            spans: list[Span] = [(" " * _GUTTER, ""), (self._nothing, "dim")]
            return make_strip(cast("FinestflowApp", self.app), spans, base).crop_extend(0, room, base)
        if at >= len(self.order):
            return Strip.blank(room, base)
        number = self.order[at]
        is_cursor = at == self.cursor
        key = (number, is_cursor, self.gutters.get(number), room, is_cursor and self.has_focus)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._paint(number, is_cursor, room)
            if len(self._strips) > _KEPT:
                self._strips.clear()
            self._strips[key] = strip
        return strip

    def _paint(self, number: int, is_cursor: bool, width: int) -> Strip:
        app, base, row = cast("FinestflowApp", self.app), self.base, self._row(number)
        mark, role = self.gutters.get(number, ("", ""))
        spans: list[Span] = [
            ("▌" if is_cursor else " ", "title" if is_cursor else ""),
            (pad(mark, _GUTTER - 2), role),
            (" ", ""),
        ]
        over, length = "cursor" if is_cursor else "", None
        if row is None:
            spans.append(("…", "dim"))
        elif not callable(row):
            spans += row
        else:
            places = self._places(width)
            columns, room = [self.columns[place.column] for place in places], width - _GUTTER
            for place, column, (text, its) in zip(places, columns, row(columns), strict=True):
                shown = pad(
                    text if len(text) <= place.width else cut(text, place.width), place.width, right=column.right
                )
                room -= place.width + _GAP
                gap = " " * (_GAP if room >= 0 else _GAP + room)
                if is_cursor and place.column == self.column:
                    spans += [(shown, its or "column"), (gap, "")]
                else:
                    spans.append((shown + gap, its))
            spans.append((" " * room, ""))
            length = width
        strip = make_strip(app, spans, base, over=over, length=length)
        below = base + app.palette["cursor"] if over else base
        return strip.seen(0, width, below, "~" if app.is_ascii else "…")

    def _header(self, width: int) -> Strip:
        app, base = cast("FinestflowApp", self.app), self.base
        places = self._places(width)
        left = f"‹{self._offset}" if self._offset else ""
        right = len(self.columns) - len(places) - self._offset
        spans: list[Span] = [(pad(left, _GUTTER), "head")]
        for place in places:
            column = self.columns[place.column]
            sign = "▼" if f"-{column.sort}" in self.sorted_by[:1] else "▲" if column.sort in self.sorted_by[:1] else ""
            text = cut(column.title, place.width - len(sign)) + sign
            shown = pad(text, place.width, right=column.right)
            spans += [(shown, "column" if place.column == self.column else "head"), (" " * _GAP, "")]
        strip = make_strip(app, spans, base).crop_extend(0, width, base)
        if right <= 0:
            return strip
        more = make_strip(app, [(pad(f"›{right}", _MORE, right=True), "head")], base)
        return Strip.join([strip.crop(0, width - _MORE), more])

    def _row(self, number: int) -> Cells | Sequence[Span] | None:
        """Return a row; what is missing on the screen is fetched at once, and some rows beyond it where it is a line or two."""
        found = self._rows.get(number)
        if found is None:
            top, rows = self.scroll_offset.y, self._rows
            missing = [each for each in self.order[top : top + max(1, self.size.height - 1)] if each not in rows]
            if len(missing) <= _LINES:
                near = self.order[max(0, top - _AHEAD) : top + self.size.height + _AHEAD]
                missing = [each for each in near if each not in rows]
            if len(rows) > _KEPT:
                rows.clear()
            rows.update(self._fetch(missing))
            found = rows.get(number)
            if found is None:
                rows.update(self._fetch([number]))
                found = rows.get(number)
        return found

    def _places(self, width: int) -> list[_Place]:
        """Return the columns that are seen."""
        key = (width, self._offset, *self.columns)
        if self._placed[0] != key:
            self._placed = key, self._fitting(width)
        return self._placed[1]

    def _fitting(self, width: int) -> list[_Place]:
        """Return the columns that fit as a whole: the fixed ones, then those from the offset on."""
        fixed = [at for at, column in enumerate(self.columns) if column.key in _FIXED]
        others = [at for at, column in enumerate(self.columns) if column.key not in _FIXED][self._offset :]
        room = width - _GUTTER
        if sum(self.columns[at].width + _GAP for at in [*fixed, *others]) - _GAP > room:
            room -= _MORE
        places = []
        for at in [*fixed, *others]:
            wide = self.columns[at].width
            if room < wide:
                if self.columns[at].right or room < 6:
                    break
                wide = room
            places.append(_Place(at, wide))
            room -= wide + _GAP
        return places

    # -- moving ------------------------------------------------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        """Go to another row."""
        self.put(self.cursor + step)

    def action_half(self, step: int) -> None:
        """Go half a page."""
        self.put(self.cursor + step * max(1, self.size.height // 2))

    def action_page(self, step: int) -> None:
        """Go a page."""
        self.put(self.cursor + step * max(1, self.size.height - 2))

    def action_edge(self, step: int) -> None:
        """Go to the first or the last row."""
        to, before = 0 if step < 0 else len(self.order) - 1, self.cursor
        self.put(to)
        if step < 0 and before == 0:  # what has come above is seen now
            self.post_message(self.Moved())

    def action_aside(self, step: int) -> None:
        """Go to the next column, and scroll so that it is seen."""
        if not self.columns:
            return
        self.column = min(max(0, self.column + step), len(self.columns) - 1)
        self._show_column()
        self._strips.clear()
        self.refresh()

    def _show_column(self) -> None:
        """Scroll to the side so that the column under the cursor is seen."""
        others = [at for at, column in enumerate(self.columns) if column.key not in _FIXED]
        if self.column in others:
            position = others.index(self.column)
            self._offset = min(self._offset, position)
            while self._offset < position and self.column not in {place.column for place in self._places(self.room)}:
                self._offset += 1
        else:
            self._offset = 0

    def put(self, at: int) -> None:
        """Put the cursor on a row."""
        at = min(max(0, at), max(0, len(self.order) - 1))
        if at == self.cursor:
            return
        old, self.cursor = self.cursor, at
        self.refresh_line(old + 1)
        self.refresh_line(at + 1)
        self._reveal()
        self.post_message(self.Moved())

    def _reveal(self) -> None:
        if not self.size.height:  # it is not laid out yet
            return
        top, height = self.scroll_offset.y, max(1, self.size.height - 1)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True, force=True)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._offset = 0
        self._show_column()
        set_extent(self, LONGEST, len(self.order) + 1)
        self._strips.clear()
        self._reveal()

    def on_focus(self) -> None:
        """Paint the cursor."""
        self._strips.clear()

    def on_click(self, event: events.Click) -> None:
        """Choose a row or a column."""
        x, column = _GUTTER, None
        for place in self._places(self.room):
            if x <= event.x < x + place.width + _GAP:
                column = place.column
            x += place.width + _GAP
        if column is not None:
            self.column = column
            self._strips.clear()
            self.refresh()
        if event.y == 0:
            if column is not None:
                self.post_message(self.HeaderClicked())
            return
        at = self.scroll_offset.y + event.y - 1
        if at < len(self.order):
            self.put(at)
            if event.x < _GUTTER:
                self.post_message(self.GutterClicked())
            elif event.chain == 2:
                self.post_message(self.Opened())
