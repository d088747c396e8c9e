"""What gc takes away besides the values of a plan."""

from __future__ import annotations

import os

from finestflow.cache.store import Store
from finestflow.gc import GcPlan, collect

NOTHING = GcPlan(runs=(), values=(), bytes=0)
NOW = 2_000_000_000.0


def _left(store: Store, age: float) -> tuple[str, str]:
    """Leave what a killed writer leaves: an object without a row, and a temporary file."""
    encoded = store.encode(b"x" * 100_000 + str(age).encode())
    assert encoded.object is not None
    unnamed = str(store.objects.path(encoded.object))
    temporary = os.path.join(store.objects.root, f"{_prefix()}{age}")
    with open(temporary, "w", encoding="utf-8"):
        pass
    for path in (unnamed, temporary):
        os.utime(path, (NOW - age, NOW - age))
    return unnamed, temporary


def _prefix() -> str:
    from finestflow.cache import objects

    return objects._TEMPORARY


def test_files_that_killed_writers_left_go_and_those_of_living_ones_stay(tmp_path):
    store = Store(tmp_path / "store.sqlite", tmp_path / "objects")
    old, young = _left(store, 7200), _left(store, 60)

    freed = collect(store, NOTHING, now=NOW)
    store.close()

    assert freed > 100_000
    assert [os.path.exists(path) for path in old] == [False, False]
    assert [os.path.exists(path) for path in young] == [True, True]
