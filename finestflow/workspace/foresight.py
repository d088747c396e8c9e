"""What can be said of a run before its pipeline is imported: whether the same command, on the same files, has been through before.

If so, all of it will be hits, most likely, and nobody needs to get workers ready. Invariant: it is a guess that costs nothing but time when it is
wrong; no result depends on it. ``Workspace.prepare`` asks.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

__all__ = ["Foresight"]

_KEPT = 64
"""How many commands are remembered."""


class Foresight:
    """The guess about one command.

    Args:
        file: Where commands that have been through are remembered.
        words: The command.
        sources: The files of the project that the pipeline's code is in.
    """

    def __init__(self, file: Path, words: Sequence[str], sources: Iterable[str]) -> None:
        self._file = file
        signatures = []
        for source in sorted(sources):
            with contextlib.suppress(OSError):
                status = os.stat(source)
                signatures.append((source, status.st_mtime_ns, status.st_size))
        self._name = blake2b(repr([list(words), signatures]).encode(), digest_size=16).hexdigest()

    @property
    def is_known(self) -> bool:
        """Whether it has been through with these files."""
        return self._name in self._read()

    def remember(self) -> None:
        """Take note that it has been through."""
        names = [name for name in self._read() if name != self._name]
        with contextlib.suppress(OSError):
            self._file.write_text("\n".join([*names[1 - _KEPT :], self._name]), encoding="ascii")

    def _read(self) -> list[str]:
        try:
            return self._file.read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError):
            return []
