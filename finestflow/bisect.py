"""At which run did a metric break? A look through the journal; nothing runs.

Owns the search for the last change from good to bad among the runs that have the metric. Called by the command ``bisect``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from finestflow.errors import UsageError

__all__ = ["Break", "Threshold", "find_break", "parse_threshold"]

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_FORM = re.compile(r"\s*(?P<metric>.+?)\s*(?P<op>>=|<=|==|[<>=])\s*(?P<value>\S+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What a good run fulfils, such as ``f1 > 0.9``."""

    metric: str
    op: str
    value: float

    def holds(self, number: float) -> bool:
        """Whether a value is good; NaN never is."""
        return _OPERATORS[self.op](number, self.value)

    def __str__(self) -> str:
        return f"{self.metric} {self.op} {self.value:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The last run that was good, and the first of the bad ones after it; each by its place in the sequence.

    ``good`` is None when no run before was good, ``bad`` when the newest is good and was never bad.
    ``is_repaired`` says that runs after the break are good again.
    """

    good: int | None
    bad: int | None
    is_repaired: bool = False


def parse_threshold(words: Sequence[str]) -> Threshold:
    """Return the condition that words such as ``f1 > 0.9`` or ``f1>0.9`` say.

    Raises:
        UsageError: They are no such condition.
    """
    text = " ".join(words)
    match = _FORM.fullmatch(text)
    if match is not None:
        try:
            return Threshold(metric=match["metric"], op=match["op"], value=float(match["value"]))
        except ValueError:
            pass
    raise UsageError(
        f"{text!r} is no condition on a metric", "write what a good run fulfils: finestflow bisect 'f1 > 0.9'"
    )


def find_break(values: Sequence[float], threshold: Threshold) -> Break:
    """Return where a metric last went from good to bad.

    Args:
        values: The metric in each run, oldest first.
        threshold: What good means.
    """
    good = [threshold.holds(value) for value in values]
    for place in range(len(good) - 1, 0, -1):
        if not good[place] and good[place - 1]:
            return Break(good=place - 1, bad=place, is_repaired=good[-1])
    if all(good):
        return Break(good=len(good) - 1 if good else None, bad=None)
    return Break(good=None, bad=0, is_repaired=good[-1])
