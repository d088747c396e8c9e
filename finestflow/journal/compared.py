"""The values of a run as queries compare them.

Invariant: the index makes its rows with these functions and ``conditions`` asks them of summaries, so that SQL and Python see the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finestflow.model import RunSummary

__all__ = ["fold_text", "number_of", "text_of", "words_of"]


def fold_text(text: str | None) -> str:
    """Return text as it is compared: without regard to case."""
    return (text or "").casefold()


def words_of(run: RunSummary) -> str:
    """Return all the text of a run that a bare word is looked for in, folded."""
    return fold_text("\n".join((run.id, run.name, run.pipeline, run.note, *run.tags)))


def number_of(value: object) -> float | None:
    """Return a param or metric as the number that it is compared as; None for NaN and what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return None if math.isnan(number) else number


def text_of(value: object) -> str:
    """Return a param as the text that it is compared as."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
