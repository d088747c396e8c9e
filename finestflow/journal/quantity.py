"""Numbers, durations and moments as people type them.

Called by ``query``. Everything here returns None for text that is no such thing.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, tzinfo

__all__ = ["parse_duration", "parse_moment", "parse_number"]

_UNITS = {
    "": 1.0,
    "k": 1e3,
    "m": 1e6,
    "g": 1e9,
    "b": 1e9,
    "t": 1e12,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "tb": 1e12,
    "kib": 2.0**10,
    "mib": 2.0**20,
    "gib": 2.0**30,
    "tib": 2.0**40,
    "%": 0.01,
}
_SECONDS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_AGES = _SECONDS | {"mo": 30 * 86400.0, "y": 365 * 86400.0}
_WORDS = {
    "second": "s",
    "sec": "s",
    "minute": "m",
    "min": "m",
    "hour": "h",
    "day": "d",
    "week": "w",
    "month": "mo",
    "year": "y",
}
_word = re.compile(rf"({'|'.join(_WORDS)})s?(?![a-z])")
_blank = re.compile(r"(?<=[a-z\d]) +(?=[a-z\d])")
_quantity = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?inf|nan)\s*([a-z%]*)", re.IGNORECASE)
_part = re.compile(r"(\d+\.?\d*|\.\d+)([a-z]*)", re.IGNORECASE)


def parse_number(text: str) -> float | None:
    """Read ``1e-3``, ``10k``, ``3m`` (million), ``2GB``, ``512KiB``, ``90%``, ``inf``."""
    match = _quantity.fullmatch(text)
    if match is None:
        return None
    unit = _UNITS.get(match[2].lower())
    return None if unit is None else float(match[1]) * unit


def parse_duration(text: str) -> float | None:
    """Read seconds: ``10``, ``250ms``, ``3m``, ``1h30m``, ``2d``."""
    return _sum_parts(text, _SECONDS)


def parse_moment(text: str, now: float, zone: tzinfo | None = None) -> float | None:
    """Read a moment: an age such as ``2d``, ``30 minutes ago`` or ``an hour ago``, a date or time in ISO 8601, ``today``, ``yesterday``, ``now``.

    Args:
        text: What was typed.
        now: The time, in seconds since the epoch.
        zone: Whose midnight counts where the text has no zone; None is the machine's.
    """
    short = _short_age(text)
    age = None if short.isdecimal() else _sum_parts(short, _AGES)
    if age is not None:
        return now - age
    word = text.lower()
    try:
        if word in ("now", "today", "yesterday"):
            moment = datetime.fromtimestamp(now, zone)
            if word != "now":
                moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
                moment -= timedelta(days=word == "yesterday")
            return moment.timestamp()
        moment = datetime.fromisoformat(text + "-01" if re.fullmatch(r"\d{4}-\d\d", text) else text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _short_age(text: str) -> str:
    """Return an age in words as it is written short: ``2 days ago`` as ``2d``."""
    words = text.strip().lower().removesuffix(" ago")
    words = re.sub(r"^an? ", "1 ", words)
    return _blank.sub("", _word.sub(lambda match: _WORDS[match[1]], words))


def _sum_parts(text: str, units: dict[str, float]) -> float | None:
    total, at = 0.0, 0
    while at < len(text):
        match = _part.match(text, at)
        unit = units.get((match[2] or "s").lower()) if match else None
        if match is None or unit is None:
            return None
        total += float(match[1]) * unit
        at = match.end()
    return total if text and math.isfinite(total) else None
