"""The index: all runs in one SQLite file, so that listing and querying 10,000 of them takes milliseconds.

Invariant: it is derived from the refs alone. It is fresh when the tips it was made from are the refs' tips, is brought forward by
the commits in between, made again from commit messages when the chain was rewritten or the file is damaged, and kept in memory
where the folder cannot be written. The workspace refreshes it; the CLI, the terminal UI and the Python API read it.
Only the standard library is imported.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from finestflow.errors import LockedError, QueryError, nearest_hint
from finestflow.git.refs import ANNOTATIONS_REF, JOURNAL_REF, read_refs
from finestflow.git.repository import Repository
from finestflow.journal import index_rows as rows_of
from finestflow.journal.compared import fold_text, is_path_meant, same_text
from finestflow.journal.prefixes import SHORTEST_PREFIX, common_length, shortest_prefixes

if TYPE_CHECKING:
    from finestflow.journal.query import Query
    from finestflow.model import Run, RunId, RunSummary

__all__ = ["Index", "ValueOrder"]

_MOST_BOUND = 900
_LOOKS = 6
"""To look one id up costs as much as so many when all are gone through."""
_PATIENCE = 30
"""Seconds that one waits for another process that writes: an index of 100,000 runs takes some ten to be made."""
_READS, _MAKES = 8192, 65536
"""Pages in memory, in kB: questions are as quick with a few, an index of 100,000 runs is made a fifth faster with many."""
Result = TypeVar("Result")


class ValueOrder(NamedTuple):
    """The table of a metric or param, its key there, the value of its rows, called ``sorted``, and what orders them by that."""

    table: str
    key: str
    value: str
    terms: str


class Index:
    """The runs of a repository, as far as their commit messages and annotations tell.

    Methods may be called from any thread.

    Args:
        path: The file; it is made, and may be deleted at any time.
        tell: Is told what takes long: what is done, how far it is, and how far it goes (0 where nobody knows).
    """

    def __init__(self, path: Path, tell: Callable[[str, int, int], None] = lambda *_: None) -> None:
        self._path = path
        self._tell = tell
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._repo: Repository | None = None
        self._opened = 0
        """How often a file was opened."""
        self._advances = 0
        """How often it was brought forward here."""
        self._place: tuple[int, int] | None = None
        """Device and number of the file that is open."""
        self.messages: list[str] = []
        """What was put right, or could not be read, for people."""

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def refresh(self, repo: Repository, *, ended: Run | None = None) -> bool:
        """Bring the index to the tips of the refs.

        Args:
            repo: The repository.
            ended: A run that was just appended: what is inside of it need not be read then.

        Returns:
            Whether anything changed.
        """
        self._repo = repo
        tips = _tips_of(repo)
        self._leave_lost_file()

        def bring_forward(database: sqlite3.Connection) -> bool:
            is_behind = rows_of.read_tips(database) != tips
            if is_behind:
                self._advance(database, repo, tips)
            if ended is not None:
                from finestflow.journal.index_inside import take_in

                take_in(database, repo, ended)
            return is_behind

        return self._read(bring_forward)

    def version(self) -> int:
        """Return a number that is another one after somebody else has changed the index, or made it anew; it costs a few microseconds."""
        self._leave_lost_file()
        found = int(self._read(lambda database: database.execute("PRAGMA data_version").fetchone()[0]))
        return self._opened << 32 | found + (self._advances if self.is_in_memory else 0)  # nobody else has it then

    @property
    def is_in_memory(self) -> bool:
        """Whether the folder could not be written, so that nobody else sees what this index knows."""
        return self._database is not None and self._place is None

    @property
    def is_empty(self) -> bool:
        """Whether there is no run at all, removed ones included."""
        return self._read(lambda database: database.execute("SELECT 1 FROM runs LIMIT 1").fetchone()) is None

    def count(self, where: Query | None = None) -> int:
        """Count the runs that a query chooses; all that are not removed without one."""
        condition, values = self.where(where)
        sql = f"SELECT count(*) FROM runs {condition}"  # noqa: S608 - text is bound
        return int(self._read(lambda database: database.execute(sql, values).fetchone()[0]))

    def summaries(
        self, where: Query | None = None, *, sort: str = "-started", limit: int | None = None
    ) -> list[RunSummary]:
        """Return the runs that a query chooses.

        Args:
            where: The query; without one, all runs that are not removed.
            sort: ``started``, ``name``, ``seconds``, ``status``, ``f1``, ``m.f1``, ``p.lr`` ...; a ``-`` before it turns the order round.
                Runs that lack the value come last. Of several keys with commas between, each orders the equals of those before it.
            limit: How many at most.
        """
        return [rows_of.load_summary(row) for row in self._select(rows_of.SUMMARY_COLUMNS, where, sort, limit)]

    def rows(
        self, columns: Sequence[str], where: Query | None = None, *, sort: str = "-started", limit: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Return plain tuples, for tables: much cheaper than summaries.

        Args:
            columns: ``id``, ``name``, ``pipeline``, ``status``, ``started``, ``seconds``, ``commit``, ``tags`` (JSON) ..., and names of
                metrics and params as in ``sort``.
            where: As for ``summaries``.
            sort: As for ``summaries``.
            limit: As for ``summaries``.
        """
        sql, values = rows_of.select_columns(columns)
        return self._select(sql, where, sort, limit, values)

    def _select(
        self, columns: str, where: Query | None, sort: str, limit: int | None, values: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        condition, bound = self.where(where)
        if where is None and limit is not None and 0 < limit <= _MOST_BOUND:
            first = self.first_by_value(where, sort, limit) if "," not in sort else []
            if len(first) == limit:
                condition, bound = f"WHERE runs.seq IN ({', '.join('?' * limit)})", list(first)
        order, ordering = rows_of.order_by(*sort.split(","))
        sql = f"SELECT {columns} FROM runs {condition} ORDER BY {order}"  # noqa: S608 - text is bound, columns are ours
        everything = [*values, *bound, *ordering]
        if limit is not None:
            sql += " LIMIT ?"
            everything.append(limit)
        return self._read(lambda database: database.execute(sql, everything).fetchall())

    def first_by_value(self, where: Query | None, sort: str, limit: int) -> list[int]:
        """Return the numbers of the first runs by a metric or param, without sorting all: in the order of ``sort``.

        Returns:
            Fewer than ``limit`` where sorting would give another answer; what is there then means nothing.
        """
        found = self.first_sql(where, sort)
        return [] if found is None else [row[0] for row in self.fetch(f"{found[0]} LIMIT ?", [*found[1], limit])]

    def first_sql(self, where: Query | None, sort: str) -> tuple[str, list[Any]] | None:
        """Return the statement for the runs that have a metric or param, in the order of its index; None where no index has the order."""
        order = self.value_order(sort)
        if order is None:
            return None
        if where is None:  # no run has to be looked at
            removed = "SELECT seq FROM runs WHERE removed = 1"
            sql = f"SELECT seq FROM {order.table} AS sorted WHERE key = ? AND seq NOT IN ({removed}) ORDER BY {order.terms}"  # noqa: S608
            return sql, [order.key]
        condition, bound = self.where(where)
        sql = (
            f"SELECT runs.seq FROM {order.table} AS sorted CROSS JOIN runs ON runs.seq = sorted.seq "  # noqa: S608 - text is bound
            f"{condition} AND sorted.key = ? ORDER BY {order.terms}"
        )
        return sql, [*bound, order.key]

    def value_order(self, sort: str) -> ValueOrder | None:
        """Return where an index has the order of runs by a metric or param; None where there is none."""
        name, direction = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
        if name in rows_of.FIELDS:
            return None
        has = "SELECT 1 FROM {} WHERE key = ? LIMIT 1"
        tables = [(table, key) for table, key in rows_of.tables_of(name) if self.fetch(has.format(table), [key])]
        if len(tables) != 1:
            return None
        table, key = tables[0]
        value = "coalesce(sorted.num, sorted.text)"
        if table == "metrics":  # those that are no numbers are rare, and ranges of numbers are asked for
            value = "sorted.num"
            if self.fetch("SELECT 1 FROM metrics WHERE key = ? AND num IS NULL LIMIT 1", [key]):
                return None
        return ValueOrder(table, key, value, f"{value} {direction}, sorted.seq {direction}")

    def where(self, query: Query | None) -> tuple[str, list[Any]]:
        """Return the condition under which a listing shows a run, and its parameters; what it needs of the records has been read then.

        An index that was not refreshed knows what others have read.
        """
        if query is None:
            return "WHERE runs.removed = 0", []
        if query.needs and self._repo is not None:
            repo = self._repo
            self._read(lambda database: self._read_inside(database, repo, query.needs))
        sql, values = query.to_sql()
        hidden = "" if query.shows_removed else "runs.removed = 0 AND "
        return f"WHERE {hidden}({sql})", list(values)

    def _read_inside(self, database: sqlite3.Connection, repo: Repository, needs: Iterable[str]) -> None:
        from finestflow.journal.index_inside import advance

        advance(database, repo, needs, self._tell)

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a question of the modules beside this one: text is bound, the tables are those of ``index_rows``."""
        return self._read(lambda database: database.execute(sql, values).fetchall())

    def fetch_within(self, sql: str, values: Sequence[Any], steps: int) -> tuple[list[tuple[Any, ...]], bool]:
        """Return the rows of a question as far as SQLite comes in about so many steps of its machine, and whether these are all."""

        def read(database: sqlite3.Connection) -> tuple[list[tuple[Any, ...]], bool]:
            rows = list[tuple[Any, ...]]()
            calls = iter(
                (0, 1)
            )  # it counts from where the last question of the same text has ended: the first call may come too early
            database.set_progress_handler(lambda: next(calls, 1), max(1, steps // 2))
            try:
                rows.extend(database.execute(sql, values))
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_INTERRUPT":
                    raise
                return rows, False
            finally:
                database.set_progress_handler(None, 0)
            return rows, True

        return self._read(read)

    def get_summary(self, run_id: RunId) -> RunSummary | None:
        """Return a run by its id, removed or not."""
        sql = f"SELECT {rows_of.SUMMARY_COLUMNS} FROM runs WHERE id = ?"  # noqa: S608
        row = self._read(lambda database: database.execute(sql, [run_id]).fetchone())
        return None if row is None else rows_of.load_summary(row)

    def resolve(self, text: str, *, removed: bool = False) -> RunSummary:
        """Return the run that a text names: an id or its beginning, ``@``, ``@~2``, ``@{pipeline}``, a name, a commit.

        Args:
            text: What was typed.
            removed: Find removed runs too.

        Raises:
            NotFoundError: There is none, or more than one; the hint lists them.
        """
        from finestflow.journal.resolve import Resolver

        return self._read(lambda database: Resolver(database, removed=removed).resolve(text))

    def known_names(self) -> tuple[set[str], set[str]]:
        """Return the names of all metrics and of all params."""

        def read(database: sqlite3.Connection) -> tuple[set[str], set[str]]:
            metrics, params = (
                {key for (key,) in database.execute(rows_of.distinct_keys(table))} for table in ("metrics", "params")
            )
            return metrics, params

        return self._read(read)

    def check_key(self, sort: str) -> None:
        """Raise when runs cannot be sorted by a key, or by one of several.

        Raises:
            QueryError: There is no such field, metric or param.
        """
        metrics, params = self.known_names()
        known = {*rows_of.FIELDS, *metrics, *params}  # each under its last part too, where that names it
        for name in (key.removeprefix("-") for key in sort.split(",")):
            prefix, _, rest = name.partition(".")
            if name not in known and not (prefix in {"m", "p", "metrics", "params"} and rest in known):
                raise QueryError(f"runs have no {name!r} to be sorted by", nearest_hint(name, known, "they have"))

    def pipelines(self) -> list[tuple[str, int]]:
        """Return the pipelines and how many runs each has, most first."""
        sql = "SELECT pipeline, count(*) AS n FROM runs WHERE removed = 0 GROUP BY pipeline ORDER BY n DESC, pipeline"
        return self._read(lambda database: database.execute(sql).fetchall())

    def prefixes(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the shortest beginning of each id that no other run's id has, of 4 letters at least."""
        wanted = list(ids)

        def read(database: sqlite3.Connection) -> dict[str, str]:
            newest = database.execute("SELECT coalesce(max(seq), 0) FROM runs").fetchone()[0]
            if len(wanted) * _LOOKS > newest:
                everything = database.execute(
                    "SELECT group_concat(id) FROM (SELECT id FROM runs ORDER BY id)"
                ).fetchone()[0]
                shortest = shortest_prefixes([*(everything or "").split(","), *wanted])
                return {each: shortest[each] for each in wanted}
            return {each: each[: _unique_length(database, each)] for each in wanted}

        return self._read(read)

    def _read(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do something with the database; when it turns out to be damaged, once more with a new one."""
        with self._lock:
            try:
                return action(self._open())
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname.startswith("SQLITE_BUSY"):
                    text = f"another process has been changing the index of runs for {_PATIENCE} s"
                    raise LockedError(text, "it may be making a large one; try again") from None
                if not _is_about_disk(error):
                    raise
                self._use_memory(str(error))
            except sqlite3.DatabaseError as error:
                self._set_aside(str(error))
            self._fill()
            return action(self._open())

    def _fill(self) -> None:
        if self._repo is not None:
            repo = self._repo
            self._advance(self._open(), repo, _tips_of(repo))

    def _advance(self, database: sqlite3.Connection, repo: Repository, tips: tuple[str | None, str | None]) -> None:
        from finestflow.journal.index_update import advance  # with all that reads commits, which most listings need not

        self._advances += 1
        database.execute(f"PRAGMA cache_size = -{_MAKES}")
        try:
            advance(database, repo, tips, self.messages, self._tell)
        finally:
            database.execute(f"PRAGMA cache_size = -{_READS}")

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._database = _connect(str(self._path))
                self._place, self._opened = _place_of(self._path), self._opened + 1
            except OSError as error:
                self._use_memory(str(error))
                return self._open()
            if not _prepare(self._database):
                self._drop()
                return self._open()
        return self._database

    def _leave_lost_file(self) -> None:
        """Close a file that is not at its place any more: what is open says nothing of the one that others read.

        Where the whole repository is gone, it is all that is left of it.
        """
        with self._lock:
            if self._database is None or self._place is None or _place_of(self._path) == self._place:
                return
            if self._path.parent.parent.exists():
                self.close()

    def _use_memory(self, reason: str) -> None:
        """Go on in memory, with a copy of what the file holds where it can be read."""
        self.close()
        self.messages.append(f"the index cannot be written ({reason}): it is kept in memory")
        memory = _connect(":memory:")
        self._place, self._opened = None, self._opened + 1
        with contextlib.suppress(sqlite3.Error):
            file = sqlite3.connect(f"{self._path.absolute().as_uri()}?immutable=1", uri=True)
            with contextlib.closing(file):
                file.backup(memory)
            rows_of.read_tips(memory)
        if not _prepare(memory):
            memory.close()
            memory = _connect(":memory:")
            _prepare(memory)
        self._database = memory

    def _drop(self) -> None:
        """Delete the file of another version of finestflow: it is made again from the refs."""
        self.close()
        try:
            for ending in ("-wal", "-shm", ""):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        except OSError as error:
            self._use_memory(str(error))

    def _set_aside(self, reason: str) -> None:
        """Move a damaged file away: it is made again from the refs."""
        self.close()
        aside = self._path.with_suffix(".damaged")
        try:
            for ending in ("-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
            self._path.replace(aside)
        except FileNotFoundError:
            return
        except OSError as error:
            self._use_memory(str(error))
            return
        self.messages.append(f"the index was set aside as {aside.name!r} and made again: {reason}")


def add_functions(database: sqlite3.Connection) -> None:
    """Let a database compare as queries do."""
    database.create_function("fold", 1, fold_text, deterministic=True)
    database.create_function("same", 1, _same_of, deterministic=True)
    database.create_function("is_path_meant", 2, is_path_meant, deterministic=True)


def _same_of(text: str) -> str:
    import json

    return same_text(json.loads(text))


def _connect(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    database.execute(f"PRAGMA cache_size = -{_READS}")
    add_functions(database)
    return database


def _place_of(path: Path) -> tuple[int, int] | None:
    """Return device and number of a file; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare(database: sqlite3.Connection) -> bool:
    """Make the tables where there are none.

    Returns:
        Whether they are those of this version of finestflow.
    """
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version != 0:
        return bool(version == rows_of.VERSION)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    with rows_of.transaction(database):
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in rows_of.SCHEMA:
                database.execute(statement)
    return True


def _is_about_disk(error: sqlite3.OperationalError) -> bool:
    name = error.sqlite_errorname
    return name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_PERM"))


def _tips_of(repo: Repository) -> tuple[str | None, str | None]:
    journal, annotations = read_refs(repo, JOURNAL_REF, ANNOTATIONS_REF)
    return journal, annotations


def _unique_length(database: sqlite3.Connection, run_id: str) -> int:
    before = database.execute("SELECT max(id) FROM runs WHERE id < ?", [run_id]).fetchone()[0] or ""
    after = database.execute("SELECT min(id) FROM runs WHERE id > ?", [run_id]).fetchone()[0] or ""
    return max(SHORTEST_PREFIX, common_length(before, run_id) + 1, common_length(after, run_id) + 1)
