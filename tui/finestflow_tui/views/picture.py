"""A picture as rows of text: two pixels a cell in colours, or letters that are as dark as what they stand for."""

from __future__ import annotations

from itertools import groupby

from finestflow.picture import Picture, shrink
from finestflow_tui.text import Row, Span

__all__ = ["picture_rows"]

_RAMP = " .:-=+*#%@"
_STEP = 8
"""Colours are rounded to steps of this: neighbours that look the same are painted together."""


def picture_rows(picture: Picture, columns: int, rows: int, *, colored: bool) -> list[Row]:
    """Return a picture.

    Args:
        picture: Its pixels.
        columns: Room.
        rows: Room.
        colored: Whether there may be colours, and characters beyond ASCII.
    """
    small = shrink(picture, max(1, columns), max(2, 2 * rows))
    lines = [small.pixels[at * small.width * 3 : (at + 1) * small.width * 3] for at in range(small.height)]
    if len(lines) % 2:
        lines.append(lines[-1])
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return [Row(tuple(_colored(*pair) if colored else _shaded(*pair))) for pair in pairs]


def _colored(above: bytes, below: bytes) -> list[Span]:
    """Return cells whose upper half has one colour and whose lower half another; the role names both."""
    roles = [f"{_color(above, at)}/{_color(below, at)}" for at in range(0, len(above), 3)]
    return [("▀" * len(list(cells)), role) for role, cells in groupby(roles)]


def _color(line: bytes, at: int) -> str:
    red, green, blue = (min(255, (each + _STEP // 2) // _STEP * _STEP) for each in line[at : at + 3])
    return f"#{red:02x}{green:02x}{blue:02x}"


def _shaded(above: bytes, below: bytes) -> list[Span]:
    darkness = (
        255 - (_light(above, at) + _light(below, at)) // 2 for at in range(0, len(above), 3)
    )  # pictures of plots are dark on white, as print is
    return [("".join(_RAMP[value * (len(_RAMP) - 1) // 255] for value in darkness), "")]


def _light(line: bytes, at: int) -> int:
    """Return how light a pixel is, by ITU-R BT.601."""
    return (299 * line[at] + 587 * line[at + 1] + 114 * line[at + 2]) // 1000
