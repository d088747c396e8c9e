"""What the terminal and other processes do to the app at any moment: end it, take its terminal away, stop it and let it go on.

Invariant: the process ends within a few seconds of SIGTERM, SIGHUP or the end of its terminal, even when the event loop is blocked, which it is as soon
as nobody reads what Textual writes; and no handler of a signal writes to the terminal, since the lock that this takes may be held by the very code that
was interrupted. ``run_app`` enters it, and the app takes job control when it is mounted.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import asyncio

    from textual.app import App

__all__ = ["Terminal"]

_PATIENCE = 2.0
"""Seconds that the app has to leave by itself."""
_GIVING_BACK = 0.5
"""Seconds that it may take to tell a terminal that perhaps nobody reads that the app is gone."""
_LEAVE = (
    b"\x1b[<u\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[?2048l\x1b[?1004l\x1b[?7h\x1b[?1049l\x1b[?25h"
)
"""No key protocol, no mouse, no marks around what is pasted, no news of size and focus; lines wrap; the screen of before, and the cursor."""
_INPUT, _ERROR = 0, 2
"""What Textual reads from and writes to."""
_LEFT = 0
"""Takes the place of a signal's number when the app was left."""


class Terminal:
    """The terminal that an app runs in, and the signals that have to do with it; what handled them before does so again at the end.

    Args:
        app: Is left when it is asked to end.
    """

    def __init__(self, app: App[int]) -> None:
        self._app = app
        self._descriptors = [descriptor for descriptor in (0, 1, 2) if os.isatty(descriptor)]
        self._settings: list[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: dict[int, Any] = {}
        self._has_ended = threading.Event()
        self._reading, self._writing = -1, -1
        self._thread = threading.Thread(target=self._watch, name="finestflow-terminal", daemon=True)
        self._is_ending = False
        self._is_lent = False
        self._is_stop_asked = False
        self._is_stopped = False
        self._is_coming = False
        """Whether the loop has been asked already to stop or to draw anew."""

    def __enter__(self) -> Self:
        """Begin to watch; in the main thread, as Python lets no other handle signals."""
        with suppress(termios.error):
            self._settings = termios.tcgetattr(_INPUT)
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        for number in (signal.SIGTSTP, signal.SIGCONT):
            self._before[number] = signal.getsignal(number)
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._end)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._has_ended.set()
        os.write(self._writing, bytes([_LEFT]))
        self._thread.join()
        os.close(self._reading)
        os.close(self._writing)

    # -- ending ------------------------------------------------------------------------------------------------------------------------

    def _end(self, number: int, _: object) -> None:
        """Handle a signal that asks the process to end: the thread does it, since the loop may never run again."""
        self._is_ending = True
        with suppress(BlockingIOError):  # full of the same
            os.write(self._writing, bytes([number]))

    def _watch(self) -> None:
        number = self._wait()
        if number == _LEFT:
            return
        self._is_ending = True
        self._app.exit(128 + number)
        if self._has_ended.wait(_PATIENCE):
            return
        giving = threading.Thread(target=self._give_back, daemon=True)
        giving.start()
        giving.join(_GIVING_BACK)
        os._exit(128 + number)

    def _wait(self) -> int:
        """Wait for the number of a signal; that of SIGHUP when the terminal has gone, with which no signal need come."""
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        for descriptor in self._descriptors:
            poll.register(descriptor, 0)
        while True:
            for descriptor, what in poll.poll():
                if descriptor == self._reading:
                    return os.read(self._reading, 1)[0]
                if what & (select.POLLHUP | select.POLLERR):
                    self._write_to_nobody()
                    return signal.SIGHUP
                poll.unregister(descriptor)  # macOS cannot poll every terminal: there the signal has to do

    def _write_to_nobody(self) -> None:
        """Let what is written from now on succeed: an error would end Textual's writer, and be the exit code of Python."""
        nobody = os.open(os.devnull, os.O_WRONLY)
        for descriptor in self._descriptors:
            if descriptor != _INPUT:
                os.dup2(nobody, descriptor)
        os.close(nobody)

    def _give_back(self) -> None:
        """Put the settings of the terminal back, unless another program has it."""
        if self._is_lent or self._settings is None or self._is_in_background():
            return
        with suppress(OSError, termios.error):
            termios.tcsetattr(_INPUT, termios.TCSANOW, self._settings)
            os.write(_ERROR, _LEAVE)

    # -- job control -------------------------------------------------------------------------------------------------------------------

    def take_job_control(self, loop: asyncio.AbstractEventLoop) -> None:
        """Handle SIGTSTP and SIGCONT in the loop; Textual's own handlers, which are there by now, write from wherever the signal found the program."""
        self._loop = loop
        signal.signal(signal.SIGTSTP, self._stop)
        signal.signal(signal.SIGCONT, self._go_on)

    def stop(self) -> bool:
        """Stop as ^Z of a terminal does, with whatever the shell has started the app through; False where no shell could let it go on again."""
        if os.getpgrp() == os.getsid(0):  # the terminal itself has started it
            return False
        os.kill(0, signal.SIGTSTP)
        return True

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let another program have the terminal, while the loop waits for it."""
        before, self._is_lent = self._is_lent, True
        try:
            yield
        finally:
            self._is_lent = before

    def _stop(self, *_: object) -> None:
        if self._is_lent:
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            self._is_stop_asked = True
            self._ask_the_loop()

    def _go_on(self, *_: object) -> None:
        self._is_stop_asked = self._is_stopped = False
        if not self._is_lent:  # SIGSTOP came before, of which nobody is told: the shell has used the terminal
            self._ask_the_loop()

    def _ask_the_loop(self) -> None:
        if not self._is_coming and not self._is_ending and self._loop is not None:
            self._is_coming = True
            with suppress(RuntimeError):  # the loop has just been closed
                self._loop.call_soon_threadsafe(self._app.call_later, self._step_aside)

    def _step_aside(self) -> None:
        """Give the terminal to the shell for as long as the process is stopped or in the background, then draw anew."""
        self._is_coming = False
        with self._app.suspend():
            while not self._is_ending and (self._is_stop_asked or self._is_in_background()):
                self._is_stop_asked, self._is_stopped = False, True
                os.kill(os.getpid(), signal.SIGSTOP)
                while self._is_stopped and not self._is_ending:  # another thread may take either signal first
                    time.sleep(0.001)

    def _is_in_background(self) -> bool:
        try:
            return os.tcgetpgrp(_INPUT) != os.getpgrp()
        except OSError:  # it has gone
            return False
