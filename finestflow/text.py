"""Text for people, wherever it is shown: made safe for a terminal, spans and counts as a person writes them.

Invariant: nothing that came from a run reaches a terminal without ``one_line`` or ``many_lines``. The command line and ``console`` write with it.
"""

from __future__ import annotations

import re

__all__ = ["duration", "many_lines", "one_line", "plural", "without_addresses"]

# CSI, OSC (also DCS, SOS, PM, APC: up to their terminator), two-character escapes; and the C1 forms of the first two.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?"
)
# Other controls, marks that turn the direction of what follows or are not seen at all, and what joins or changes pictures: terminals differ in
# how wide the whole then is. Of marks that stand over one letter, three are kept: a hundred would cover the lines above.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u180b-\u180e\u200b\u200d-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ud800-\udfff\ufe0e\ufe0f\ufeff\uffa0\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff]"
    r"|(?<=[\u0300-\u036f\u20d0-\u20f0]{3})[\u0300-\u036f\u20d0-\u20f0]+"
)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def one_line(text: object) -> str:
    """Return text that came from a run as one line without escape sequences and control characters."""
    line = text if isinstance(text, str) else str(text)
    if line.isascii() and line.isprintable():
        return line
    return _CONTROLS.sub(
        "", _ESCAPES.sub("", line).replace("\r\n", "\n").replace("\n", " ").replace("\t", " ").replace("\r", " ")
    )


def many_lines(text: str) -> str:
    """Return text that came from a run with its lines and tabs, without escape sequences and control characters.

    What a bare carriage return has overwritten is dropped, so that a progress bar leaves its last state.
    """
    plain = _ESCAPES.sub("", text).replace("\r\n", "\n")
    if "\r" in plain:
        plain = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in plain.split("\n"))
    return _CONTROLS.sub("", plain)


def without_addresses(text: str) -> str:
    """Return a ``repr`` without the places in memory that Python's own ones name: those are others in each process."""
    return _ADDRESS.sub("", text)


def duration(seconds: float | None) -> str:
    """Return a span as ``0.02s``, ``1.4s``, ``3m12s``, ``2h05m``, ``3d04h``."""
    if seconds is None:
        return ""
    if seconds < 0.1:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def plural(count: int, noun: str) -> str:
    """Return ``1 hit``, ``3 hits``."""
    return f"{count} {noun}{'s' * (count != 1)}"
