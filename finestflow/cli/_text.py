"""Text for people: made safe for a terminal, measured in columns, and numbers, sizes, spans and times as a person writes them.

Invariant: nothing that came from a run reaches a terminal without ``one_line`` or ``many_lines``. Called by every command.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from finestflow.journal.headline import format_headline
from finestflow.journal.headline import format_number as number
from finestflow.text import duration, many_lines, one_line, plural

__all__ = [
    "ago",
    "cut",
    "duration",
    "headline",
    "iso",
    "many_lines",
    "moments",
    "number",
    "one_line",
    "one_lines",
    "pad",
    "parse_when",
    "plural",
    "size",
    "sparkline",
    "value_text",
    "width",
]


def one_lines(texts: Sequence[str]) -> Sequence[str]:
    """Return many texts as ``one_line`` does, at one look where there is nothing to be done."""
    joined = "".join(texts)
    return texts if joined.isascii() and joined.isprintable() else [one_line(text) for text in texts]


def width(text: str) -> int:
    """Return how many columns a terminal needs: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_column(character) for character in text)


def _column(character: str) -> int:
    is_joined = "\u1160" <= character <= "\u11ff"  # a vowel of Hangul that follows its consonant
    if is_joined or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def cut(text: str, columns: int) -> str:
    """Return the text in at most so many columns, with an ellipsis where something was left off."""
    if width(text) <= columns:
        return text
    if columns < 1:
        return ""
    if text.isascii():
        return text[: columns - 1] + "…"
    used = 0
    for position, character in enumerate(text):
        used += _column(character)
        if used > columns - 1:
            return text[:position] + "…"
    return text


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Return the text filled with blanks to so many columns."""
    if text.isascii():
        return text.rjust(columns) if right else text.ljust(columns)
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def headline(metrics: Mapping[str, float], count: int = 3) -> str:
    """Return the metrics that say most of a run, as ``f1=0.98  loss=0.2``."""
    return one_line(format_headline(metrics, count))


def size(count: int | None) -> str:
    """Return bytes as ``12 B``, ``3.4 kB``, ``20 MB``."""
    if count is None:
        return ""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if amount >= 99.5 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], columns: int = 20) -> str:
    """Return the course of numbers as bars, the last of each stretch where there are more than columns; what is no number is a gap."""
    step = max(1.0, len(values) / columns)
    shown = [
        values[min(len(values) - 1, math.ceil(at * step) - 1)] for at in range(1, math.ceil(len(values) / step) + 1)
    ]
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return ""
    low, span = min(finite), max(finite) - min(finite)
    if not math.isfinite(span) or span == 0:
        return "".join(_BARS[3] if math.isfinite(value) else " " for value in shown)
    return "".join(_BARS[round((value - low) / span * 7)] if math.isfinite(value) else " " for value in shown)


def ago(then: float, now: float) -> str:
    """Return how long ago something was: ``now``, ``5m ago``, ``3h ago``, ``2d ago``, and a date after a month."""
    seconds = now - then
    if seconds < 10:
        return "now"
    if seconds < 60:
        return f"{seconds:.0f}s ago"
    if seconds < 3600:
        return f"{seconds / 60:.0f}m ago"
    if seconds < 86400:
        return f"{seconds / 3600:.0f}h ago"
    if seconds < 30 * 86400:
        return f"{seconds / 86400:.0f}d ago"
    import time

    return time.strftime("%Y-%m-%d", time.localtime(then))


def iso(seconds: float | None, timespec: str = "milliseconds") -> str | None:
    """Return a time in ISO 8601 with the zone of this machine; None stays None."""
    if seconds is None:
        return None
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec=timespec)


def moments(times: Iterable[float]) -> list[str]:
    """Return times as ``iso`` does to the second, ten thousand of them in a third of its time."""
    import time

    zones: dict[int, str] = {}
    texts = []
    for seconds in times:
        local = time.localtime(seconds)
        offset = local.tm_gmtoff
        if offset not in zones:
            sign, minutes = "-" if offset < 0 else "+", abs(offset) // 60
            zones[offset] = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
        texts.append(time.strftime("%Y-%m-%dT%H:%M:%S", local) + zones[offset])
    return texts


def parse_when(text: str, now: float) -> float:
    """Return the time that ``2d``, ``30 minutes ago``, ``yesterday`` or ``2026-11-01`` means, as ``since:`` of queries has it.

    Raises:
        ValueError: when it is none of these.
    """
    from finestflow.journal.quantity import parse_moment

    moment = parse_moment(text.strip(), now)
    if moment is None:
        raise ValueError(text)
    return moment


def value_text(value: Any) -> str:
    """Return a param or setting as one would type it."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{one_line(key)}={value_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Iterable):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    return one_line(value)
