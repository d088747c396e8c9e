"""How many threads numerical libraries have in a worker: BLAS, OpenMP and polars read that from the environment when they are loaded.

The number changes the last bits of results, and workers with all cores each slow each other down. Invariant: what the environment says already
stays. Read by the workspace, which records the number, and by the pool, which sets it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["count_cores", "share_threads", "thread_variables"]

_VARIABLES = (
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def count_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not every system tells
        return os.cpu_count() or 1


def share_threads(jobs: int) -> int:
    """Return how many threads each of so many workers has."""
    return max(1, count_cores() // jobs)


def thread_variables(jobs: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that say so to the libraries, other than those that are set."""
    return {name: environ.get(name, str(share_threads(jobs))) for name in _VARIABLES}
