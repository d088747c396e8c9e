"""HTML for notebooks. Invariant: whatever came from a run is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["shown", "table"]


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "") -> str:
    """Return a table.

    Args:
        heads: Titles of the columns; none for a table without a head.
        rows: Cells; numbers are shown with five digits.
        caption: A line above it.
    """
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = f"<tr>{''.join(f'<th>{escape(text)}</th>' for text in heads)}</tr>" if heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(shown(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{title}{head}{body}</table>"


def shown(cell: object) -> str:
    """Return a value as a cell of a table shows it."""
    return "" if cell is None else f"{cell:.5g}" if isinstance(cell, float) else str(cell)
