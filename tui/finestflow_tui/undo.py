"""What ``u`` takes back and ``^r`` makes again, in the order in which it was done here: edits of the view, and annotations of runs.

Invariant: a step is kept before the edit, as the fields of the view that it changes were; annotations are undone by the workspace, which keeps
them on disk, so that of those the stack knows only when they were made. The app owns one stack, screens put steps on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, NamedTuple

from finestflow_tui.state import ViewState

__all__ = ["Edit", "Steps"]


class Edit(NamedTuple):
    """Fields of the view as they were before an edit; ``said`` names what is put back."""

    said: str
    fields: Mapping[str, Any]


class Steps:
    """The stack.

    Args:
        state: The view that edits change.
    """

    def __init__(self, state: ViewState) -> None:
        self._state = state
        self._done: list[Edit | None] = []
        self._undone: list[Edit | None] = []

    def keep(self, said: str, *names: str) -> None:
        """Keep fields of the view that are about to be changed."""
        self._done.append(self._edit(said, names))
        self._undone.clear()

    def note_annotation(self) -> None:
        """Keep that runs were annotated."""
        self._done.append(None)
        self._undone.clear()

    def undo(self) -> Edit | None:
        """Put the view back as it was before the latest edit, and return that; None when the latest step is an annotation, or there is none."""
        return self._turn(self._done, self._undone)

    def redo(self) -> Edit | None:
        """Make again what was taken back last, in the same way."""
        return self._turn(self._undone, self._done)

    def _turn(self, source: list[Edit | None], target: list[Edit | None]) -> Edit | None:
        if not source:
            return None
        edit = source.pop()
        target.append(None if edit is None else self._edit(edit.said, edit.fields))
        if edit is not None:
            for name, value in edit.fields.items():
                setattr(self._state, name, value)
        return edit

    def _edit(self, said: str, names: Mapping[str, Any] | tuple[str, ...]) -> Edit:
        return Edit(said, {name: copy(getattr(self._state, name)) for name in names})
