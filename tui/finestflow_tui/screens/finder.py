"""Ways to find things by their name: the keys of a screen, the palette, jump words, themes, the command log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from finestflow_tui.keys import LEADERS, Key, iter_keys, key_named, key_text
from finestflow_tui.screens.choose import Chooser, Entry
from finestflow_tui.screens.frame import Frame
from finestflow_tui.text import ago, number, one_line, pad
from finestflow_tui.theme import THEMES
from finestflow_tui.views.runs import status_text
from finestflow_tui.widgets.table import RunTable

__all__ = ["open_commands", "open_help", "open_palette", "open_themes"]

_PLACES = ("runs", "live", "cache", "trash", "views")
_LISTED = 200
_KEY = 12
"""Columns that keys take."""
_GROUPS = ("Look", "List", "Act", "Select", "Move", "App")


def _shown(screen: Frame, key: Key) -> str:
    """Return how the keys of an action are written, as the settings and the terminal have them."""
    return key_text(screen.ff.keys.get(key.id, key.keys), is_ascii=screen.ff.is_ascii)


def _entry(screen: Frame, key: Key, group: str = "") -> Entry:
    action = key.action if key.id != "tab" else "tab(1)"
    return Entry(((pad(_shown(screen, key), _KEY), "key"), (key.help, "")), ("action", action), group or key.group)


def _pane_of(screen: Frame) -> str:
    """Return what the table of keys calls the pane that has the keys."""
    pane = screen.focused
    if isinstance(pane, RunTable):
        return "table"
    return pane.id if pane is not None and pane.id in {"graph", "plot"} else "rows"


async def _do(screen: Frame, chosen: tuple[str, Any]) -> None:
    kind, value = chosen
    if kind == "action":
        await screen.run_chosen(value)
    elif kind == "run":
        screen.ff.open_run(value)
    elif kind == "go":
        screen.ff.go(value)
    elif kind == "theme":
        screen.ff.use_theme(value)
    elif kind == "query":
        screen.ff.go("runs")
        set_query = getattr(screen.ff.screen, "set_query", None)
        if set_query is not None:
            set_query(value)


def _open(screen: Frame, question: Chooser) -> None:
    async def done(chosen: tuple[str, Any] | None) -> None:
        if chosen is not None:
            await _do(screen, chosen)

    screen.app.push_screen(question, done)


def open_help(screen: Frame) -> None:
    """List the keys: of what is shown just now, of the screen, of the app; enter does what is chosen."""
    here = list(screen.pane_keys())
    comma = _shown(screen, key_named("options"))
    options = [
        Entry(((pad(f"{comma} {choice.key}", _KEY), "key"), (choice.text, "")), ("action", choice.action), group)
        for choice in screen.options()
        for group in ("App" if choice in Frame.options(screen) else "this pane",)
    ]
    keys = {key.id: key for key in (*iter_keys(screen.NAME), *iter_keys(_pane_of(screen)))}
    rest = sorted((key for key in keys.values() if key.id not in here), key=lambda key: _GROUPS.index(key.group))
    entries = [
        *(_entry(screen, key_named(name), "this pane") for name in here),
        *(each for each in options if each.group == "this pane"),
        *(_entry(screen, key) for key in rest),
        *(each for each in options if each.group == "App"),
    ]
    for leader, choices in LEADERS.items():
        entries += [
            Entry(
                ((pad(leader + choice.key, _KEY), "key"), (choice.text, "")), ("action", choice.action), f"{leader} ..."
            )
            for choice in choices
        ]
    _open(screen, Chooser("keys of this screen", entries, enter="does it"))


def open_palette(screen: Frame, *, jump: bool = False) -> None:
    """Find an action, a place, a run, a param or a theme.

    Args:
        screen: Where it happens.
        jump: Words for places come first.
    """
    ff = screen.ff
    places = [Entry(((f":{name}", "key"), ("  go there", "dim")), ("go", name), "places") for name in _PLACES]
    places.append(Entry(((":q", "key"), ("  leave", "dim")), ("action", "quit"), "places"))
    actions = [
        Entry(
            ((pad(key.text, 16), "name"), (pad(_shown(screen, key), 12), "key"), (key.help, "dim")),
            ("action", key.action),
            "actions",
        )
        for key in sorted(iter_keys(screen.NAME), key=lambda key: _GROUPS.index(key.group))
        if key.id != "tab"
    ]
    themes = [Entry(((f"theme {name}", ""),), ("theme", name), "themes") for name in _theme_names(screen)]
    known = sorted(ff.history.known)
    names = [
        Entry(
            ((f"has {one_line(name)}", "param"), ("  runs that have it", "dim")),
            ("query", f"{name}!=~"),
            "params and metrics",
        )
        for name in known[:_LISTED]
    ]
    entries = [*places, *actions] if jump else [*actions, *places]
    _open(
        screen,
        Chooser(
            "go to" if jump else "palette",
            [*entries, *names, *themes],
            more=lambda text: _runs(screen, text),
            enter="goes there, or does it",
        ),
    )


def _runs(screen: Frame, text: str) -> Iterable[Entry]:
    """Return runs that fit what is typed: SQL looks for them, so a list of any length answers at once."""
    word = text.removeprefix(":").removeprefix("run ").strip()
    reading, now = screen.ff.history.reading, screen.ff.workspace.clock.time()
    numbers = reading.order(screen.ff.history.parse(word) if word else None, limit=20)
    page = reading.page(numbers)
    for each in numbers:
        run = page.get(each)
        if run is not None:
            metrics = "  ".join(f"{one_line(name)}={number(value)}" for name, value in list(run.metrics.items())[:2])
            yield Entry(
                (
                    ("run ", "dim"),
                    (one_line(run.name), "name"),
                    ("  ", ""),
                    status_text(run),
                    (f"  {ago(run.started, now)}  {metrics}", "dim"),
                ),
                ("run", run),
                "runs",
            )


def open_themes(screen: Frame) -> None:
    """Choose a theme."""
    _open(screen, Chooser("themes", [Entry(((name, ""),), ("theme", name)) for name in _theme_names(screen)]))


def _theme_names(screen: Frame) -> list[str]:
    """Return the names of themes: ours, those of the terminal's colours, and then those of Textual."""
    first = [*(theme.name for theme in THEMES), "ansi-dark", "ansi-light"]
    return [
        *first,
        *(name for name in screen.ff.available_themes if name not in first and not name.startswith("textual-")),
    ]


def open_commands(screen: Frame) -> None:
    """List the commands that would have done what was done here; enter copies one."""
    entries = [Entry(((text, ""),), text) for text in reversed(screen.ff.commands)]
    if not entries:
        screen.say("nothing was done yet")
        return

    def copy(text: str | None) -> None:
        if text:
            screen.app.copy_to_clipboard(text)
            screen.say(f"copied {text}", "good")

    screen.app.push_screen(Chooser("the same on the command line", entries, enter="copies it"), copy)
