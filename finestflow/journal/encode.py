"""JSON as records have it: sorted, one value a line, with words for the numbers that JSON lacks.

Invariant: ``load_json(dump_json(data)) == data`` for JSON data, NaN and infinities included. Called by ``record``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["dump_json", "dump_lines", "load_json", "short_hash"]

_NUMBER = "$number"
_number = re.compile(r"(\d+)")
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def dump_json(data: object) -> bytes:
    """Return JSON with sorted keys, one value a line."""
    try:
        text = json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
        return f"{text}\n".encode()
    except (TypeError, ValueError):  # odd numbers, odd keys, half surrogates
        return f"{json.dumps(_plain(data), sort_keys=True, allow_nan=False, indent=1)}\n".encode()


def dump_lines(
    head: Mapping[str, object], tables: Mapping[str, Mapping[str, Any]], *, wide: Callable[[str], object] | None = None
) -> bytes:
    """Return a JSON object with one field a line: those of the head, then tables with a line a row.

    Args:
        head: Fields of the object.
        tables: Fields that are objects themselves; empty ones are left out.
        wide: Says which rows of a table have a line for each of their own fields; none when it is not given.
    """
    try:
        return _dump_lines(head, tables, wide, _encode).encode()
    except UnicodeEncodeError:  # half surrogates, which only escapes can hold
        return _dump_lines(head, tables, wide, _escape).encode()


def _dump_lines(
    head: Mapping[str, object],
    tables: Mapping[str, Mapping[str, Any]],
    wide: Callable[[str], object] | None,
    encode: Callable[[object], str],
) -> str:
    fields = [f" {encode(name)}: {encode(head[name])}" for name in sorted(head)]
    for name, rows in tables.items():
        if rows:
            lines = ",\n".join([_row(key, rows[key], wide, encode) for key in sorted(rows, key=_natural)])
            fields.append(f" {encode(name)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def load_json(data: bytes) -> Any:
    """Return the data of JSON text.

    Raises:
        ValueError: It is not JSON.
    """
    return json.loads(data, object_hook=_restore if b'"$number"' in data else None)


def short_hash(data: object) -> str:
    """Return 16 hexadecimal digits that stand for JSON data."""
    return hashlib.blake2b(_encode(data).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _row(key: str, value: object, wide: Callable[[str], object] | None, encode: Callable[[object], str]) -> str:
    if wide is not None and wide(key) and isinstance(value, Mapping):
        inner = ",\n".join([f"   {encode(name)}: {encode(value[name])}" for name in sorted(value)])
        return f"  {encode(key)}: {{\n{inner}\n  }}"
    return f"  {encode(key)}: {encode(value)}"


_fast = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False).encode
_escaping = json.JSONEncoder(sort_keys=True, allow_nan=False).encode


def _encode(data: object) -> str:
    try:
        return _fast(data)
    except (TypeError, ValueError):  # odd numbers, odd keys
        return _escape(data)


def _escape(data: object) -> str:
    return _escaping(_plain(data))


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


@functools.lru_cache(maxsize=1 << 14)
def _natural(text: str) -> list[tuple[int, str]]:
    """Order ``embed[2]`` before ``embed[10]``."""
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in _number.split(text)]
    return [*parts, (-2, text)]  # 0 and 00 are two names
