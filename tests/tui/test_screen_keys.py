"""Each key of each screen and pane, pressed there, by what is seen then and was not before; no key is left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from finestflow_tui.keys import iter_keys
from tests.tui.driving import Driver, drive, run

State = Callable[[Driver], object]


class Step(NamedTuple):
    """A key: ``sees`` is a text that comes, or something that becomes another; ``after`` leads to where the next one is pressed."""

    id: str
    key: str
    sees: str | State
    after: str = ""
    before: str = ""


def screen(ui: Driver) -> object:
    return type(ui.app.screen).__name__


def body(ui: Driver) -> object:
    return ui.lines[1:-1]


def head(ui: Driver) -> object:
    return ui.lines[0]


def focus(ui: Driver) -> object:
    return ui.app.focused


def maximised(ui: Driver) -> object:
    return ui.app.screen.maximized


def beside(ui: Driver) -> object:
    return [pane.outer_size.width for pane in ui.app.screen.query(".side, .aside") if pane.display]


def place(ui: Driver) -> object:
    pane = ui.app.focused
    return getattr(pane, "key", None), getattr(pane, "cursor", None), pane.scroll_offset


def column(ui: Driver) -> object:
    return ui.app.screen.table.current_column.key


def reading(ui: Driver) -> object:
    return ui.app.screen.metrics.plot.place


def limits(ui: Driver) -> object:
    return ui.app.screen.metrics.plot._limits


def shown(ui: Driver) -> object:
    return ui.app.screen.list.scroll_offset


def scrolled(ui: Driver) -> object:
    return ui.app.screen.list.key, ui.app.screen.pane.scroll_offset


def order(ui: Driver) -> object:
    return list(ui.app.state.sorts)


def marks(ui: Driver) -> object:
    return dict(ui.app.state.marks)


def app_keys(*, has_panes: bool = True, reload: Step | None = None, options: str = "read again") -> list[Step]:
    """Return what every screen has."""
    panes = [
        Step("next-pane", "tab", focus),
        Step("previous-pane", "shift+tab", focus),
        Step("preview", "0", beside, "0"),
        Step("narrower", "{", beside),
        Step("wider", "}", beside),
    ]
    alone = [
        Step("next-pane", "tab", "one pane"),
        Step("previous-pane", "shift+tab", "one pane"),
        Step("preview", "0", "nothing stands beside"),
        Step("narrower", "{", "no border"),
        Step("wider", "}", "no border"),
    ]
    return [
        *(panes if has_panes else alone),
        Step("maximise", "z", maximised, "z"),
        Step("options", "comma", options, "escape"),
        Step("undo", "u", "took back"),
        Step("redo", "ctrl+r", "did again"),
        Step("help", "?", "keys of this screen", "escape"),
        Step("help", "f1", "keys of this screen", "escape"),
        Step("palette", "ctrl+p", "palette", "escape"),
        Step("jump", ":", "go to", "escape"),
        Step("labels", "'", "a letter goes there", "escape"),
        Step("commands", "@", "the same on the command line", "escape"),
        reload or Step("reload", "ctrl+l", "up to date"),
        Step("go", "g", "Go to a screen", "escape"),
    ]


def back(opening: str = "") -> list[Step]:
    """Return the two ways to leave, for the end of a tour."""
    return [Step("back", "q", screen, opening), Step("back", "escape", screen)]


def moving(state: State = place, *, pages: bool = True) -> list[Step]:
    """Return how a pane of rows is gone through."""
    half = [Step("half-down", "ctrl+d", state), Step("half-up", "ctrl+u", state)]
    page = [Step("page-down", "pagedown", state), Step("page-up", "pageup", state)]
    return [
        *(Step("down", key, state) for key in ("j", "down")),
        *(Step("up", key, state) for key in ("k", "up")),
        *(half + page if pages else []),
        Step("bottom", "G", state),
        Step("top", "home", state),
        Step("bottom", "end", state, "home"),
    ]


RUNS = (
    *(Step("mark", "space", "1 marked", "M home") for _ in "1"),
    Step("mark-down", "shift+down", marks),
    Step("mark-up", "shift+up", marks),
    Step("mark-all", "*", marks),
    Step("unmark", "M", "the marks are gone"),
    Step("invert", "~", marks, "M home"),
    Step("filter", "/", "⏎ keeps the filter", "escape"),
    Step("group", "b", "no two runs have the same"),
    Step("group", "b", "▾ fit.epochs=", "b", "l l l l l l"),
    Step("sort", "s", "sort fit.epochs"),
    Step("sort-second", "S", order, "u u", "h h"),
    Step("column-left", "<", body, "u"),
    Step("column-right", ">", body, "u"),
    Step("hide-column", "-", body, "u"),
    Step("columns", "+", "columns", "escape"),
    Step("differing", "=", body, "="),
    Step("only", "f", "1 of 6", "escape", "home h h h h h h h h l"),
    Step("exclude", "F", "5 of 6", "escape"),
    Step("pin", "p", body, "p", "end"),
    *(Step(name, key, screen, "escape") for name, key in (("open", "enter"), ("diff-files", "D"), ("why", "w"))),
    *(Step(name, key, screen, "escape") for name, key in (("logs", "L"), ("plot", "P"), ("reproduce", "r"))),
    Step("diff", "d", screen, "escape M home", "home space space"),
    Step("compare", "c", screen, "escape M", "home space space"),
    Step("rerun", "R", "run train anew", "escape"),
    Step("stop", "X", "X stops live runs"),
    Step("star", ".", "starred", "."),
    Step("tags", "t", "tags of", "escape"),
    Step("note", "m", "note on", "escape"),
    Step("delete", "x", "deleted", "u"),
    Step("checkout", "W", "work tree of", "escape"),
    Step("save", "E", "save 6 runs", "escape"),
    Step("copy", "y", "Copy something", "escape ."),
    Step("preview", "0", beside, "0"),
    *(each for each in app_keys() if each.id != "preview"),
    Step("back", "escape", "q quits"),
)
RUN = (
    *(Step("tab", str(at), body) for at in (2, 3, 4, 5, 6, 7, 8, 9, 1)),
    Step("next-sibling", "]", head),
    Step("previous-sibling", "[", head),
    Step("open", "enter", focus, "tab"),
    Step("view", "v", body),
    Step("logs", "L", "the log of all tasks", "", "5"),
    Step("plot", "P", body),
    Step("filter", "/", "n and N go on", "e p o c h enter", "3"),
    Step("next-match", "n", shown, "", "home"),
    Step("previous-match", "N", shown),
    Step("only", "f", screen, "escape"),
    Step("edit", "e", "edited log.txt"),
    Step("save", "E", "save this params", "enter", "5"),
    Step("outside", "o", "o opens outputs (9)"),
    Step("outside", "o", "opened clean.", "", "9"),
    Step("compare", "c", screen, "escape"),
    Step("diff", "d", screen, "escape"),
    Step("diff-files", "D", screen, "escape"),
    Step("unmark", "M", "the marks are gone"),
    Step("why", "w", "load: ", "", "1 home"),
    Step("reproduce", "r", screen, "escape"),
    Step("rerun", "R", "run train anew", "escape"),
    Step("stop", "X", "X stops live runs"),
    Step("star", ".", "starred dusty-fox-6", "."),
    Step("tags", "t", "tags of", "escape"),
    Step("note", "m", "note on", "escape"),
    Step("delete", "x", "deleted dusty-fox-6", "u"),
    Step("checkout", "W", "work tree of", "escape"),
    Step("copy", "y", "Copy something", "escape ."),
    *app_keys(),
    *back("home enter"),
)
DIFF = (
    *(Step("tab", str(at), body) for at in (2, 3, 4, 5, 6, 7, 1)),
    *(Step("tab", str(at), "there are 7 tabs") for at in (8, 9)),
    Step("next-sibling", "]", body),
    Step("previous-sibling", "[", body),
    Step("next-match", "n", scrolled),
    Step("previous-match", "N", scrolled, "home end"),
    Step("more", "+", "6 lines around"),
    Step("less", "-", "3 lines around"),
    Step("view", "v", body, "v"),
    Step("filter", "/", "n and N go on", "escape"),
    Step("open", "enter", focus, "tab"),
    Step("why", "w", body, "1", "6"),
    Step("edit", "e", "edited notes.md"),
    Step("save", "E", "save the patch", "enter"),
    Step("star", ".", "starred calm-wren-5", "."),
    Step("copy", "y", "Copy something", "escape ."),
    Step("preview", "0", "nothing stands beside"),
    Step("preview", "0", beside, "0 1", "3"),
    *(each for each in app_keys() if each.id != "preview"),
    Step("diff-files", "D", "the files as they are now", "escape d"),
    *back("d"),
)
COMPARE = (
    Step("sort", "s", head, "", "home"),
    Step("column-right", ">", head),
    Step("column-left", "<", head),
    Step("differing", "=", body, "="),
    Step("view", "v", "parallel coordinates", "v v v"),
    Step("plot", "P", beside, "P"),
    Step("open", "enter", screen, "escape"),
    Step("diff", "d", screen, "escape"),
    Step("star", ".", "starred", "."),
    Step("save", "E", "save this table", "enter"),
    Step("copy", "y", "Copy something", "escape ."),
    *app_keys(),
    Step("unmark", "M", "the marks are gone", "u"),
    *back("c"),
)
CACHE = (
    Step("sort", "s", "cost▼"),
    Step("delete", "x", "1 value to be evicted", "u"),
    Step("open", "enter", screen, "escape"),
    *app_keys(has_panes=False, reload=Step("reload", "ctrl+l", "digest", "", "comma v")),
    *back("g c"),
)
TRASH = (
    Step("delete", "x", "only a clean-up drops runs"),
    *app_keys(has_panes=False),
    Step("open", "enter", "brought back"),
    *back("g t"),
)
REPRODUCE = (
    *app_keys(has_panes=False),
    Step("open", "enter", "cannot reproduce: this is read-only"),
    *back("r"),
)
TABLE = (
    *moving(),
    Step("right", "l", column),
    Step("left", "h", column),
    Step("right", "right", column),
    Step("left", "left", column),
)
ROWS = (
    *moving(),
    *(Step(name, key, place) for name, key in (("right", "l"), ("right", "right"), ("left", "left"), ("left", "h"))),
)
GRAPH = (
    *moving(),
    *(Step(name, key, place) for name, key in (("right", "l"), ("left", "h"), ("right", "right"), ("left", "left"))),
    *(Step(f"pan-{name}", f"shift+{name}", place) for name in ("right", "left", "down", "up")),
)
PLOT = (
    *(Step(name, key, reading) for name, key in (("right", "l"), ("right", "right"), ("left", "left"))),
    Step("left", "h", reading, "", "l"),
    *(Step(name, key, reading) for name, key in (("bottom", "G"), ("top", "home"), ("bottom", "end"))),
    Step("more", "+", limits, "home +"),
    Step("pan-right", "shift+right", limits),
    Step("pan-left", "shift+left", limits),
    Step("less", "-", limits),
)
TOURS: dict[str, tuple[tuple[int, int], str, Sequence[Step]]] = {
    "runs": ((150, 30), "", RUNS),
    "run": ((120, 24), "space space home enter", RUN),
    "diff": ((150, 24), "j d", DIFF),
    "compare": ((140, 30), "space space c", COMPARE),
    "cache": ((100, 24), "g c", CACHE),
    "trash": ((100, 24), "j j x g t", TRASH),
    "reproduce": ((100, 24), "r", REPRODUCE),
    "table": ((80, 24), "", TABLE),
    "rows": ((60, 24), "g c", ROWS),
    "graph": ((60, 20), "enter j j j enter 2 home", GRAPH),
    "plot": ((120, 30), "enter 4 tab", PLOT),
}


@pytest.mark.parametrize("where", TOURS)
def test_no_key_is_left_out(where):
    """Each name of each key is pressed on each screen and pane that has it; those of the app are pressed in other tests."""
    names = {(key.id, name) for key in iter_keys(where) for name in key.keys.split(",")}
    names = {(each, {"full_stop": "."}.get(name, name)) for each, name in names if each not in {"quit", "suspend"}}
    if where == "runs":  # q leaves
        names.discard(("back", "q"))
    assert {(step.id, step.key) for step in TOURS[where][2]} == names


@pytest.mark.slow
@pytest.mark.parametrize("where", TOURS)
def test_each_key_of_a_screen_does_something_that_is_seen(where, own_lab, tmp_path, monkeypatch):
    """On each screen, and in each pane, one after the other."""
    size, opening, steps = TOURS[where]
    opener = tmp_path / "xdg-open"
    opener.write_text("#!/bin/sh\n")
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("DISPLAY", ":0")

    async def tour():
        async with drive(own_lab, size) as ui:
            ui.app.edit_text = lambda name, *_: ui.app.say(f"edited {name}")
            await ui.press("end", ".", "home", *opening.split())
            for step in steps:
                ui.app.read_only = (where, step.id) == ("reproduce", "open")  # it starts no process here
                await ui.press(*step.before.split())
                ui.app.screen.hush()
                await ui.settle()
                before, text = step.sees(ui) if callable(step.sees) else None, ui.text
                await ui.press(step.key)
                if isinstance(step.sees, str):
                    assert step.sees not in text, step
                    assert step.sees in ui.text, (step, ui.text)
                else:
                    assert step.sees(ui) != before, (step, ui.text)
                await ui.press(*step.after.split())

    run(tour)
