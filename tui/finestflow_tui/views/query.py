"""What can be typed in a query next: keys, names of metrics and params, values with how many runs have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from finestflow.journal.query import KEYS
from finestflow.model import RunStatus

__all__ = ["Hint", "complete"]

_MOST = 40
_STATES = (*(status.value for status in RunStatus), "live", "star", "dirty", "removed")


class Hint(NamedTuple):
    """One way to go on; ``runs`` of them have it, where that is known."""

    text: str
    kind: str
    runs: int | None = None


ValuesOf = Callable[[str], list[tuple[str, int]]]
"""Returns the values of a field, metric or param, and how many runs have each."""


def complete(word: str, values_of: ValuesOf, known: frozenset[str]) -> list[Hint]:
    """Return what may stand instead of the word that is being typed, the likeliest first.

    Args:
        word: The word before the cursor.
        values_of: Knows the values; the only part that may be slow.
        known: Names of metrics and params.
    """
    sign = "-" if word.startswith("-") else ""
    bare = word.removeprefix("-")
    for operator in (">=", "<=", "!=", ":", "=", ">", "<"):
        key, found, value = bare.partition(operator)
        if found:
            return _values(f"{sign}{key}{operator}", key, value, values_of)
    if bare.startswith("#"):
        tags: dict[str, int] = {}
        for text, count in values_of("tags"):
            for tag in text.strip("[]").replace('"', "").split(", "):
                if tag:
                    tags[tag] = tags.get(tag, 0) + count
        return [Hint(f"{sign}#{tag}", "tag", count) for tag, count in tags.items() if f"#{tag}".startswith(bare)]
    low = bare.lower()
    names = [Hint(f"{sign}{name}", "name") for name in sorted(known, key=len) if name.lower().startswith(low)]
    keys = [Hint(f"{sign}{key}:", "key") for key in KEYS if "NAME" not in key and key.startswith(low)]
    inside = [
        Hint(f"{sign}{name}", "name")
        for name in sorted(known)
        if low in name.lower() and not name.lower().startswith(low)
    ]
    return ([*keys, *names, *inside] if not low else [*names, *keys, *inside])[:_MOST]


def _values(start: str, key: str, value: str, values_of: ValuesOf) -> list[Hint]:
    low = value.lower()
    if key in {"is", "status"}:
        counts = dict(values_of("status"))
        return [Hint(start + state, "state", counts.get(state)) for state in _STATES if state.startswith(low)]
    if key in {"since", "before"}:
        return [
            Hint(start + text, "time")
            for text in ("1h", "12h", "1d", "2d", "1w", "30d", "yesterday")
            if text.startswith(low)
        ]
    found = values_of({"tag": "tags"}.get(key, key)) if ">" not in start and "<" not in start else []
    return [
        Hint(start + (f'"{text}"' if " " in text else text), "value", count)
        for text, count in found
        if text.lower().startswith(low)
    ][:_MOST]
