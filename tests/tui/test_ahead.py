"""Screens that are made before they are asked for, and kept."""

from __future__ import annotations

import pytest

from finestflow_tui.screens.diff import DiffScreen
from finestflow_tui.screens.run import RunScreen
from tests.tui.driving import Driver, drive, run


@pytest.mark.slow
def test_a_screen_that_was_made_ahead_shows_what_one_that_was_not_shows(lab):
    """A run and a difference look the same on a screen that was made before, and nothing of what it showed is left when it is opened again."""

    async def look(ui: Driver) -> list[str]:
        seen = []
        for keys in (("j", "enter", "4"), ("escape", "d", "2"), ("escape", "j", "enter", "1"), ("escape", "d")):
            await ui.press(*keys)
            await ui.until_still()
            seen.append(ui.text)
        return seen

    async def body() -> None:
        async with drive(lab, size=(120, 40)) as ui:
            expected = await look(ui)
        async with drive(lab, size=(120, 40)) as ui:
            for kind in (RunScreen, DiffScreen):
                ui.app.kept.make(kind)
            await ui.until_still()
            assert await look(ui) == expected
            assert isinstance(ui.app.screen, DiffScreen)
            assert ui.app.kept.free(DiffScreen) is not ui.app.screen

    run(body)
