"""What several nodes write at once, as whole lines that are safe for a terminal.

Invariant: a line is never torn by what another node writes, and nothing is lost: what has no line end yet is kept until it has one, grows
too long, or nothing more will come. ``logs -f`` and what ``run`` shows go through it.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator

from finestflow.cli._output import paint
from finestflow.cli._text import many_lines, one_line

__all__ = ["NodeLines", "label_of"]

_LONGEST = 1 << 16
_COLORS = ("cyan", "magenta", "yellow", "green", "blue")


class NodeLines:
    """Takes what nodes write piece by piece, and gives it back line by line.

    Args:
        clean: What is done to a piece of whole lines; for a program they stay as they are.
    """

    def __init__(self, clean: Callable[[str], str] = many_lines) -> None:
        self._clean = clean
        self._rest: dict[str, str] = {}
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    def decode(self, node: str, data: bytes) -> str:
        """Return a piece of a log as text; a character whose bytes are not all there yet comes with the next piece."""
        if node not in self._decoders:
            self._decoders[node] = codecs.getincrementaldecoder("utf-8")("replace")
        return self._decoders[node].decode(data)

    def feed(self, node: str, text: str) -> list[str]:
        """Take a piece and return the lines that are whole now."""
        whole, end, rest = text.rpartition("\n")
        if not end and len(text) + len(self._rest.get(node, "")) < _LONGEST:
            self._rest[node] = self._rest.get(node, "") + text
            return []
        if not end:
            whole, rest = text, ""
        lines = self._clean(self._rest.pop(node, "") + whole).split("\n")
        if rest:
            self._rest[node] = rest
        return lines

    @property
    def unended(self) -> str:
        """The begin of the line that was begun last, such as a question."""
        return next(reversed(self._rest.values()), "")

    def flush(self, node: str | None = None) -> Iterator[tuple[str, str]]:
        """Yield (node, line) of what has no line end: of one node that has ended, or of all."""
        for each in [node] if node is not None else list(self._rest):
            rest = self._rest.pop(each, "")
            if rest:
                yield each, self._clean(rest)


def label_of(node: str, *, color: bool) -> str:
    """Return what stands before a line: ``[fit] ``; with colour, a node has the same one in every run."""
    label = f"[{one_line(node)}]"
    return f"{paint(label, _COLORS[sum(map(ord, node)) % len(_COLORS)]) if color else label} "
