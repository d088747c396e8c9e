"""What every screen has: a head, a foot that names keys or says what happened, workers, and the actions of the whole app."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.reactive import Reactive
from textual.widget import Widget
from textual.worker import get_current_worker

from finestflow.errors import FinestflowError
from finestflow_tui.keys import FOOTERS, LEADERS, TEXTS, Choice, key_named, key_text
from finestflow_tui.screens.pointing import Pointing
from finestflow_tui.text import Row, Span, one_line, row, trouble, width
from finestflow_tui.widgets.compositor import PaneCompositor
from finestflow_tui.widgets.line import Lines, fitted
from finestflow_tui.widgets.rows import RowsView

if TYPE_CHECKING:
    from finestflow_tui.app import FinestflowApp

__all__ = ["Frame"]

Value = TypeVar("Value")
_SHOWN = 6.0
_SETTLED = 0.05
"""Seconds after which all widgets of a screen have dealt with its layout."""


class Frame(Pointing):
    """A screen of the app; ``NAME`` is what the table of keys calls it."""

    NAME = ""
    BLANK = True
    ALLOW_IN_MAXIMIZED_VIEW = ".-textual-system, #foot"
    is_busy = False
    """Whether a key has begun what the next one is to find done."""
    has_loaded_ahead = False
    """Whether what its keys need was loaded before they are pressed."""
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Panes paint themselves when they get the keys; Textual's own would have the whole screen painted for it."""

    def __init__(self) -> None:
        super().__init__()
        self._compositor = PaneCompositor()
        self._message: Span | None = None
        self._silence: Any = None
        self.foot = Lines(self._foot_rows, over="bar", id="foot")

    @property
    def ff(self) -> FinestflowApp:
        """The app."""
        return cast("FinestflowApp", self.app)

    def lay_out(self) -> None:
        """Give the panes their styles and places before the screen is shown: then it is painted at once."""
        self._lay_out()
        self.update_node_styles(animate=False)  # of scroll bars too, which have just come
        self.soon(_SETTLED, self._lay_out)

    def _lay_out(self) -> None:
        if not self.is_current:
            size = self.app.size
            self._size_updated(size, size, size, layout=False)
            self._refresh_layout(size)
            self._layout_required = False

    def paint(self) -> None:
        """Paint what has changed now, where Textual would wait for its timer."""
        self._on_timer_update()

    # -- telling -----------------------------------------------------------------------------------------------------------------------

    def _foot_rows(self, columns: int) -> Sequence[Row]:
        if self._message is not None:
            return [row(" ", self._message)]
        always = ["help"] if self.app.screen_stack[:1] == [self] else ["back", "help"]
        last = [span for name in always for span in (*self._foot_part(name), ("  ", ""))]
        room = columns - sum(width(text) for text, _ in last) - 1
        names = dict.fromkeys((*FOOTERS.get(self._pane, ()), *self.foot_keys()))
        return [row(" ", *fitted([self._foot_part(name) for name in names], room), *last)]

    @property
    def _pane(self) -> str:
        """What the tables of keys call the pane that has the keys, if its keys come before those of the screen."""
        return "plot" if self.focused is not None and self.focused.id == "plot" else ""

    def on_descendant_focus(self) -> None:
        """Name the keys of the pane."""
        self.foot.update()

    def _foot_part(self, name: str) -> list[Span]:
        """Return a key and what it does."""
        key = key_named(name)
        shown = key_text(self.ff.keys.get(name, key.keys), is_ascii=self.ff.is_ascii).split(" ")[0]
        return [(shown, "key"), (f" {TEXTS.get((self._pane or self.NAME, name), key.text)}", "")]

    def foot_keys(self) -> Sequence[str]:
        """Return the ids of the keys that the last line names, the most important first."""
        return FOOTERS[self.NAME]

    def pane_keys(self) -> Sequence[str]:
        """Return the ids of the keys that belong to what is shown just now, such as an open tab."""
        return ()

    def say(self, text: str, role: str = "") -> None:
        """Say something in the last line for some seconds."""
        self._message = (one_line(text), role)
        self.foot.update()
        if self._silence is not None:
            self._silence.stop()
        self._silence = self.set_timer(_SHOWN, self.hush)

    def hush(self) -> None:
        """Name the keys again."""
        self._message = None
        self.foot.update()

    # -- working -----------------------------------------------------------------------------------------------------------------------

    def soon(self, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Do something a moment later, unless the handle is cancelled; a timer of Textual is a task of its own, too much for each key."""
        return asyncio.get_running_loop().call_later(seconds, self.call_next, callback)

    def slow(
        self,
        work: Callable[[], Value],
        then: Callable[[Value], None],
        *,
        group: str,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Do something in a worker, then something with what it returns; a later call of the same group makes it void.

        Args:
            work: Runs in a thread.
            then: Runs in the app.
            group: What it is about.
            failed: Takes the message when it fails; it is said at the foot when not given.
        """

        def run() -> None:
            worker = get_current_worker()
            try:
                value = work()
            except (FinestflowError, OSError, sqlite3.Error, ValueError) as error:
                text = trouble(error)
                if not worker.is_cancelled:
                    self.app.call_from_thread(failed or self._complain, text)
                return
            if not worker.is_cancelled:
                self.app.call_from_thread(then, value)

        self.run_worker(run, thread=True, exclusive=True, group=group, exit_on_error=True)

    def _complain(self, text: str) -> None:
        self.say(text, "error")

    # -- actions of every screen -------------------------------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Leave the screen; a pane that has the whole screen gives it back first."""
        if self.maximized is not None:
            self.minimize()
        elif self.is_active and len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def action_quit(self) -> None:
        """Leave the app."""
        self.app.exit()

    def action_suspend_process(self) -> None:
        """Give the terminal back to the shell."""
        self.ff.action_suspend_process()

    def panes(self) -> list[RowsView]:
        """Return the panes that the tab key visits."""
        return [view for view in self.query(RowsView) if view.display and view.can_focus]

    def action_pane(self, step: int) -> None:
        """Go to another pane."""
        focusable = [each for each in self.focus_chain if each.display]
        if len(focusable) < 2:
            self.say("there is one pane here", "warning")
        if not focusable:
            return
        at = focusable.index(self.focused) if self.focused in focusable else -step
        focusable[(at + step) % len(focusable)].focus()

    def action_maximise(self) -> None:
        """Give the focused pane the whole screen, and back."""
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximize(self.focused)

    def action_preview(self) -> None:
        """Show or hide the second pane."""
        if all(pane.has_class("hidden") for pane in self.query(".aside")):
            self.say("nothing stands beside this", "warning")
        else:
            self.toggle_class("-aside")

    def action_resize(self, step: int) -> None:
        """Move the border between the panes."""
        panes = [pane for pane in self.query(".aside, .side") if pane.display]
        for pane in panes:
            self.resize_pane(pane, pane.outer_size.width + (step if pane.has_class("side") else -step))
        if not panes:
            self.say("there is no border to move: one pane is seen", "warning")

    def action_leader(self, key: str) -> None:
        """Open the menu of a leader."""
        self.menu(key_named({"g": "go", "y": "copy"}[key]).help.split(";")[0], LEADERS[key])

    def menu(self, heading: str, choices: Sequence[Choice]) -> None:
        """Open a menu, and do what is chosen."""
        from finestflow_tui.screens.choose import Menu

        async def do(action: str | None) -> None:
            if action:
                await self.run_chosen(action)

        self.app.push_screen(Menu(heading, choices), do)

    def ask(self, heading: str, hint: str, text: str, then: Callable[[str | None], None]) -> None:
        """Ask for a line."""
        from finestflow_tui.screens.choose import Ask

        def answer(given: str | None) -> None:
            with self.ff.telling():
                then(given)

        self.app.push_screen(Ask(heading, hint, text), answer)

    async def run_chosen(self, action: str) -> None:
        """Do an action by its name, on the focused pane where that has it."""
        name = action.partition("(")[0]
        owner = self.focused if self.focused is not None and hasattr(self.focused, f"action_{name}") else self
        await self.app.run_action(action, owner)

    def action_go(self, where: str) -> None:
        """Go to a screen."""
        self.ff.go(where)

    def action_undo(self) -> None:
        """Take the last change back."""
        self.ff.undo()

    def action_redo(self) -> None:
        """Make it again."""
        self.ff.redo()

    def action_help(self) -> None:
        """List the keys of this screen."""
        from finestflow_tui.screens.finder import open_help

        open_help(self)

    def action_palette(self) -> None:
        """Find anything."""
        from finestflow_tui.screens.finder import open_palette

        open_palette(self)

    def action_jump(self) -> None:
        """Go somewhere by a word."""
        from finestflow_tui.screens.finder import open_palette

        open_palette(self, jump=True)

    def action_labels(self) -> None:
        """Put a letter on everything that can be chosen."""
        from finestflow_tui.screens.labels import open_labels

        open_labels(self)

    def action_commands(self) -> None:
        """List the commands that would have done the same."""
        from finestflow_tui.screens.finder import open_commands

        open_commands(self)

    def action_options(self) -> None:
        """Say what else there is."""
        self.menu("options", self.options())

    def options(self) -> list[Choice]:
        """Return what the menu of this screen offers."""
        return [Choice("t", "theme", "theme"), Choice("r", "read again", "reload")]

    def action_theme(self) -> None:
        """Choose a theme."""
        from finestflow_tui.screens.finder import open_themes

        open_themes(self)

    def action_reload(self) -> None:
        """Read everything again."""
        self.ff.reload()

    def action_open(self) -> None:
        """Open what is under the cursor."""

    def on_history_changed(self) -> None:
        """React to new runs or annotations; the app calls it on the screen that is shown."""

    def on_view_changed(self) -> None:
        """React to an edit of the view that was taken back."""
        self.on_history_changed()

    def on_live_changed(self) -> None:
        """React to news of live runs."""

    def on_beat(self) -> None:
        """Turn what turns; four times a second while a run is going on."""
