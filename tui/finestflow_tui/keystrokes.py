"""Keys one after the other: each goes to the screen that is there once all that the ones before it did is done.

Textual hands a key to the widget with the focus, which may belong to a screen that is just closing, and loses or reorders what is typed meanwhile.
Invariant: whatever is typed in one burst does what it does when it is typed slowly, so that no key that deletes finds another run than it was meant for.
Owned by the app, which shows it every key; screens ask through the app to wait for something that a key has begun.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widget import Widget

    from finestflow_tui.app import FinestflowApp

__all__ = ["Keystrokes", "Passed"]

_LOOK = 0.01
_PATIENCE = 2.0
"""Seconds after which a key waits no longer: something is broken then, and an app that is deaf to ``q`` would be worse."""
_ROUNDS = 2
"""How often a message has to pass: with the first, the key has been taken; with the second, what its widget then told the screen."""


class Passed(Message):
    """Follows a key through the queues of the widget, the screen and the app: when it arrives, they have dealt with the key."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Keystrokes:
    """The keys that were typed and not yet given to a widget.

    Args:
        app: Whose keys they are.
    """

    def __init__(self, app: FinestflowApp) -> None:
        self._app = app
        self._waiting: deque[events.Key] = deque()
        self._until: list[Callable[[], bool]] = []
        self._next: events.Key | None = None
        """The key that is on its way to the app again, now that its turn has come."""
        self._given: tuple[events.Key, Screen[Any]] | None = None
        """The key that a widget was given last, and the screen of that."""
        self._place: tuple[Screen[Any], Widget | None] | None = None
        """Where the message that asks whether all is done was put; None when none is on its way."""
        self._round = self._number = 0
        self._latest = 0.0

    def hold(self, until: Callable[[], bool]) -> None:
        """Let keys wait for something that the latest one has begun."""
        self._until.append(until)

    @property
    def are_waiting(self) -> bool:
        """Whether a key has not had its turn."""
        return bool(self._waiting) or self._next is not None

    def lets_pass(self, key: events.Key) -> bool:
        """Say whether the app may take a key now; one that may not comes again when its turn has come."""
        if key.is_forwarded:
            return not self._has_missed(key)
        if key is self._next:
            self._next = None
        elif self.are_waiting or not self._is_done():
            self._wait_for_turn(key)
            return False
        self._given = key, self._app.screen
        if self._waiting:
            self._app.call_next(self._ask)
        return True

    def _is_done(self) -> bool:
        """Whether all that the latest key did is done, seen at once: nothing is in a queue that it went through. Asking takes a millisecond of CPU."""
        self._let_go()
        screen = self._app.screen
        if self._until or (self._given is not None and self._given[1] is not screen):
            return False
        return not any(node.message_queue_size for node in (screen.focused or screen).ancestors_with_self)

    def _let_go(self) -> None:
        """Forget what has come, in its order: what is waited for last may only begin once the first is done."""
        while self._until and self._until[0]():
            del self._until[0]

    def _has_missed(self, key: events.Key) -> bool:
        """Whether a key comes back from a screen that was closed before it got there, by a click or a worker: then it is the first of those that wait."""
        if self._given is None or self._given[0] is not key or self._given[1] is self._app.screen:
            return False
        self._wait_for_turn(events.Key(key.key, key.character), first=True)
        return True

    def _wait_for_turn(self, key: events.Key, *, first: bool = False) -> None:
        if not self._waiting:
            self._latest = time.monotonic() + _PATIENCE
            self._look_soon()
        (self._waiting.appendleft if first else self._waiting.append)(key)
        if self._place is None and self._next is None:
            self._ask()

    def _ask(self) -> None:
        """Send a message after the key that was given last."""
        self._round = 0
        self._send()

    def _send(self) -> None:
        screen = self._app.screen
        self._place = screen, screen.focused
        self._number += 1
        if not (screen.focused or screen).post_message(Passed(self._number)):
            self._place = None

    def passed(self, number: int) -> None:
        """Take the message that has come; what it has left behind in the app comes first."""
        if number == self._number and self._place is not None:
            self._app.call_next(self._arrived)

    def _arrived(self) -> None:
        """Give the next key, if all that the one before it did is done; else ask again."""
        if self._place is None or self._next is not None:
            return
        is_same = self._place == (self._app.screen, self._app.screen.focused)
        self._round = self._round + 1 if is_same else 0
        if self._round < _ROUNDS:
            self._send()
            return
        self._place = None
        self._let_go()
        if not self._until:
            self._give()

    def _give(self) -> None:
        self._given = self._place = None
        self._until.clear()
        if self._waiting:
            self._latest = time.monotonic() + _PATIENCE
            self._next = self._waiting.popleft()
            self._app.post_message(self._next)

    def _look_soon(self) -> None:
        """Call ``_look`` in a moment; a timer of Textual is a task of its own, too much for each key."""
        asyncio.get_running_loop().call_later(_LOOK, self._app.call_next, self._look)

    def _look(self) -> None:
        """Ask again where a message was lost with a screen that has closed, or something was not done yet."""
        if not self._waiting or not self._app.screen_stack:  # nothing to do, or the app is being left
            return
        self._look_soon()
        if self._next is not None:
            return
        if time.monotonic() > self._latest:
            self._give()
        elif self._place is None or self._place != (self._app.screen, self._app.screen.focused):
            self._ask()
