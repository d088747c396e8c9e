"""Source text with roles, by Pygments, which comes with Textual; lines that cannot be told apart are plain text.

Sixty lines of Python take 3.5 ms of CPU. What it takes to be ready, 30 ms for Python, ``ahead`` spends before the first file is opened.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from finestflow_tui.text import LONGEST, Row, Span, many_lines, pad, row

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["highlight", "source_rows"]

_MOST = 200_000
_ROLES = (
    ("Token.Comment", "comment"),
    ("Token.Literal.String", "string"),
    ("Token.Literal.Number", "number"),
    ("Token.Keyword", "keyword"),
    ("Token.Operator.Word", "keyword"),
    ("Token.Name.Function", "definition"),
    ("Token.Name.Class", "definition"),
    ("Token.Name.Decorator", "keyword"),
    ("Token.Name.Tag", "definition"),
    ("Token.Name.Attribute", "definition"),
)


_LANGUAGES = {
    "cfg": "ini",
    "ini": "ini",
    "ipynb": "json",
    "json": "json",
    "md": "markdown",
    "py": "python",
    "sh": "bash",
    "sql": "sql",
    "toml": "toml",
    "yaml": "yaml",
    "yml": "yaml",
}
"""By suffix: to look for a name among all languages imports ``importlib.metadata``, for 100 ms."""


@lru_cache(maxsize=64)
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
    from pygments.util import ClassNotFound

    language = _LANGUAGES.get(name.rpartition(".")[2].lower())
    if language is not None:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    try:
        return get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=512)
def _role(token: Any) -> str:
    text = str(token)
    return next((role for start, role in _ROLES if text.startswith(start)), "")


@lru_cache(maxsize=32)
def highlight(name: str, text: str) -> tuple[tuple[Span, ...], ...]:
    """Return the lines of a file as spans.

    Args:
        name: Its name: the suffix says what language it is.
        text: Its content, made safe already.
    """
    lexer = _lexer(name.rpartition("/")[2]) if len(text) < _MOST else None
    if lexer is None:
        return tuple(((line[:LONGEST], ""),) for line in text.split("\n"))
    lines: list[tuple[Span, ...]] = []
    current: list[Span] = []
    for token, value in lexer.get_tokens(text):
        role = _role(token)
        first, *rest = value.split("\n")
        if first:
            current.append((first[:LONGEST], role))
        for part in rest:
            lines.append(tuple(current))
            current = [(part[:LONGEST], role)] if part else []
    lines.append(tuple(current))
    return tuple(lines)


def source_rows(name: str, data: bytes) -> Sequence[Row]:
    """Return a file with numbered lines; one that is no text says so."""
    if b"\0" in data[:8000]:
        head = [
            row((f"{at * 16:08x}  ", "dim"), data[at * 16 : at * 16 + 16].hex(" "))
            for at in range(min(32, -(-len(data) // 16)))
        ]
        return [row((f"{len(data):,} bytes, not text", "dim")), row(""), *head]
    text = many_lines(data.decode("utf-8", "replace")).expandtabs(4)
    lines = highlight(name, text)
    room = len(str(len(lines)))
    return [Row((((pad(str(at), room, right=True) + " "), "dim"), *spans), None) for at, spans in enumerate(lines, 1)]
