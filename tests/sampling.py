"""Long lists of cases of which the quick tier runs a sample, spread over the whole list, and ``make slow`` the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

__all__ = ["sampled"]


def sampled(cases: Sequence[Any], count: int, *, always: Iterable[Any] = ()) -> list[Any]:
    """Return the cases as params of a test; all but about ``count`` of them are marked for the slow tier.

    Args:
        cases: Whatever a test is parametrized by.
        count: How many the quick tier runs.
        always: Cases that it runs whatever the sample is.
    """
    every = max(1, len(cases) // count)
    quick = list(always)
    return [
        case if at % every == 0 or case in quick else pytest.param(case, marks=pytest.mark.slow)
        for at, case in enumerate(cases)
    ]
