"""What ``u`` takes back and ``^r`` makes again, in the order in which it was done here: edits of the view, and annotations of runs.

Invariant: a step is kept before the edit, as the fields of the view that it changes were; annotations are undone by the workspace, which keeps
them on disk, so that of those the stack knows only when they were made. The steps lie in the state of the view, and so outlive the app. The app owns
one stack, screens put steps on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, NamedTuple

from finestflow_tui.state import ViewState

__all__ = ["Edit", "Steps"]

_MOST = 100


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
        state.done = [_load_edit(each, state) for each in state.done]
        state.undone = [_load_edit(each, state) for each in state.undone]

    def keep(self, said: str, *names: str) -> None:
        """Keep fields of the view that are about to be changed."""
        self._add(self._edit(said, names))

    def note_annotation(self) -> None:
        """Keep that runs are annotated."""
        self._add(None)

    def forget_annotation(self) -> None:
        """Drop the latest note of an annotation: it has failed."""
        if self._state.done and self._state.done[-1] is None:
            self._state.done.pop()

    def undo(self) -> Edit | None:
        """Put the view back as it was before the latest edit, and return that; None when the latest step is an annotation, or there is none."""
        return self._turn(self._state.done, self._state.undone)

    def redo(self) -> Edit | None:
        """Make again what was taken back last, in the same way."""
        return self._turn(self._state.undone, self._state.done)

    def _add(self, edit: Edit | None) -> None:
        self._state.done.append(edit)
        del self._state.done[:-_MOST]
        self._state.undone.clear()

    def _turn(self, source: list[Edit | None], target: list[Edit | None]) -> Edit | None:
        if not source:
            return None
        edit = source.pop()
        target.append(None if edit is None else self._edit(edit.said, edit.fields))
        if edit is not None:
            for name, value in edit.fields.items():
                setattr(self._state, name, value)
        return edit

    def _edit(self, said: str, names: Iterable[str]) -> Edit:
        return Edit(said, {name: copy(getattr(self._state, name)) for name in names})


def _load_edit(told: Any, state: ViewState) -> Edit | None:
    """Return an edit as JSON gives it back; None, as for an annotation, for what is no edit of this view."""
    match told:
        case [str(said), dict(fields)] if all(
            hasattr(state, name) and isinstance(value, type(getattr(state, name))) for name, value in fields.items()
        ):
            return Edit(said, fields)
    return None
