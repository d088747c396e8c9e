"""How bytes go to the terminal and come from it: Textual's driver for Unix, with shorter changes of style and no waiting at the end.

Textual sets each piece of text off with all of its style, some 45 bytes, and a reset; a line of a table has twenty of them. Here only what differs
from the piece before is sent, which halves what a key costs over a slow link. And Textual's thread that reads keys looks for its end ten times a
second and once more after that, which is most of the time to quit; this one is woken. Beside ``painted`` this is what leans on the inside of Textual:
on that a style is written as one sequence and ended by a reset, and on the parser of keys. The app takes it where Textual would take its own.
"""

from __future__ import annotations

import os
import re
import select
from codecs import getincrementaldecoder
from functools import lru_cache

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

__all__ = ["QuickDriver", "thin"]

_PATIENCE = 0.1
"""Seconds after which the parser is asked whether an escape was the key of that name."""
_STYLES = re.compile(r"(?:\x1b\[0m)?\x1b\[([0-9;]*)m")
_CODES = re.compile(r"[34]8;(?:2;\d+;\d+;\d+|5;\d+)|\d+")
_ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "8": "28", "9": "29"}
"""What takes an attribute away again; 22 takes both of the first two."""


def thin(data: str) -> str:
    """Return what looks the same on a terminal, with each style told by how it differs from the one before.

    Args:
        data: Text in which each style is set as a whole, from none.
    """
    before: str | None = None

    def change(match: re.Match[str]) -> str:
        nonlocal before
        codes, shown = match[1], match[0]
        if codes == "0":
            before = ""
        else:
            if before is not None and len(shown) > len(codes) + 3:  # a reset stands before it
                shown = _difference(before, codes)
            before = codes
        return shown

    return _STYLES.sub(change, data)


@lru_cache(maxsize=4096)
def _difference(before: str, after: str) -> str:
    """Return the shortest sequence that leads from one style to another."""
    if before == after:
        return ""
    whole = f"\x1b[0;{after}m"
    old, new = _CODES.findall(before), _CODES.findall(after)
    gone = [code for code in old if code not in new]
    codes = [code for code in new if code not in old]
    for code in gone:
        if code in _ENDS:
            codes.insert(0, _ENDS[code])
            codes += [each for each in new if _ENDS.get(each) == _ENDS[code] and each not in codes]
        elif (layer := _layer(code)) is None:
            return whole
        elif layer not in map(_layer, codes):
            codes.insert(0, layer)
    return min(f"\x1b[{';'.join(dict.fromkeys(codes))}m", whole, key=len)


def _layer(code: str) -> str | None:
    """Return what sets back the colour that a code sets, of the text or of what is behind it; None for a code that sets none."""
    if code.startswith(("38;", "48;")):
        return f"{code[0]}9"
    number = int(code)
    if 30 <= number <= 39 or 90 <= number <= 97:
        return "39"
    return "49" if 40 <= number <= 49 or 100 <= number <= 107 else None


class QuickDriver(LinuxDriver):
    """The driver of an app on a terminal."""

    _pipe: tuple[int, int] | None = None
    """Its second end is closed when the thread that reads keys has to end."""

    def write(self, data: str) -> None:
        """Write, with shorter changes of style."""
        super().write(thin(data))

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
