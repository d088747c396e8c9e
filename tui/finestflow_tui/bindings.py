"""The keys as Textual's bindings, with the changes of ``[tui.keys]``."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding, BindingType

from finestflow_tui.keys import KEYS, iter_keys

__all__ = ["bindings", "keymap"]


def bindings(where: str) -> list[BindingType]:
    """Return the bindings of a screen or pane."""
    made: list[BindingType] = []
    for key in iter_keys(where):
        if key.id == "tab":
            made += [
                Binding(each, f"tab({each})", key.text, show=False, tooltip=key.help, id=f"tab-{each}")
                for each in key.keys.split(",")
            ]
        elif key.id != "quit":  # the app has it, so that it works over questions too
            made.append(Binding(key.keys, key.action, key.text, show=False, tooltip=key.help, id=key.id))
    return made


def keymap(changed: Mapping[str, str]) -> dict[str, str]:
    """Return the changes that name a key that exists."""
    known = {key.id for key in KEYS}
    return {name: keys for name, keys in changed.items() if name in known}
