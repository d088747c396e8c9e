"""The line in which a query is typed: history with the arrows, completion with tab; what is typed is applied at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.segment import Segment
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widgets import Input

from finestflow_tui.widgets.painted import Painted
from finestflow_tui.widgets.strip import Line

__all__ = ["QueryInput"]

_LONGEST = 2000
"""Characters; a log that is pasted by mistake would be parsed anew at each letter after it."""


class QueryInput(Input, Painted):
    """A query.

    Args:
        complete: Returns the texts that may stand instead of the word before the cursor.
    """

    BINDINGS = [
        ("escape", "leave", "As it was"),
        ("up", "older(1)", "Older"),
        ("down", "older(-1)", "Newer"),
        ("tab", "complete(1)", "Complete"),
        ("shift+tab", "complete(-1)", "Complete"),
    ]

    virtual_size = Reactive(Size(0, 0))
    """As Textual has it, but that the screen is not laid out anew for each letter: one line stays one line."""

    class Left(Message):
        """It was left without applying."""

    def __init__(self, complete: Callable[[str], Sequence[str]], *, id: str | None = None) -> None:
        super().__init__(
            placeholder="words  #tag  status:failed  f1>0.9  p.lr=1e-3  since:2d  -not  or  ( )",
            compact=True,
            select_on_focus=False,
            max_length=_LONGEST,
            id=id,
        )
        self.cursor_blink = False
        self.older: Sequence[str] = ()
        self._complete = complete
        self._at = -1
        self._draft = ""
        self._choices: Sequence[str] = ()
        self._choice = 0

    def render_line(self, y: int) -> Strip:
        """Paint the line; what is typed most, plain letters, without rendering a text first."""
        value, at, room = self.value, self.cursor_position, self.size.width
        is_plain = value.isascii() and value.isprintable() and len(value) < room and self.selection.is_empty
        if not value or not is_plain or not self.has_focus:
            return super().render_line(y)
        text, base = value.ljust(room), self.base
        cursor = base + self.get_component_rich_style("input--cursor") if self._cursor_visible else base
        return Line([Segment(text[:at], base), Segment(text[at], cursor), Segment(text[at + 1 :], base)], room)

    def action_leave(self) -> None:
        """Leave without applying."""
        self.post_message(self.Left())

    def action_older(self, step: int) -> None:
        """Take an older query, or a newer one."""
        if self._at < 0:
            self._draft = self.value
        self._at = min(max(-1, self._at + step), len(self.older) - 1)
        self.value = self._draft if self._at < 0 else self.older[self._at]
        self.cursor_position = len(self.value)

    def action_complete(self, step: int) -> None:
        """Complete the word before the cursor; again, the next way."""
        head, _, word = self.value[: self.cursor_position].rpartition(" ")
        start = f"{head} " if head else ""
        tail = self.value[self.cursor_position :]
        if word in self._choices:
            self._choice = (self._choices.index(word) + step) % len(self._choices)
        else:
            self._choices = self._complete(word)
            self._choice = 0
        if self._choices:
            chosen = self._choices[self._choice]
            self.value = f"{start}{chosen}{tail}"
            self.cursor_position = len(start) + len(chosen)
