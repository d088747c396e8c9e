"""What all our widgets paint with: lines that are styled once and kept, beneath the styles of Textual.

Textual computes the styles of a widget anew for each line (0.2 ms), and filters every line of every widget at each paint (0.02 ms, 200 lines a
key). Our widgets have neither border nor padding, so their lines are kept as they go to the terminal. Invariant: a kept line is made again when
the widget is refreshed there, and all of them when size or style change. This is the one place that leans on the inside of Textual.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Self, cast

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.containers import Horizontal
from textual.dom import NoScreen
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip
from textual.widget import Widget

from finestflow_tui.text import Span, asciify
from finestflow_tui.widgets.strip import Line

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["Body", "Painted", "make_strip", "set_extent"]

_role_of = itemgetter(1)


class Still(Widget):
    """A widget that does not have the screen laid out a second time because the first time gave it another size, nor painted a second time."""

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        return super()._size_updated(size, virtual_size, container_size, layout=False)

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Tell the screen at once, where Textual waits until the widget has nothing else to do: so what one key changes is painted together."""
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        if self._is_mounted and self._repaint_required:
            with suppress(NoScreen):  # a worker may come back to a screen that was left
                screen = self.screen
                if self.display and screen in screen._compositor:  # noqa: SLF001 - as the screen does when it is told by a message
                    self._repaint_required = False
                    screen._dirty_widgets.add(self)  # noqa: SLF001
                    screen.check_idle()
            self._check_refresh()
        return self


class Bar(ScrollBar, Still):
    """The scroll bar of our panes: it has a few different lines, where Textual would style each of the screen anew."""

    def __init__(self, thickness: int) -> None:
        super().__init__(vertical=True, name="vertical", thickness=thickness)
        self._drawn: tuple[tuple[object, ...], list[Strip]] = (), []

    def notify_style_update(self) -> None:
        """Forget what was painted in other colours."""
        self._drawn = (), []
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines; where nothing has moved, those of the time before."""
        key = crop, self.window_virtual_size, self.window_size, self.position, self.mouse_over, self.grabbed
        if self._drawn[0] != key:
            self._drawn = key, self._draw(crop)
        return self._drawn[1]

    def _draw(self, crop: Region) -> list[Strip]:
        drawn = cast("ScrollBarRender", self.render())
        style = cast("Style", drawn.style)
        segments = drawn.render_bar(
            size=max(self.size.height, crop.bottom),  # the size comes a moment after the place
            virtual_size=drawn.virtual_size,
            window_size=drawn.window_size,
            position=drawn.position,
            thickness=self.size.width,
            back_color=style.bgcolor or Color.default(),
            bar_color=style.color or Color.default(),
        ).segments
        different = {id(segment): segment for segment in segments}
        lines = {key: filtered(self, [segment], self.size.width) for key, segment in different.items()}
        return [lines[id(segments[y])].crop_extend(crop.x, crop.right, None) for y in crop.line_range]


class Painted(Still):
    """A widget of lines that are kept; ``render_line`` makes one."""

    def __init__(self, **rest: Any) -> None:
        self._lines: dict[int, Line] = {}
        self._base: Style | None = None
        self._shown: dict[Style | None, Style | None] = {}
        """Styles as the filters of the app leave them."""
        super().__init__(**rest)

    @property
    def base(self) -> Style:
        """What lies below all text: the colours that the style sheet gives."""
        if self._base is None:
            self._base = self.rich_style
        return self._base

    @property
    def room(self) -> int:
        """How many columns are seen: a scroll bar covers the last one."""
        return self.size.width - self.scrollbar_size_vertical

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The scroll bar; it is made when it is asked for."""
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = Bar(self.scrollbar_size_vertical)
            self._vertical_scrollbar.display = False
            self.app._start_widget(self, self._vertical_scrollbar)  # noqa: SLF001 - as Textual does
        return self._vertical_scrollbar

    def notify_style_update(self) -> None:
        """Forget what was painted in other colours."""
        self._base = None
        self._lines.clear()
        self._shown.clear()
        super().notify_style_update()

    def _set_dirty(self, *regions: Region) -> None:
        if not regions:
            self._lines.clear()
        for region in regions:
            for y in region.line_range:
                self._lines.pop(y, None)
        super()._set_dirty(*regions)

    def refresh_line(self, y: int) -> None:
        """Paint a line again."""
        self.refresh_lines(y)

    def refresh_lines(self, y_start: int, line_count: int = 1) -> None:
        """Paint lines again; Textual would paint what stands to the right of them too, since they can be scrolled further than they are seen."""
        self.refresh(Region(0, y_start - self.scroll_offset.y, self.room, line_count))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines, of which only those are made that are not kept."""
        lines, left, right = self._lines, crop.x, crop.right
        for y in crop.line_range:
            if y not in lines:
                lines[y] = self._filtered(self.render_line(y))
        strips: list[Strip] = [lines[y] for y in crop.line_range]
        room = right - self.scrollbar_size_vertical  # the bar brings its own lines
        if left or any(strip.cell_length not in (right, room) for strip in strips):
            return [strip.crop_extend(left, right, None) for strip in strips]
        return strips

    def _filtered(self, strip: Strip) -> Line:
        """Return a line in the styles that the terminal shows: each style is filtered once, where Textual would filter each line."""
        if isinstance(strip, Line) and strip.is_shown:
            return strip
        shown, segments = self._shown, list[Segment]()
        for text, style, _ in strip:
            if style not in shown:
                shown[style] = next(iter(filtered(self, [Segment(text, style)], 1))).style
            segments.append(Segment(text, shown[style]))
        return Line(segments, strip.cell_length)


class Body(Horizontal, Painted):
    """The panes of a screen side by side; it shows nothing of its own, and says so, since Textual renders what is behind panes too."""

    BLANK = True  # Horizontal comes first: a style sheet follows the first class alone

    def render_line(self, y: int) -> Strip:
        """Paint what is seen between the panes."""
        return Strip.blank(self.size.width, self.base)


def filtered(widget: Widget, segments: list[Segment], length: int) -> Line:
    """Return segments as the filters of the app leave them."""
    for each in widget.get_line_filters():
        segments = each.apply(segments, widget.background_colors[1])
    return Line(segments, length)


def make_strip(
    app: FinestflowApp, spans: Iterable[Span], base: Style, *, over: str = "", length: int | None = None
) -> Line:
    """Paint spans; neighbours of one role together, since each change of style is some 45 bytes to the terminal.

    Args:
        app: Knows the palette.
        spans: Text with roles.
        base: What lies below: the background of the widget.
        over: A role whose style lies over the whole, such as ``cursor``.
        length: How many columns the text takes, where that is known.
    """
    styles = app.palette.upon(app, base, over)
    pieces = [("".join([text for text, _ in group]), role) for role, group in groupby(spans, key=_role_of)]
    if app.is_ascii:
        pieces = [(asciify(text), role) for text, role in pieces]
    return Line([Segment(text, styles[role]) for text, role in pieces if text], length, is_shown=True)


def set_extent(view: ScrollView, columns: int, rows: int) -> None:
    """Set how far can be scrolled.

    Textual lays the whole screen out anew when this changes, since scroll bars may come or go. Ours stays, so it is enough to tell it.
    """
    wanted = Size(columns, max(rows, 1))  # not the height of the view, which another layout may be about to change
    if wanted == view.virtual_size:
        return
    if not view.show_vertical_scrollbar:
        view.virtual_size = wanted
        return
    view.set_reactive(ScrollView.virtual_size, wanted)
    view.vertical_scrollbar.window_virtual_size = wanted.height
    if view.scroll_y > view.max_scroll_y:
        view.scroll_to(y=view.max_scroll_y, animate=False, immediate=True, force=True)
