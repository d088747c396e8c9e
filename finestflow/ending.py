"""How this process ends, for the runs that are still open when it does.

Python tells its exit functions nothing: an error that nobody caught is in ``sys.last_value``, but the code of ``sys.exit`` is lost. While it is
watched, ``sys.exit`` raises an error that notes its own end: one that dies with no Python frame around it has ended the process, one that
the program caught has not. Called by ``started`` for runs that are not in a ``with`` block.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

__all__ = ["error_of_process", "watch_exit"]

_last: list[SystemExit] = []


class _Exit(SystemExit):
    """An exit that knows whether it ended the process."""

    def __del__(self) -> None:
        if sys._getframe().f_back is None:  # noqa: SLF001 - there is no other way to ask
            _last[:] = [SystemExit(self.code)]


def _exit(code: Any = None, /) -> NoReturn:
    raise _Exit(code)


def watch_exit(is_wanted: bool = True) -> None:
    """Watch ``sys.exit`` from now on, or leave it as it was; one that somebody else has replaced stays theirs."""
    if sys.exit in {_plain, _exit}:
        sys.exit = _exit if is_wanted else _plain


_plain = sys.exit


def error_of_process() -> BaseException | None:
    """Return what ends the process, from an exit function: an error, an exit with its code, or nothing."""
    if hasattr(sys, "ps1"):  # at a prompt or in a notebook errors end nothing
        return None
    return _last[0] if _last else getattr(sys, "last_value", None)
