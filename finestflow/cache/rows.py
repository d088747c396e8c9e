"""Rows of the store's tables: statements, and the way between rows and data.

Digests are 32 bytes in the database and 64 hexadecimal digits elsewhere. The tables are specified in
``docs/reference/store-format.md``. Called by :class:`finestflow.cache.store.Store` alone.
"""

# ruff: noqa: S608 - the statements are made of the constants of this module

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from finestflow.cache.codec import Encoded
from finestflow.cache.database import Statement
from finestflow.cache.files import Signature

__all__ = ["Entry", "entry_fields", "load_entry", "load_file", "load_value", "removal", "statements", "value_fields"]

_ENTRY = "key, observed, value, run, seconds, effects, about"
_VALUE = "digest, size, object, type, preview, parts, classes"

SELECT_ENTRIES = f"SELECT {_ENTRY} FROM entry WHERE key=? ORDER BY id DESC"
SELECT_ALL_ENTRIES = f"SELECT {_ENTRY} FROM entry ORDER BY id"
COUNT_ENTRIES = "SELECT max(id) FROM entry"
SELECT_KEYS = "SELECT CAST(group_concat(substr(key, 1, ?), '') AS BLOB) FROM entry"
SELECT_VALUE = f"SELECT {_VALUE}, data FROM value WHERE digest=?"
SELECT_VALUES = f"SELECT {_VALUE}, NULL FROM value ORDER BY id"
SELECT_DATA = "SELECT data FROM value WHERE digest=?"
SELECT_FILE = "SELECT signature, digest FROM file WHERE path=?"
SELECT_DANGLING = "SELECT DISTINCT value FROM entry WHERE value NOT IN (SELECT digest FROM value)"
SELECT_USAGE = "SELECT (SELECT count(*) FROM entry), count(*), coalesce(sum(length(data)), 0) FROM value"
SELECT_ABOUT = "SELECT about FROM entry WHERE key=? ORDER BY id DESC LIMIT 1"
SELECT_AHEAD = """
SELECT removed.count, ahead.removed, ahead.nodes, ahead.data FROM removed LEFT JOIN ahead ON ahead.pipeline=?"""

_INSERT_VALUE = """
INSERT INTO value(digest, size, object, type, preview, parts, classes, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT(digest) DO UPDATE SET size=excluded.size, object=excluded.object, type=excluded.type, preview=excluded.preview,
    parts=excluded.parts, classes=excluded.classes, data=excluded.data"""
_INSERT_ENTRY = f"INSERT OR IGNORE INTO entry({_ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_REPLACE_ENTRY = f"INSERT OR REPLACE INTO entry({_ENTRY}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_COUNT_REMOVED = "UPDATE removed SET count = count + 1"
"""Triggers that count would double the time that a new entry takes."""
_DELETE_ENTRIES = "DELETE FROM entry WHERE hex(value) IN (SELECT value FROM json_each(?))"
"""One scan: an index of entries by value would cost each new entry 2 us, and only collections would use it."""
_DELETE_VALUE = "DELETE FROM value WHERE digest=?"
_INSERT_AHEAD = "INSERT OR REPLACE INTO ahead(pipeline, removed, nodes, data) VALUES (?, ?, ?, ?)"
_INSERT_FILE = "INSERT OR REPLACE INTO file(path, signature, digest) VALUES (?, ?, ?)"


class Entry(NamedTuple):
    """That a call gave a value. A named tuple, since one is made for each call.

    Attributes:
        key: Fingerprint of the call.
        observed: Dependencies seen while it ran (name, digest), such as the run's seed; verified at look-up.
        value: Digest of the output.
        run: The run that computed it.
        seconds: How long that took.
        effects: What a hit replays (metrics, artifacts, log), as JSON; empty for nothing.
        about: What ``why`` compares a later call with, as JSON; left out of entries that were read ahead.
    """

    key: str
    observed: tuple[tuple[str, str], ...]
    value: str
    run: str
    seconds: float
    effects: str
    about: str = ""


def statements(batch: Mapping[str, list[Any]]) -> list[Statement]:
    """Return what writes a batch: values before the entries that name them."""
    entries = [_dump_entry(entry) for entry in batch.get("entry", ())]
    return [
        Statement(_INSERT_VALUE, [_dump_value(value) for value in batch.get("value", ())]),
        Statement(_INSERT_ENTRY, entries, [(_REPLACE_ENTRY, entries), (_COUNT_REMOVED, [()])]),
        Statement(_INSERT_AHEAD, batch.get("ahead", ())),
        Statement(_INSERT_FILE, [_dump_file(*file) for file in batch.get("file", ())]),
    ]


def removal(digests: Sequence[bytes]) -> list[Statement]:
    """Return what removes values, and the entries that name them."""
    names = json.dumps([digest.hex().upper() for digest in digests])
    return [
        Statement(_COUNT_REMOVED, [()]),
        Statement(_DELETE_ENTRIES, [(names,)]),
        Statement(_DELETE_VALUE, [(digest,) for digest in digests]),
    ]


def _dump_value(value: Encoded) -> tuple[Any, ...]:
    digest, classes, parts, data, name, size, kind, shown = value
    return (
        bytes.fromhex(digest),
        size,
        bytes.fromhex(name) if name is not None else None,
        kind,
        shown,
        json.dumps(parts) if parts else None,
        json.dumps(classes) if classes else None,
        data,
    )


def value_fields(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return the fields of what a row says of a value."""
    digest, size, name, kind, shown, parts, classes, data = row
    inside = tuple(json.loads(classes)) if classes else ()
    labelled = json.loads(parts) if parts else None
    return digest.hex(), inside, labelled, data, name.hex() if name else None, size, kind, shown


def load_value(row: Sequence[Any]) -> Encoded:
    """Return what a row says of a value."""
    return Encoded._make(value_fields(row))


def _dump_entry(entry: Entry) -> tuple[Any, ...]:
    key, observed, value, run, seconds, effects, about = entry
    seen = json.dumps(observed) if observed else ""
    return bytes.fromhex(key), seen, bytes.fromhex(value), run, seconds, effects, about


def entry_fields(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return the fields of the entry in a row."""
    key, observed, value, run, seconds, effects, about = row
    pairs = tuple([(name, digest) for name, digest in json.loads(observed)]) if observed else ()
    return key.hex(), pairs, value.hex(), run, seconds, effects, about


def load_entry(row: Sequence[Any]) -> Entry:
    """Return the entry in a row."""
    return Entry._make(entry_fields(row))


def _dump_file(path: str, signature: Signature, digest: str) -> tuple[Any, ...]:
    return path.encode("utf-8", "surrogateescape"), " ".join(map(str, signature)), bytes.fromhex(digest)


def load_file(row: Sequence[Any]) -> tuple[Signature, str]:
    """Return the signature and digest of a file in a row."""
    size, modified, changed, inode = map(int, row[0].split())
    return (size, modified, changed, inode), row[1].hex()
