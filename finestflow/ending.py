"""How this process ends, for the runs that are still open when it does: by an exit, or by a signal that asks it to.

Python tells its exit functions nothing: an error that nobody caught is in ``sys.last_value``, but an exit and its code are lost. So exits note
their own end: one that dies with no Python frame around it has ended the process, one that the program caught has not. ``started`` watches them
for runs that are not in a ``with`` block.
A signal that asks the process to end is raised as an error in the main thread, so that a run is recorded first. Invariants: a handler of the
program's own is left alone, and what was there is put back; what is being recorded is interrupted by the second signal, not by the first.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

__all__ = [
    "INTERRUPTS",
    "NotedExit",
    "Terminated",
    "deferring",
    "error_of_process",
    "polite_end",
    "renew_interrupt",
    "watch_exit",
]

INTERRUPTS = (KeyboardInterrupt, SystemExit)
"""What cancels a run."""
_POLITE = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

_plain_exit = sys.exit
_last: list[tuple[type[SystemExit], Any]] = []


class NotedExit(SystemExit):
    """An exit that knows whether it ended the process."""

    def __del__(self) -> None:
        if sys._getframe().f_back is None:  # noqa: SLF001 - there is no other way to ask
            _last.append((type(self), self.code))


class Terminated(NotedExit):
    """The process was asked to end, by a signal that ``code - 128`` tells; other than by a task that calls ``exit``."""

    def __str__(self) -> str:
        is_signal = type(self.code) is int and self.code - 128 in signal.valid_signals()
        return signal.Signals(self.code - 128).name if is_signal else str(self.code)  # type: ignore[operator]


def _exit(code: Any = None, /) -> NoReturn:
    raise NotedExit(code)


def watch_exit(is_wanted: bool = True) -> None:
    """Watch ``sys.exit`` from now on, or leave it as it was; one that somebody else has replaced stays theirs."""
    if sys.exit in {_plain_exit, _exit}:
        sys.exit = _exit if is_wanted else _plain_exit


def error_of_process() -> BaseException | None:
    """Return what ends the process, from an exit function: an error, an exit with its code, or nothing."""
    if hasattr(sys, "ps1"):  # at a prompt or in a notebook errors end nothing
        return None
    if not _last:
        return getattr(sys, "last_value", None)
    kind, code = _last[0]
    return SystemExit(code) if kind is NotedExit else kind(code)


def renew_interrupt() -> None:
    """Let a process that Ctrl-C ends still end by SIGINT, after an exit function that has imported something.

    Python decides that by whether the code that it compiled last was left by a KeyboardInterrupt, and modules compile code of their own.
    """
    if isinstance(error_of_process(), KeyboardInterrupt):
        with suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # noqa: S102 - a text of ours


class _Requests:
    """What asks the process to end while runs are made in it; there is one, as there is one set of handlers."""

    def __init__(self) -> None:
        self.is_deferring = False
        self.deferred: BaseException | None = None
        self.pressed: Callable[[], None] | None = None

    def take(self, number: int, _frame: object) -> None:
        """Be the handler of a signal."""
        if number == signal.SIGINT and self.pressed is not None:
            self.pressed()
        error = KeyboardInterrupt() if number == signal.SIGINT else Terminated(128 + number)
        if self.is_deferring and self.deferred is None:
            self.deferred = error
            return
        raise error


_requests = _Requests()


@contextmanager
def polite_end(pressed: Callable[[], None] | None = None) -> Iterator[None]:
    """Let a run that is asked to end (SIGTERM, SIGHUP) be recorded as cancelled first.

    Args:
        pressed: Called on each Ctrl-C before it is raised.
    """
    numbers = dict.fromkeys(_POLITE, signal.SIG_DFL)
    if pressed is not None:
        _requests.pressed = pressed
        numbers[signal.SIGINT] = signal.default_int_handler  # type: ignore[assignment]
    try:
        with _handling(numbers):
            yield
    finally:
        if pressed is not None:
            _requests.pressed = None


@contextmanager
def deferring() -> Iterator[None]:
    """Let the first signal that asks the process to end wait until the block has ended; a second one interrupts it."""
    if threading.current_thread() is not threading.main_thread() or _requests.is_deferring:
        yield
        return
    with _handling({signal.SIGINT: signal.default_int_handler}):
        _requests.is_deferring, _requests.deferred = True, None
        try:
            yield
        finally:
            _requests.is_deferring, error = False, _requests.deferred
            _requests.deferred = None
    if error is not None:
        raise error


@contextmanager
def _handling(numbers: dict[Any, Any]) -> Iterator[None]:
    """Take the signals whose handlers are these; in the main thread alone, as Python allows no other."""
    taken = {}
    if threading.current_thread() is threading.main_thread():
        taken = {number: before for number, before in numbers.items() if signal.getsignal(number) is before}
    for number in taken:
        signal.signal(number, _requests.take)
    try:
        yield
    finally:
        for number, before in taken.items():
            if signal.getsignal(number) == _requests.take:  # a task may have set one of its own
                signal.signal(number, before)
