"""What this process knows of values and entries: what it has read and added, so that the database is asked once.

Invariant: what is kept for each of 10,000 calls is few objects, and plain tuples where nobody else has the object anyway: the garbage collector
leaves those alone once it has seen that they hold nothing but texts and numbers. It took 12 us a call that ran before.

Called by :class:`finestflow.cache.store.Store` alone, with its lock held where something changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        """Fields of values: ``Encoded`` once somebody has asked for one."""
        self._newest: dict[str, Plain] = {}
        """Fields of the newest entry of keys whose entries have been read; empty where there is none."""
        self._older: dict[str, tuple[Plain, ...]] = {}
        self._added: dict[str, tuple[Plain, ...]] = {}
        """Entries that were added to keys whose entries nobody has read."""
        self._ahead: dict[str, Plain] = {}

    def __len__(self) -> int:
        return len(self._values) + len(self._newest)

    # -- values -----------------------------------------------------------------------------------------------------

    def value(self, digest: str) -> Encoded | None:
        """Return what is known of a value."""
        found = self._values.get(digest)
        if found is None or isinstance(found, Encoded):
            return found
        encoded: Encoded = tuple.__new__(Encoded, found)  # ``_make`` is a call of Python
        self._values[digest] = encoded
        return encoded

    def has_value(self, encoded: Encoded) -> bool:
        """Return whether just that is known of a value."""
        return self._values.get(encoded.digest) == encoded

    def add_value(self, value: Plain) -> None:
        """Know of a value from now on."""
        self._values[value[0]] = value
        if value[3] is not None:
            self.bytes += len(value[3])

    def forget_value(self, digest: str) -> None:
        """Know no more of a value."""
        self._values.pop(digest, None)

    # -- entries ----------------------------------------------------------------------------------------------------

    def entries(self, key: str) -> list[Entry] | None:
        """Return the entries of a key, newest first; None where nobody has read them."""
        found = self._newest.get(key)
        if found is None:
            return None
        return [Entry._make(each) for each in (found, *self._older.get(key, ())) if each]

    def add_entry(self, entry: Entry) -> None:
        """Know of a new entry; it replaces the one with the same observed dependencies."""
        key, known = entry.key, self._newest.get(entry.key)
        if known == ():
            self._newest[key] = tuple(entry)
            return
        table = self._added if known is None else self._older
        others = [each for each in (known, *table.get(key, ())) if each and each[1] != entry.observed]
        if known is None:
            self._added[key] = (tuple(entry), *others)
        else:
            self._know(key, [tuple(entry), *others])

    def merge(self, key: str, read: Sequence[Plain], *, is_newer: bool) -> list[Entry]:
        """Take in the entries of a key that have been read, and return all.

        Args:
            key: The key.
            read: What the database has, newest first.
            is_newer: Whether that comes before what was known; what this process has added and nobody has read comes first.
        """
        if not read and key not in self._newest and key not in self._added:
            self._newest[key] = ()
            return []
        known = [each for each in (self._newest.get(key, ()), *self._older.get(key, ())) if each]
        kept: dict[Any, Plain] = {}
        for entry in (*self._added.pop(key, ()), *((*read, *known) if is_newer else (*known, *read))):
            kept.setdefault(entry[1], entry)
        self._know(key, list(kept.values()))
        return [Entry._make(each) for each in kept.values()]

    def _know(self, key: str, entries: list[Plain]) -> None:
        self._newest[key] = entries[0] if entries else ()
        self._older.pop(key, None)
        if len(entries) > 1:
            self._older[key] = tuple(entries[1:])

    def read_ahead(self, ahead: Ahead) -> None:
        """Take in what has been read ahead; what is known already stays."""
        self._ahead = ahead.entries
        self._values = {**ahead.values, **self._values} if self._values else ahead.values

    def entry_ahead(self, key: str) -> Entry | None:
        """Return the newest entry of a key of which nothing else is known than what was read ahead."""
        found = self._ahead.get(key)
        return None if found is None or key in self._newest or key in self._added else tuple.__new__(Entry, found)

    def newest(self, keys: Iterable[str]) -> tuple[list[Plain], list[Plain]]:
        """Return the newest entry of each key, and their values, as far as both are known."""
        entries: list[Plain] = []
        values: dict[str, Plain] = {}
        for key in dict.fromkeys(keys):
            added = self._added.get(key)
            entry = added[0] if added else self._newest.get(key) or self._ahead.get(key)
            value = self._values.get(entry[2]) if entry else None
            if entry and value is not None:
                entries.append(entry)
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
        for key in {**self._added, **self._newest} if kept else ():
            for entry in reversed([*self._added.get(key, ()), *(self.entries(key) or ())]):
                if entry[2] in kept:
                    left.add_entry(Entry._make(entry))
        for entry in entries:
            left.add_entry(entry)
        return left


def is_writable(value: Plain) -> bool:
    """Return whether a value's row can go to the database; a large one without an object has its bytes in memory only."""
    data = value[3]
    return data is None or len(data) <= INLINE
