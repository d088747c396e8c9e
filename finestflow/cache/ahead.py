"""What the last run of a pipeline looked up, packed for its next run: keys, entries and values of all its nodes in one row.

Invariant: it says nothing that the tables did not say when it was packed; the store unpacks it only while nothing of that has been replaced or
removed since. Columns of JSON become rows by ``zip``: 1 us a node, where a query of the tables takes 4.

Called by :class:`finestflow.cache.store.Store` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["Ahead", "dump_ahead", "load_ahead"]

LONGEST = 1024
"""Containers up to this size, and effects, are packed too; else the database is asked for them."""

Plain = tuple[Any, ...]


class Ahead(NamedTuple):
    """What is known before it is asked for.

    Attributes:
        keys: Key of each node, by its path.
        entries: Fields of the newest entry of each key that has one.
        values: Fields of what is known of a value, by digest.
    """

    keys: dict[str, str]
    entries: dict[str, Plain]
    values: dict[str, Plain]


def dump_ahead(keys: Mapping[str, str], entries: Iterable[Plain], values: Iterable[Plain]) -> tuple[str, bytes]:
    """Return the JSON and the containers, one after the other.

    Args:
        keys: Key of each node, by its path.
        entries: The newest entry of each key.
        values: The value of each of these.
    """
    entries = [entry for entry in entries if len(entry[5]) <= LONGEST]
    values = list(values)
    key, observed, value, run, seconds, effects = _columns(entries, 6)  # without what ``why`` compares with
    digest, classes, parts, data, name, size, kind, preview = _columns(values, 8)
    kept = [each if each is not None and len(each) <= LONGEST else None for each in data]
    entry_columns = [key, [each or "" for each in observed], value, run, seconds, effects]
    value_columns = [digest, [each or "" for each in classes], parts, _lengths(kept), name, size, kind, preview]
    told = {
        "keys": dict(keys),
        "entries": [len(key), *_dump_columns(entry_columns, [*keys.values()])],
        "values": [len(digest), *_dump_columns(value_columns, value)],
    }
    return json.dumps(told, separators=(",", ":")), b"".join([each for each in kept if each])


def load_ahead(text: str, data: bytes) -> Ahead:
    """Return what was packed.

    Raises:
        KeyError, TypeError, ValueError: It is damaged.
    """
    told = json.loads(text)
    key, observed, value, run, seconds, effects = _load_columns(told["entries"], told["keys"].values())
    pairs = [tuple(map(tuple, each)) if each else () for each in observed]
    entries = zip(key, pairs, value, run, seconds, effects, [""] * len(pairs), strict=True)
    digest, classes, parts, lengths, name, size, kind, preview = _load_columns(told["values"], value)
    pieces: list[bytes | None] = []
    at = 0
    for length in lengths:
        pieces.append(None if length is None else data[at : at + length])
        at += length or 0
    values = zip(digest, map(tuple, classes), parts, pieces, name, size, kind, preview, strict=True)
    return Ahead(told["keys"], dict(zip(key, entries, strict=True)), dict(zip(digest, values, strict=True)))


def _dump_columns(columns: list[list[Any]], known: list[Any]) -> Iterator[Any]:
    """Yield columns for JSON: the first one as null where it is known already, others with the same in all rows as an object with that."""
    first, *others = columns
    yield None if first == known else first
    for each in others:
        yield {"same": each[0]} if each and each.count(each[0]) == len(each) else each


def _load_columns(columns: list[Any], known: Iterable[Any]) -> list[list[Any]]:
    count, first, *others = columns
    loaded = [[each["same"]] * count if isinstance(each, dict) else each for each in others]
    return [[*known] if first is None else first, *loaded]


def _columns(rows: list[Plain], count: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(count)]


def _lengths(pieces: Iterable[bytes | None]) -> list[int | None]:
    return [None if piece is None else len(piece) for piece in pieces]
