"""The folder of objects: one file for each large value, named by blake3 of its bytes.

Invariants: a file appears under its name complete, or not at all (written to a temporary name, then renamed); it is never
written to again. There is no fsync: after a power cut a file may be short or gone, hence readers check sizes.

Used by :class:`finestflow.cache.store.Store`; workers write here too, at the same time.
"""

from __future__ import annotations

import itertools
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from finestflow.cache.copying import write_all
from finestflow.cache.stream import new_hasher

__all__ = ["ObjectFile", "ObjectFolder", "Source"]

_MAPPED = 256 << 10
"""From this size on a file is mapped; smaller ones are read (64 KB: 13 us against 25, and no page faults later)."""
_CHUNK = 8 << 20
_TEMPORARY = "tmp-"


class Source(Protocol):
    """A piece of an object that is still to be read."""

    def write_to(self, descriptor: int, hasher: Any) -> int:
        """Write its bytes at the end of a file, into a hasher too; return how many they are."""


class ObjectFile(NamedTuple):
    """A file of the folder."""

    name: str
    size: int
    modified: float


class ObjectFolder:
    """Content-addressed files below one folder: ``ab/cdef...``."""

    def __init__(self, root: Path) -> None:
        self.root = os.fspath(root)
        self._serial = itertools.count()

    def path(self, name: str) -> str:
        """Return where the object of that name is."""
        return f"{self.root}/{name[:2]}/{name[2:]}"

    def size(self, name: str) -> int | None:
        """Return the size of an object, None where there is none."""
        try:
            return os.stat(self.path(name)).st_size
        except OSError:
            return None

    def write(self, pieces: Iterable[Any], *, in_memory: bool) -> tuple[str, int]:
        """Write an object made of pieces of bytes; return its name and size.

        Pieces that are in memory are hashed first, and nothing is written where the object exists. Others (files, as ``Source``) are hashed
        as they are written, so the name is right whatever happens to them meanwhile.
        """
        if in_memory:
            pieces = list(pieces)
            size = sum(map(len, pieces))
            hasher = new_hasher(b"", size)
            for piece in pieces:
                hasher.update(piece)
            name = hasher.hexdigest()
            if self._reuse(name, size):
                return name, size
        return self._write_new(pieces)

    def _reuse(self, name: str, size: int) -> bool:
        """Return whether a whole object is there; its new time stamp keeps it from a collection that runs meanwhile."""
        if self.size(name) != size:
            return False
        with suppress(OSError):
            os.utime(self.path(name))
        return True

    def _write_new(self, pieces: Iterable[Any]) -> tuple[str, int]:
        os.makedirs(self.root, exist_ok=True)
        temporary = f"{self.root}/{_TEMPORARY}{os.getpid()}-{next(self._serial)}-{os.urandom(4).hex()}"
        hasher, size = new_hasher(b"", _CHUNK), 0
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
            try:
                for piece in pieces:
                    if hasattr(piece, "write_to"):
                        size += piece.write_to(descriptor, hasher)
                        continue
                    hasher.update(piece)
                    size += len(piece)
                    write_all(descriptor, piece)
            finally:
                os.close(descriptor)
            name = hasher.hexdigest()
            os.makedirs(f"{self.root}/{name[:2]}", exist_ok=True)
            os.rename(temporary, self.path(name))
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        return name, size

    def open(self, name: str) -> Any:
        """Return the bytes of an object as a private, writable buffer: changes are seen by nobody else.

        Raises:
            OSError: The object is not there.
        """
        descriptor = os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if size >= _MAPPED:
                return mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)
            data = bytearray(size)
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                return data[: file.readinto(data)]
        finally:
            os.close(descriptor)

    def digest(self, name: str) -> str | None:
        """Return blake3 of the bytes that are there, which should be the name; None where nothing can be read."""
        try:
            with open(self.path(name), "rb", buffering=0) as file:
                hasher = new_hasher(b"", _CHUNK)
                while data := file.read(_CHUNK):
                    hasher.update(data)
        except OSError:
            return None
        return hasher.hexdigest()

    def remove(self, name: str) -> bool:
        """Remove an object; return whether it was there. Those who have it open keep it."""
        try:
            os.unlink(self.path(name))
        except OSError:
            return False
        return True

    def iter_files(self) -> Iterator[ObjectFile]:
        """Iterate over the objects, in no order."""
        for folder in self._iter_folder(""):
            if len(folder.name) == 2:
                for entry in self._iter_folder(folder.name):
                    with suppress(OSError):
                        status = entry.stat()
                        yield ObjectFile(folder.name + entry.name, status.st_size, status.st_mtime)

    def iter_abandoned(self) -> Iterator[tuple[str, float]]:
        """Iterate over the temporary files of writers, with their times; those of killed ones stay behind."""
        for entry in self._iter_folder(""):
            if entry.name.startswith(_TEMPORARY):
                with suppress(OSError):
                    yield entry.path, entry.stat().st_mtime

    def remove_abandoned(self, *, before: float) -> None:
        """Remove the temporary files of writers that are older than a time."""
        for path, modified in list(self.iter_abandoned()):
            if modified < before:
                with suppress(OSError):
                    os.unlink(path)

    def _iter_folder(self, name: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self.root, name)) as entries:
                yield from entries
        except OSError:
            return
