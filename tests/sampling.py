"""Cases of a test of which the quick tier runs some, and ``make slow`` the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

__all__ = ["sampled", "slow"]


def slow(cases: Iterable[Any]) -> list[Any]:
    """Return the cases as params of a test that the slow tier runs."""
    return [pytest.param(case, marks=pytest.mark.slow) for case in cases]


def sampled(cases: Sequence[Any], count: int, *, always: Iterable[Any] = ()) -> list[Any]:
    """Return a long list of cases as params of a test; all but about ``count``, spread over it, are for the slow tier.

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
