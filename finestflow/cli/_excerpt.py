"""The beginning of a value as lines: facts, then rows of a table, lines of text, or the first bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from finestflow.cli._output import Column, Output, format_table
from finestflow.cli._text import cut, many_lines, one_line

if TYPE_CHECKING:
    from finestflow.excerpt import Excerpt

__all__ = ["excerpt_lines", "hex_lines"]

_ROOM = 40
_BYTES = 16


def excerpt_lines(excerpt: Excerpt, address: str, out: Output) -> Iterator[str]:
    """Yield the lines that show a value.

    Args:
        excerpt: What is shown of it.
        address: What names it, for hints.
        out: Knows the width and the colours.
    """
    room = max([4, *(len(one_line(name)) for name in excerpt.facts)])
    yield f"{out.style('type'.ljust(room), 'dim')}  {one_line(excerpt.type)}"
    yield from (
        f"{out.style(one_line(name).ljust(room), 'dim')}  {one_line(told)}" for name, told in excerpt.facts.items()
    )
    if excerpt.kind == "table" and excerpt.columns:
        yield ""
        columns = [Column(one_line(name)) for name in excerpt.columns]
        rows = [[cut(one_line(cell), _ROOM) for cell in cells] for cells in excerpt.rows]
        yield from format_table(columns, rows, room=out.columns if out.is_terminal else None, color=out.color)
    elif excerpt.kind == "text":
        yield ""
        yield from many_lines(excerpt.text).split("\n")
    elif excerpt.kind == "bytes":
        yield ""
        yield from hex_lines(excerpt.data)
    else:
        yield f'save it with "finestflow get {one_line(address)} -o FILE", or look at it in "finestflow tui"'
    if excerpt.more:
        yield out.style(f"… {excerpt.more}", "dim")


def hex_lines(data: bytes) -> Iterator[str]:
    """Yield bytes as hexadecimal numbers and, where they are letters, as those."""
    for at in range(0, len(data), _BYTES):
        part = data[at : at + _BYTES]
        letters = "".join(chr(each) if 32 <= each < 127 else "." for each in part)
        yield f"{at:08x}  {part.hex(' '):<{3 * _BYTES - 1}}  {letters}"
