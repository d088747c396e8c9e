"""Looking for news: runs that ended, annotations of others, and what runs that are going on tell.

Invariant: a look costs some microseconds when there is nothing new; nothing here waits for git, which a worker of the list does where a killed run is to
be recorded. The app owns it, and asks it to look at once after a change of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from finestflow_tui.screens.frame import Frame

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["News"]

_PAUSE, _PAUSE_LIVE = 0.25, 0.1
"""Seconds between two looks; while a run is going on, its end, and still more a kill, of which nothing tells, are to be seen soon."""
_PAUSE_AWAY = 1.0
"""While the terminal says that something else has the keys: it may still be seen, beside an editor."""
_BEAT = 0.2
"""Seconds for which what turns stays as it is."""


class News:
    """What the app looks for.

    Args:
        app: Whose screens are told.
    """

    def __init__(self, app: FinestflowApp) -> None:
        self._app = app
        self._turned = 0.0
        self._is_ready = False
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look in a while, and ever after."""
        self._next = asyncio.get_running_loop().call_later(self.pause, self._app.call_next, self.look_again)

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        if not self._app.app_focus:
            return _PAUSE_AWAY
        return _PAUSE_LIVE if self._app.history.live.runs else _PAUSE

    def look_again(self) -> None:
        """Look now, and then as before; not before it was begun."""
        if self._next is None:
            return
        self._next.cancel()
        self.look()
        self.begin()

    def look(self, *, has_changed: bool = False) -> None:
        """Tell the screens what is new.

        Args:
            has_changed: Something was changed here, whether the index shows that already or not.
        """
        app, history = self._app, self._app.history
        if not history.workspace.require_repository().git_dir.exists():
            app.say("the repository is gone: what is shown is what was read before · q leaves", "error")
            return
        try:
            index, live = history.has_changed()
        except Exception as error:  # noqa: BLE001 - whatever became of it: say so, and keep what is shown
            app.say(f"the index cannot be read: {error}", "error")
            return
        if history.is_lost:
            history.is_lost = False
            self._work(history.refresh, self._recovered)
        if not app.read_only:
            self._follow_to_the_end()
        turns = bool(history.live.runs) and time.monotonic() - self._turned >= _BEAT
        self._turned = time.monotonic() if turns else self._turned
        for screen in app.screen_stack:
            if isinstance(screen, Frame):
                if index or has_changed:
                    screen.on_history_changed()
                if live:
                    screen.on_live_changed()
                if turns:
                    screen.on_beat()
        app.reap()

    def _follow_to_the_end(self) -> None:
        """Record what a killed process has left, and show it at once; be ready for that while a run is going on."""
        history = self._app.history
        if history.live.runs and not self._is_ready:
            self._is_ready = True
            self._work(history.get_ready_to_recover, lambda _: None)
        if history.live.take_abandoned():
            history.live.is_recovering = True
            self._work(history.refresh, self._recovered)

    def _recovered(self, problem: str) -> None:
        self._app.history.live.is_recovering = False
        self.look()
        if problem:
            self._app.say(problem, "error")

    def _work(self, work: Callable[[], None], then: Callable[[str], None]) -> None:
        """Do something in a worker of the first screen, which is never left; then something with what went wrong."""
        for screen in self._app.screen_stack[:1]:  # none while the app is being left
            if isinstance(screen, Frame):
                screen.slow(work, lambda _: then(""), group=work.__name__, failed=then)
