"""Tables for pull requests and notes. Invariant: whatever came from a run is shown as it is, never taken for markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from finestflow.text import one_line

__all__ = ["cell", "fence", "table"]

_MARKUP = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)")
_TICKS = re.compile("`+")


def cell(text: object) -> str:
    """Return text as the cell of a table."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; the cells are as ``cell`` makes them."""
    yield f"| {' | '.join(cell(head) for head in heads)} |"
    yield "|---" * len(heads) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def fence(text: str, language: str) -> Iterator[str]:
    """Yield lines as a block of code, whatever ticks are in it."""
    ticks = "`" * max(3, 1 + max((len(found) for found in _TICKS.findall(text)), default=0))
    yield ticks + language
    yield from text.splitlines()
    yield ticks
