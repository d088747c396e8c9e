"""The app: opens the screens, keeps marks, undo and what is arranged, polls for news, and leaves the terminal as it was.

Invariant: nothing of git is loaded before the list is on the screen. Started by ``finestflow tui`` and ``python -m finestflow_tui``.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from textual import events
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen

from finestflow.model import RunSummary
from finestflow_tui.ahead import KeptScreens
from finestflow_tui.bindings import bindings_of_app, keymap
from finestflow_tui.history import History
from finestflow_tui.keystrokes import Keystrokes, Passed
from finestflow_tui.news import News
from finestflow_tui.outside import Outside
from finestflow_tui.screens.frame import Frame
from finestflow_tui.start import RUN_TABS, Place
from finestflow_tui.state import ViewState
from finestflow_tui.terminal import Terminal
from finestflow_tui.text import one_line, wants_ascii, word_for_shell
from finestflow_tui.theme import THEMES, Palette, PlainFilter, choose_theme, make_palette
from finestflow_tui.undo import Steps

if TYPE_CHECKING:
    from finestflow.workspace import Workspace

__all__ = ["FinestflowApp", "run_app"]

Value = TypeVar("Value")
_PATIENCE = 1.0
"""Seconds after which one is told what a change of runs waits for."""
_GARBAGE = 20_000
"""Objects that are made before Python looks for cycles: a paint makes some thousands, and a look costs up to 50 ms."""


class FinestflowApp(Outside):
    """The terminal UI over one workspace.

    Args:
        workspace: What it shows.
        environ: The environment: ``NO_COLOR``, ``FINESTFLOW_ASCII``, ``TERM``, ``COLORFGBG``, ``EDITOR`` are looked at.
        place: What to open at once; the list as it was left when not given.
        read_only: Nothing is changed or started.
        state_path: Where the arrangement is kept; below the state folder when not given.
    """

    CSS_PATH = "finestflow.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "finestflow"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-medium"), (150, "-wide")]
    BINDINGS = bindings_of_app()

    def __init__(
        self,
        workspace: Workspace,
        environ: dict[str, str],
        *,
        place: Place | None = None,
        read_only: bool = False,
        state_path: Path | None = None,
    ) -> None:
        self.is_plain = "NO_COLOR" in environ
        super().__init__(ansi_color=True if self.is_plain else None)
        self.environ = environ
        self.workspace = workspace
        self.read_only = read_only
        self.is_ascii = wants_ascii(environ)
        self.state_path = state_path or workspace.state_dir / "tui.json"
        self.state = ViewState.read(self.state_path)
        if place is not None and place.query is not None:
            self.state.query = place.query
        self.history: History = History(workspace) if workspace.repository is not None else None  # type: ignore[assignment]
        self.commands: list[str] = []
        """What would have done the same on the command line, newest last."""
        self.steps = Steps(self.state)
        """What ``u`` takes back."""
        self.keys, self._unknown_keys = keymap(workspace.config.tui.keys)
        self.processes: list[tuple[subprocess.Popen[bytes], str, Path]] = []
        self._open_first = place
        self.kept = KeptScreens(self)
        self.keystrokes = Keystrokes(self)
        self.news = News(self)
        self._plain_filter = PlainFilter()
        self.terminal: Terminal | None = None
        """What it runs in; none where something else drives it, such as a test."""
        for theme in THEMES:
            self.register_theme(theme)
        wanted = self.state.theme or workspace.config.tui.theme
        chosen = "ansi-dark" if self.is_plain else choose_theme(wanted, environ)
        self.theme = chosen if self.get_theme(chosen) else choose_theme("auto", environ)
        self.palette: Palette = make_palette(self.theme, colored=not self.is_plain)
        self.set_keymap(self.keys)

    # -- start and end -----------------------------------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[Any]:
        """Return the first screen: the list, or what to do where there is none."""
        if self.workspace.repository is None:
            from finestflow_tui.screens.welcome import WelcomeScreen

            first: Screen[Any] = WelcomeScreen()
        else:
            from finestflow_tui.screens.runs import RunsScreen

            first = RunsScreen()
        return first.set_class(self.is_ascii, "-ascii")

    def get_driver_class(self) -> type[Driver]:
        """Return what writes to the terminal: ours in place of that of Unix."""
        found = super().get_driver_class()
        if found.__name__ != "LinuxDriver":
            return found
        from finestflow_tui.driver import QuickDriver

        return QuickDriver

    def on_mount(self) -> None:
        """Begin to look for news, and say what of the settings means nothing."""
        if self.terminal is not None:
            self.terminal.take_job_control(asyncio.get_running_loop())
        if self._unknown_keys:
            names = ", ".join(map(one_line, self._unknown_keys))
            self.call_after_refresh(self.say, f"[tui.keys] names no key: {names} · the docs list their ids", "warning")
        if self.workspace.repository is not None:
            self.news.begin()

    def push_screen(self, screen: Any, *args: Any, **options: Any) -> Any:
        """Open a screen; each knows whether it may draw with more than ASCII."""
        if isinstance(screen, Screen):
            self.fit(screen)
            self.hold_keys(lambda: screen.is_mounted)
        return super().push_screen(screen, *args, **options)

    def fit(self, screen: Screen[Any]) -> None:
        """Give a screen the width of the one that is open."""
        screen.set_class(self.is_ascii, "-ascii")
        for _, width in self.HORIZONTAL_BREAKPOINTS or ():  # as wide as the one before, or it is laid out twice
            screen.set_class(self.screen.has_class(width), width)

    def hold_keys(self, until: Callable[[], bool]) -> None:
        """Let what is typed wait for something that a key has begun."""
        self.keystrokes.hold(until)

    def hold_keys_for_list(self) -> None:
        """Let what is typed find the list in its new order."""
        self.hold_keys(lambda: not any(isinstance(screen, Frame) and screen.is_busy for screen in self.screen_stack))

    async def on_event(self, event: events.Event) -> None:
        """Take a key when its turn has come."""
        if not isinstance(event, events.Key) or self.keystrokes.lets_pass(event):
            await super().on_event(event)

    def on_passed(self, message: Passed) -> None:
        """Tell that all that the latest key did may be done."""
        self.keystrokes.passed(message.number)

    def on_app_focus(self) -> None:
        """Show what came while something else had the keys."""
        self.news.look_again()

    def on_unmount(self) -> None:
        """Keep the arrangement."""
        self.state.write(self.state_path)

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """Screens that are seen behind a question; behind one of ours is none, but Textual would paint it for each change of the list."""
        return [] if isinstance(self.screen, Frame) else super()._background_screens

    def open_first(self) -> None:
        """Open what was named at the start, once the list is there."""
        place, self._open_first = self._open_first, None
        if place is None:
            return
        if place.screen == "run":
            self.open_run(place.runs[0], tab=place.tab)
        elif place.screen == "reproduce":
            self.open_reproduce(place.runs[0])
        elif place.screen == "diff":
            self.open_diff(*place.runs)
        elif place.screen == "compare":
            self.open_compare(list(place.runs))
        elif place.screen != "runs":
            self.go(place.screen)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what takes the colours away when they are not wanted."""
        return [self._plain_filter] if self.is_plain else super().get_line_filters()

    def watch_theme_palette(self) -> None:
        """Paint with the colours of the theme."""
        self.palette = make_palette(self.theme, colored=not self.is_plain)

    def use_theme(self, name: str) -> None:
        """Change the theme, and remember it."""
        self.theme = name
        self.state.theme = name
        self.palette = make_palette(name, colored=not self.is_plain)
        for screen in self.screen_stack:
            screen.refresh(layout=True)
            for widget in screen.query("RunTable"):
                widget.forget()  # type: ignore[attr-defined]

    # -- news --------------------------------------------------------------------------------------------------------------------------

    def change_runs(
        self, work: Callable[[], Value], then: Callable[[Value], None], *, failed: Callable[[], None] | None = None
    ) -> None:
        """Change what is said of runs, in a worker; the key that is typed next finds it done and shown."""
        screen, is_done = self.screen, False
        if not isinstance(screen, Frame):
            return

        def finish(value: Value) -> None:
            nonlocal is_done
            is_done = True
            self.changed()
            then(value)

        def give_up(text: str) -> None:
            nonlocal is_done
            is_done = True
            if failed is not None:
                failed()
            self.say(text, "error")

        def tell() -> None:
            if not is_done:
                self.say("another process is changing the journal: waiting for it ...")

        screen.set_timer(_PATIENCE, tell)
        screen.slow(work, finish, group="annotate", failed=give_up)
        self.hold_keys(lambda: is_done)
        self.hold_keys_for_list()

    def changed(self) -> None:
        """Show what was changed here at once, instead of at the next poll."""
        self.news.look(has_changed=True)

    def reload(self) -> None:
        """Compare the index with the refs again."""
        screen = self.screen
        if isinstance(screen, Frame) and self.history is not None:
            screen.say("reading ...")

            def done(_: None) -> None:
                self.changed()
                screen.say("up to date", "good")

            screen.slow(self.history.refresh, done, group="refresh")

    def say(self, text: str, role: str = "") -> None:
        """Say something at the foot of the screen that is shown."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Frame):
                screen.say(text, role)
                return

    async def run_action(self, *args: Any, **options: Any) -> bool:
        """Do what a key or a menu names."""
        with self.telling():
            return await super().run_action(*args, **options)
        return True

    def log_command(self, text: str) -> None:
        """Keep the command that would have done the same."""
        self.commands.append(text)

    # -- marks and undo ----------------------------------------------------------------------------------------------------------------

    def marked_runs(self) -> list[RunSummary]:
        """Return the marked runs in the order of their letters."""
        if not self.state.marks:
            return []
        reading = self.history.reading
        numbers = reading.numbers_of(list(self.state.marks))
        page = reading.page(numbers.values())
        found = [page[numbers[run_id]] for run_id in self.state.marks if run_id in numbers]
        return sorted((run for run in found if not run.removed), key=lambda run: self.state.marks[run.id])

    def set_marks(self, marks: dict[str, str]) -> None:
        """Change the marks; ``u`` brings the old ones back."""
        self.steps.keep("the marks", "marks")
        self.state.marks = marks

    def undo(self) -> None:
        """Take back what was done last here, or, when nothing was, the last change of annotations by anybody."""
        edit = self.steps.undo()
        if edit is not None:
            self._view_changed(f"took back: {edit.said}")
        else:
            self._annotations(self.history.workspace.undo, "took back", "finestflow undo")

    def redo(self) -> None:
        """Do again what was taken back."""
        edit = self.steps.redo()
        if edit is not None:
            self._view_changed(f"did again: {edit.said}")
        else:
            self._annotations(self.history.workspace.redo, "did again", "")

    def _view_changed(self, said: str) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, Frame):
                screen.on_view_changed()
        self.say(said, "good")

    def _annotations(self, change: Callable[[], str], said: str, command: str) -> None:
        if self.read_only:
            self.say("this is read-only", "warning")
            return

        def done(text: str) -> None:
            if command:
                self.log_command(command)
            self.say(f"{said}: {one_line(text)}", "good")

        self.change_runs(change, done)

    # -- screens -----------------------------------------------------------------------------------------------------------------------

    def go(self, where: str) -> None:
        """Go to a screen by its name."""
        from finestflow_tui.screens.cache import CacheScreen
        from finestflow_tui.screens.runs import RunsScreen
        from finestflow_tui.screens.trash import TrashScreen

        if where in {"cache", "trash"}:
            wanted = CacheScreen if where == "cache" else TrashScreen
            if not isinstance(self.screen, wanted):
                self.push_screen(wanted())
            return
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if isinstance(self.screen, RunsScreen):
            if where == "views":
                self.screen.open_views()
            elif where == "live":
                self.screen.set_query("is:live")
            elif where == "runs" and self.state.query == "is:live":
                self.screen.set_query("")

    def open_run(self, run: RunSummary, *, tab: str = "", node: str = "") -> None:
        """Open a run, on the tab that was chosen last where none is told."""
        from finestflow_tui.screens.run import RunScreen

        self.log_command(f"finestflow show {word_for_shell(run.name, run.id)}")
        if isinstance(self.screen, RunScreen):
            self.screen.show_run(run, tab=tab, node=node)
            return
        screen = self.kept.free(RunScreen)
        screen.begin(run, tab or (self.state.tab if self.state.tab in RUN_TABS else RUN_TABS[0]), node)
        self.push_screen(screen)

    def open_diff(self, before: RunSummary, after: RunSummary | None) -> None:
        """Open the difference of two runs; of a run and the files as they are now when no later one is given."""
        from finestflow_tui.screens.diff import DiffScreen

        later = "." if after is None else word_for_shell(after.name, after.id)
        screen = self.kept.free(DiffScreen)
        screen.command = f"finestflow diff {word_for_shell(before.name, before.id)} {later}"
        self.log_command(screen.command)
        screen.begin(before, after)
        self.push_screen(screen)

    def open_compare(self, runs: list[RunSummary]) -> None:
        """Open runs side by side."""
        from finestflow_tui.screens.compare import CompareScreen

        self.push_screen(CompareScreen(runs))

    def open_reproduce(self, run: RunSummary, node: str = "") -> None:
        """Open the plan of running a run again, or from a node on."""
        from finestflow_tui.screens.reproduce import ReproduceScreen

        self.push_screen(ReproduceScreen(run, node))

    # -- crashes -----------------------------------------------------------------------------------------------------------------------

    def _print_error_renderables(self) -> None:
        """Write what went wrong into a file: a traceback of hundreds of lines helps nobody on a terminal."""
        if self._exception is None:
            super()._print_error_renderables()
            return
        path = self.workspace.state_dir / "crash-tui.txt"
        text = "".join(traceback.format_exception(self._exception))
        where = ""
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            where = str(path)
        last = one_line(text.strip().splitlines()[-1])
        sys.stderr.write(f"finestflow: error: the terminal UI stopped: {last}\n")
        sys.stderr.write(f"hint: this is a fault of finestflow; what happened is in {where or 'no file'}\n")


def run_app(
    workspace: Workspace,
    *,
    place: Place | None = None,
    read_only: bool = False,
    environ: dict[str, str] | None = None,
) -> int:
    """Run the terminal UI until it is left; returns the exit code."""
    sys.setswitchinterval(0.001)  # a query in a worker must not delay a key
    app = FinestflowApp(workspace, dict(os.environ if environ is None else environ), place=place, read_only=read_only)
    gc.set_threshold(_GARBAGE)
    with Terminal(app) as app.terminal:
        code = app.run()
    gc.freeze()  # what is there goes with the process: to collect it first takes 0.3 s
    if app.history is not None:
        app.history.close()
    return int(code or app.return_code or 0)
