"""Small questions over a screen: choose one of several by typing, press the second key of a leader, or type a line.

Help, palette, jump, columns, menus and prompts are all one of these.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from finestflow_tui.keys import Choice, named_key
from finestflow_tui.text import Row, Span, one_line, pad, plain_text, row, width
from finestflow_tui.widgets.line import Lines
from finestflow_tui.widgets.rows import RowsView

__all__ = ["Ask", "Chooser", "Entry", "Menu", "Question", "rank"]

Answer = TypeVar("Answer")
_MOST = 300
_EDGES = 4
"""Columns that the style sheet leaves free on both sides of a menu."""
_LEAVES = ("escape", "leaves")
_STRETCH = 3
"""Letters between two typed ones, on average, that are more chance than meaning: a wrong word would choose whatever has its letters somewhere."""
_LEAST = 20
"""Columns from which it is worth to break a text."""


class Entry(NamedTuple):
    """Something to choose; ``value`` is what the question returns."""

    spans: tuple[Span, ...]
    value: Any
    group: str = ""


def rank(pattern: str, text: str) -> int | None:
    """Say how well a text fits what was typed, less is better; None when letters are missing."""
    low, wanted = text.lower(), pattern.lower()
    at = low.find(wanted)
    if at >= 0:
        return at if at == 0 or not low[at - 1].isalnum() else at + 50
    position, gaps = -1, 0
    for letter in wanted:
        found = low.find(letter, position + 1)
        if found < 0:
            return None
        gaps += found - position - 1
        position = found
    return 1000 + gaps if gaps <= _STRETCH * len(wanted) else None


class Question(ModalScreen[Answer]):
    """A screen over a screen, which is answered once: of what is typed blind, a second answer would close what lies below."""

    def named(self, *keys: tuple[str, str]) -> Row:
        """Return the line that names the keys of the question, each with what it does."""
        is_ascii = bool(getattr(self.app, "is_ascii", False))
        return row(*(span for key in keys for span in named_key(*key, is_ascii=is_ascii)))

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close it."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class Chooser(Question[Any]):
    """Choose one of several; typing narrows them down.

    Args:
        heading: What is asked.
        entries: What there is to choose.
        more: Returns further entries for what was typed.
        typed: Returned for a text that no entry has, when given.
        enter: What the enter key does with an entry.
    """

    BINDINGS = [
        ("escape", "dismiss(None)", "Close"),
        ("down,ctrl+n", "move(1)", "Down"),
        ("up,ctrl+p", "move(-1)", "Up"),
        ("pagedown", "page(1)", "Page down"),
        ("pageup", "page(-1)", "Page up"),
    ]

    def __init__(
        self,
        heading: str,
        entries: Iterable[Entry],
        *,
        more: Callable[[str], Iterable[Entry]] | None = None,
        typed: Callable[[str], Any] | None = None,
        text: str = "",
        enter: str = "takes it",
    ) -> None:
        super().__init__()
        self._heading, self._enter = one_line(heading), enter
        self._entries = list(entries)
        self._more = more
        self._typed = typed
        self._text = text
        self._view = RowsView(id="choices")
        self._view.can_focus = False

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(id="dialog"):
            yield Lines(lambda _: [row((self._heading, "title"))])
            yield Input(self._text, placeholder="type to filter", compact=True, select_on_focus=False, id="filter")
            yield self._view
            yield Lines(lambda _: [self.named(("enter", self._enter), ("up,down", "choose"), _LEAVES)], id="named")

    def on_mount(self) -> None:
        """Show everything."""
        self._list(self._text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow down."""
        self._list(event.value)

    def _list(self, pattern: str) -> None:
        entries = [*self._entries, *(self._more(pattern) if self._more else ())]
        if pattern:
            ranked = [(rank(pattern, plain_text(Row(entry.spans))), at) for at, entry in enumerate(entries)]
            chosen = [entries[at] for score, at in sorted((score, at) for score, at in ranked if score is not None)]
        else:
            chosen = entries
        rows, group = [], ""
        for at, entry in enumerate(chosen[:_MOST]):
            if entry.group != group and not pattern:
                group = entry.group
                rows.append(row((group, "dim")))
            rows += self._lines(entry, (at, entry.value))
        self._view.show(rows or [row(("  nothing fits", "dim"))])

    def _lines(self, entry: Entry, key: Any) -> list[Row]:
        """Return the lines of an entry: its last text goes on below itself where it is longer than a line."""
        *before, (text, role) = entry.spans
        left = 2 + sum(width(each) for each, _ in before)
        room = self._view.room - left
        if width(text) <= room or room < _LEAST:
            return [Row((("  ", ""), *entry.spans), key)]
        first, *more = textwrap.wrap(text, room) or [""]
        return [
            Row((("  ", ""), *before, (first, role)), key),
            *(Row(((" " * left, ""), (each, role))) for each in more),
        ]

    def on_rows_view_widened(self) -> None:
        """Break lines anew."""
        self._list(self.query_one(Input).value)

    def action_move(self, step: int) -> None:
        """Go to another entry."""
        self._view.action_move(step)

    def action_page(self, step: int) -> None:
        """Go a page."""
        self._view.action_page(step)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer."""
        self._answer(event.value)

    def on_rows_view_opened(self, event: RowsView.Opened) -> None:
        """Answer."""
        event.stop()
        self._answer("")

    def _answer(self, text: str) -> None:
        chosen = self._view.key
        if chosen is not None:
            self.dismiss(chosen[1])
        elif self._typed is not None and text:
            self.dismiss(self._typed(text))
        else:
            self.app.bell()


class Menu(Question[str]):
    """The second key of a leader."""

    def __init__(self, heading: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._choices = {choice.key: choice for choice in choices}
        self._heading = heading

    def compose(self) -> ComposeResult:
        """Lay out the menu."""
        room = max(width(choice.key) for choice in self._choices.values())
        rows = [row((self._heading, "title"))]
        rows += [
            row("  ", (pad(choice.key, room), "key"), f"  {choice.text}", key=choice.key)
            for choice in self._choices.values()
        ]
        menu = Lines(lambda _: [*rows, row(""), self.named(_LEAVES)], id="menu")
        menu.styles.min_width = max(width(plain_text(each)) for each in rows) + _EDGES
        yield menu

    def on_key(self, event: events.Key) -> None:
        """Take the key; those that came after it are for the screen below."""
        event.stop()
        if not self.is_active:
            self.app.post_message(events.Key(event.key, event.character))
            return
        choice = self._choices.get(event.character or "") or self._choices.get(event.key)
        self.dismiss(choice.action if choice is not None else "")

    def on_lines_clicked(self, event: Lines.Clicked) -> None:
        """Take what is clicked."""
        self.dismiss(self._choices[event.key].action if isinstance(event.key, str) else "")


class Ask(Question[str | None]):
    """Type a line.

    Args:
        heading: What is asked.
        hint: How to answer.
        text: What stands there already.
    """

    BINDINGS = [("escape", "dismiss(None)", "Close")]

    def __init__(self, heading: str, hint: str = "", text: str = "") -> None:
        super().__init__()
        self._heading, self._hint, self._text = one_line(heading), one_line(hint), one_line(text)

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(id="dialog", classes="-small"):
            yield Lines(lambda _: [row((self._heading, "title"))])
            yield Input(self._text, compact=True, select_on_focus=False, id="answer")
            yield Lines(lambda _: [row((self._hint, "dim")), row(""), self.named(("enter", "applies"), _LEAVES)])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer."""
        self.dismiss(event.value)
