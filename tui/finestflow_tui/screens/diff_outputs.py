"""What differs inside the outputs of two runs: pictures beside each other, tables by their key, texts word by word.

Invariant: values are loaded by a process of its own, one output at a time, after a moment without keys; what arrives for a comparison that was left is
dropped. The screen of a difference owns one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.timer import Timer

from finestflow_tui.text import Row
from finestflow_tui.views import diff as view
from finestflow_tui.views.excerpt import picture_of

if TYPE_CHECKING:
    from finestflow_tui.screens.diff import DiffScreen

__all__ = ["OutputDiffs"]

_QUIET = 0.2
"""Seconds without a key after which an output is looked into."""


class OutputDiffs:
    """The tab of outputs.

    Args:
        screen: The screen that it is on.
    """

    def __init__(self, screen: DiffScreen) -> None:
        self._screen = screen
        self._soon: Timer | None = None
        self.inside: dict[str, view.Inside] = {}
        """What differs inside, by path, as far as it was looked up."""

    def forget(self) -> None:
        """Begin with other runs."""
        self.inside = {}

    def rows(self) -> list[Row]:
        """Return the outputs that differ."""
        screen = self._screen
        assert screen.diff is not None
        colored = not (screen.ff.is_plain or screen.ff.is_ascii)
        columns = max(40, screen.pane.room)
        return view.output_rows(screen.diff, self.inside, told=screen.told, columns=columns, colored=colored)

    def look_closer(self) -> None:
        """Say of the output under the cursor what differs inside."""
        screen, inside = self._screen, self.inside
        path, peeker = screen.pane.key, screen.ff.history.peeker
        if screen.diff is None or path not in {change.path for change in screen.diff.outputs}:  # a family
            return
        if self._soon is not None:
            self._soon.stop()
        if path is None or path in inside:
            return

        def show(found: view.Inside) -> None:
            inside[path] = found
            if inside is self.inside and screen.tab == "outputs" and screen.diff is not None:
                screen.pane.show(self.rows(), keep=True)

        names = f"{screen.before.id}:{path}", f"{screen.after.id}:{path}"

        def work() -> view.Inside:
            pictures = [picture for name in names if (picture := picture_of(peeker.excerpt(name))) is not None]
            both = (pictures[0], pictures[1]) if len(pictures) == len(names) else None
            return view.Inside(() if both else peeker.differences(*names), both)

        def begin() -> None:
            screen.slow(work, show, group="inside", failed=lambda _: show(view.Inside()))

        self._soon = screen.set_timer(_QUIET, begin)
