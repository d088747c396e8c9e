"""The context: a mapping that the tasks of one run share, for tracing and for values given at the start.

Owns which reads and writes of a call are seen. Invariant: a value given at the start that a task reads becomes an observed dependency of the
call; a write is an effect that a hit replays; reading what another task of the same run wrote is a hidden input and makes the call
uncached. The runner reads ``reads``, ``writes`` and ``is_hidden`` after each call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, MutableMapping
from typing import Any

__all__ = ["Context"]


class Context(MutableMapping[str, Any]):
    """A mapping with names as keys, shared by the tasks of a run.

    Args:
        given: Values given at the start of the run.
        written: Values written by tasks of the run, shared between the views of all calls.
        prefix: Scope that this view reads and writes in, such as ``left/``.
    """

    def __init__(self, given: dict[str, Any], written: dict[str, Any] | None = None, prefix: str = "") -> None:
        self._given = given
        self._written: dict[str, Any] = {} if written is None else written
        self._prefix = prefix
        self.reads: dict[str, Any] = {}
        self.writes: dict[str, Any] = {}
        self.is_hidden = False

    def view(self) -> Context:
        """Return a view of the same values for one call, with reads and writes of its own."""
        return Context(self._given, self._written, self._prefix)

    def __getitem__(self, key: str) -> Any:
        name = self._prefix + key
        if name in self.writes:
            return self.writes[name]
        if name in self._written:
            self.is_hidden = True
            return self._written[name]
        self.reads[name] = self._given.get(name)  # a missing value is an observation too
        return self._given[name]

    def __setitem__(self, key: str, value: Any) -> None:
        self.writes[self._prefix + key] = value
        self._written[self._prefix + key] = value

    def __delitem__(self, key: str) -> None:
        name = self._prefix + key
        if name not in self._written:
            raise KeyError(key)
        self.writes.pop(name, None)
        del self._written[name]

    def __iter__(self) -> Iterator[str]:
        self.is_hidden = self.is_hidden or bool(self._written.keys() - self.writes.keys())
        size = len(self._prefix)
        return iter([name[size:] for name in {**self._given, **self._written} if name.startswith(self._prefix)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Read and write under a name of its own, so that parallel parts do not meet."""
        before = self._prefix
        self._prefix = f"{before}{name}/"
        try:
            yield
        finally:
            self._prefix = before
