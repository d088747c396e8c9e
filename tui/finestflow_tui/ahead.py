"""What is loaded before it is asked for: modules that the next key is likely to need, in a thread, once a screen has been shown.

To import them takes longer than to show what they are for. Invariant: nothing waits for it, and what it loads is loaded by whoever needs it first
too; each screen loads what its own keys open, so that a list that is only looked at stays small.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finestflow_tui.screens.frame import Frame

__all__ = ["load_ahead"]

_IDLE = 0.4
"""Seconds after which a screen has been painted, also on a slow machine."""


_OPENED = (
    "finestflow_tui.screens.run",
    "finestflow.why",
    "finestflow.journal.resolve",
    "finestflow_tui.screens.diff",
    "finestflow.compare",
    "finestflow.git.patch",
)
_TABS = (
    "finestflow_tui.widgets.plot",
    "rich.ansi",
    "finestflow_tui.peek",
    "finestflow.cache.store",
    "finestflow.git.objects",
    "dulwich.diff_tree",
)


def _load_run() -> None:
    for name in _OPENED:
        import_module(name)


def _load_tabs() -> None:
    for name in _TABS:
        import_module(name)
    from finestflow_tui.views.code import highlight

    for name in ("a.py", "a.toml"):  # the tables of a language are made when its first text is read
        highlight(name, "")


_WORK: dict[str, Callable[[], None]] = {"runs": _load_run, "run": _load_tabs}


def load_ahead(screen: Frame) -> None:
    """Load what the keys of a screen need first; not where no terminal is, as in a test, which waits for nothing then."""
    if not screen.app.is_headless:
        screen.soon(_IDLE, lambda: screen.slow(_WORK[screen.NAME], lambda _: None, group="ahead"))
