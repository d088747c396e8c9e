"""A picture in its full resolution, for terminals that can show one: by the protocols of kitty and of iTerm."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Mapping

__all__ = ["find_protocol", "show_picture"]

_CHUNK = 4096


def find_protocol(environ: Mapping[str, str]) -> str:
    """Return how the terminal takes pictures, by what it says of itself: ``kitty``, ``iterm``, or nothing; it is not asked, which takes long."""
    program, term = environ.get("TERM_PROGRAM", ""), environ.get("TERM", "")
    if environ.get("TMUX") or term.startswith(("screen", "tmux")):
        return ""
    if environ.get("KITTY_WINDOW_ID") or "kitty" in term or "ghostty" in term or program == "ghostty":
        return "kitty"
    return "iterm" if program in {"iTerm.app", "WezTerm", "mintty", "vscode"} else ""


def show_picture(data: bytes, environ: Mapping[str, str]) -> None:
    """Write a picture to the terminal, which nobody else uses meanwhile, and wait for the enter key."""
    sys.stdout.write("\x1b[2J\x1b[H" + picture_codes(data, find_protocol(environ)) + "\nenter goes back ")
    sys.stdout.flush()
    sys.stdin.readline()


def picture_codes(data: bytes, protocol: str) -> str:
    """Return what makes a terminal show a picture; kitty takes PNG alone."""
    text = b64encode(data).decode()
    if protocol == "iterm":
        return f"\x1b]1337;File=inline=1;size={len(data)};height=90%:{text}\a"
    parts = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    return "".join(
        f"\x1b_G{'a=T,f=100,' if not at else ''}m={int(at < len(parts) - 1)};{part}\x1b\\"
        for at, part in enumerate(parts)
    )
