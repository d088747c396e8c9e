"""Which untracked files enter a snapshot: patterns, and caps on size and number.

Invariant: the answer depends only on the paths, sizes and rules; every file that stays out is named with a reason, or
lies in a folder that is. Called by ``snapshot``. A cap is not an option, it is the feature: 600 MB take git 55 s.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from finestflow.model import Digest, Omitted

__all__ = ["Excluded", "SnapshotRules", "digest_file", "find_pattern", "leave_out_crowds", "omit", "text_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRules:
    """What a snapshot takes of the files that git does not track; tracked files are always in.

    Attributes:
        untracked: Whether it takes any.
        exclude: Patterns of files to leave out. One without a slash is a name at any depth, of a file or of a folder
            above it; one with a slash is a path from the root. ``*`` matches anything, slashes as well.
        max_file_size: Bytes; a larger file is left out.
        max_files: A larger number of files makes whole folders stay out, those with the most files first.
        leave_out: Folders that are not even mentioned, from the root with slashes, such as the store of outputs.
    """

    untracked: bool = True
    exclude: tuple[str, ...] = ()
    max_file_size: int = 10_000_000
    max_files: int = 10_000
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Excluded:
    """The pattern that a path matches; ``folder`` is the folder above it that does, when the path itself does not."""

    pattern: str
    folder: bytes | None


def find_pattern(path: bytes, patterns: Sequence[str]) -> Excluded | None:
    """Return the first pattern that a path matches, itself or by a folder above it."""
    if not patterns or not _compile(tuple(patterns)).match(path):
        return None
    for pattern in patterns:
        found = _compile((pattern,)).match(path)
        if found:
            folder = found[0].removesuffix(b"/")
            return Excluded(pattern, folder if folder != path else None)
    return None


def leave_out_crowds(paths: Iterable[bytes], limit: int) -> tuple[list[bytes], dict[bytes, int]]:
    """Leave out whole folders until at most ``limit`` paths are left.

    The folder that goes is the deepest that suffices, so that a cache of 100,000 files goes and its neighbours stay.

    Returns:
        The paths that stay, and the folders that go (``b""`` for the root's own files) with the number of their files.
    """
    kept = sorted(paths)
    gone: dict[bytes, int] = {}
    while len(kept) > limit:
        folder = _crowded_folder(kept, len(kept) - limit)
        prefix = folder + b"/" if folder else b""
        inside = [path for path in kept if path.startswith(prefix) and (folder or b"/" not in path)]
        if not inside:  # the root has no files of its own
            break
        gone[folder] = len(inside)
        leaving = set(inside)
        kept = [path for path in kept if path not in leaving]
    return kept, gone


def omit(path: bytes, reason: str, size: int | None = None, digest: Digest | None = None) -> Omitted:
    """Return a line of what is left out; a path that is no text is shown with escapes."""
    return Omitted(path=text_of(path), reason=reason, size=size, digest=digest)


def text_of(path: bytes) -> str:
    """Return a path as text that can be stored anywhere."""
    return path.decode("utf-8", "backslashreplace")


def digest_file(path: str) -> Digest | None:
    """Return blake3 of a file's bytes, or None where it cannot be read."""
    from blake3 import blake3

    try:
        with open(path, "rb") as file:
            digest = blake3()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError:
        return None
    return Digest(digest.hexdigest())


def _crowded_folder(paths: Sequence[bytes], excess: int) -> bytes:
    """Return the deepest folder that holds at least ``excess`` of the paths, or else the fullest at the root."""
    counts: Counter[bytes] = Counter()
    for path in paths:
        folder = path
        while folder := os.path.dirname(folder):
            counts[folder] += 1
    enough = [folder for folder, count in counts.items() if count >= excess]
    if enough:
        return max(enough, key=lambda folder: (folder.count(b"/"), counts[folder], folder))
    at_root = Counter({folder: count for folder, count in counts.items() if b"/" not in folder})
    at_root[b""] = sum(b"/" not in path for path in paths)
    return max(at_root, key=lambda folder: (at_root[folder], folder))


@lru_cache(maxsize=256)
def _compile(patterns: tuple[str, ...]) -> re.Pattern[bytes]:
    """Return one expression for all patterns: most paths match none, and are then looked at once."""
    bodies = []
    for pattern in patterns:
        anchor = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
        body = fnmatch.translate(pattern.strip("/")).removesuffix("\\Z").removesuffix("\\z")
        bodies.append(f"{anchor}{body}(?:/|\\Z)")
    return re.compile("|".join(bodies).encode("utf-8", "surrogateescape"), re.DOTALL)
