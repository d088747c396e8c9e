"""The app without a terminal: keys go in, the text of the screen comes out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual import events
from textual.keys import _character_to_key

from finestflow import environment
from finestflow.workspace import Workspace
from finestflow_tui.app import FinestflowApp
from finestflow_tui.screens import runs, runs_list
from tests.tui.build_lab import ENVIRONMENT, NOW, SteadyClock

__all__ = ["Driver", "drive", "run"]


class Driver:
    """An app that is running, and what a person does with it."""

    def __init__(self, app: FinestflowApp, pilot: Any) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def strips(self) -> list[list[Any]]:
        """The screen as lines of segments."""
        return [list(strip) for strip in self.app.screen._compositor.render_strips()]

    @property
    def lines(self) -> list[str]:
        """The screen as lines of text."""
        return ["".join(segment.text for segment in strip).rstrip() for strip in self.strips]

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines)

    @property
    def foot(self) -> str:
        """The last line."""
        return self.lines[-1].strip()

    @property
    def cursor(self) -> str:
        """The line with the cursor of the list of runs."""
        return next((line for line in self.lines if line.startswith("▌")), "")

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until everything they started is done.

        Textual's own ``Pilot.press`` waits for an idle processor after each key, which takes long on a busy machine.
        """
        for key in keys:
            self._send(key)
            await self.settle()

    def _send(self, key: str) -> None:
        """Put a key where the terminal would."""
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        event = events.Key(name, key if len(key) == 1 else {"space": " "}.get(key))
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    async def _rounds(self, count: int) -> None:
        """Let every widget take what is in its queue, so often."""
        for _ in range(count):
            await self.pilot._wait_for_screen()
            self.app.screen._on_timer_update()  # lay out and paint now, not when the timer of a busy machine comes round
            if self.app._exception is not None:
                raise self.app._exception

    async def type(self, text: str) -> None:
        """Type a text, letter after letter without a pause, and wait until everything they started is done."""
        for letter in text:
            self._send({" ": "space"}.get(letter, letter))
            await self._rounds(1)
        await self.settle()

    async def settle(self) -> None:
        """Wait for workers and the paint after them."""
        for _ in range(3):
            await self._rounds(1)
            await asyncio.sleep(0.005)  # the preview waits for a millisecond, a paint for eight
            while not all(worker.is_finished for worker in self.app.workers):  # noqa: ASYNC110 - Textual has no event for it
                await asyncio.sleep(0.001)
        await self._rounds(2)

    async def until_still(self) -> None:
        """Wait until three paints are the same."""
        paints: list[str] = []
        while len(paints) < 3 or len(set(paints[-3:])) > 1:
            await asyncio.sleep(0.02)
            await self.settle()
            paints.append(self.text)

    async def until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Wait for something that another process does."""
        for _ in range(int(seconds / 0.05)):
            if condition():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"it never happened; the screen is\n{self.text}")


@asynccontextmanager
async def drive(
    folder: Path, size: tuple[int, int] = (120, 40), *, environ: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Driver]:
    """Run the app over a repository; the arrangement is kept in a file beside it, made anew unless ``keeps`` is told."""
    env = {**os.environ, **(environ or {})}
    workspace = Workspace.find(folder, env)
    workspace.clock = SteadyClock(NOW)
    state_path = (options.pop("state_path_in", None) or folder / ".git") / "tui-test.json"
    if not options.pop("keeps", False):
        state_path.unlink(missing_ok=True)
    runs.QUIET = runs_list.HINTING = 0.001
    before = environment.read_environment
    environment.read_environment = lambda *_, **__: ENVIRONMENT  # the packages of this machine say nothing here
    app = FinestflowApp(workspace, env, state_path=state_path, **options)
    try:
        async with app.run_test(size=size) as pilot:
            driver = Driver(app, pilot)
            await driver.settle()
            yield driver
    finally:
        environment.read_environment = before
        for (
            process,
            *_,
        ) in app.processes:  # they go on when the app is left; Python complains of them in whichever test comes then
            process.wait(60)
        if app.history is not None:
            app.history.close()
        workspace.close()


def run(body: Callable[[], Coroutine[Any, Any, None]] | Awaitable[None]) -> None:
    """Run a test that drives the app."""
    asyncio.run(body() if callable(body) else body)  # type: ignore[arg-type]
