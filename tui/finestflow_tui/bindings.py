"""The keys as Textual's bindings, with the changes of ``[tui.keys]``."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding, BindingType

from finestflow_tui.keys import KEYS, Key, iter_keys, key_named

__all__ = ["bindings", "bindings_of_app", "keymap"]

_OF_APP = ("quit", "suspend")
"""Keys that the app has, so that they work over questions too."""


def bindings(where: str) -> list[BindingType]:
    """Return the bindings of a screen or pane."""
    return [each for key in iter_keys(where) for each in _bindings_of(key)]


def bindings_of_app() -> list[BindingType]:
    """Return the bindings of the app."""
    return [
        Binding(key.keys, key.action, key.text, show=False, priority=True, tooltip=key.help, id=key.id)
        for key in map(key_named, _OF_APP)
    ]


def _bindings_of(key: Key) -> list[Binding]:
    if key.id in _OF_APP:
        return []
    if key.id != "tab":
        return [Binding(key.keys, key.action, key.text, show=False, tooltip=key.help, id=key.id)]
    return [
        Binding(each, f"tab({each})", key.text, show=False, tooltip=key.help, id=f"tab-{each}")
        for each in key.keys.split(",")
    ]


def keymap(changed: Mapping[str, object]) -> tuple[dict[str, str], list[str]]:
    """Return the changes that name a key that exists, and the names of the others."""
    known = {each.id for key in KEYS for each in _bindings_of(key)} | set(_OF_APP)
    good = {name: keys for name, keys in changed.items() if name in known and isinstance(keys, str) and keys}
    return good, [name for name in changed if name not in good]
