"""The context: a mapping that the tasks of one run share, for tracing and for values given at the start.

Owns which reads and writes of a call are seen. Invariant: a value given at the start that a task reads becomes an observed dependency of the
call; a write is an effect that a hit replays; what else a call finds out (a value that another task of the same run wrote, which names there
are) is a hidden input and makes the call uncached. The runner reads ``reads``, ``writes`` and ``is_hidden`` after each call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from finestflow.pipeline.param import own_copy

__all__ = ["Context"]


class Context(MutableMapping[str, Any]):
    """A mapping with names as keys, shared by the tasks of a run.

    A container that is read is a copy, as in a worker: assign it to change it for others.

    Args:
        given: Values given at the start of the run.
        written: Values written by tasks of the run, shared between the views of all calls.
        prefix: Scope that this view reads and writes in, such as ``left/``.
    """

    def __init__(self, given: dict[str, Any], written: dict[str, Any] | None = None, prefix: str = "") -> None:
        self._given = given
        self._written: dict[str, Any] = {} if written is None else written
        self._prefix = self._scope = prefix
        self.reads: dict[str, Any] = {}
        self.writes: dict[str, Any] = {}
        self.is_hidden = False

    @property
    def prefix(self) -> str:
        """The scope that this view is in now, such as ``left/``."""
        return self._prefix

    def view(self, prefix: str | None = None) -> Context:
        """Return a view of the same values for one call, with reads and writes of its own; in the same scope when none is given."""
        return Context(self._given, self._written, self._prefix if prefix is None else prefix)

    def given(self, name: str) -> tuple[Any, ...]:
        """Return the value given at the start under a full name, alone in a tuple; an empty one where there is none."""
        return (self._given[name],) if name in self._given else ()

    def local(self, name: str) -> str:
        """Return a full name without the scope that this view was made in: what the call knows it by, wherever it is called."""
        return name.removeprefix(self._scope)

    def given_locally(self, name: str) -> tuple[Any, ...]:
        """Return, like ``given``, the value under a name in the scope that this view was made in."""
        return self.given(self._scope + name)

    def replay(self, name: str, value: Any) -> None:
        """Write what a hit wrote, in the scope that this view was made in."""
        self._written[self._scope + name] = value

    def travel(self) -> tuple[dict[str, Any], dict[str, Any], str]:
        """Return what makes the same view in another process: the given values, those written until now, and the scope."""
        return self._given, dict(self._written), self._prefix

    def absorb(
        self, reads: Iterable[str], writes: Mapping[str, Any], deleted: Iterable[str], *, is_hidden: bool
    ) -> None:
        """Take what a call has done to its view in another process, all by full names."""
        self.reads.update((name, self.given(name)) for name in reads)
        self.writes.update(writes)
        self._written.update(writes)
        for name in deleted:
            self._written.pop(name, None)
        self.is_hidden = self.is_hidden or is_hidden

    def __getitem__(self, key: str) -> Any:
        name = self._prefix + key
        if name in self.writes:
            return self.writes[name]
        if name in self._written:
            self.is_hidden = True
            return own_copy(self._written[name])
        self.reads[name] = self.given(name)
        if name not in self._given:
            raise KeyError(key)
        return own_copy(self._given[name])

    def __setitem__(self, key: str, value: Any) -> None:
        name = self._prefix + key
        self.writes[name] = value
        self._written[name] = value

    def __delitem__(self, key: str) -> None:
        """Delete what a task wrote; a value given at the start stays.

        Raises:
            KeyError: No task wrote it.
        """
        name = self._prefix + key
        if name not in self._written:
            raise KeyError(key)
        if name in self.writes:
            del self.writes[name]
        else:
            self.is_hidden = True  # nothing that a hit could replay
        del self._written[name]

    def __iter__(self) -> Iterator[str]:
        self.is_hidden = True
        size = len(self._prefix)
        return iter([name[size:] for name in {**self._given, **self._written} if name.startswith(self._prefix)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<Context {self._prefix!r}>" if self._prefix else "<Context>"

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Read and write under a name of its own, so that parallel parts do not meet."""
        before = self._prefix
        self._prefix = f"{before}{name}/"
        try:
            yield
        finally:
            self._prefix = before
