"""The canonical stream: the bytes that stand for a value when it is digested.

Every encoding is a tag of one byte, a length or a count where one is needed, and a body; so encodings never run into
each other. An encoding of more than :data:`FOLD` bytes is *folded*: replaced by ``H`` and its blake3. A container holds the
folded encodings of its elements, hence the digest of an element is the same alone and inside its container, and large
leaves are hashed once (a Merkle tree).

This module owns the tags, the scalars and the columns; :mod:`finestflow.cache.digest` owns the containers and objects,
:mod:`finestflow.cache.arrays` and :mod:`finestflow.cache.tables` the large leaves. The stream is specified in
``docs/reference/store-format.md``: a change to it makes every store miss and needs a new format version.
"""

# ruff: noqa: PLR0124 - a value that differs from itself is NaN; math.isnan is a call

from __future__ import annotations

import os
import struct
import sys
from array import array
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any

from blake3 import blake3

__all__ = ["COLUMN", "FOLD", "column", "head", "hexadecimal", "new_hasher", "sealed"]

FOLD = 1024
"""Encodings longer than this enter their container by digest."""

COLUMN = 16
"""Lists and tuples of one scalar type, from this length on, are encoded as a column."""

_PARALLEL = 8 << 20
"""From this many bytes on several threads pay (16 MB on 2 cores: 2.8 ms against 5.4; 4 MB: no gain)."""
_THREADS = min(8, os.cpu_count() or 1)
"""A number, not ``blake3.AUTO``: that is a pool of the process, without threads in a forked child, which then waits for ever."""

_NAN = float("nan")

head: Callable[[bytes, int], bytes] = Struct("<cQ").pack
"""Pack a tag and a count."""

_int64: Callable[[bytes, int], bytes] = Struct("<cq").pack
_float: Callable[[bytes, float], bytes] = Struct("<cd").pack
_complex: Callable[[bytes, float, float], bytes] = Struct("<cdd").pack


def new_hasher(start: bytes, size: int) -> blake3:
    """Return a hasher for about so many bytes, with all cores when they are many."""
    return blake3(start, max_threads=_THREADS if size >= _PARALLEL else 1)


def sealed(start: bytes, *buffers: Any) -> bytes:
    """Return the encoding made of a start and flat buffers of bytes, folded when it is long; nothing large is copied."""
    size = len(start) + sum(map(len, buffers))
    if size <= FOLD:
        return start + b"".join(buffers)
    hasher = new_hasher(start, size)
    for data in buffers:
        hasher.update(data)
    return b"H" + hasher.digest()


def hexadecimal(encoding: bytes) -> str:
    """Return the digest of a value from its encoding."""
    if len(encoding) == 33 and encoding[0] == 72:
        return encoding[1:].hex()
    return blake3(encoding).digest().hex()


def scalar_none(_walk: Any, _value: None) -> bytes:
    """Encode None."""
    return b"N"


def scalar_bool(_walk: Any, value: bool) -> bytes:
    """Encode True or False."""
    return b"T" if value else b"F"


def scalar_int(_walk: Any, value: int) -> bytes:
    """Encode an integer: 64 bits where they do."""
    try:
        return _int64(b"i", value)
    except struct.error:
        data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return sealed(head(b"I", len(data)), data)


def scalar_float(_walk: Any, value: float) -> bytes:
    """Encode a float by its bits; all NaN are one."""
    return _float(b"f", value if value == value else _NAN)


def scalar_complex(_walk: Any, value: complex) -> bytes:
    """Encode a complex number as two floats."""
    real, imag = value.real, value.imag
    return _complex(b"c", real if real == real else _NAN, imag if imag == imag else _NAN)


def scalar_str(_walk: Any, value: str) -> bytes:
    """Encode a text; lone surrogates (file names that are no UTF-8) are kept."""
    data = value.encode("utf-8", "surrogatepass")
    if len(data) < FOLD - 8:
        return head(b"s", len(data)) + data
    return sealed(head(b"s", len(data)), data)


def scalar_bytes(_walk: Any, value: bytes) -> bytes:
    """Encode bytes."""
    return sealed(head(b"b", len(value)), value)


def scalar_bytearray(_walk: Any, value: bytearray) -> bytes:
    """Encode a bytearray, which differs from equal bytes."""
    return sealed(head(b"B", len(value)), value)


def scalar_memoryview(_walk: Any, value: memoryview) -> bytes:
    """Encode a memoryview by format, shape and content."""
    data = value.tobytes() if not value.c_contiguous else value.cast("B") if value.nbytes else b""
    return sealed(head(b"V", value.nbytes) + f"{value.format}{value.shape}\0".encode(), data)


SCALARS: dict[type, Callable[[Any, Any], bytes]] = {
    type(None): scalar_none,
    bool: scalar_bool,
    int: scalar_int,
    float: scalar_float,
    complex: scalar_complex,
    str: scalar_str,
    bytes: scalar_bytes,
    bytearray: scalar_bytearray,
    memoryview: scalar_memoryview,
}


def column(tag: bytes, value: list[Any] | tuple[Any, ...]) -> bytes | None:
    """Return the encoding of a list or tuple of one scalar type (of :data:`COLUMN` or more), or None where it is none.

    One buffer instead of one encoding for each element: 1,000,000 floats take 12 ms instead of 88.
    """
    kinds = set(map(type, value))
    pack = _COLUMNS.get(kinds.pop()) if len(kinds) == 1 else None
    buffers = pack(value) if pack is not None else None
    if buffers is None:
        return None
    code, *data = buffers
    return sealed(head(b"K", len(value)) + tag + code, *data)


def _flat(values: array[Any]) -> memoryview:
    if sys.byteorder == "big":
        values.byteswap()
    return memoryview(values).cast("B")


def _ints(values: Iterable[int]) -> tuple[Any, ...] | None:
    try:
        return b"i", _flat(array("q", values))
    except OverflowError:
        return None


def _floats(values: Iterable[float]) -> tuple[Any, ...]:
    total = sum(values)
    if total != total:  # a NaN, or inf - inf
        values = [value if value == value else _NAN for value in values]
    return b"f", _flat(array("d", values))


def _bools(values: Iterable[bool]) -> tuple[Any, ...]:
    return b"?", bytes(values)


def _texts(values: Iterable[str]) -> tuple[Any, ...]:
    return b"s", _flat(array("q", map(len, values))), "".join(values).encode("utf-8", "surrogatepass")


def _blobs(values: Iterable[bytes]) -> tuple[Any, ...]:
    return b"b", _flat(array("q", map(len, values))), b"".join(values)


_COLUMNS: dict[type, Callable[[Any], tuple[Any, ...] | None]] = {
    int: _ints,
    float: _floats,
    bool: _bools,
    str: _texts,
    bytes: _blobs,
}
