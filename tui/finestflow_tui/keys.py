"""Every key: its id, what it does, where it works, and how help, palette, footer and the reference page say it.

Invariant: a verb has one key and one meaning on every screen that has it, and an id by which ``[tui.keys]`` changes its key. Screens and
widgets take their bindings from here; an action is a method of theirs. Nothing else names a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

__all__ = [
    "FOOTERS",
    "KEYS",
    "LEADERS",
    "PLOT",
    "TEXTS",
    "Choice",
    "Key",
    "iter_keys",
    "key_named",
    "key_text",
    "named_key",
]


class Key(NamedTuple):
    """A key and its meaning.

    Attributes:
        id: What settings call it.
        keys: Names of keys as Textual has them, separated by commas.
        action: The method that does it.
        text: Two words for the footer.
        help: A sentence for help.
        group: Heading under which it is listed.
        where: Screens and panes that have it.
    """

    id: str
    keys: str
    action: str
    text: str
    help: str
    group: str
    where: frozenset[str]


class Choice(NamedTuple):
    """One entry of a menu that a leader key opens."""

    key: str
    text: str
    action: str


def _on(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PANES = _on("table rows graph")
_DRAWN = _on("graph plot")
_SIDES = _PANES | _on("plot")
_RUNS = _on("runs run compare")
_EVERY = _on("runs run diff compare cache trash reproduce")
_TABS = _on("run diff compare")

KEYS: tuple[Key, ...] = (
    # move
    Key("down", "j,down", "move(1)", "down", "Go one row down.", "Move", _PANES),
    Key("up", "k,up", "move(-1)", "up", "Go one row up.", "Move", _PANES),
    Key(
        "right",
        "l,right",
        "aside(1)",
        "column",
        "Next column; next node of a graph; crosshair of a plot; scroll right.",
        "Move",
        _SIDES,
    ),
    Key(
        "left",
        "h,left",
        "aside(-1)",
        "left",
        "Previous column; previous node of a graph; crosshair of a plot; scroll left.",
        "Move",
        _SIDES,
    ),
    Key("pan-right", "shift+right", "pan(1, 0)", "pan", "Move a graph or a plot to the side.", "Move", _DRAWN),
    Key("pan-left", "shift+left", "pan(-1, 0)", "pan", "Move a graph or a plot to the other side.", "Move", _DRAWN),
    Key("pan-down", "shift+down", "pan(0, 1)", "pan", "Move a graph down.", "Move", _on("graph")),
    Key("pan-up", "shift+up", "pan(0, -1)", "pan", "Move a graph up.", "Move", _on("graph")),
    Key("more", "+", "zoom(1)", "closer", "Look closer at a plot; more lines around hunks.", "Move", _on("plot diff")),
    Key("less", "-", "zoom(-1)", "wider", "See more of a plot; fewer lines around hunks.", "Move", _on("plot diff")),
    Key("half-down", "ctrl+d", "half(1)", "half page", "Go half a page down.", "Move", _PANES),
    Key("half-up", "ctrl+u", "half(-1)", "half page", "Go half a page up.", "Move", _PANES),
    Key("page-down", "pagedown", "page(1)", "page", "Go a page down.", "Move", _PANES),
    Key("page-up", "pageup", "page(-1)", "page", "Go a page up.", "Move", _PANES),
    Key("top", "home", "edge(-1)", "top", "Go to the first row (also gg).", "Move", _SIDES),
    Key(
        "bottom", "G,end", "edge(1)", "bottom", "Go to the last row; in a log of a live run, follow it.", "Move", _SIDES
    ),
    Key("next-match", "n", "match(1)", "next", "Go to the next match, hunk or error.", "Move", _on("run diff")),
    Key(
        "previous-match",
        "N",
        "match(-1)",
        "previous",
        "Go to the previous match, hunk or error.",
        "Move",
        _on("run diff"),
    ),
    Key("next-pane", "tab", "pane(1)", "pane", "Go to the other pane.", "Move", _EVERY),
    Key("previous-pane", "shift+tab", "pane(-1)", "pane", "Go to the other pane, backwards.", "Move", _EVERY),
    Key("tab", "1,2,3,4,5,6,7,8,9", "tab", "tab", "Open the tab with this number.", "Move", _on("run diff")),
    Key(
        "previous-sibling",
        "[",
        "sibling(-1)",
        "previous run",
        "The run before this one in the list; the file before this one in a diff.",
        "Move",
        _on("run diff"),
    ),
    Key(
        "next-sibling",
        "]",
        "sibling(1)",
        "next run",
        "The next run of the list, on the same tab; the next file of a diff.",
        "Move",
        _on("run diff"),
    ),
    Key("back", "escape,q", "back", "back", "Go back; on the list, leave the filter, and q quits.", "Move", _EVERY),
    Key("maximise", "z", "maximise", "maximise", "Give the pane the whole screen, and back.", "Move", _EVERY),
    Key("preview", "0", "preview", "preview", "Show or hide the pane beside the list.", "Move", _EVERY),
    Key("narrower", "{", "resize(-4)", "narrower", "Make the left pane narrower.", "Move", _EVERY),
    Key("wider", "}", "resize(4)", "wider", "Make the left pane wider.", "Move", _EVERY),
    # select
    Key("mark", "space", "mark", "mark", "Mark the run with a letter, and go to the next.", "Select", _on("runs")),
    Key("mark-down", "shift+down", "mark_range(1)", "mark down", "Mark and go down.", "Select", _on("runs")),
    Key("mark-up", "shift+up", "mark_range(-1)", "mark up", "Mark and go up.", "Select", _on("runs")),
    Key("mark-all", "*", "mark_all", "mark all", "Mark all runs of the list, 26 at most.", "Select", _on("runs")),
    Key("invert", "~", "invert", "invert", "Mark what is not marked, and the other way round.", "Select", _on("runs")),
    Key("unmark", "M", "unmark", "unmark", "Take all marks away; u brings them back.", "Select", _RUNS),
    # list
    Key(
        "filter",
        "/",
        "filter",
        "filter",
        "Filter the list by a query; in a run or a diff, search.",
        "List",
        _on("runs run diff"),
    ),
    Key(
        "sort",
        "s",
        "sort",
        "sort",
        "Sort by the column under the cursor; again, the other way round.",
        "List",
        _on("runs compare cache"),
    ),
    Key(
        "sort-second",
        "S",
        "sort_second",
        "2nd sort",
        "Sort equals by the column under the cursor.",
        "List",
        _on("runs"),
    ),
    Key("group", "b", "group", "group", "Group by the column under the cursor, and back.", "List", _on("runs")),
    Key(
        "only",
        "f",
        "only(True)",
        "only this",
        "Keep only runs with the value under the cursor; in logs, only this task.",
        "List",
        _on("runs run"),
    ),
    Key(
        "exclude",
        "F",
        "only(False)",
        "without this",
        "Keep only runs without the value under the cursor.",
        "List",
        _on("runs"),
    ),
    Key("hide-column", "-", "hide_column", "hide column", "Hide the column under the cursor.", "List", _on("runs")),
    Key("columns", "+", "columns", "columns", "Choose the columns.", "List", _on("runs")),
    Key(
        "column-left",
        "<",
        "shift_column(-1)",
        "column left",
        "Move the column, or the run of a comparison, to the left.",
        "List",
        _on("runs compare"),
    ),
    Key(
        "column-right",
        ">",
        "shift_column(1)",
        "column right",
        "Move the column, or the run of a comparison, to the right.",
        "List",
        _on("runs compare"),
    ),
    Key("differing", "=", "differing", "differing", "Only what differs, or everything.", "List", _on("runs compare")),
    Key("pin", "p", "pin", "pin", "Keep the run on top of the list.", "List", _on("runs")),
    # look
    Key("open", "enter", "open", "open", "Open what is under the cursor; fold a group.", "Look", _EVERY),
    Key(
        "diff",
        "d",
        "diff",
        "diff",
        "Compare two runs: both marks, the mark and the cursor, or the run before and this one.",
        "Look",
        _RUNS,
    ),
    Key(
        "diff-files",
        "D",
        "diff_files",
        "diff files",
        "Compare the run with the files as they are now.",
        "Look",
        _on("runs run diff"),
    ),
    Key("compare", "c", "compare", "compare", "Put the marked runs side by side.", "Look", _on("runs run")),
    Key("why", "w", "why", "why", "Say why the task ran, or where its hit came from.", "Look", _on("runs run diff")),
    Key("logs", "L", "logs", "logs", "Show what the run, or the task, has printed.", "Look", _on("runs run")),
    Key("plot", "P", "plot", "metrics", "Show how the metrics went.", "Look", _on("runs run compare")),
    Key(
        "view",
        "v",
        "view",
        "view",
        "The next way to see this pane: rails or layers, split or unified, lines, shades, a grid of plots, parallel coordinates.",
        "Look",
        _TABS,
    ),
    Key("options", "comma", "options", "options", "What else this pane can do.", "Look", _EVERY),
    # act
    Key(
        "reproduce",
        "r",
        "reproduce",
        "reproduce",
        "Run it again from its snapshot and compare every output; the plan comes first.",
        "Act",
        _on("runs run"),
    ),
    Key("rerun", "R", "rerun", "run anew", "Run the pipeline with other params.", "Act", _on("runs run")),
    Key("stop", "X", "stop", "stop", "Stop the live run.", "Act", _on("runs run")),
    Key(
        "star",
        "full_stop",
        "star",
        "star",
        "Star the run, or take the star away: no rule ever removes it.",
        "Act",
        _on("runs run diff compare"),
    ),
    Key("tags", "t", "tags", "tag", "Add tags, or take them away with a minus.", "Act", _on("runs run")),
    Key("note", "m", "note", "note", "Write a note on the run.", "Act", _on("runs run")),
    Key(
        "delete",
        "x",
        "delete",
        "delete",
        "Remove the run from every list, or the value from the cache; u brings it back.",
        "Act",
        _on("runs run trash cache"),
    ),
    Key(
        "undo",
        "u",
        "undo",
        "undo",
        "Take the last change back: star, tag, note, delete, restore, marks, pins, columns, order, groups.",
        "Act",
        _EVERY,
    ),
    Key("redo", "ctrl+r", "redo", "redo", "Make it again.", "Act", _EVERY),
    Key("checkout", "W", "checkout", "work tree", "Make a work tree of the files of the run.", "Act", _on("runs run")),
    Key("edit", "e", "edit", "editor", "Open the file, as it was in that run, in your editor.", "Act", _on("run diff")),
    Key(
        "outside",
        "o",
        "outside",
        "open outside",
        "Open the output or file with the system's program for it.",
        "Act",
        _on("run"),
    ),
    Key(
        "save",
        "E",
        "save",
        "save",
        "Write the list, the log, the diff or the output to a file.",
        "Act",
        _on("runs run diff compare"),
    ),
    Key(
        "copy",
        "y",
        "leader('y')",
        "copy",
        "Copy something; the next key says what.",
        "Act",
        _on("runs run diff compare"),
    ),
    # app
    Key("help", "?,f1", "help", "keys", "All keys of this screen; type to find one, enter does it.", "App", _EVERY),
    Key(
        "palette",
        "ctrl+p",
        "palette",
        "palette",
        "Find an action, a run, a param or a theme by its name.",
        "App",
        _EVERY,
    ),
    Key("jump", ":", "jump", "go to", "Go somewhere by a word: :cache, :trash, :live, a run, a tab.", "App", _EVERY),
    Key("labels", "'", "labels", "labels", "Put a letter on everything that can be chosen.", "App", _EVERY),
    Key(
        "commands", "@", "commands", "commands", "The commands that would have done what was done here.", "App", _EVERY
    ),
    Key("reload", "ctrl+l", "reload", "reload", "Read everything again.", "App", _EVERY),
    Key("go", "g", "leader('g')", "go", "Go to a screen; the next key says which. gg goes to the top.", "App", _EVERY),
    Key(
        "suspend",
        "ctrl+z",
        "suspend_process",
        "suspend",
        "Give the terminal back to the shell; fg there goes on.",
        "App",
        _EVERY,
    ),
    Key("quit", "ctrl+q,ctrl+c", "quit", "quit", "Leave.", "App", _EVERY),
)

LEADERS: Mapping[str, tuple[Choice, ...]] = {
    "g": (
        Choice("g", "top", "edge(-1)"),
        Choice("r", "runs", "go('runs')"),
        Choice("l", "live runs", "go('live')"),
        Choice("c", "cache and disk", "go('cache')"),
        Choice("t", "trash", "go('trash')"),
        Choice("v", "views", "go('views')"),
    ),
    "y": (
        Choice("y", "id", "copy('id')"),
        Choice("n", "name", "copy('name')"),
        Choice("c", "commit", "copy('commit')"),
        Choice("p", "params as TOML", "copy('params')"),
        Choice("m", "metrics as Markdown", "copy('metrics')"),
        Choice("k", "the command of this screen", "copy('command')"),
        Choice("d", "git diff of two runs", "copy('diff')"),
    ),
}
"""Menus that a key opens; the second key may be pressed without looking."""

PLOT: tuple[Choice, ...] = (
    Choice("l", "y linear or logarithmic", "log_axis('y')"),
    Choice("x", "x linear or logarithmic", "log_axis('x')"),
    Choice("s", "smooth more, or not", "smooth"),
    Choice("a", "over steps, epochs or seconds", "turn_axis"),
)
"""What every plot can do, in the menu of options."""

FOOTERS: Mapping[str, tuple[str, ...]] = {
    "runs": (
        "open",
        "mark",
        "filter",
        "right",
        "sort",
        "diff",
        "compare",
        "group",
        "reproduce",
        "star",
        "tags",
        "delete",
        "undo",
        "why",
        "logs",
        "copy",
    ),
    "run": ("tab", "next-sibling", "why", "logs", "diff", "reproduce", "edit", "view", "filter", "star", "copy"),
    "diff": ("tab", "next-match", "next-sibling", "view", "edit", "save", "star", "copy"),
    "compare": ("differing", "sort", "column-left", "column-right", "view", "diff", "star", "save"),
    "cache": ("sort", "delete", "options", "open"),
    "trash": ("open", "undo"),
    "reproduce": ("open", "options"),
    "plot": ("right", "more", "less", "pan-right", "view", "options", "next-pane"),
}
"""What the last line of a screen, or of a pane with the keys, names, the most important first."""

TEXTS: Mapping[tuple[str, str], str] = {
    ("diff", "next-sibling"): "next file",
    ("reproduce", "open"): "start it",
    ("trash", "open"): "bring back",
    ("cache", "open"): "its run",
    ("cache", "delete"): "evict",
    ("plot", "right"): "crosshair",
}
"""What the last line of a screen calls a key that has another name everywhere else."""

_SIGNS = {
    "enter": "⏎",
    "space": "␣",
    "comma": ",",
    "full_stop": ".",
    "escape": "esc",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "shift+right": "S-→",
    "shift+left": "S-←",
    "shift+down": "S-↓",
    "shift+up": "S-↑",
    "shift+tab": "S-tab",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
}


def key_text(keys: str, *, is_ascii: bool = False) -> str:
    """Return how people write keys: ``j,down`` is ``j ↓``; in ASCII ``j down``, since an arrow of letters would be another key."""
    if keys.startswith("1,2,3"):
        return "1-9"
    return " ".join(_sign_of(key, is_ascii=is_ascii) for key in keys.split(","))


def named_key(keys: str, does: str, *, is_ascii: bool = False) -> list[tuple[str, str]]:
    """Return spans that name keys and what they do, and end with a gap."""
    return [(key_text(keys, is_ascii=is_ascii), "key"), (f" {does}   ", "dim")]


def _sign_of(key: str, *, is_ascii: bool) -> str:
    sign = _SIGNS.get(key, "")
    if sign and (sign.isascii() or not is_ascii):
        return sign
    return key.upper() if key == "f1" else key.replace("ctrl+", "^").replace("shift+", "S-")


def iter_keys(where: str) -> Iterator[Key]:
    """Yield the keys of a screen or pane."""
    return (key for key in KEYS if where in key.where)


def key_named(name: str) -> Key:
    """Return a key by its id."""
    return next(key for key in KEYS if key.id == name)
