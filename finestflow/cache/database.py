"""The SQLite file of the store: schema, connections, and what happens when it is damaged or cannot be written.

Invariants: one connection reads and one writes, each used by one thread at a time; a transaction is whole or not there; a damaged
file is moved aside and begun anew, since everything in it can be computed again; a child process never uses its parent's
connections.

Called by :class:`finestflow.cache.store.Store` alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import sqlite3

__all__ = ["FORMAT", "Database", "Statement"]

FORMAT = 1

_SCHEMA = (
    """CREATE TABLE value(
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, object BLOB, type TEXT NOT NULL,
    preview TEXT NOT NULL, parts TEXT, classes TEXT, data BLOB)""",
    "CREATE INDEX value_object ON value(object) WHERE object IS NOT NULL",
    """CREATE TABLE entry(
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, observed TEXT NOT NULL, value BLOB NOT NULL, run TEXT NOT NULL,
    seconds REAL NOT NULL, effects TEXT NOT NULL, about TEXT NOT NULL, UNIQUE(key, observed))""",
    "CREATE TABLE removed(count INTEGER NOT NULL)",
    "INSERT INTO removed VALUES (0)",
    """CREATE TABLE ahead(
    id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL UNIQUE, removed INTEGER NOT NULL, nodes TEXT NOT NULL, data BLOB NOT NULL)""",
    "CREATE TABLE file(id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, signature TEXT NOT NULL, digest BLOB NOT NULL)",
)
_BUSY_SECONDS = 30
_WRITER_KIB = 16 * 1024
"""New rows go to random pages of the indexes: where those of a batch do not fit in, a large store is written several times over."""
_DAMAGED = {11, 26}
"""SQLITE_CORRUPT, SQLITE_NOTADB."""
_BUSY = {5, 6}
"""SQLITE_BUSY, SQLITE_LOCKED."""
_UNWRITABLE = {3, 8, 14}
"""SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN."""
_KEPT_CONNECTIONS: list[Any] = []
"""Connections inherited from a parent process: closing one could end the parent's write-ahead log."""


class Statement(NamedTuple):
    """A statement to be run for many rows.

    Attributes:
        sql: The statement.
        rows: Its parameters, once for each time that it is run.
        otherwise: What is run after it, in the same manner, when it has not changed as many rows.
    """

    sql: str
    rows: Sequence[Sequence[Any]]
    otherwise: Sequence[tuple[str, Sequence[Sequence[Any]]]] = ()


class Database:
    """The SQLite file: opened when it is first needed, created when something is first written.

    Args:
        path: The file.
        warn: Called once with each kind of trouble.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path = os.fspath(path)
        self.is_readable = True
        self.is_writable = True
        self._warn = warn
        self._reader: sqlite3.Connection | None = None
        self._cursor: sqlite3.Cursor | None = None
        self._writer: sqlite3.Connection | None = None
        self._inode = 0
        self._reading = threading.RLock()
        self._writing = threading.RLock()

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none where there is no database, or no use of it."""
        try:
            with self._reading:
                if self._cursor is None:
                    if not self.is_readable or not os.path.exists(self.path):
                        return []
                    self._reader = self._open_reader()
                    self._cursor = self._reader.cursor()  # a new one for each query would cost 2 us of 6
                return self._cursor.execute(sql, parameters).fetchall()
        except _sqlite().Error as error:
            self._recover(error, reading=True)
            return []

    def write(self, statements: Sequence[Statement]) -> bool:
        """Run statements in one transaction; return whether it was kept.

        False means: tried for 30 s while somebody else was writing (try again), or it cannot be written (``is_writable``).
        """
        with self._writing:
            for _ in range(2):
                if not self.is_writable:
                    break
                try:
                    self._transact(statements)
                except _sqlite().Error as error:
                    if not self._recover(error, reading=False):
                        break
                else:
                    return True
        return False

    def _transact(self, statements: Sequence[Statement]) -> None:
        if self._writer is None:
            try:
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
            except OSError as error:
                raise _sqlite().OperationalError(str(error)) from error
            self._writer = self._connect()
            self._writer.execute(f"PRAGMA cache_size=-{_WRITER_KIB}")
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            for sql, rows, otherwise in statements:
                if rows and self._writer.executemany(sql, rows).rowcount != len(rows):
                    for other, others in otherwise:
                        self._writer.executemany(other, others)
            self._writer.execute("COMMIT")
        except BaseException:
            with suppress(_sqlite().Error):
                self._writer.execute("ROLLBACK")
            raise

    def _open_reader(self) -> sqlite3.Connection:
        """Connect for reading, also where the folder cannot be written (a write-ahead log then cannot be opened)."""
        sqlite = _sqlite()
        try:
            return self._connect()
        except sqlite.OperationalError as error:
            if not self.is_readable or getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNWRITABLE:
                raise
            address = f"{Path(self.path).absolute().as_uri()}?immutable=1"
            frozen: sqlite3.Connection = sqlite.connect(
                address, uri=True, isolation_level=None, check_same_thread=False
            )
            return frozen

    def _connect(self) -> sqlite3.Connection:
        """Open the file, and make the tables of a new one."""
        sqlite = _sqlite()
        connection: sqlite3.Connection = sqlite.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._inode = os.stat(self.path).st_ino
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._create(connection)
        elif version != FORMAT:
            self.is_readable = False
            self._give_up(f"the store '{self.path}' has format {version}, and this version reads {FORMAT}")
            raise _sqlite().OperationalError("unknown format")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA temp_store=MEMORY")

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA page_size=16384")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute("COMMIT")

    def _recover(self, error: sqlite3.Error, *, reading: bool) -> bool:
        """Deal with an error; return whether it is worth trying again."""
        code = getattr(error, "sqlite_errorcode", 1) & 0xFF
        if code in _DAMAGED:
            return self._move_aside(error)
        if code in _BUSY:
            self._warn(f"the store '{self.path}' is busy: {error}")
            return False
        if reading:
            self.is_readable = False
        self._give_up(f"the store '{self.path}' cannot be {'read' if reading else 'written'}: {error}")
        return False

    def _give_up(self, reason: str) -> None:
        if self.is_writable:
            self.is_writable = False
            self._warn(f"{reason}; results are kept in memory, for this process only")

    def _move_aside(self, error: sqlite3.Error) -> bool:
        """Move a damaged file out of the way, unless another process has done so."""
        with self._writing, self._reading:
            self.close()
            damaged = f"{self.path}.damaged"
            try:
                if self._inode not in {0, os.stat(self.path).st_ino}:
                    return True
                for suffix in ("", "-wal", "-shm"):
                    if os.path.exists(self.path + suffix):
                        os.replace(self.path + suffix, damaged + suffix)
            except FileNotFoundError:
                return True
            except OSError as failure:
                self.is_readable = False
                self._give_up(f"the store '{self.path}' is damaged and cannot be moved: {failure}")
                return False
            self._inode = 0
            self._warn(f"the store '{self.path}' is damaged ({error}); moved to '{damaged}', and begun anew")
            return True

    def close(self) -> None:
        """Close both connections; the next use opens them again."""
        with self._writing, self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    with suppress(_sqlite().Error):
                        connection.close()
            self._reader = self._cursor = self._writer = None

    def abandon(self) -> None:
        """Forget the parent's connections in a forked child, without closing them."""
        _KEPT_CONNECTIONS.extend((self._reader, self._cursor, self._writer))
        self._reader = self._cursor = self._writer = None
        self._reading, self._writing = threading.RLock(), threading.RLock()


def _sqlite() -> Any:
    """Return the module, imported when a store is first used (6 ms)."""
    import sqlite3

    return sqlite3
