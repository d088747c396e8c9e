"""How this process ends, for the runs that are still open when it does.

Python tells its exit functions nothing: an error that nobody caught is in ``sys.last_value``, but an exit and its code are lost. So exits note
their own end: one that dies with no Python frame around it has ended the process, one that the program caught has not. Called by ``started``
for runs that are not in a ``with`` block, which has ``sys.exit`` watched meanwhile.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

__all__ = ["NotedExit", "error_of_process", "watch_exit"]

_plain_exit = sys.exit
_last: list[tuple[type[SystemExit], Any]] = []


class NotedExit(SystemExit):
    """An exit that knows whether it ended the process."""

    def __del__(self) -> None:
        if sys._getframe().f_back is None:  # noqa: SLF001 - there is no other way to ask
            _last.append((type(self), self.code))


def _exit(code: Any = None, /) -> NoReturn:
    raise NotedExit(code)


def watch_exit(is_wanted: bool = True) -> None:
    """Watch ``sys.exit`` from now on, or leave it as it was; one that somebody else has replaced stays theirs."""
    if sys.exit in {_plain_exit, _exit}:
        sys.exit = _exit if is_wanted else _plain_exit


def error_of_process() -> BaseException | None:
    """Return what ends the process, from an exit function: an error, an exit with its code, or nothing."""
    if hasattr(sys, "ps1"):  # at a prompt or in a notebook errors end nothing
        return None
    if not _last:
        return getattr(sys, "last_value", None)
    kind, code = _last[0]
    return SystemExit(code) if kind is NotedExit else kind(code)
