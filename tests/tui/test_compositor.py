"""What is sent for a part of the screen: the terminal shows the same as when all of it is painted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual.app import App

from tests.conftest import examples
from tests.tui.driving import Driver, drive, run

KEYS = (
    *(
        "j",
        "k",
        "l",
        "s",
        "slash",
        "m",
        "0",
        ">",
        "x",
        "backspace",
        "escape",
        "b",
        "enter",
        "1",
        "2",
        "3",
        "4",
        "q",
        "tab",
    ),
    *(
        "space",
        "d",
        "c",
        "0",
        "z",
        "}",
        "question_mark",
        "p",
        "minus",
        "full_stop",
        "pagedown",
        "end",
        "home",
        "w",
        "v",
    ),
)


class Shown:
    """A terminal to which the app writes."""

    def __init__(self, app: App[Any]) -> None:
        self.app = app
        self.parts = 0
        self.screen = pyte.Screen(*app.size)
        self._stream = pyte.Stream(self.screen)

    def take(self, update: Any) -> None:
        """Take in what the app sends."""
        self.parts += type(update).__name__ == "_Lines"
        self._stream.feed(update.render_segments(self.app.console))

    @property
    def cells(self) -> list[list[pyte.screens.Char]]:
        """What is seen."""
        buffer = self.screen.buffer
        return [[buffer[y][x] for x in range(self.screen.columns)] for y in range(self.screen.lines)]


@contextmanager
def shown(ui: Driver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """Watch what the app sends, from a screen that is painted as a whole."""
    terminal = Shown(ui.app)

    def display(_: object, __: object, update: Any) -> None:
        if update is not None:
            terminal.take(update)

    with monkeypatch.context() as patch:
        patch.setattr(App, "_display", display)
        terminal.take(painted(ui))
        yield terminal


def painted(ui: Driver) -> Any:
    """Return the whole screen, as Textual composes it."""
    screen = ui.app.screen
    return screen._compositor.render_update(full=True, screen_stack=ui.app._background_screens)


def assert_same(ui: Driver, terminal: Shown) -> None:
    """Compare what was sent in parts with the whole."""
    whole = Shown(ui.app)
    whole.take(painted(ui))
    assert terminal.cells == whole.cells


def test_letters_of_a_query_are_sent_line_by_line_and_show_what_the_whole_screen_would(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letters, moves and a filter leave the terminal as if all had been painted, and do so without Textual's pieces."""

    async def body() -> None:
        async with drive(lab, (150, 48)) as ui:
            with shown(ui, monkeypatch) as terminal:
                for key in ("j", "k", "slash", *"p.lr", "escape", "l", "s", "space"):
                    await ui.press(key)
                    await ui.until_still()
                    assert_same(ui, terminal)
                assert terminal.parts > 8

    run(body)


@pytest.mark.slow
@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(KEYS), min_size=5, max_size=25), st.sampled_from([(150, 48), (100, 30), (70, 20)]))
def test_whatever_is_typed_the_terminal_shows_what_the_whole_screen_would(
    own_lab: Path, keys: list[str], size: tuple[int, int]
) -> None:
    """Any keys, on any screen, leave the terminal as if all of the screen had been painted."""

    async def body() -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            async with drive(own_lab, size) as ui:
                with shown(ui, monkeypatch) as terminal:
                    for key in keys:
                        if ui.app._exit:
                            return
                        await ui.press(key)
                    await ui.until_still()
                    assert_same(ui, terminal)

    run(body)


def test_a_pane_that_was_taken_away_is_painted_no_more(own_lab):
    """What a worker brings too late for a screen that was left changes nothing, and ends nothing."""

    async def body():
        async with drive(own_lab) as ui:
            pane = ui.app.screen.aside
            await pane.remove()
            pane.refresh()
            assert not pane.is_attached

    run(body)
