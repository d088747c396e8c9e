"""Versions of installed distributions, by the file that a module was loaded from.

Owns the map from an import name to a distribution. Invariant: a version is read from the folder the module
itself lies in, so several environments on one path do not mix; nothing is imported. Called by ``reach``.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from finestflow.cache.code.canonical import Hash
from finestflow.cache.code.definitions import DefinitionCache

__all__ = ["Distributions", "python_version"]

_INSTALLED = re.compile(r"^(.*?[/\\](?:site|dist)-packages)[/\\]([^/\\]+)")
_SEPARATORS = re.compile(r"[-_.]+")
_Version = tuple[str, str]


def python_version() -> _Version:
    """Return the name and version by which the standard library counts."""
    return ("python", f"{sys.version_info.major}.{sys.version_info.minor}")


class Distributions:
    """Finds the distributions that modules belong to.

    Args:
        hash_: Digest of bytes, as text.
        cache: Keeps the map of a folder by its modification time; reading all metadata takes about 0.1 s.
    """

    def __init__(self, hash_: Hash, cache: DefinitionCache | None = None) -> None:
        self._hash = hash_
        self._cache = cache
        self._by_folder: dict[str, dict[str, _Version]] = {}
        self._by_import: dict[str, dict[str, list[_Version]]] = {}
        self._known: dict[str, tuple[_Version, ...]] = {}

    def of_file(self, path: str) -> tuple[_Version, ...]:
        """Return name and version of each distribution that a module's file may belong to."""
        match = _INSTALLED.match(path)
        if match is None:
            return ((Path(path).name, "file " + self._file_digest(path)[:12]),)
        folder, top = match[1], match[2].partition(".")[0]
        key = f"{folder}/{top}"
        if key not in self._known:
            self._known[key] = self._find(folder, top) or ((top, "file " + self._file_digest(path)[:12]),)
        return self._known[key]

    def _find(self, folder: str, top: str) -> tuple[_Version, ...]:
        if folder not in self._by_folder:
            self._by_folder[folder] = _list_versions(folder)
        exact = self._by_folder[folder].get(_normal(top))
        if exact is not None:
            return (exact,)
        if folder not in self._by_import:
            self._by_import[folder] = self._read_imports(folder)
        return tuple((name, version) for name, version in self._by_import[folder].get(top, ()))

    def _read_imports(self, folder: str) -> dict[str, list[_Version]]:
        try:
            stamp = os.stat(folder).st_mtime_ns
        except OSError:
            return {}
        key = "imports-" + self._hash(f"{folder} {stamp}".encode())
        data = None if self._cache is None else self._cache.get(key)
        if data is not None:
            try:
                kept = json.loads(data)
                return {top: [(name, version) for name, version in found] for top, found in kept.items()}
            except (ValueError, TypeError, AttributeError):
                pass
        found = _read_imports(folder)
        if self._cache is not None:
            self._cache.put(key, json.dumps(found).encode())
        return found

    def _file_digest(self, path: str) -> str:
        try:
            return self._hash(Path(path).read_bytes())
        except OSError:
            return "missing"


def _normal(name: str) -> str:
    return _SEPARATORS.sub("-", name).lower()


def _list_metadata(folder: str) -> list[tuple[str, _Version]]:
    """Return each metadata folder with the name and version that its own name holds."""
    try:
        entries = sorted(os.listdir(folder))
    except OSError:
        return []
    found = []
    for entry in entries:
        stem, dot, kind = entry.rpartition(".")
        if dot and kind in ("dist-info", "egg-info"):
            name, _, rest = stem.partition("-")
            version = rest.split("-py", 1)[0] if kind == "egg-info" else rest
            if version:
                found.append((entry, (name.replace("_", "-"), version)))
    return found


def _list_versions(folder: str) -> dict[str, _Version]:
    return {_normal(version[0]): version for _, version in _list_metadata(folder)}


def _read_imports(folder: str) -> dict[str, list[_Version]]:
    found: dict[str, list[_Version]] = {}
    for entry, version in _list_metadata(folder):
        for top in _read_tops(Path(folder) / entry):
            found.setdefault(top, []).append(version)
    return found


def _read_tops(metadata: Path) -> set[str]:
    """Return the import names that a distribution provides."""
    tops: set[str] = set()
    try:
        tops.update((metadata / "top_level.txt").read_text().split())
    except OSError:
        pass
    if tops:
        return tops
    try:
        lines = (metadata / "RECORD").read_text().splitlines()
    except OSError:
        return tops
    for line in lines:
        head, slash, _ = line.partition("/")
        if slash and not head.endswith((".dist-info", ".data")) and head not in ("..", "__pycache__"):
            tops.add(head)
        elif not slash and (name := line.partition(",")[0]).endswith((".py", ".so", ".pyd")):
            tops.add(name.partition(".")[0])
    return tops
