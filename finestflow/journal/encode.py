"""JSON as records have it: sorted, one value a line, with words for the numbers that JSON lacks.

Invariant: ``load_json(dump_json(data)) == data`` for JSON data, NaN and infinities included. Called by ``record`` and ``node_rows``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

__all__ = ["dump_json", "dump_lines", "dump_value", "load_json", "natural_order", "number", "quote", "short_hash"]

_NUMBER = "$number"
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_split_numbers = re.compile(r"([0-9]+)").split
_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False).encode


def dump_json(data: object) -> bytes:
    """Return JSON with sorted keys, one value a line."""
    try:
        text = json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    except (TypeError, ValueError):  # odd numbers, odd keys
        text = json.dumps(_plain(data), sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    return _to_bytes(f"{text}\n")


def dump_lines(head: Mapping[str, object], tables: Mapping[str, Mapping[str, Any] | Sequence[str]]) -> bytes:
    """Return a JSON object with one field a line: those of the head, then tables with a line a row.

    Args:
        head: Fields of the object.
        tables: Fields that are objects themselves: their rows, or the lines of them as they are. Empty ones are left out.
    """
    fields = [f" {quote(name)}: {dump_value(head[name])}" for name in sorted(head)]
    for name, rows in tables.items():
        lines = rows
        if isinstance(rows, Mapping):
            lines = [f"  {quote(key)}: {dump_value(rows[key])}" for key in sorted(rows, key=natural_order)]
        if lines:
            fields.append(f" {quote(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return _to_bytes("{\n" + ",\n".join(fields) + "\n}\n")


def dump_value(data: object) -> str:
    """Return JSON data on one line, with sorted keys; what JSON cannot hold is written as its ``repr``."""
    try:
        return _encode(data)
    except (TypeError, ValueError):  # odd numbers, odd keys
        return _encode(_plain(data))


def quote(text: Any) -> str:
    """Return a text as JSON, twice as fast as ``dump_value``; what is no text, as that does."""
    try:
        return encode_basestring(text)
    except TypeError:
        return dump_value(text)


def number(value: float) -> str:
    """Return a number as JSON, three times as fast as ``dump_value``."""
    kind = type(value)
    if kind is int or (kind is float and value - value == 0.0):
        return repr(value)
    return dump_value(value)


def load_json(data: bytes) -> Any:
    """Return the data of JSON text.

    Raises:
        ValueError: It is not JSON.
    """
    return json.loads(data, object_hook=_restore if b'"$number"' in data else None)


def short_hash(data: object) -> str:
    """Return 16 hexadecimal digits that stand for JSON data."""
    return hashlib.blake2b(dump_value(data).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def natural_order(text: str) -> str:
    """Return what sorts ``embed[2]`` before ``embed[10]``: each number with its length before it."""
    parts = _split_numbers(text)
    for at in range(1, len(parts), 2):  # half the time of a call for each number
        parts[at] = f"{len(parts[at]):04}{parts[at]}"
    return "".join(parts)


def _to_bytes(text: str) -> bytes:
    """Return UTF-8; half surrogates, which it cannot hold, become the escapes that JSON has for them."""
    return text.encode("utf-8", "backslashreplace")


def _plain(data: object) -> object:
    if isinstance(data, str):
        return str(data)
    if isinstance(data, float) and not math.isfinite(data):
        return {_NUMBER: "NaN" if math.isnan(data) else "Infinity" if data > 0 else "-Infinity"}
    if data is None or isinstance(data, bool | int | float):
        return data
    if isinstance(data, Mapping):
        return {key if isinstance(key, str) else repr(key): _plain(value) for key, value in data.items()}
    if isinstance(data, Iterable) and isinstance(data, list | tuple | set | frozenset):
        return [_plain(each) for each in data]
    return repr(data)


def _restore(fields: dict[str, Any]) -> Any:
    if len(fields) == 1 and fields.get(_NUMBER) in _NUMBERS:
        return _NUMBERS[fields[_NUMBER]]
    return fields
