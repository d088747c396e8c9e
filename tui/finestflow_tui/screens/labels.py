"""Letters on all that can be chosen just now: the rows and nodes that are seen, of each pane, and panes that have none; pressing one goes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.widget import Widget

from finestflow_tui.screens.choose import Question
from finestflow_tui.screens.frame import Frame
from finestflow_tui.text import Row, row
from finestflow_tui.widgets.dagview import DagView
from finestflow_tui.widgets.line import Lines
from finestflow_tui.widgets.rows import RowsView
from finestflow_tui.widgets.table import RunTable

__all__ = ["open_labels"]

_LETTERS = "asdfghjklqwertyuiopzxcvbnmASDFGHJKLQWERTYUIOPZXCVBNM0123456789"


class _Target(NamedTuple):
    """Where a letter stands on the screen, and what it does."""

    x: int
    y: int
    go: Callable[[], object]


def open_labels(screen: Frame) -> None:
    """Put a letter on everything that can be chosen, the pane with the keys first, and go where one is pressed."""
    panes = [pane for pane in screen.focus_chain if pane.display and pane.region.area]
    panes.sort(key=lambda pane: pane is not screen.focused)
    targets = [target for pane in panes for target in _targets(pane, has_keys=pane is screen.focused)]

    def go(target: _Target | None) -> None:
        screen.hush()
        if target is not None:
            target.go()

    screen.say("a letter goes there · esc leaves")
    screen.app.push_screen(_Labels(targets), go)


def _targets(pane: Widget, *, has_keys: bool) -> Iterator[_Target]:
    """Yield what can be chosen in a pane; where there is nothing, and something else has the keys, the pane."""
    x, y, width, height = pane.content_region
    left, top = pane.scroll_offset

    def going(choose: Callable[..., object], key: object) -> Callable[[], object]:
        def go() -> None:
            pane.focus()
            choose(key)

        return go

    if isinstance(pane, RunTable):
        for at in range(top, min(len(pane.order), top + height - 1)):
            yield _Target(x, y + 1 + at - top, going(pane.put, at))
    elif isinstance(pane, RowsView) and pane.has_choices:
        for at, line in enumerate(pane.rows[top : top + height]):
            if line.key is not None:
                yield _Target(x, y + at, going(pane.choose, line.key))
    elif isinstance(pane, DagView):
        for name, box in pane.drawing.boxes.items():
            if left <= box.x < left + width and top <= box.y < top + height:
                yield _Target(x + box.x - left, y + box.y - top, going(pane.choose, name))
    elif not has_keys:
        yield _Target(x, y, pane.focus)


class _Labels(Question[_Target | None]):
    """The letters, over a screen."""

    def __init__(self, targets: Sequence[_Target]) -> None:
        super().__init__()
        self._targets = dict(zip(_LETTERS, targets, strict=False))

    def compose(self) -> ComposeResult:
        """Put those below each other into one widget, so that what stands between others is still seen."""
        below: dict[tuple[int, int], list[str]] = {}
        for letter, (x, y, _) in self._targets.items():
            column = below.pop((x, y), [])
            below[x, y + 1] = [*column, letter]
        for (x, end), letters in below.items():
            lines = Lines(partial(_lettered, letters))
            lines.styles.offset = x, end - len(letters)
            yield lines

    def on_key(self, event: events.Key) -> None:
        """Answer; those that came after it are for the screen below."""
        event.stop()
        if not self.is_active:
            self.app.post_message(events.Key(event.key, event.character))
            return
        self.dismiss(self._targets.get(event.character or ""))

    def on_click(self) -> None:
        """Leave."""
        self.dismiss(None)


def _lettered(letters: Sequence[str], _: int) -> list[Row]:
    return [row((letter, "match")) for letter in letters]
