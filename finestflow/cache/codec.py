"""The container that every stored value is in: a pickle and the large buffers that belong to it.

Layout (little-endian), specified in ``docs/reference/store-format.md``::

    header   magic, format, flags, crc of all up to the end of the pickle, total size, length of the pickle, numbers of
             buffers and of those that are files
    table    offset and length of each buffer
    pickle   protocol 5
    buffers  each aligned to 64 bytes: contents of files, and arrays out of the pickle

An array is a view of the buffer it was read into, so opening a mapped file of 200 MB takes no time, and only the pages that a
task changes are copied. Reading a container runs code (it is a pickle): only the runner and people who ask for a value do.

Invariant: what was packed can be unpacked: values of classes with code of their own are read back once when they are packed.
Called by :class:`finestflow.cache.store.Store`.
"""

from __future__ import annotations

import io
import os
import pickle
import types
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple, NoReturn

from finestflow.cache.copying import BLOCK, clone_into, write_all
from finestflow.cache.files import Artifact, Content, FileEntry, restore_artifact
from finestflow.cache.names import find_named, load_named, main_module, qualified_name
from finestflow.cache.refusal import Refusal, iter_inside
from finestflow.cache.stream import SCALARS, new_hasher
from finestflow.errors import CorruptionError, NewerFormatError

__all__ = ["INLINE", "Encoded", "MissingValueError", "Packed", "check", "pack", "pack_plain", "unpack"]

INLINE = 32 << 10
"""Containers up to this size lie in the database: a file costs more than its page up to about 100 KB."""

FORMAT = 1
MAGIC = b"\x93ffval\r\n"
_HEADER = Struct("<8sHHIQQII")
_START, _CRC, _REST = Struct("<8sHH"), Struct("<I"), Struct("<QQII")
_ENTRY = Struct("<QQ")
_ALIGNMENT = 64
_OUT_OF_BAND = 1024
_HAS_PATHS = 1
_PADDING = bytes(BLOCK)
_SHARED = 256 << 10
"""From this size on a buffer begins at a block, so that a file can share it with its copies."""
_CHUNK = 8 << 20
_SMALL = 4096


class MissingValueError(CorruptionError):
    """A stored value is gone, damaged, or cannot be read by this program: whoever wanted it must compute it again."""


class Encoded(NamedTuple):
    """A value, digested and packed. A named tuple, since one is made (and sent by workers) for each call.

    Attributes:
        digest: Digest of the value.
        classes: ``module:qualname`` of the project's classes inside it, sorted.
        parts: Digests of its elements or fields, where it has any.
        data: The container, where it is small (or could not be written); None where it is an object.
        object: Name of the file that holds the container, or None.
        size: Bytes of the container.
        type: Class of the value.
        preview: One line of text that shows the value.
    """

    digest: str
    classes: tuple[str, ...]
    parts: dict[str, str] | None
    data: bytes | None
    object: str | None
    size: int
    type: str
    preview: str


class Packed(NamedTuple):
    """A container in pieces, in order; none of the large ones is copied.

    ``pieces`` are buffers of bytes, or artifacts' files that are still to be read.
    """

    pieces: list[Any]
    size: int
    in_memory: bool

    def iter_bytes(self) -> Iterator[Any]:
        """Iterate over the bytes, reading files on the way."""
        for piece in self.pieces:
            if isinstance(piece, _SourceFile):
                yield from piece.iter_bytes()
            else:
                yield piece


class _SourceFile(NamedTuple):
    """A file of an artifact, whose bytes must be those that were digested."""

    path: Path
    place: str
    entry: FileEntry

    def write_to(self, descriptor: int, hasher: Any) -> int:
        """Write the bytes, as blocks that are shared with the file where the file system can; the copy is what is hashed."""
        at, size = os.lseek(descriptor, 0, os.SEEK_END), self.entry.size
        if size < _SHARED or not self._clone(descriptor, at):
            for data in self.iter_bytes():
                hasher.update(data)
                write_all(descriptor, data)
            return size
        own = new_hasher(b"", size)
        for start in range(at, at + size, _CHUNK):
            data = os.pread(descriptor, min(_CHUNK, at + size - start), start)
            hasher.update(data)
            own.update(data)
        if own.hexdigest() != self.entry.content:
            self._refuse()
        os.lseek(descriptor, at + size, os.SEEK_SET)
        return size

    def _clone(self, descriptor: int, at: int) -> bool:
        with open(self.place, "rb", buffering=0) as file:
            return clone_into(file.fileno(), descriptor, at, self.entry.size)

    def _refuse(self) -> NoReturn:
        raise Refusal(self.path, f"'{self.place}' changed while it was stored", "return it once it is complete")

    def iter_bytes(self) -> Iterator[bytes]:
        remaining = self.entry.size
        hasher = new_hasher(b"", remaining)
        with open(self.place, "rb", buffering=0) as file:
            while remaining and (data := file.read(min(_CHUNK, remaining))):
                hasher.update(data)
                remaining -= len(data)
                yield data
        if remaining or hasher.hexdigest() != self.entry.content:
            self._refuse()


# -- writing ------------------------------------------------------------------------------------------------------------


def pack(value: object, *, opaque: bool, in_main: bool, artifacts: dict[str, Artifact] | None) -> Packed:
    """Pack a value.

    Args:
        value: Any value that has been digested.
        opaque: Whether it holds more than plain values, so that reading it back must be tried.
        in_main: Whether it may hold classes or functions of ``__main__``.
        artifacts: The files and folders that paths in it name.

    Raises:
        Refusal: It cannot be pickled, or its pickle cannot be read.
    """
    buffers: list[Any] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _OUT_OF_BAND:
            return True
        buffers.append(raw)
        return False

    files: list[_SourceFile] = []
    try:
        if artifacts or (in_main and main_module() != "__main__"):
            stream = io.BytesIO()
            _Pickler(stream, keep, artifacts or {}, files).dump(value)
            data = stream.getvalue()
        else:
            data = pickle.dumps(value, 5, buffer_callback=keep)
        if opaque:
            _Probe(io.BytesIO(data), buffers=buffers).load()
    except RecursionError:
        raise Refusal(value, "it is nested too deeply to be pickled", "return it as a flat list of its parts") from None
    except MemoryError:
        raise
    except Exception as error:
        culprit = _find_unnamed(value)
        hint = "define it at the top level of a module" if culprit is not None else ""
        raise Refusal(value if culprit is None else culprit, f"{type(error).__name__}: {error}", hint) from error
    return _assemble(data, buffers, files, _HAS_PATHS if artifacts else 0)


def pack_plain(value: object) -> bytes:
    """Pack a number or a text, which is nothing but its pickle."""
    data = pickle.dumps(value, 5)
    return _seal(0, _HEADER.size + len(data), data, 0, 0, b"") + data


def _assemble(data: bytes, buffers: list[Any], files: list[_SourceFile], flags: int) -> Packed:
    """Lay out a container: the files of artifacts come before the buffers of the pickle."""
    count = len(buffers) + len(files)
    end = _HEADER.size + count * _ENTRY.size + len(data)
    if not count:
        return Packed([_seal(flags, end, data, 0, 0, b""), data], end, True)
    table, tail = b"", []
    for piece, length in [*((file, file.entry.size) for file in files), *((raw, raw.nbytes) for raw in buffers)]:
        step = BLOCK if length >= _SHARED else _ALIGNMENT
        start = -(-end // step) * step
        table += _ENTRY.pack(start, length)
        tail += [_PADDING[: start - end], piece]
        end = start + length
    return Packed([_seal(flags, end, data, count, len(files), table), data, *tail], end, not files)


def _start(flags: int) -> tuple[bytes, int]:
    """Return how a container begins, and the crc of that."""
    start = _START.pack(MAGIC, FORMAT, flags)
    return start, zlib.crc32(start)


_STARTS = {flags: _start(flags) for flags in (0, _HAS_PATHS)}


def _seal(flags: int, size: int, data: bytes, count: int, files: int, table: bytes) -> bytes:
    """Return header and table, with the crc of everything up to the end of the pickle."""
    start, crc = _STARTS[flags]
    rest = _REST.pack(size, len(data), count, files) + table
    return start + _CRC.pack(zlib.crc32(data, zlib.crc32(rest, crc))) + rest


class _Pickler(pickle.Pickler):
    """Pickles classes of ``__main__`` under the name of its file's module, and paths to artifacts by their content."""

    def __init__(self, stream: io.BytesIO, keep: Any, artifacts: dict[str, Artifact], files: list[_SourceFile]) -> None:
        super().__init__(stream, 5, buffer_callback=keep)
        self._main = main_module()
        self._artifacts = artifacts
        self._files = files

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | types.FunctionType) and obj.__module__ == "__main__" != self._main:
            return load_named, (qualified_name(obj),)
        return NotImplemented

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Path) or (artifact := self._artifacts.get(str(obj))) is None:
            return None
        start = len(self._files)
        found = [_SourceFile(obj, artifact.locate(entry), entry) for entry in artifact.entries if entry.kind in "fx"]
        self._files += found
        return artifact.name, tuple(map(tuple, artifact.entries)), start, len(self._files)


def _find_unnamed(value: object) -> object | None:
    """Return the first function, class, or object of a class inside a value that no module has under its name."""
    queue, seen = [value], set()
    for item in queue:
        if id(item) in seen or type(item) in SCALARS:
            continue
        seen.add(id(item))
        named: Any = item if isinstance(item, type | types.FunctionType) else type(item)
        if named.__module__ != "builtins" and find_named(qualified_name(named)) is not named:
            return item
        queue.extend(part for _, part in iter_inside(item))
    return None


# -- reading ------------------------------------------------------------------------------------------------------------


def check(data: Any, size: int | None = None) -> tuple[int, int, int, int]:
    """Check the header of a container, and the crc of all up to the end of its pickle.

    Returns:
        Start and end of the pickle, the flags, and the number of files.

    Raises:
        CorruptionError: It is short, or not a container, or damaged.
        NewerFormatError: A later version wrote it.
    """
    if len(data) < _HEADER.size:
        msg = f"a stored value is cut off after {len(data)} bytes"
        raise CorruptionError(msg)
    magic, version, flags, crc, total, length, count, files = _HEADER.unpack_from(data)
    if magic != MAGIC:
        msg = "a stored value does not begin as one"
        raise CorruptionError(msg)
    if version > FORMAT:
        msg = f"a stored value has format {version}, and this version reads {FORMAT}"
        raise NewerFormatError(msg, "install a later finestflow")
    start = _HEADER.size + count * _ENTRY.size
    if total != len(data) or (size is not None and size != total) or start + length > total:
        msg = f"a stored value has {len(data)} bytes instead of {total if size is None else size}"
        raise CorruptionError(msg)
    view = _sliced(data)
    if zlib.crc32(view[_START.size + _CRC.size : start + length], zlib.crc32(view[: _START.size])) != crc:
        msg = "the head of a stored value is damaged"
        raise CorruptionError(msg)
    return start, start + length, flags, files


def _sliced(data: Any) -> Any:
    """Return what takes slices at no cost: of a few bytes they are copied in a third of the time of making a view."""
    return data if type(data) is bytes and len(data) <= _SMALL else memoryview(data)


def unpack(
    data: Any, size: int | None = None, scratch: Callable[[], Path] | None = None, path: str | None = None
) -> Any:
    """Return the value in a container, as a private copy.

    Args:
        data: The container; where the value may be large, a writable buffer that nobody else has.
        size: The size that it should have.
        scratch: Gives the folder for copies of artifacts.
        path: The file that the container is, where it is one.

    Raises:
        CorruptionError: The container is damaged.
        MissingValueError: A class of the value is no longer there, or cannot be made from what was kept.
    """
    start, end, flags, files = check(data, size)
    buffers: list[memoryview] = []
    spans: list[tuple[int, int]] = []
    if start > _HEADER.size:
        if isinstance(data, bytes):
            data = bytearray(data)
        view = memoryview(data)
        spans = list(_ENTRY.iter_unpack(view[_HEADER.size : start]))
        buffers = [view[at : at + length] for at, length in spans]
    head = _sliced(data)[start:end]
    try:
        if flags & _HAS_PATHS:
            contents = [Content(data, path, at) for data, (at, _) in zip(buffers[:files], spans, strict=False)]
            return _Unpickler(head, contents, buffers[files:], scratch).load()
        return pickle.loads(head, buffers=buffers)
    except MemoryError:
        raise
    except Exception as error:
        msg = f"a stored value cannot be read back: {type(error).__name__}: {error}"
        raise MissingValueError(msg, "its class may have changed; run the task again") from error


class _Unpickler(pickle.Unpickler):
    """Restores artifacts as private copies."""

    def __init__(
        self, head: memoryview, files: list[Content], buffers: list[memoryview], scratch: Callable[[], Path] | None
    ) -> None:
        super().__init__(io.BytesIO(head), buffers=buffers)
        self._files = files
        self._scratch = scratch

    def persistent_load(self, pid: Any) -> Any:
        """Return the path of a private copy."""
        if self._scratch is None:
            msg = "there is no scratch folder for the copy of a file"
            raise FileNotFoundError(msg)
        name, entries, start, end = pid
        return restore_artifact(self._scratch(), name, [FileEntry(*entry) for entry in entries], self._files[start:end])


class _Probe(pickle.Unpickler):
    """Finds out whether a pickle can be read, without restoring artifacts."""

    def persistent_load(self, pid: Any) -> Any:
        """Return a path in place of an artifact."""
        return Path(pid[0])
