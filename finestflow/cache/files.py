"""Files and folders as values: what a path in an input or an output stands for.

Two meanings, two encodings:

* An **input** path counts as where it is (relative to the repository, outside it by name) and what it holds.
* An **output** path is an *artifact*: it counts as its name and what it holds; the store keeps the content, and each
  consumer gets a private copy in a scratch folder. Nothing is ever written to where the path pointed.

A path at which nothing is, or something that is neither file nor folder, is a text in both.

Symbolic links are followed, so that a changed file behind a link is seen; a link that leads nowhere, or back to a folder
around it, counts as its target's text. Of the permissions, only the executable bit counts.

Called by the digest for paths, and by the codec to restore artifacts.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finestflow.cache.copying import copy_span, write_all
from finestflow.cache.refusal import Refusal
from finestflow.cache.stream import new_hasher, sealed

if TYPE_CHECKING:
    from finestflow.cache.digest import Walk

__all__ = ["Artifact", "Content", "FileDigests", "FileEntry", "Signature", "encode_path", "restore_artifact"]

_CHUNK = 8 << 20
_SMALL = 32 << 10
"""Reading a file up to this size costs no more than finding out whether it changed."""
_SHARED = 64 << 10
"""From this size on the kernel is asked to copy; below, a write costs no more."""
_RACY_NS = 2_000_000_000
"""A file changed within this time before it was read may change again without a new time stamp (FAT: 2 s)."""

Signature = tuple[int, int, int, int]
"""Size, mtime, ctime (ns) and inode: while these stay, so does the content."""


class FileEntry(NamedTuple):
    """A file, folder or dead link of an artifact.

    Attributes:
        path: Relative to the artifact, with ``/``; empty for a file that is the artifact itself.
        kind: ``f`` file, ``x`` executable file, ``d`` folder, ``l`` link that leads nowhere.
        content: Digest of a file's bytes, target of a link, empty for a folder.
        size: Of a file.
    """

    path: str
    kind: str
    content: str = ""
    size: int = 0


class Content(NamedTuple):
    """The bytes of a stored file.

    Attributes:
        data: All of them.
        path: The file of the store that they stand in; None where they are in no file.
        at: Where in it.
    """

    data: Any
    path: str | None = None
    at: int = 0

    def write_to(self, descriptor: int) -> None:
        """Write them to the end of a file; large ones share their blocks where the file system can."""
        if self.path is None or len(self.data) < _SHARED:
            write_all(descriptor, self.data)
        else:
            copy_span(self.path, self.at, self.data, descriptor)


class Artifact(NamedTuple):
    """A file or folder that was returned, as it was when it was digested."""

    source: str
    name: str
    entries: tuple[FileEntry, ...]

    def locate(self, entry: FileEntry) -> str:
        """Return where the file of an entry was."""
        return os.path.join(self.source, entry.path) if entry.path else self.source


class FileDigests:
    """Digests of files by path, reused while size, times and inode are unchanged.

    A file that changed within two seconds before it was read is not remembered: it may change again and keep its time stamp
    (git's rule for racily clean entries). ctime is part of the signature, so setting the mtime back does not deceive it.

    Args:
        now: The time, in ns since the epoch.
        find: Looks up what an earlier process remembered.
        remember: Keeps a digest for later processes.
    """

    def __init__(
        self,
        now: Callable[[], int],
        find: Callable[[str], tuple[Signature, str] | None] = lambda _: None,
        remember: Callable[[str, Signature, str], None] = lambda *_: None,
    ) -> None:
        self._now = now
        self._find = find
        self._remember = remember
        self._known: dict[str, tuple[Signature, str]] = {}

    def digest(self, path: str, status: os.stat_result) -> str:
        """Return blake3 of a file's bytes, as hexadecimal digits."""
        if status.st_size <= _SMALL:
            return _digest_file(path)[1]
        path = os.path.abspath(path)
        known = self._known.get(path) or self._find(path)
        signature = _signature(status)
        if known is not None and known[0] == signature:
            self._known[path] = known
            return known[1]
        started = self._now()
        signature, digest = _digest_file(path)
        if max(signature[1], signature[2]) < started - _RACY_NS:
            self._known[path] = signature, digest
            self._remember(path, signature, digest)
        return digest


def _signature(status: os.stat_result) -> Signature:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _digest_file(path: str) -> tuple[Signature, str]:
    """Return the signature that a file had before it was read, and the digest of its bytes."""
    with open(path, "rb", buffering=0) as file:
        signature = _signature(os.fstat(file.fileno()))
        hasher = new_hasher(b"", signature[0])
        buffer = memoryview(bytearray(min(_CHUNK, signature[0] + 1)))
        while size := file.readinto(buffer):
            hasher.update(buffer[:size])
    return signature, hasher.hexdigest()


def encode_path(walk: Walk, path: Path) -> bytes | None:
    """Encode a path by what it names, read once in a walk; None where that is neither file nor folder."""
    text = str(path)
    if text not in walk.paths:
        walk.paths[text] = _encode_path(walk, path)
    return walk.paths[text]


def _encode_path(walk: Walk, path: Path) -> bytes | None:
    walk.opaque = True
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    files = walk.files or FileDigests(lambda: 0)
    is_input = walk.artifacts is None
    source = os.path.abspath(path)
    try:
        entries = tuple(_iter_entries(source, status, files, skip=".git" if is_input else ""))
    except OSError as error:
        raise Refusal(path, f"'{error.filename}': {error.strerror}", "make it readable") from error
    content = [(entry.path, entry.kind, entry.content) for entry in entries]
    if walk.artifacts is None:
        return sealed(b"p" + walk.encode(_place(source, walk.root)) + walk.encode(content))
    name = os.path.basename(source)
    walk.artifacts[str(path)] = Artifact(source, name, entries)
    return sealed(b"a" + walk.encode(name) + walk.encode(content))


def _place(source: str, root: Path | None) -> str:
    """Return where a path is relative to the repository, or its name outside."""
    if root is not None:
        for top, inner in ((os.path.abspath(root), source), (os.path.realpath(root), os.path.realpath(source))):
            if inner == top or inner.startswith(os.path.join(top, "")):
                return os.path.relpath(inner, top).replace(os.sep, "/")
    return os.path.basename(source)


def _iter_entries(source: str, status: os.stat_result, files: FileDigests, skip: str) -> Iterator[FileEntry]:
    """Iterate over what a file or folder holds, in the order of names."""
    if stat.S_ISREG(status.st_mode):
        yield _file_entry("", source, status, files)
        return
    yield FileEntry("", "d")
    stack: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ((status.st_dev, status.st_ino),))]
    while stack:
        folder, around = stack.pop()
        inner = []
        for name in sorted(os.listdir(os.path.join(source, folder))):
            if name == skip:
                continue
            path = f"{folder}/{name}" if folder else name
            place = os.path.join(source, path)
            found = _stat(place)
            identity = (found.st_dev, found.st_ino) if found is not None else (0, 0)
            if found is None or identity in around:
                yield FileEntry(path, "l", os.readlink(place))
            elif stat.S_ISDIR(found.st_mode):
                yield FileEntry(path, "d")
                inner.append((path, (*around, identity)))
            elif stat.S_ISREG(found.st_mode):
                yield _file_entry(path, place, found, files)
            else:
                raise OSError(0, "is neither file nor folder", place)
        stack.extend(reversed(inner))


def _stat(place: str) -> os.stat_result | None:
    """Return the status of what is at a place, None for a link that leads nowhere."""
    try:
        return os.stat(place)
    except OSError:
        if os.path.islink(place):
            return None
        raise


def _file_entry(path: str, place: str, status: os.stat_result, files: FileDigests) -> FileEntry:
    kind = "x" if status.st_mode & 0o111 else "f"
    return FileEntry(path, kind, files.digest(place, status), status.st_size)


def restore_artifact(scratch: Path, name: str, entries: Sequence[FileEntry], contents: Sequence[Content]) -> Path:
    """Write a private copy of an artifact into a new folder below ``scratch`` and return its path.

    Args:
        scratch: Where copies go; made where it is missing.
        name: Name of the file or folder.
        entries: What it holds.
        contents: Its files, in the order of the entries.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    top = os.path.join(tempfile.mkdtemp(prefix="artifact-", dir=scratch), name)
    remaining = iter(contents)
    for entry in entries:
        place = os.path.join(top, entry.path) if entry.path else top
        if entry.kind == "d":
            os.mkdir(place)
        elif entry.kind == "l":
            os.symlink(entry.content, place)
        else:
            with open(place, "xb", buffering=0, opener=_opener(entry.kind)) as file:
                next(remaining).write_to(file.fileno())
    return Path(top)


def _opener(kind: str) -> Callable[[str, int], int]:
    return lambda path, flags: os.open(path, flags, 0o777 if kind == "x" else 0o666)
