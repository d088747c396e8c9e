"""What gc takes away besides the values of a plan, which runs it chooses, and how it keeps runs from beginning."""

from __future__ import annotations

import fcntl
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finestflow.cache.store import Store
from finestflow.errors import LockedError
from finestflow.gc import GcPlan, choose_oldest, collect, hold_still
from finestflow.journal.live import LiveFolder
from finestflow.model import RunId

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

    freed = collect(store, GcPlan(runs=(), values=(), bytes=0), now=NOW)
    store.close()

    assert freed > 100_000
    assert [os.path.exists(path) for path in old] == [False, False]
    assert [os.path.exists(path) for path in young] == [True, True]


def _refuse(run: RunId) -> None:
    raise LockedError(f"run {run!r} is going on", "")


def test_while_it_deletes_no_run_begins(tmp_path):
    with hold_still(tmp_path, _refuse), open(tmp_path / "gate", "rb") as gate, pytest.raises(BlockingIOError):
        fcntl.flock(gate, fcntl.LOCK_SH | fcntl.LOCK_NB)

    LiveFolder.create(tmp_path, RunId("klmnopqrstuv")).close()


def test_it_begins_when_no_run_goes_on(tmp_path):
    live = LiveFolder.create(tmp_path, RunId("klmnopqrstuv"))
    with pytest.raises(LockedError), hold_still(tmp_path, _refuse):
        pass

    seen = []
    with hold_still(tmp_path, lambda run: (seen.append(run), live.close())):
        assert seen == ["klmnopqrstuv"]


digests = st.frozensets(st.sampled_from("abcdefgh"), max_size=5)


@given(
    st.lists(digests, max_size=8), st.lists(st.integers(0, 100), min_size=8, max_size=8), st.integers(0, 500), st.data()
)
def test_the_oldest_runs_go_until_the_rest_fits_and_no_more(reached, numbers, most, data):
    """Runs that may not go stay, however large they are; one that goes was needed to go, unless what is left is still too large."""
    runs = {RunId(f"run{at}"): each for at, each in enumerate(reached)}
    sizes = dict(zip("abcdefgh", numbers, strict=True))
    droppable = [run for run in runs if data.draw(st.booleans())]

    def size_without(gone) -> int:
        return sum(sizes[each] for each in frozenset().union(*(runs[run] for run in runs if run not in gone)))

    gone = choose_oldest(droppable, runs, sizes, most)

    assert gone == set(droppable[: len(gone)])
    assert size_without(gone) <= most or len(gone) == len(droppable)
    assert not gone or size_without(set(droppable[: len(gone) - 1])) > most
