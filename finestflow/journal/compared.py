"""The values of a run as queries compare them.

Invariant: the index makes its rows with these functions and ``conditions`` asks them of summaries, so that SQL and Python see the same.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finestflow.model import RunSummary

__all__ = ["fold_text", "is_path_meant", "likeness_of", "number_of", "same_text", "text_of", "words_of"]


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


def same_text(value: Any) -> str:
    """Return a text that two values share when a record cannot tell them apart."""
    import json

    return json.dumps(value, sort_keys=True, default=repr)


def likeness_of(same: str) -> int:
    """Return a number that texts of ``same_text`` have in common when they are equal, and hardly else: what an index can be asked for."""
    from zlib import crc32

    return crc32(same.encode("utf-8", "surrogatepass"))


def is_path_meant(path: str, pattern: str) -> bool:
    """Say whether a pattern means a path: as a whole, by its end, or by a folder that it lies in; ``*`` is any text. Both are folded."""
    return any(fnmatch.fnmatchcase(path, each) for each in _patterns_of(pattern))


def _patterns_of(pattern: str) -> Iterable[str]:
    whole = pattern.strip("/")
    return (whole, f"*/{whole}", f"{whole}/*", f"*/{whole}/*")
