"""A line on stderr while a command is at something that takes long, such as making the index of 100,000 runs.

Invariant: nothing is written but on a terminal, nothing of what takes less than half a second, and the line is gone when it is over.
"""

from __future__ import annotations

import time

from finestflow.cli._output import Output
from finestflow.progress import Bar

__all__ = ["Waiting"]

_SECONDS = 0.5


class Waiting:
    """What a workspace tells of what takes long; see ``Places``.

    Args:
        out: The streams of the command.
    """

    def __init__(self, out: Output) -> None:
        self._out = out
        self._bar: Bar | None = None
        self._what = ""
        self._began = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far it is.

        Args:
            what: What is done.
            done: How far it is.
            total: How far it goes; 0 where nobody knows. It is over when ``done`` is as much.
        """
        if not self._out.can_redraw or self._out.verbosity < 0:
            return
        if self._what != what:
            self._what, self._began = what, time.monotonic()
            self._bar = Bar(what, self._out.err)
        assert self._bar is not None
        if done == total:
            self._bar.clear()
            self._what = ""
        elif time.monotonic() - self._began >= _SECONDS:
            self._bar.show(done, total or None)
