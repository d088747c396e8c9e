"""Runs that wait for their turn: a queue on disk that outlives every process that works it off.

Owns the file ``queue.sqlite`` of the state folder. An entry is the words of one ``finestflow run``. Invariant: an entry runs once: it goes
``waiting`` -> ``claimed`` (a worker is about to start it) -> ``running`` (its own process has it) -> ``ok``, ``failed``, ``cancelled``; one whose
process is gone becomes what its run is recorded as, or ``killed``, and is never started again by itself; one that was only claimed waits again. Called by
the command line.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from finestflow.errors import NotFoundError, RepositoryError
from finestflow.processes import Process, load_process

__all__ = ["ENDED", "Entry", "Queue"]

ENDED = frozenset({"ok", "failed", "cancelled", "killed"})
"""The states that an entry does not leave by itself."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    words TEXT NOT NULL,
    folder TEXT NOT NULL,
    batch TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    owner BLOB NOT NULL DEFAULT x'',
    run TEXT NOT NULL DEFAULT '',
    added REAL NOT NULL,
    ended REAL
)
"""
_COLUMNS = "number, words, folder, batch, state, run, added, ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run that waits, goes on, or has ended.

    Attributes:
        number: Its place; what people name it by.
        words: What stands after ``finestflow run``.
        folder: Where it was added, and runs.
        batch: What was added together.
        state: ``waiting``, ``claimed``, ``running``, ``ok``, ``failed``, ``cancelled`` or ``killed``.
        run: Id of its run, once it has one.
        added: When it was added, in seconds since the epoch.
        ended: When it ended.
    """

    number: int
    words: tuple[str, ...]
    folder: str
    batch: str
    state: str
    run: str
    added: float
    ended: float | None


class Queue:
    """The queue of a repository; any number of processes may use it at a time.

    Args:
        path: Its file; made when something is added.
        now: Where the time comes from.
        status_of: Tells how a run ended whose process is gone, by its id; None where that run is not recorded.
    """

    def __init__(
        self, path: Path, now: Callable[[], float], status_of: Callable[[str], str | None] = lambda _: None
    ) -> None:
        self._path = path
        self._now = now
        self._status_of = status_of

    def add(self, entries: Iterable[Sequence[str]], *, folder: Path, batch: str) -> list[int]:
        """Add runs at the end.

        Args:
            entries: The words of each.
            folder: Where they are to run.
            batch: What they have in common.

        Returns:
            Their numbers.
        """
        sql = "INSERT INTO entry (words, folder, batch, added) VALUES (?, ?, ?, ?) RETURNING number"
        with self._open() as database:
            rows = [(json.dumps(list(words)), str(folder), batch, self._now()) for words in entries]
            return [database.execute(sql, row).fetchone()[0] for row in rows]

    def claim(self, worker: Process, *, batch: str = "") -> Entry | None:
        """Return the entry that is next, taken by a worker; None when none waits.

        Args:
            worker: The process that is about to start it.
            batch: Only one of these.
        """
        sql = f"""
            UPDATE entry SET state = 'claimed', owner = ? WHERE number = (
                SELECT min(number) FROM entry WHERE state = 'waiting' AND (batch = ? OR ? = '')
            ) RETURNING {_COLUMNS}"""  # noqa: S608 - the columns are ours
        with self._open() as database:
            self._recover(database)
            row = database.execute(sql, (worker.dump(), batch, batch)).fetchone()
            return None if row is None else _load(row)

    def begin(self, number: int, process: Process) -> bool:
        """Take note that an entry runs in a process now; return False when it is not that process's turn, because somebody else has it."""
        sql = "UPDATE entry SET state = 'running', owner = ? WHERE number = ? AND state IN ('claimed', 'waiting')"
        with self._open() as database:
            return database.execute(sql, (process.dump(), number)).rowcount == 1

    def name_run(self, number: int, run: str) -> None:
        """Take note of the run that an entry has become: from here on its record tells how it ended, whatever happens to its process."""
        with self._open() as database:
            database.execute("UPDATE entry SET run = ? WHERE number = ?", (run, number))

    def end(self, number: int, state: str, run: str) -> None:
        """Take note of how an entry ended, and of its run; the one that is known stays where none is told."""
        sql = "UPDATE entry SET state = ?, run = coalesce(nullif(?, ''), run), ended = ? WHERE number = ?"
        with self._open() as database:
            database.execute(sql, (state, run, self._now(), number))

    def entries(self, *, batch: str = "") -> list[Entry]:
        """Return all entries in their order, or those of a batch."""
        if not self._path.exists():
            return []
        sql = f"SELECT {_COLUMNS} FROM entry WHERE batch = ? OR ? = '' ORDER BY number"  # noqa: S608 - see above
        with self._open() as database:
            self._recover(database)
            return [_load(row) for row in database.execute(sql, (batch, batch))]

    def remove(self, numbers: Iterable[int]) -> None:
        """Take entries away that do not run now.

        Raises:
            NotFoundError: There is no such entry, or it is running.
        """
        self._each(numbers, "DELETE FROM entry WHERE number = ? AND state <> 'running'")

    def retry(self, numbers: Iterable[int]) -> None:
        """Let entries that have ended wait again.

        Raises:
            NotFoundError: There is no such entry, or it has not ended.
        """
        self._each(
            numbers,
            "UPDATE entry SET state = 'waiting', owner = x'', run = '', ended = NULL"
            " WHERE number = ? AND state IN ('ok', 'failed', 'cancelled', 'killed')",
        )

    def _each(self, numbers: Iterable[int], sql: str) -> None:
        with self._open() as database:
            self._recover(database)
            for number in numbers:
                if database.execute(sql, (number,)).rowcount != 1:
                    raise NotFoundError(f"no entry {number} of which that can be done", "finestflow queue")

    def _recover(self, database: sqlite3.Connection) -> None:
        """Tell entries whose process is gone from those that go on."""
        for number, state, owner, run in database.execute(
            "SELECT number, state, owner, run FROM entry WHERE state IN ('claimed', 'running')"
        ).fetchall():
            process = load_process(owner)
            if process is None or (process.is_here and not process.is_there):
                recorded = self._status_of(run) if run else None
                after = "waiting" if state == "claimed" else recorded or "killed"
                database.execute("UPDATE entry SET state = ? WHERE number = ? AND owner = ?", (after, number, owner))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as database:
                database.execute(_SCHEMA)
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
        except (OSError, sqlite3.DatabaseError) as error:
            raise RepositoryError(
                f"the queue {str(self._path)!r} cannot be used: {error}",
                "is the disk full, or the repository read-only?",
            ) from error


def _load(row: Sequence[object]) -> Entry:
    number, words, *rest = row
    fields = dict(zip(("folder", "batch", "state", "run", "added", "ended"), rest, strict=True))
    return Entry(number=number, words=tuple(json.loads(str(words))), **fields)  # type: ignore[arg-type]
