"""Objects of git, read and written in this process by dulwich: a commit with its trees takes 2 ms, not six processes.

Invariant: an object that a method returns the id of is on disk, whole; ids follow the repository's object format.
Refs, index and packs are git's business and are never touched. Called by ``journal``, ``compare`` and ``gc``.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from finestflow.errors import CorruptionError, LockedError
from finestflow.git.history import CommitData
from finestflow.git.repository import Repository

if TYPE_CHECKING:
    from dulwich.file import SharedPerm
    from dulwich.object_store import DiskObjectStore
    from dulwich.objects import ObjectID, ShaFile, Tree

__all__ = ["FileChange", "Objects", "load_writer"]

_FILE = stat.S_IFREG | 0o644
_TRIES = 100
_COMPRESSION = 1
"""Digests hardly shrink: this level takes a third of the time and 5% more room, until git packs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file that differs between two trees; ``kind`` is added, removed or changed."""

    path: str
    kind: str
    old_oid: str | None
    new_oid: str | None


def load_writer() -> None:
    """Load what writing a commit needs and is else loaded when it is first used: an interpreter that goes away should not import any more."""
    import dulwich.errors
    import dulwich.file
    import dulwich.object_format
    import dulwich.object_store
    import dulwich.objects  # noqa: F401


class Objects:
    """The object store of a repository; a context manager that closes its packs.

    Wherever a tree is asked for, the id of a commit does as well. Not for use by several threads at once.
    """

    def __init__(self, repo: Repository) -> None:
        from dulwich.object_format import get_object_format
        from dulwich.object_store import DiskObjectStore

        self._format = get_object_format(repo.object_format)
        self._permission = _shared_permission(repo)
        self._store: DiskObjectStore = DiskObjectStore(
            str(repo.common_dir / "objects"), object_format=self._format, shared_perm=self._permission
        )
        self._unsynced: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the packs; a store that is left open makes noise on stderr at exit."""
        self._store.close()

    def __contains__(self, oid: str) -> bool:
        return _oid(oid) in self._store

    def read_commit(self, oid: str) -> CommitData:
        """Return a commit.

        Raises:
            CorruptionError: It is missing, or not a commit.
        """
        from dulwich.objects import Commit

        commit = self._read(oid)
        if not isinstance(commit, Commit):
            raise CorruptionError(f"the object {oid!r} is not a commit", 'run "git fsck"')
        return CommitData(
            oid=oid,
            tree=commit.tree.decode(),
            parents=tuple(parent.decode() for parent in commit.parents),
            author_time=commit.author_time,
            commit_time=commit.commit_time,
            message=commit.message.decode("utf-8", "replace"),
        )

    def read_blob(self, oid: str) -> bytes:
        """Return the content of a file.

        Raises:
            CorruptionError: It is missing, or not a file.
        """
        from dulwich.objects import Blob

        blob = self._read(oid)
        if not isinstance(blob, Blob):
            raise CorruptionError(f"the object {oid!r} is not a file", 'run "git fsck"')
        return blob.data

    def read_path(self, tree: str, path: str) -> bytes | None:
        """Return the content of the file at a path of a tree, or None where there is no file."""
        found = self._find(tree, path)
        if found is None or stat.S_IFMT(found[0]) not in {stat.S_IFREG, stat.S_IFLNK}:
            return None
        return self.read_blob(found[1])

    def find_path(self, tree: str, path: str) -> str | None:
        """Return the id of the file or folder at a path of a tree; None where there is none."""
        found = self._find(tree, path)
        return None if found is None else found[1]

    def iter_files(self, tree: str, prefix: str = "") -> Iterator[tuple[str, int, str]]:
        """Yield path, mode and id of each file of a tree, sorted by path.

        Args:
            prefix: A folder to stay in; paths are from the root of the tree all the same.
        """
        from dulwich.object_store import iter_tree_contents

        prefix = prefix.strip("/")
        found = self._find(tree, prefix) if prefix else (stat.S_IFDIR, self._tree_id(tree))
        if found is None or not stat.S_ISDIR(found[0]):
            return
        with _damage_named(tree):
            for entry in iter_tree_contents(self._store, _oid(found[1])):
                assert entry.path is not None
                assert entry.mode is not None
                assert entry.sha is not None
                path = _text(entry.path)
                yield f"{prefix}/{path}" if prefix else path, entry.mode, entry.sha.decode()

    def graft(self, tree: str | None, name: str, files: Mapping[str, bytes]) -> str:
        """Return a tree with a folder ``name`` at its root that holds just the given files.

        Args:
            tree: The tree to start from; None for an empty one.
            name: Name of the folder, which replaces what has that name.
            files: Content by path inside the folder, with ``/`` between folders.
        """
        root = self._copy_of(tree)
        root[name.encode()] = (stat.S_IFDIR, _oid(self._write_folder(files)))
        return self._write(root)

    def without(self, tree: str, name: str) -> str:
        """Return a tree without the entry ``name`` at its root; the same tree when it has none."""
        root = self._copy_of(tree)
        if name.encode() not in root:
            return self._tree_id(tree)
        del root[name.encode()]
        return self._write(root)

    def write_commit(
        self,
        *,
        tree: str,
        parents: Sequence[str],
        message: str,
        author: tuple[str, str],
        author_time: int,
        commit_time: int,
        timezone: int = 0,
    ) -> str:
        """Write a commit and make it, and all that this store wrote before it, durable.

        Args:
            author: Name and address, of author and committer.
            author_time: Seconds since the epoch, as ``commit_time``.
            timezone: Seconds east of UTC.
        """
        from dulwich.objects import Commit

        commit = Commit()
        commit.object_format = self._format
        commit.tree = _oid(tree)
        commit.parents = [_oid(parent) for parent in parents]
        commit.author = commit.committer = _identity(*author)
        commit.author_time, commit.commit_time = author_time, commit_time
        commit.author_timezone = commit.commit_timezone = timezone
        commit.message = message.replace("\0", "").encode("utf-8", "backslashreplace")
        oid = self._write(commit)
        self.sync()
        return oid

    def write_reparented(self, commits: Sequence[tuple[str, Sequence[str]]]) -> dict[str, str]:
        """Write commits again with other parents, all in one pack, every other byte as it was.

        Args:
            commits: Id and new parents of each, parents first; a parent may be an old id that is written before.

        Returns:
            The new id of each old one.
        """
        from dulwich.objects import Commit

        renamed: dict[str, str] = {}
        written: list[tuple[ShaFile, None]] = []
        for oid, parents in commits:
            number, raw = self._store.get_raw(_oid(oid))
            header, _, body = raw.partition(b"\n\n")
            tree, *lines = (line for line in header.split(b"\n") if not line.startswith(b"parent "))
            parent_lines = [b"parent " + _oid(renamed.get(parent, parent)) for parent in parents]
            data = b"\n".join([tree, *parent_lines, *lines]) + b"\n\n" + body
            commit = Commit.from_raw_string(number, data, object_format=self._format)
            renamed[oid] = commit.get_id(self._format).decode()
            written.append((commit, None))
        if written:
            self._store.add_objects(written)
        return renamed

    def changed_files(self, a: str, b: str, *, ignore_prefix: str | None = None) -> list[FileChange]:
        """Return the files that differ between two trees, sorted by path.

        Args:
            ignore_prefix: A folder to leave out, such as ``.finestflow``.
        """
        from dulwich.diff_tree import tree_changes

        ignored = f"{ignore_prefix.strip('/')}/" if ignore_prefix else None
        trees = _oid(self._tree_id(a)), _oid(self._tree_id(b))
        with _damage_named(f"{a} or {b}"):
            found = list(tree_changes(self._store, *trees, change_type_same=True))
        changes = []
        for change in found:
            entry = change.new or change.old
            assert entry is not None
            assert entry.path is not None
            path = _text(entry.path)
            if ignored and path.startswith(ignored):
                continue
            old = change.old.sha.decode() if change.old and change.old.sha else None
            new = change.new.sha.decode() if change.new and change.new.sha else None
            kind = "added" if old is None else "removed" if new is None else "changed"
            changes.append(FileChange(path=path, kind=kind, old_oid=old, new_oid=new))
        return sorted(changes, key=lambda change: change.path)

    def sync(self) -> None:
        """Make all loose objects that were written durable: a ref must not outlive what it points at."""
        for path in self._unsynced:
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue  # gc has packed it, durably
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._unsynced.clear()

    def _read(self, oid: str) -> ShaFile:
        with _damage_named(oid):
            return self._store[_oid(oid)]

    def _tree_id(self, oid: str) -> str:
        """Return the tree of a commit; the id of a tree is returned as it is."""
        from dulwich.objects import Commit

        found = self._read(oid)
        return found.tree.decode() if isinstance(found, Commit) else oid

    def _copy_of(self, tree: str | None) -> Tree:
        from dulwich.objects import Tree

        copy = Tree()
        copy.object_format = self._format
        if tree is not None:
            found = self._read(self._tree_id(tree))
            if not isinstance(found, Tree):
                raise CorruptionError(f"the object {tree!r} is not a tree", 'run "git fsck"')
            for entry in found.iteritems():
                assert entry.path is not None
                assert entry.mode is not None
                assert entry.sha is not None
                copy[entry.path] = (entry.mode, entry.sha)
        return copy

    def _find(self, tree: str, path: str) -> tuple[int, str] | None:
        """Return mode and id of what lies at a path."""
        from dulwich.objects import Tree

        mode, oid = stat.S_IFDIR, self._tree_id(tree)
        for part in path.split("/"):
            folder = self._read(oid) if stat.S_ISDIR(mode) else None
            if not isinstance(folder, Tree):
                return None
            try:
                mode, sha = folder[part.encode("utf-8", "surrogateescape")]
            except KeyError:
                return None
            oid = sha.decode()
        return mode, oid

    def _write_folder(self, files: Mapping[str, bytes]) -> str:
        """Write files as a tree, folders first by name."""
        from dulwich.objects import Blob, Tree

        tree = Tree()
        tree.object_format = self._format
        folders: dict[str, dict[str, bytes]] = {}
        for path, content in files.items():
            name, slash, rest = path.partition("/")
            if name in {"", ".", "..", ".git"} or (slash and not rest):
                raise ValueError(f"not a path inside a tree: {path!r}")
            if slash:
                folders.setdefault(name, {})[rest] = content
                continue
            blob = Blob.from_string(content)
            blob.object_format = self._format
            tree[name.encode()] = (_FILE, _oid(self._write(blob)))
        for name, inner in folders.items():
            tree[name.encode()] = (stat.S_IFDIR, _oid(self._write_folder(inner)))
        return self._write(tree)

    def _write(self, obj: ShaFile) -> str:
        """Write a loose object, whatever a concurrent gc does to its folder."""
        oid = obj.get_id(self._format).decode()
        path = os.path.join(self._store.path, oid[:2], oid[2:])
        for _ in range(_TRIES):
            try:
                if not _freshen(path):
                    self._write_file(path, obj.as_legacy_object(compression_level=_COMPRESSION))
            except FileNotFoundError:
                continue  # gc has removed the folder, or the file before it had its name
            self._unsynced.append(path)
            return oid
        raise LockedError(f"the object {oid!r} was removed {_TRIES} times while it was written", "does a gc run?")

    def _write_file(self, path: str, data: bytes) -> None:
        """Write a file whole or not at all.

        Until then it has a name like those of git itself: of all others gc says "bad sha1 file", and does not pack for a day.
        """
        from dulwich.file import adjust_shared_perm

        folder = os.path.dirname(path)
        with suppress(FileExistsError):
            os.mkdir(folder)
            adjust_shared_perm(folder, self._permission)
        name = os.path.join(folder, "tmp_obj_" + os.urandom(6).hex())
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        try:
            with open(file, "wb") as stream:
                stream.write(data)
            adjust_shared_perm(name, self._permission)
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise


def _freshen(path: str) -> bool:
    """Give an object that is there a new time, so that gc leaves it to us; return whether that was done."""
    try:
        os.utime(path)
    except (FileNotFoundError, PermissionError):  # another person's of a shared repository is written again
        return False
    return True


@contextmanager
def _damage_named(oid: str) -> Iterator[None]:
    """Turn what dulwich raises over a missing or damaged object into an error that names what was read."""
    from dulwich.errors import ChecksumMismatch, FileFormatException, NotTreeError

    try:
        yield
    except KeyError as error:
        missing = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else oid
        raise CorruptionError(f"the object {missing!r} is missing", 'run "git fsck"') from None
    except (
        ChecksumMismatch,
        FileFormatException,
        NotTreeError,
        AssertionError,
        EOFError,
        OSError,
        ValueError,
        zlib.error,
    ) as error:
        raise CorruptionError(f"the object {oid!r} is damaged: {error}", 'run "git fsck"') from error


def _shared_permission(repo: Repository) -> SharedPerm | None:
    """Return what ``core.sharedRepository`` asks for: in a repository of several people, others must be able to write."""
    from dulwich.file import PERM_EVERYBODY, PERM_GROUP, SharedPerm

    try:
        config = (repo.common_dir / "config").read_bytes()
    except OSError:
        return None
    found = re.search(rb"^\s*sharedrepository\s*=\s*(\w+)", config, re.IGNORECASE | re.MULTILINE)
    word = found[1].decode().lower() if found else "false"
    if word in {"1", "true", "yes", "on", "group"}:
        return PERM_GROUP
    if word in {"2", "all", "world", "everybody"}:
        return PERM_EVERYBODY
    return SharedPerm(tweak=int(word, 8), replace=True) if re.fullmatch("0?[67][0-7][0-7]", word) else None


def _identity(name: str, address: str) -> bytes:
    """Return ``Name <address>`` without the characters that would end a header of a commit."""
    name, address = (re.sub(r"[<>\n\0]", "", text).strip() for text in (name, address))
    return f"{name} <{address}>".encode("utf-8", "backslashreplace")


def _oid(text: str) -> ObjectID:
    from dulwich.objects import ObjectID

    return ObjectID(text.encode("ascii"))


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
