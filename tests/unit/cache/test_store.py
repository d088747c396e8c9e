"""The store, seen from the runner: what is added is found and loaded, and nothing else is."""

from __future__ import annotations

import dataclasses
import gc
import multiprocessing
import os
import sqlite3
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from finestflow.cache.store import Entry, MissingValueError, Store
from finestflow.errors import NewerFormatError, ValueNotStorableError

KEY, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def warnings_seen():
    return []


@pytest.fixture
def open_store(tmp_path, warnings_seen):
    opened = []

    def make(**options):
        options.setdefault("scratch", tmp_path / "scratch")
        store = Store(tmp_path / "state/store.sqlite", tmp_path / "state/objects", warn=warnings_seen.append, **options)
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()


def add(store, value, key=None, observed=(), effects=""):
    encoded = store.encode(value)
    store.add_value(encoded)
    if key is not None:
        store.add_entry(Entry(key, observed, encoded.digest, "klmnopqrstuv", 0.5, effects))
    return encoded


LARGE = np.arange(100_000.0)


@pytest.mark.parametrize(
    "value",
    [7, "text", [1, {"a": (2,)}], LARGE, {"x": LARGE, "y": "a" * 50_000}],
    ids=["int", "text", "list", "array", "dict"],
)
def test_a_value_can_be_loaded_at_once_and_by_the_next_process(open_store, value):
    first = open_store()
    digest = add(first, value).digest

    np.testing.assert_equal(first.load(digest), value)
    first.close()
    np.testing.assert_equal(open_store().load(digest), value)


@dataclasses.dataclass
class Scored:
    score: float


def test_what_is_known_of_a_value_is_known_without_reading_it(open_store):
    first = open_store(is_project=lambda code: getattr(code, "__module__", "") == __name__)
    encoded = add(first, (LARGE, Scored(0.5)))
    assert encoded.classes == (f"{__name__}:Scored",)
    first.close()

    found = open_store().info(encoded.digest)

    assert found == encoded
    assert found.type == "tuple"
    assert found.preview == "(ndarray float64 100000, Scored(score=0.5))"
    assert found.parts == {"[0]": first.encode(LARGE).digest, "[1]": first.encode(Scored(0.5)).digest}
    assert found.object is not None
    assert found.data is None


def test_small_values_lie_in_the_database_and_large_ones_in_files(store):
    assert add(store, "a" * 32_000).object is None
    assert add(store, "a" * 33_000).object is not None
    assert [file.size for file in store.objects.iter_files()] == [store.encode("a" * 33_000).size]


def test_each_load_is_a_private_copy(open_store):
    store = open_store()
    for value in ([LARGE], [np.zeros(3000)], [np.zeros(3)]):
        digest = add(store, value).digest
        store.load(digest)[0][:] = -1

        np.testing.assert_equal(store.load(digest), value)


def test_equal_values_are_one_object(store):
    names = {add(store, LARGE.copy()).object for _ in range(3)}

    assert len(names) == 1
    assert store.usage().objects == 1


def test_objects_are_read_only_files_named_by_their_bytes(store, tmp_path):
    name = add(store, LARGE).object
    path = tmp_path / "state/objects" / name[:2] / name[2:]

    assert stat.S_IMODE(path.stat().st_mode) & 0o222 == 0
    assert store.objects.digest(name) == name


def test_a_value_that_was_never_added_is_missing(store):
    assert store.info(KEY) is None
    assert not store.has(KEY)
    with pytest.raises(MissingValueError, match="abababababab"):
        store.load(KEY)


# -- entries --------------------------------------------------------------------------------------------------------------


def test_entries_are_found_at_once_and_by_the_next_process(open_store):
    first = open_store()
    digest = add(first, 7, KEY, (("seed", "12"),), '{"a": 1}').digest
    expected = [Entry(KEY, (("seed", "12"),), digest, "klmnopqrstuv", 0.5, '{"a": 1}')]

    assert first.find_entries(KEY) == expected
    assert first.find_entries(OTHER) == []
    first.close()
    assert open_store().find_entries(KEY) == expected


@pytest.mark.parametrize("look_first", [True, False])
@pytest.mark.parametrize("flush", [True, False])
def test_an_entry_replaces_the_one_with_the_same_observations(open_store, look_first, flush):
    first = open_store()
    add(first, 1, KEY)
    add(first, 2, KEY, (("seed", "1"),))
    if flush:
        first.close()
    second = open_store() if flush else first
    if look_first:
        second.find_entries(KEY)
    add(second, 3, KEY)

    for store in (second, open_store()):
        values = {entry.observed: store.load(entry.value) for entry in store.find_entries(KEY)}
        assert values == {(): 3, (("seed", "1"),): 2}
        assert store.find_entries(KEY)[0].observed == ()
        second.flush()


def test_a_fresh_look_finds_what_another_process_has_added(open_store):
    one, other = open_store(), open_store()
    assert one.find_entries(KEY) == []

    add(other, 7, KEY)
    other.flush()

    assert one.find_entries(KEY) == []
    assert [one.load(entry.value) for entry in one.find_entries(KEY, fresh=True)] == [7]


def test_a_fresh_look_keeps_what_is_still_waiting_to_be_written(store):
    store.find_entries(KEY)
    add(store, 7, KEY)

    assert len(store.find_entries(KEY, fresh=True)) == 1


def test_rows_are_written_soon_by_themselves(store, open_store):
    add(store, 7, KEY)
    other = open_store()

    for _ in range(100):
        if other.find_entries(KEY, fresh=True):
            break
        time.sleep(0.05)

    assert len(other.find_entries(KEY, fresh=True)) == 1


def test_the_keys_of_the_last_run_are_read_together(open_store):
    first = open_store()
    assert first.prefetch("digits") == {}
    keys = {f"node[{i}]": f"{i:064x}" for i in range(300)}
    for i, key in enumerate(keys.values()):
        add(first, [i], key)
    first.remember("digits", dict.fromkeys(keys, KEY))
    first.remember("digits", {**keys, "failed": KEY})
    first.remember("other", {"x": OTHER})
    first.close()

    second = open_store()
    assert second.prefetch("digits") == {**keys, "failed": KEY}
    statements = []
    second._database._reader.set_trace_callback(statements.append)

    assert [second.load(second.find_ahead(key).value) for key in keys.values()] == [[i] for i in range(300)]
    assert statements == []


def remember(open_store, observed=()):
    """Leave a store whose next run of a pipeline reads one entry ahead."""
    store = open_store()
    store.prefetch("digits")
    value = add(store, (1, LARGE), KEY, observed, '{"log": 1}')
    store.remember("digits", {"node": KEY})
    store.close()
    return value


def test_what_is_read_ahead_is_what_was_added(open_store):
    observed = (("seed", "12"), ("file:a", "cd" * 32))
    value = remember(open_store, observed)

    store = open_store()
    store.prefetch("digits")

    assert store.find_ahead(KEY) == store.find_entries(KEY)[0]
    assert store.find_value(value.digest) == value


@pytest.mark.parametrize("change", ["replaced", "removed", "damaged"])
def test_nothing_is_read_ahead_that_is_no_longer_so(open_store, tmp_path, change):
    value = remember(open_store)
    other = open_store()
    if change == "replaced":
        add(other, 2, KEY)
    elif change == "removed":
        other.remove_values([value.digest])
    other.close()
    if change == "damaged":
        with sqlite3.connect(tmp_path / "state/store.sqlite") as connection:
            connection.execute("UPDATE ahead SET nodes = substr(nodes, 2)")

    store = open_store()
    assert store.prefetch("digits") == ({} if change == "damaged" else {"node": KEY})
    assert store.find_ahead(KEY) is None
    assert [store.find_value(entry.value).digest for entry in store.find_entries(KEY)] == {
        "replaced": [store.encode(2).digest],
        "removed": [],
        "damaged": [value.digest],
    }[change]

    store.remember("digits", {"node": KEY})
    store.close()
    again = open_store()
    again.prefetch("digits")
    assert (again.find_ahead(KEY) is None) == (change == "removed")


def test_what_has_been_added_since_comes_before_what_was_read_ahead(open_store):
    remember(open_store)
    store = open_store()
    store.prefetch("digits")
    add(store, 2, KEY)

    assert store.find_ahead(KEY) is None
    assert [entry.value for entry in store.find_entries(KEY)] == [store.encode(2).digest]


def test_memory_is_bounded_and_nothing_is_lost(open_store, monkeypatch):
    monkeypatch.setattr("finestflow.cache.store._MAX_KEPT", 100)
    store = open_store()
    digests = {}
    for i in range(2000):
        key = f"{i:064x}"
        store.find_entries(key)
        digests[key] = add(store, i, key).digest

    store.flush()

    assert len(store._known) <= 100
    assert all(store.load(store.find_entries(key)[0].value) == i for i, key in enumerate(digests))


# -- what cannot be kept --------------------------------------------------------------------------------------------------


def test_what_cannot_be_kept_names_its_place(store):
    with pytest.raises(ValueNotStorableError, match=r"generator' at '\[1\]\['a'\]'") as caught:
        store.encode([1, {"a": (x for x in "ab")}])
    assert caught.value.hint == "pass a list: list(...)"

    with pytest.raises(ValueNotStorableError, match=r"at '\[0\]'.*lambda"):
        Store(Path("unused"), Path("unused"), of_code=lambda _: "code").encode([lambda x: x])


def test_nothing_is_written_for_what_cannot_be_kept(store, tmp_path):
    with pytest.raises(ValueNotStorableError):
        store.encode([LARGE, (x for x in "ab")])

    assert list(tmp_path.rglob("*")) == []


# -- upkeep ---------------------------------------------------------------------------------------------------------------


def test_usage_counts_and_measures(store):
    add(store, 1, KEY)
    large = add(store, LARGE, OTHER)

    usage = store.usage()

    assert (usage.entries, usage.values, usage.objects, usage.object_bytes) == (2, 2, 1, large.size)
    assert usage.inline_bytes == add(store, 1).size
    assert usage.database_bytes > 0


def test_removing_values_removes_their_entries_and_objects(store):
    kept, gone, small = add(store, [LARGE, 1], KEY), add(store, LARGE, OTHER), add(store, 2)

    freed = store.remove_values([gone.digest, small.digest])

    assert freed == gone.size + small.size
    assert store.find_entries(OTHER) == []
    assert not store.has(gone.digest)
    assert store.has(kept.digest)
    assert [entry.key for entry in store.iter_entries()] == [KEY]
    assert [found.digest for found in store.iter_values()] == [kept.digest]
    assert list(store.verify(deep=True)) == []


def test_an_open_array_outlives_its_removal(store):
    encoded = add(store, LARGE)
    array = store.load(encoded.digest)

    store.remove_values([encoded.digest])

    assert np.array_equal(array, LARGE)


def test_objects_without_a_row_can_be_collected(store):
    used, unused = add(store, LARGE), store.encode(LARGE + 1)

    found = [file.name for file in store.iter_unused_objects()]
    store.remove_objects([*found, used.object])

    assert found == [unused.object]
    assert store.has(used.digest)
    assert list(store.iter_unused_objects()) == []


def test_reusing_an_object_makes_it_young_again(store):
    encoded = add(store, LARGE)
    path = store.objects.path(encoded.object)
    os.utime(path, (1, 1))

    store.encode(LARGE)

    assert os.stat(path).st_mtime > 1


def test_a_database_of_a_later_version_is_left_alone(open_store, tmp_path, warnings_seen):
    first = open_store()
    add(first, 1, KEY)
    first.close()
    with sqlite3.connect(tmp_path / "state/store.sqlite") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = (tmp_path / "state/store.sqlite").read_bytes()

    store = open_store()
    digest = add(store, 2, OTHER).digest

    assert store.find_entries(KEY) == []
    assert store.load(digest) == 2
    store.close()
    assert (tmp_path / "state/store.sqlite").read_bytes() == before
    assert len(warnings_seen) == 1
    assert "format 99" in warnings_seen[0]


def test_a_value_of_a_later_version_is_no_damage(store):
    encoded = add(store, LARGE)
    path = Path(store.objects.path(encoded.object))
    data = bytearray(path.read_bytes())
    data[8] = 7
    path.chmod(0o644)
    path.write_bytes(data)

    with pytest.raises(NewerFormatError):
        store.load(encoded.digest)
    assert path.exists()


def test_a_closed_store_can_be_used_again(store):
    add(store, 1, KEY)
    store.close()
    add(store, 2, OTHER)
    store.close()

    assert len(store.find_entries(KEY, fresh=True)) == 1
    assert store.usage().entries == 2


# -- processes ------------------------------------------------------------------------------------------------------------


def test_a_forked_child_reads_and_writes_without_disturbing_its_parent(store, open_store):
    digest = add(store, 1, KEY).digest
    store.flush()
    add(store, 2, OTHER)

    def work():
        assert store.load(digest) == 1
        assert store.find_entries(KEY, fresh=True)
        add(store, LARGE, "ef" * 32)
        store.close()

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(30)

    assert child.exitcode == 0
    store.close()
    other = open_store()
    assert [len(other.find_entries(key)) for key in (KEY, OTHER, "ef" * 32)] == [1, 1, 1]
    assert other.usage().entries == 3
    assert list(other.verify(deep=True)) == []


def test_the_code_of_classes_and_functions_is_asked_for(open_store):
    asked = []

    def of_code(obj):
        asked.append(obj)
        return "code"

    store = open_store(of_code=of_code, is_project=lambda obj: obj.__module__ == __name__)
    digested = store.digest([add, Entry])

    assert asked == [add]
    assert digested.parts is None
    assert store.digest([1, 2], parts=True).parts == {"[0]": store.digest(1).digest, "[1]": store.digest(2).digest}


@pytest.mark.slow
def test_digesting_storing_and_loading_leaves_nothing_to_the_garbage_collector(open_store):
    """A large value is freed as soon as its task has ended, not when the collector happens to run."""
    store = open_store()
    gc.collect()
    gc.disable()
    try:
        for value in ([1, {"a": "b"}], np.arange(10_000.0), (1, 2.5)):
            encoded = store.encode(value)
            store.add_value(encoded)
            store.digest(value)
            store.load(encoded.digest)
        assert gc.collect() == 0
    finally:
        gc.enable()
