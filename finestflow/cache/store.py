"""The store: outputs by digest, and the entries that say which call gave which output.

Read it as a dict from key to entries and a dict from digest to value, kept on disk in the manner of
``docs/reference/store-format.md``. Invariants:

* First the object file, then its row and the entry that names it, in one transaction: no entry names a value that was not
  there. What a crash or a person removes later is a miss; a wrong value is never given.
* What this process has added it finds, written or not.
* Every load gives a private copy.
* Nothing that happens to the disk stops a run: the store then goes on in memory, and says so once.

The runner's process writes the database; workers only encode values (and so write object files).
"""

from __future__ import annotations

import errno
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from finestflow.cache import rows
from finestflow.cache.absent import Absent
from finestflow.cache.ahead import dump_ahead, load_ahead
from finestflow.cache.batch import BatchWriter
from finestflow.cache.claims import Claims
from finestflow.cache.codec import INLINE, Encoded, MissingValueError, Packed, check, pack, pack_plain, unpack
from finestflow.cache.database import Database
from finestflow.cache.digest import Digested, Walk, digest_scalar
from finestflow.cache.files import FileDigests, Signature
from finestflow.cache.known import Known, is_writable
from finestflow.cache.objects import ObjectFile, ObjectFolder
from finestflow.cache.preview import preview, type_name
from finestflow.cache.refusal import Refusal, as_error
from finestflow.cache.rows import Entry
from finestflow.cache.stream import new_hasher
from finestflow.errors import CorruptionError, NewerFormatError

__all__ = ["Encoded", "Entry", "MissingValueError", "Problem", "Store", "Usage", "ValueInfo"]

ValueInfo = Encoded
"""What is known of a stored value without reading it; ``data`` may be None although the value is small."""

_MAX_KEPT = 65_536
_MAX_KEPT_BYTES = 64 << 20
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EIO}


class Problem(NamedTuple):
    """Something that :meth:`Store.verify` found.

    Attributes:
        digest: The value that cannot be read back, or that an entry names in vain.
        message: What is wrong.
    """

    digest: str
    message: str


class Usage(NamedTuple):
    """How much there is."""

    entries: int
    values: int
    inline_bytes: int
    objects: int
    object_bytes: int
    database_bytes: int


class Store:
    """The outputs of tasks, on disk.

    Args:
        database: The SQLite file.
        objects: The folder of large values.
        scratch: Where private copies of artifacts go; may be set later.
        root: Top of the repository, for paths in inputs.
        of_code: Fingerprint of a function or class that is part of a value.
        is_project: Whether a class or function belongs to the project.
        verify_always: Hash each object that is read.
        inline: Containers of more bytes are objects; 0 makes an object of every value, so that the folder of objects can travel alone.
        warn: Is told, once for each kind, what went wrong with the disk.
        now: The time in ns, to know which files may still change unnoticed.
        is_worker: Whether it only encodes values and opens what it is sent, without the database.
    """

    def __init__(
        self,
        database: Path,
        objects: Path,
        *,
        scratch: Path | None = None,
        root: Path | None = None,
        of_code: Callable[[Any], str] | None = None,
        is_project: Callable[[Any], bool] | None = None,
        verify_always: bool = False,
        inline: int = INLINE,
        warn: Callable[[str], None] | None = None,
        now: Callable[[], int] = time.time_ns,
        is_worker: bool = False,
    ) -> None:
        self.scratch, self.root = scratch, root
        self.of_code, self.is_project = of_code, is_project
        self.verify_always, self._inline = verify_always, inline
        self.objects = ObjectFolder(objects)
        self._warn_about = warn or _warn
        self._warned: set[str] = set()
        self._database = Database(database, self._warn)
        self.alone_since: Callable[[], int | None] = lambda: None
        """Tells a run since when nobody else writes here: another number after each who did, None while somebody may."""
        self._batch = self._make_batch()
        self._absent = Absent(self._database)
        self._files = (
            FileDigests(now)
            if is_worker
            else FileDigests(now, self._find_file, lambda *file: self._batch.put("file", file))
        )
        self._guard = threading.Lock()
        self._known = Known()
        self._ahead: dict[str, tuple[int, dict[str, str] | None]] = {}
        _STORES.add(self)

    # -- values -----------------------------------------------------------------------------------------------------

    def digest(self, value: object, *, parts: bool = False) -> Digested:
        """Digest an input; see :func:`finestflow.cache.digest.digest_value`."""
        found = digest_scalar(value)
        if found is not None:
            return found
        walk = Walk(root=self.root, of_code=self.of_code, is_project=self.is_project, files=self._files)
        return walk.digest(value, parts=parts)

    def encode(self, value: object) -> Encoded:
        """Digest and pack an output, and write its object where it is large; touches no database.

        Raises:
            ValueNotStorableError: The value cannot be kept.
        """
        alone = digest_scalar(value)
        if alone is not None:
            whole = pack_plain(value)
            size = len(whole)
            data, name = (whole, None) if size <= self._inline else self._write_object(Packed([whole], size, True))
            return Encoded(alone.digest, (), None, data, name, size, type_name(value), preview(value, size))
        walk = Walk(root=self.root, of_code=self.of_code, is_project=self.is_project, files=self._files, output=True)
        digest, classes, parts = walk.digest(value)
        try:
            packed = pack(value, opaque=walk.opaque, in_main=walk.in_main, artifacts=walk.artifacts)
            data, name = self._write_object(packed)
        except Refusal as refusal:
            raise as_error(refusal, value) from refusal.__cause__
        return Encoded(digest, classes, parts, data, name, packed.size, type_name(value), preview(value, packed.size))  # type: ignore[arg-type]

    def _write_object(self, packed: Packed) -> tuple[bytes | None, str | None]:
        """Return the bytes of a small container, or the name of the object made of a large one."""
        if packed.size > self._inline:
            try:
                return None, self.objects.write(packed.pieces, in_memory=packed.in_memory)[0]
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._warn(f"the store '{self.objects.root}' cannot be written: {error}; results are kept in memory")
        return b"".join(packed.pieces if packed.in_memory else packed.iter_bytes()), None

    def add_value(self, encoded: Encoded) -> None:
        """Keep what is known of an encoded value; it can be loaded at once."""
        if self._known.has_value(encoded):
            return
        with self._guard:
            self._known.add_value(encoded)
            if is_writable(encoded):
                self._batch.put("value", encoded, len(encoded.data or b""))
        self._batch.flush_if_due()

    def info(self, digest: str) -> ValueInfo | None:
        """Return what is known of a value without reading it."""
        found = self._known.value(digest)
        if found is None:
            read = self._database.read(rows.SELECT_VALUE, (bytes.fromhex(digest),))
            if read:
                found = rows.load_value(read[0])
                self._known.add_value(found)
        return found

    def adopt(self, encoded: Encoded) -> bool:
        """Take note of a value that a record tells of and whose object is here, as in a clone that got both; return whether it can be loaded."""
        if not self.has(encoded.digest) and encoded.object is not None:
            self.add_value(encoded)
        return self.has(encoded.digest)

    def find_value(self, digest: str) -> ValueInfo | None:
        """Return what is known of a value that can be loaded: its row is there, and its object with the right size."""
        found = self.info(digest)
        if found is None or found.object is None or self.objects.size(found.object) == found.size:
            return found
        return None

    def has(self, digest: str) -> bool:
        """Return whether a value can be loaded."""
        return self.find_value(digest) is not None

    def load(self, digest: str) -> Any:
        """Return a private copy of a value; large arrays are mapped, and copied page by page as they are changed.

        Raises:
            MissingValueError: It is not there, or damaged, or its class is gone: compute it again.
            NewerFormatError: A later version wrote it.
        """
        found = self.info(digest)
        if found is None:
            raise MissingValueError(f"the value '{digest[:12]}' is not in the store")
        return self.open(found)

    def open(self, found: Encoded) -> Any:
        """Return a private copy of a value of which all is known; the errors are those of :meth:`load`."""
        try:
            path = None if found.object is None else self.objects.path(found.object)
            return unpack(self._read_container(found), found.size, self._scratch, path)
        except (MissingValueError, NewerFormatError):
            raise
        except CorruptionError as error:
            self._drop(found)
            msg = f"the value '{found.digest[:12]}' is damaged: {error}"
            raise MissingValueError(msg, "run its task again") from error

    def whole(self, found: Encoded) -> Encoded:
        """Return what is known of a value with its bytes, where those lie in the database."""
        if found.data is not None or found.object is not None:
            return found
        return found._replace(data=bytes(self._read_container(found)))

    def _read_container(self, found: Encoded) -> Any:
        if found.data is not None:
            return found.data
        if found.object is None:
            read = self._database.read(rows.SELECT_DATA, (bytes.fromhex(found.digest),))
            return read[0][0] if read and read[0][0] is not None else b""
        try:
            data = self.objects.open(found.object)
        except OSError as error:
            msg = f"the value '{found.digest[:12]}' has lost its file '{found.object[:12]}': {error.strerror}"
            raise MissingValueError(msg, "run its task again") from error
        if self.verify_always and new_hasher(data, len(data)).hexdigest() != found.object:
            raise CorruptionError("its bytes are not those that were written")
        return data

    def _drop(self, found: Encoded) -> None:
        """Remove a damaged object, so that the same value can be written again."""
        self._known.forget_value(found.digest)
        if found.object is not None:
            self.objects.remove(found.object)

    def _scratch(self) -> Path:
        if self.scratch is None:
            raise FileNotFoundError("the store was given no scratch folder")
        return self.scratch

    # -- entries ----------------------------------------------------------------------------------------------------

    def add_entry(self, entry: Entry) -> None:
        """Keep that a call gave a value; an entry with the same key and observed dependencies is replaced."""
        with self._guard:
            self._known.add_entry(entry)
            value = self._known.value(entry.value)
            if value is None or is_writable(value):
                self._batch.put("entry", entry, len(entry.effects) + len(entry.about))
        self._batch.flush_if_due()

    def find_entries(self, key: str, *, fresh: bool = False) -> list[Entry]:
        """Return the entries of a key, newest first.

        Args:
            key: Key of a call.
            fresh: Look again for what other processes have added, as after waiting for a claim.
        """
        known = self._known.entries(key)
        if known is not None and not fresh:
            return known
        wanted = bytes.fromhex(key)
        if fresh:
            self.flush()
        elif self._absent.is_sure(wanted, self.alone_since()):
            with self._guard:
                return self._known.merge(key, (), is_newer=False)
        read = [rows.entry_fields(row) for row in self._database.read(rows.SELECT_ENTRIES, (wanted,))]
        with self._guard:
            return self._known.merge(key, read, is_newer=fresh)

    def find_about(self, key: str) -> str:
        """Return what ``why`` compares with of the newest entry of a key that has been written; empty where there is none."""
        read = self._database.read(rows.SELECT_ABOUT, (bytes.fromhex(key),))
        return str(read[0][0]) if read else ""

    def remember(self, pipeline: str, keys: Mapping[str, str]) -> None:
        """Keep together what the nodes of a pipeline's run looked up, for :meth:`prefetch`.

        Args:
            pipeline: Name of the pipeline.
            keys: Key of each node, by its path.
        """
        removed, packed = self._ahead.get(pipeline, (-1, None))
        if packed == keys:
            return
        with self._guard:
            entries, values = self._known.newest(keys.values())
        nodes, data = dump_ahead(keys, entries, values)
        self._batch.put("ahead", (pipeline, removed, nodes, data), len(nodes) + len(data))

    def prefetch(self, pipeline: str) -> dict[str, str]:
        """Read what the last run of a pipeline looked up; call it at the start of a run.

        Returns:
            The key that each node looked up then, by its path: what ``why`` compares with.
        """
        self.flush()
        self._trim()
        read = self._database.read(rows.SELECT_AHEAD, (pipeline,))
        count, removed, nodes, data = read[0] if read else (0, 0, None, b"")  # nothing is removed from a new database
        self._ahead[pipeline] = (count, None)
        if nodes is None:
            return {}
        try:
            ahead = load_ahead(nodes, data)
        except (KeyError, TypeError, ValueError):
            return {}
        if removed == count:
            self._ahead[pipeline] = (count, ahead.keys)
            with self._guard:
                self._known.read_ahead(ahead)
        return ahead.keys

    def find_ahead(self, key: str) -> Entry | None:
        """Return an entry of a key from what was read ahead; there may be others."""
        return self._known.entry_ahead(key)

    def claims(self) -> Claims:
        """Return the claims of one run."""
        return Claims(Path(self._database.path).with_name("claims"), partial(self._batch.put, "narrow"))

    def release_when_written(self, claims: Claims, key: str) -> None:
        """Give a claim back once the entry that was added for it is in the database, where others can find it."""
        self._batch.put("claim", (claims, key))

    # -- upkeep -----------------------------------------------------------------------------------------------------

    def iter_values(self) -> Iterator[ValueInfo]:
        """Iterate over what is known of all values."""
        self.flush()
        return (rows.load_value(row) for row in self._database.read(rows.SELECT_VALUES))

    def iter_entries(self) -> Iterator[Entry]:
        """Iterate over all entries, oldest first."""
        self.flush()
        return (rows.load_entry(row) for row in self._database.read(rows.SELECT_ALL_ENTRIES))

    def iter_unused_objects(self) -> Iterator[ObjectFile]:
        """Iterate over objects that no value names: writers were killed, or are about to add the row (see their times)."""
        self.flush()
        used = {row[0] for row in self._database.read("SELECT object FROM value WHERE object IS NOT NULL")}
        return (file for file in self.objects.iter_files() if bytes.fromhex(file.name) not in used)

    def verify(self, *, deep: bool = False) -> Iterator[Problem]:
        """Iterate over what is wrong; ``deep`` reads and hashes every object."""
        self.flush()
        for (message,) in self._database.read("PRAGMA integrity_check" if deep else "PRAGMA quick_check"):
            if message != "ok":
                yield Problem("", f"the database '{self._database.path}': {message}")
        for (key,) in self._database.read(rows.SELECT_DANGLING):
            yield Problem(key.hex(), "entries name it, and it is not there")
        for found in self.iter_values():
            problem = self._verify_value(found, deep=deep)
            if problem:
                yield Problem(found.digest, problem)

    def _verify_value(self, found: Encoded, *, deep: bool) -> str:
        if found.object is not None:
            size = self.objects.size(found.object)
            if size != found.size:
                return f"its file '{found.object}' " + (
                    "is missing" if size is None else f"has {size} bytes of {found.size}"
                )
            return (
                f"its file '{found.object}' is damaged"
                if deep and self.objects.digest(found.object) != found.object
                else ""
            )
        try:
            check(self._read_container(found._replace(data=None)), found.size)
        except CorruptionError as error:
            return str(error)
        return ""

    def usage(self) -> Usage:
        """Count and measure what there is."""
        self.flush()
        ((entries, values, inline),) = self._database.read(rows.SELECT_USAGE) or [(0, 0, 0)]
        sizes = [file.size for file in self.objects.iter_files()]
        database = sum(os.path.getsize(p) for end in ("", "-wal") if os.path.exists(p := self._database.path + end))
        return Usage(entries, values, inline, len(sizes), sum(sizes), database)

    def remove_values(self, digests: Iterable[str]) -> int:
        """Remove values and the entries that name them, then the objects that nothing names any more.

        Returns:
            How many bytes were freed: of objects that are gone, and inside of the database, which fills that room again.
        """
        self.flush()
        chosen = [bytes.fromhex(digest) for digest in digests]
        named = [self._database.read("SELECT object, size FROM value WHERE digest=?", (digest,)) for digest in chosen]
        if not self._database.write(rows.removal(chosen)):
            return 0
        self._trim()
        inside: int = sum(size for read in named for name, size in read if name is None)
        objects: dict[bytes, int] = {name: size for read in named for name, size in read if name is not None}
        return inside + sum(size for name, size in objects.items() if self._remove_object(name))

    def remove_objects(self, names: Iterable[str]) -> None:
        """Remove those of the objects that no value names."""
        for name in names:
            self._remove_object(bytes.fromhex(name))

    def _remove_object(self, name: bytes) -> bool:
        if self._database.read("SELECT 1 FROM value WHERE object=? LIMIT 1", (name,)):
            return False
        return self.objects.remove(name.hex())

    def flush(self) -> None:
        """Write what waits, now."""
        self._batch.flush()

    def close(self) -> None:
        """Write what waits and let go of the files; the store can still be used, and opens them again."""
        self._batch.close()
        self._database.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _write_batch(self, batch: dict[str, list[Any]]) -> bool:
        for claims in batch.pop("narrow", ()):
            claims.narrow()
        is_kept = self._database.write(rows.statements(batch))
        for claims, key in batch.get("claim", ()) if is_kept or not self._database.is_writable else ():
            claims.release(key)
        if is_kept and (len(self._known) > _MAX_KEPT or self._known.bytes > _MAX_KEPT_BYTES):
            self._trim()
        return is_kept

    def _trim(self) -> None:
        """Forget what the database knows; where it cannot be written, memory is all there is."""
        if not self._database.is_writable:
            return
        self._absent.forget()
        with self._guard:
            self._known = self._known.trimmed(self._batch.pending("value"), self._batch.pending("entry"))

    def _find_file(self, path: str) -> tuple[Signature, str] | None:
        read = self._database.read(rows.SELECT_FILE, (path.encode("utf-8", "surrogateescape"),))
        return rows.load_file(read[0]) if read else None

    def _warn(self, message: str) -> None:
        kind = message.partition(": ")[0]
        if kind not in self._warned:
            self._warned.add(kind)
            self._warn_about(message)

    def abandon(self) -> None:
        """Begin anew in a forked child: rows that wait stay the parent's."""
        self._guard = threading.Lock()
        self._database.abandon()
        self._batch = self._make_batch()
        self._absent.forget()

    def _make_batch(self) -> BatchWriter:
        return BatchWriter(
            self._write_batch, lambda: self._database.is_writable, lambda: self.alone_since() is not None
        )


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)


_STORES: weakref.WeakSet[Store] = weakref.WeakSet()


def _abandon_all() -> None:
    for store in _STORES:
        store.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
