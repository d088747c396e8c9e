"""How keys come from the terminal: Textual's driver for Unix, without waiting at the end.

Textual's thread that reads keys looks for its end ten times a second and once more after that, which is most of the time to quit; this one is woken.
Beside ``painted`` and ``strip`` this is what leans on the inside of Textual: on the parser of keys. The app takes it where Textual would take its own.
"""

from __future__ import annotations

import os
import select
from codecs import getincrementaldecoder

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

__all__ = ["QuickDriver"]

_PATIENCE = 0.1
"""Seconds after which the parser is asked whether an escape was the key of that name."""


class QuickDriver(LinuxDriver):
    """The driver of an app on a terminal."""

    _pipe: tuple[int, int] | None = None
    """Its second end is closed when the thread that reads keys has to end."""

    def start_application_mode(self) -> None:
        """Begin to read keys: at the start, and when the terminal was lent."""
        self._pipe = os.pipe()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def disable_input(self) -> None:
        """End the thread that reads keys: when the app is left, and while it lends the terminal."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            os.close(pipe[1])
        super().disable_input()  # waits for the thread
        if pipe is not None:
            os.close(pipe[0])

    def run_input_thread(self) -> None:
        """Read keys until the pipe is closed."""
        assert self._pipe is not None
        ended, _ = self._pipe
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        while True:
            ready, _, _ = select.select([self.fileno, ended], [], [], _PATIENCE)
            if ended in ready:
                return
            if ready:
                data = os.read(self.fileno, 1 << 12)
                if not data:
                    return
                text = decode(data)
                for event in parser.feed(text) if text else ():  # nothing would be the end for it
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)
