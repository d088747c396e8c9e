"""A picture in its full resolution, for terminals that can show one: by the protocols of kitty and of iTerm, or as sixels."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from itertools import groupby

from finestflow.picture import Picture, read_picture, shrink

__all__ = ["find_protocol", "show_picture"]

_CHUNK = 4096
_SIXEL_TERMS = ("foot", "mlterm", "contour", "yaft", "domterm")
_LARGEST = 800, 600
"""Pixels of a picture of sixels: they are sent as text."""
_STEPS = 6
"""Levels of red, of green and of blue: 216 colours, of the 256 that terminals have for sixels."""


def find_protocol(environ: Mapping[str, str]) -> str:
    """Return how the terminal takes pictures, by what it says of itself: ``kitty``, ``iterm``, ``sixel``, or nothing; it is not asked, which takes long."""
    program, term = environ.get("TERM_PROGRAM", ""), environ.get("TERM", "")
    if environ.get("TMUX") or term.startswith(("screen", "tmux")):
        return ""
    if environ.get("KITTY_WINDOW_ID") or "kitty" in term or "ghostty" in term or program == "ghostty":
        return "kitty"
    if term.startswith(_SIXEL_TERMS):
        return "sixel"
    return "iterm" if program in {"iTerm.app", "WezTerm", "mintty", "vscode"} else ""


def show_picture(data: bytes, environ: Mapping[str, str]) -> None:
    """Write a picture to the terminal, which nobody else uses meanwhile, and wait for the enter key."""
    sys.stdout.write("\x1b[2J\x1b[H" + picture_codes(data, find_protocol(environ)) + "\nenter goes back ")
    sys.stdout.flush()
    sys.stdin.readline()


def picture_codes(data: bytes, protocol: str) -> str:
    """Return what makes a terminal show a picture; kitty takes PNG alone."""
    if protocol == "sixel":
        picture = read_picture(data)
        return "" if picture is None else "".join(_sixels(shrink(picture, *_LARGEST)))
    text = b64encode(data).decode()
    if protocol == "iterm":
        return f"\x1b]1337;File=inline=1;size={len(data)};height=90%:{text}\a"
    parts = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    return "".join(
        f"\x1b_G{'a=T,f=100,' if not at else ''}m={int(at < len(parts) - 1)};{part}\x1b\\"
        for at, part in enumerate(parts)
    )


def _sixels(picture: Picture) -> Iterator[str]:
    """Yield a picture as the VT340 Programmer Reference describes it: bands of six rows, each colour of a band as a line of bits."""
    yield f'\x1bPq"1;1;{picture.width};{picture.height}'
    colors = [_color_of(picture.pixels, at) for at in range(0, len(picture.pixels), 3)]
    for color in sorted(set(colors)):
        levels = (color // _STEPS**2, color // _STEPS % _STEPS, color % _STEPS)
        yield f"#{color};2;{';'.join(str(100 * level // (_STEPS - 1)) for level in levels)}"
    for top in range(0, picture.height, 6):
        lines: dict[int, bytearray] = {}
        for bit, y in enumerate(range(top, min(top + 6, picture.height))):
            for x, color in enumerate(colors[y * picture.width : (y + 1) * picture.width]):
                lines.setdefault(color, bytearray(picture.width))[x] |= 1 << bit
        yield "$".join(f"#{color}{_run_lengths(line)}" for color, line in lines.items()) + "-"
    yield "\x1b\\"


def _color_of(pixels: bytes, at: int) -> int:
    red, green, blue = ((value * (_STEPS - 1) + 127) // 255 for value in pixels[at : at + 3])
    return (red * _STEPS + green) * _STEPS + blue


def _run_lengths(line: bytearray) -> str:
    runs = ((value, len(list(same))) for value, same in groupby(line))
    return "".join(f"!{count}{chr(63 + value)}" if count > 3 else chr(63 + value) * count for value, count in runs)
