"""What is there before it is asked for: modules that the next key is likely to need, in a thread, once a screen has been shown; and the next screens.

To import and to make them takes longer than to show what they are for. Invariant: nothing waits for it, and what it loads is loaded by whoever needs it first
too; each screen loads what its own keys open, so that a list that is only looked at stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp
    from finestflow_tui.screens.frame import Frame

    Kind = TypeVar("Kind", bound=Frame)

__all__ = ["KeptScreens", "load_ahead"]

_IDLE = 0.4
"""Seconds after which a screen has been painted, also on a slow machine."""


_OPENED = (
    "finestflow_tui.screens.run",
    "finestflow.why",
    "finestflow.journal.resolve",
    "finestflow_tui.screens.diff",
    "finestflow.compare",
    "finestflow.git.patch",
    "finestflow.cache.store",
    "dulwich.diff_tree",
)
_TABS = (
    "finestflow_tui.widgets.plot",
    "finestflow_tui.peek",
    "finestflow.git.objects",
)


class KeptScreens:
    """The screens that are opened again and again: to make one takes longer than all the rest of opening it.

    Args:
        app: Shows them.
    """

    def __init__(self, app: FinestflowApp) -> None:
        self._app = app
        self._screens: dict[str, Frame] = {}

    def free(self, kind: type[Kind]) -> Kind:
        """Return the screen of a kind; another one while that is open."""
        kept = self._screens.get(kind.NAME)
        if kept is None:
            kept = self._screens[kind.NAME] = kind()
            self._app.install_screen(kept, kind.NAME)
        return kind() if kept in self._app.screen_stack else cast("Kind", kept)

    def make(self, kind: type[Frame]) -> None:
        """Make a screen before it is asked for."""
        if kind.NAME not in self._screens:
            screen = self.free(kind)
            self._app.fit(screen)
            self._app._get_screen(screen)  # noqa: SLF001 - as push_screen does, without showing it
            self._app.hold_keys(lambda: screen.is_mounted)


def _load_run() -> None:
    _load(_OPENED, "a.py")


def _load_tabs() -> None:
    _load(_TABS, "a.toml")


def _load(modules: Iterable[str], file: str) -> None:
    for name in modules:
        import_module(name)
    from finestflow_tui.views.code import highlight

    highlight(file, "")  # the tables of a language are made when its first text is read


def _make_screens(screen: Frame) -> None:
    from finestflow_tui.screens.diff import DiffScreen
    from finestflow_tui.screens.run import RunScreen

    for kind in (RunScreen, DiffScreen):
        screen.ff.kept.make(kind)


def _make_plot(screen: Frame) -> None:
    from finestflow_tui.screens.run import RunScreen

    if isinstance(screen, RunScreen):
        screen.metrics.make_plot()


_WORK: dict[str, tuple[Callable[[], None], Callable[[Frame], None]]] = {
    "runs": (_load_run, _make_screens),
    "run": (_load_tabs, _make_plot),
}
"""What is loaded in a thread, and what is made with it then."""


def load_ahead(screen: Frame) -> None:
    """Load what the keys of a screen need first, once; not where no terminal is, as in a test, which waits for nothing then."""
    load, make = _WORK[screen.NAME]
    if not screen.app.is_headless and not screen.has_loaded_ahead:
        screen.has_loaded_ahead = True
        screen.soon(_IDLE, lambda: screen.slow(load, lambda _: make(screen), group="ahead"))
