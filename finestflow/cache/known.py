"""What this process knows of values and entries: what it has read and added, so that the database is asked once.

Invariant: all is kept as plain tuples, which the garbage collector leaves alone once it has seen that they hold nothing but texts and numbers: a
run may have 10,000 hits, and as named tuples they made it walk 30,000 objects more, again and again.

Called by :class:`finestflow.cache.store.Store` alone, with its lock held where something changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from finestflow.cache.ahead import Ahead
from finestflow.cache.codec import INLINE, Encoded
from finestflow.cache.rows import Entry

__all__ = ["Known", "is_writable"]

Plain = tuple[Any, ...]


class Known:
    """Values by digest, and entries by key."""

    def __init__(self) -> None:
        self.bytes = 0
        """How much of the values is kept with them."""
        self._values: dict[str, Plain] = {}
        self._entries: dict[str, tuple[Plain, ...]] = {}
        self._added: dict[str, tuple[Plain, ...]] = {}
        self._ahead: dict[str, Plain] = {}

    def __len__(self) -> int:
        return len(self._values) + len(self._entries)

    # -- values -----------------------------------------------------------------------------------------------------

    def value(self, digest: str) -> Encoded | None:
        """Return what is known of a value."""
        found = self._values.get(digest)
        return None if found is None else Encoded._make(found)

    def has_value(self, encoded: Encoded) -> bool:
        """Return whether just that is known of a value."""
        return self._values.get(encoded.digest) == encoded

    def add_value(self, encoded: Plain) -> None:
        """Know of a value from now on; its digest comes first."""
        self._values[encoded[0]] = tuple(encoded)
        data = encoded[3]
        if data is not None:
            self.bytes += len(data)

    def forget_value(self, digest: str) -> None:
        """Know no more of a value."""
        self._values.pop(digest, None)

    # -- entries ----------------------------------------------------------------------------------------------------

    def entries(self, key: str) -> list[Entry] | None:
        """Return the entries of a key, newest first; None where nobody has read them."""
        found = self._entries.get(key)
        return None if found is None else [Entry._make(each) for each in found]

    def add_entry(self, entry: Entry) -> None:
        """Know of a new entry; it replaces the one with the same observed dependencies."""
        table = self._entries if entry.key in self._entries else self._added
        others = [each for each in table.get(entry.key, ()) if each[1] != entry.observed]
        table[entry.key] = (tuple(entry), *others)

    def merge(self, key: str, read: Iterable[Plain], *, is_newer: bool) -> list[Entry]:
        """Take in the entries of a key that have been read, and return all.

        Args:
            key: The key.
            read: What the database has, newest first.
            is_newer: Whether that comes before what was known; what this process has added and nobody has read comes first.
        """
        known = self._entries.get(key, ())
        newest: dict[Any, Plain] = {}
        for entry in (*self._added.pop(key, ()), *((*read, *known) if is_newer else (*known, *read))):
            newest.setdefault(entry[1], tuple(entry))
        self._entries[key] = tuple(newest.values())
        return [Entry._make(each) for each in newest.values()]

    def read_ahead(self, ahead: Ahead) -> None:
        """Take in what has been read ahead; what is known already stays."""
        self._ahead = ahead.entries
        self._values = {**ahead.values, **self._values} if self._values else ahead.values

    def entry_ahead(self, key: str) -> Entry | None:
        """Return the newest entry of a key of which nothing else is known than what was read ahead."""
        found = self._ahead.get(key)
        return None if found is None or key in self._entries or key in self._added else Entry._make(found)

    def newest(self, keys: Iterable[str]) -> tuple[list[Plain], list[Plain]]:
        """Return the newest entry of each key, and their values, as far as both are known."""
        entries: list[Plain] = []
        values: dict[str, Plain] = {}
        for key in dict.fromkeys(keys):
            found = self._added.get(key) or self._entries.get(key)
            entry = found[0] if found else self._ahead.get(key)
            value = None if entry is None else self._values.get(entry[2])
            if value is not None:
                entries.append(entry)  # type: ignore[arg-type]
                values[value[0]] = value
        return entries, list(values.values())

    def trimmed(self, values: Iterable[Encoded], entries: Iterable[Entry]) -> Known:
        """Return what has to be known still when the database knows the rest: what it cannot hold, and what waits.

        Args:
            values: Values that wait to be written.
            entries: Entries that wait.
        """
        left = Known()
        kept = {digest for digest, found in self._values.items() if not is_writable(found)}
        for digest in kept:
            left.add_value(self._values[digest])
        for value in values:
            left.add_value(value)
        lists = [*self._added.values(), *self._entries.values()] if kept else []
        for entry in [each for found in lists for each in reversed(found) if each[2] in kept]:
            left.add_entry(Entry._make(entry))
        for entry in entries:
            left.add_entry(entry)
        return left


def is_writable(value: Plain) -> bool:
    """Return whether a value's row can go to the database; a large one without an object has its bytes in memory only."""
    data = value[3]
    return data is None or len(data) <= INLINE
