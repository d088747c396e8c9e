"""Which keys have no entry, without asking the database for each.

A chain of calls that all run asks for one key after the other in vain. Reading the beginnings of all keys at once takes 0.2 to 0.4 us each, asking for
one 8 us; so they are read once as many have been asked for as that costs. Invariant: an answer holds for as long as nobody else writes entries, which
the runner knows; what this process adds it finds elsewhere, see ``known``.

Called by :class:`finestflow.cache.store.Store` alone.
"""

from __future__ import annotations

from typing import Any

from finestflow.cache import rows
from finestflow.cache.database import Database

__all__ = ["Absent"]

_BEGIN = 8
"""Bytes of a key that are kept. Two keys that begin alike cost a question."""
_ASKED, _SHARE = 64, 20
"""How often the database is asked before the keys are read: so often, and once for so many of them."""
_MOST = 500_000
"""Of more keys than these nothing is kept: it would be 50 MB."""


class Absent:
    """The keys of a database, as far as it pays to know them.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.forget()

    def forget(self) -> None:
        """Know nothing: there may be new entries."""
        self._since: int | None = None
        self._begins: set[bytes] | None = None
        self._asked = 0
        self._due = 0

    def is_sure(self, key: bytes, since: int | None) -> bool:
        """Return whether a key has certainly no entry.

        Args:
            key: The key.
            since: What is another number after anybody else may have written entries; None where somebody may at any time.
        """
        if since != self._since:
            self.forget()
            self._since = since
        if since is None:
            return False
        if self._begins is not None:
            return key[:_BEGIN] not in self._begins
        self._asked += 1
        if self._asked == _ASKED:
            entries = self._read(rows.COUNT_ENTRIES) or 0
            self._due = max(_ASKED, entries // _SHARE) if entries <= _MOST else 0
        if self._asked == self._due:
            begins = self._read(rows.SELECT_KEYS, _BEGIN) or b""
            self._begins = {begins[at : at + _BEGIN] for at in range(0, len(begins), _BEGIN)}
        return False

    def _read(self, sql: str, *parameters: object) -> Any:
        """Return the value that a query gives; None where there is no database."""
        read = self._database.read(sql, parameters)
        return read[0][0] if read else None
