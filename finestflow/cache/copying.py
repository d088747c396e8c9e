"""Copies of files that share the disk with what they are copies of, where the file system can (reflink: btrfs, XFS, bcachefs, ...).

Invariant: a copy is a file of its own, whatever is written to it or to the original afterwards. Hence no hard links: an edit would reach the store. Where
blocks cannot be shared, the kernel copies, without bytes passing through Python. Called by ``objects``, ``codec``, ``files``, and whoever copies large files.
"""

from __future__ import annotations

import os
import shutil
import struct
from typing import Any

__all__ = ["BLOCK", "clone_into", "copy_file", "copy_span", "write_all"]

BLOCK = 4096
"""What starts at a multiple of this can be shared: the block size of these file systems, but for unusual ones."""
_CLONE_RANGE = 0x4020940D
"""FICLONERANGE of linux/fs.h: _IOW(0x94, 13, struct file_clone_range)."""
_MOST = 1 << 30


def clone_into(source: int, target: int, at: int, length: int) -> bool:
    """Let a part of a file share the blocks of a whole other one; return False, and change nothing, where that cannot be.

    Args:
        source: Descriptor of the other file.
        target: Descriptor of the file, which grows as needed.
        at: Where the part begins, a multiple of ``BLOCK``.
        length: Size of the other file.
    """
    try:
        import fcntl

        fcntl.ioctl(target, _CLONE_RANGE, struct.pack("qQQQ", source, 0, length, at))
    except (ImportError, OSError):  # another system, another disk, or a file system that does not share
        return False
    return True


def copy_span(path: str, at: int, data: Any, target: int) -> None:
    """Write a part of a file to the end of another one: shared, or copied by the kernel, or else from memory.

    Args:
        path: The file.
        at: Where the part begins.
        data: What stands there.
        target: Descriptor that is written to.
    """
    write_all(target, memoryview(data)[_copy_range(path, at, len(data), target) :])


def _copy_range(path: str, at: int, length: int, target: int) -> int:
    """Return how many bytes the kernel has copied: all, or fewer where it cannot go on."""
    if not hasattr(os, "copy_file_range"):
        return 0
    done = 0
    try:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while done < length and (count := os.copy_file_range(source, target, min(length - done, _MOST), at + done)):
                done += count
        finally:
            os.close(source)
    except OSError:
        pass
    return done


def copy_file(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Copy a file with its times and permissions, as ``shutil.copy2`` does; ``shutil.copytree`` may be given it."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        with open(source, "rb", buffering=0) as file:
            length = os.fstat(file.fileno()).st_size
            done = (
                length
                if clone_into(file.fileno(), descriptor, 0, length)
                else _copy_range(os.fspath(source), 0, length, descriptor)
            )
            os.lseek(descriptor, done, os.SEEK_SET)
            file.seek(done)
            while chunk := file.read(1 << 20):
                write_all(descriptor, chunk)
    finally:
        os.close(descriptor)
    shutil.copystat(source, target)
    return target


def write_all(descriptor: int, data: Any) -> None:
    """Write all of a buffer to a file descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
