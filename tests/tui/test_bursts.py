"""What is typed in one burst does what it does when it is typed slowly."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.terminal import Terminal
from tests.conftest import examples
from tests.tui.driving import Driver, drive, run
from tests.tui.test_terminal import start

KEYS = (
    *("d", "q", "c", "M", "x", "u", "space", "j", "k", "s", "escape", "g", "t", "enter", "p", "1", "2", "h", "l", "b"),
    *("/", "a", "?", "y", "w", "L", "*", "~", "f", "end", "home", "=", "r", ":", "n", "[", "."),
)
"""Most keys that open, close, choose and change; those that start processes are left out, as a run that has ended is not what one has typed."""


def arrangement(ui: Driver) -> dict[str, object]:
    """Return what keys have brought about."""
    app, history = ui.app, ui.app.history

    def found(query: str) -> list[str]:
        return sorted(run.name for run in history.reading.index.summaries(history.parse(query)))

    screens = [type(screen).__name__ for screen in app.screen_stack]
    listed = app.screen_stack[0].current_run()
    kept = (app.state.query, app.state.sorts, app.state.group, app.state.pins, app.state.marks)
    said = {"removed": found("is:removed"), "starred": found("is:star"), "focus": type(app.screen.focused).__name__}
    return {"screens": screens, "cursor": listed and listed.name, "kept": repr(kept), **said}


async def outcome(lab: Path, keys: list[str], *, is_burst: bool) -> dict[str, object]:
    """Type keys into the app, over a repository of its own."""
    own = Path(shutil.copytree(lab, lab.with_name("burst")))
    try:
        async with drive(own) as ui:
            if is_burst:
                for key in keys:
                    ui._send(key)
                await ui.settle()
                await ui.until(lambda: ui.app._exit or not ui.app.keystrokes.are_waiting)
                await ui.settle()
            else:
                for key in keys:
                    await ui.press(key)
            return {"left": True} if ui.app._exit else arrangement(ui)
    finally:
        shutil.rmtree(own)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(
            "space space d q c q M x", marks=pytest.mark.slow
        ),  # the marks are gone when x is pressed: one run is deleted, not those that were marked
        pytest.param("x j x u", marks=pytest.mark.slow),
        pytest.param("M x u", marks=pytest.mark.slow),
        pytest.param("x x x", marks=pytest.mark.slow),
        pytest.param("/ f a i l enter x", marks=pytest.mark.slow),
        pytest.param("g c q x", marks=pytest.mark.slow),
    ],
)
def test_a_burst_over_closing_screens_deletes_what_it_does_when_typed_slowly(lab, keys):
    slow = asyncio.run(outcome(lab, keys.split(), is_burst=False))
    assert asyncio.run(outcome(lab, keys.split(), is_burst=True)) == slow


@pytest.mark.slow
@settings(max_examples=examples(20))
@given(keys=st.lists(st.sampled_from(KEYS), min_size=2, max_size=10))
def test_any_burst_does_what_it_does_when_typed_slowly(lab, keys):
    slow = asyncio.run(outcome(lab, keys, is_burst=False))
    assert asyncio.run(outcome(lab, keys, is_burst=True)) == slow


@pytest.mark.slow
def test_enter_behind_r_starts_the_plan_that_is_still_being_made(own_lab):
    async def body():
        async with drive(own_lab) as ui:
            ui._send("r")
            ui._send("enter")
            await ui.until(lambda: "identical: " in ui.text, seconds=60)

    run(body)


def test_a_key_waits_no_longer_than_seconds_for_what_never_comes(lab, monkeypatch):
    """An app that is deaf would be worse than a key out of turn."""

    async def body():
        async with drive(lab) as ui:
            await ui.press("j")
            ui.app.hold_keys(lambda: False)
            ui._send("space")
            await ui.settle()
            assert not ui.app.state.marks
            monkeypatch.setattr(ui.app.keystrokes, "_latest", 0.0)
            await ui.until(lambda: ui.app.state.marks)

    run(body)


@pytest.mark.slow
def test_a_burst_in_a_terminal_clears_the_marks_before_it_deletes(own_lab):
    """The bytes of eight keys in one write."""
    terminal: Terminal = start(own_lab)
    terminal.wait_for(b"dusty-fox-6", limit=30)
    terminal.press(b"  ")
    terminal.seen = b""
    os.write(terminal.master, b"dqcqMx")
    terminal.wait_until(lambda: "deleted" in terminal.text)
    assert "deleted icy-owl-4" in terminal.text
    assert terminal.close().wall < 3000


def test_what_a_key_waits_for_is_waited_for_in_its_order(lab):
    """The list is in its order before a deletion is done, and again after it."""

    async def body():
        async with drive(lab) as ui:
            done: list[bool] = []
            ordered = [True]
            await ui.press("j")
            ui.app.hold_keys(lambda: bool(done))
            ui.app.hold_keys(lambda: bool(ordered))
            ui._send("space")
            await ui.settle()
            ordered.clear()
            done.append(True)
            await ui.settle()
            assert not ui.app.state.marks
            ordered.append(True)
            await ui.until(lambda: ui.app.state.marks)

    run(body)
