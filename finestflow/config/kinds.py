"""Kinds of values that a setting may have: how each is checked, read from text and described.

Invariant: ``parse`` accepts what TOML gives or raises ValueError, and never guesses. Called by ``settings`` and ``files``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = [
    "BOOL",
    "COUNT",
    "DURATION",
    "JOBS",
    "SIZE",
    "STRINGS",
    "TABLE",
    "TEXT",
    "Kind",
    "one_of",
    "parse_duration",
    "parse_size",
]


class Kind(NamedTuple):
    """How a value of a file is checked and turned into what the program uses.

    ``parse`` takes what TOML gives and raises ValueError; ``parse_text`` makes of a variable's text what TOML would have given.
    """

    expected: str
    parse: Callable[[Any], Any]
    schema: Mapping[str, Any]
    parse_text: Callable[[str], Any] = str


_BYTES: Mapping[str, int] = {"": 1, "b": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_size(value: int | str) -> int:
    """Return a size in bytes: ``"10 MB"`` is ten million, ``"10 MiB"`` is 10 * 2**20, a number is bytes.

    Raises:
        ValueError: when it is neither.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", value) if isinstance(value, str) else None
    if match is None or match[2].lower() not in _BYTES:
        raise ValueError(value)
    return round(float(match[1]) * _BYTES[match[2].lower()])


def parse_duration(value: float | str) -> float:
    """Return seconds: ``"90s"``, ``"1h30m"``, ``"2d"``, ``"250ms"``, or a number of seconds.

    Raises:
        ValueError: when it is none of these.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    text = value.replace(" ", "").lower() if isinstance(value, str) else ""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d|w))+", text):
        raise ValueError(value)
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", text))


def _only(*types: type) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        if type(value) not in types:
            raise ValueError(value)
        return value

    return parse


def _parse_count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value


def _parse_jobs(value: Any) -> int | None:
    if value == "auto":
        return None
    if type(value) is not int or value < 1:
        raise ValueError(value)
    return value


def _parse_strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or any(not isinstance(item, str) for item in value):
        raise ValueError(value)
    return tuple(value)


def _parse_table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(value)  # noqa: TRY004 - what every kind raises
    return MappingProxyType(value)


def _bool_text(text: str) -> Any:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)


def _number_text(text: str) -> Any:
    return int(text) if re.fullmatch(r"\s*\d+\s*", text) else text


def one_of(*choices: str) -> Kind:
    """Return the kind of a text that is one of a few."""

    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(value)
        return str(value)

    return Kind("one of " + ", ".join(f'"{c}"' for c in choices), parse, {"enum": list(choices)})


TEXT = Kind("a text", _only(str), {"type": "string"})
BOOL = Kind("true or false", _only(bool), {"type": "boolean"}, _bool_text)
COUNT = Kind("a whole number, 0 or more", _parse_count, {"type": "integer", "minimum": 0}, _number_text)
JOBS = Kind(
    'a whole number, 1 or more, or "auto"',
    _parse_jobs,
    {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]},
    _number_text,
)
SIZE = Kind(
    'a size such as "10 MB"',
    parse_size,
    {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]},
    _number_text,
)
DURATION = Kind(
    'a duration such as "90s" or "1h30m"',
    parse_duration,
    {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]},
)
STRINGS = Kind(
    "a list of texts",
    _parse_strings,
    {"type": "array", "items": {"type": "string"}},
    lambda text: [part.strip() for part in text.split(",") if part.strip()],
)
TABLE = Kind("a table", _parse_table, {"type": "object"})
