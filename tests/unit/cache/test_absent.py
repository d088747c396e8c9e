"""Keys that are known to have no entry, so that nobody asks the database for them."""

import pytest

from finestflow.cache.rows import Entry
from finestflow.cache.store import Store


@pytest.fixture
def open_store(tmp_path):
    opened = []

    def make():
        opened.append(Store(tmp_path / "store.sqlite", tmp_path / "objects"))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def key_of(number):
    return f"{number:016x}" + "ab" * 24


def add(store, number):
    encoded = store.encode(number)
    store.add_value(encoded)
    store.add_entry(Entry(key_of(number), (), encoded.digest, "klmnopqrstuv", 0.0, ""))


def count_reads(store, numbers, monkeypatch):
    """Return how often the database is asked for the entries of keys that it does not have."""
    asked = []
    read = store._database.read
    with monkeypatch.context() as patch:
        patch.setattr(store._database, "read", lambda *query: asked.append(query) or read(*query))
        assert not any(store.find_entries(key_of(number)) for number in numbers)
    return len(asked)


def test_a_run_that_is_alone_asks_for_some_keys_only(open_store, monkeypatch):
    """A run that is alone asks the database for a few dozen keys that it does not have, then for no more."""
    store = open_store()
    add(store, 1)
    store.flush()
    store.alone_since = lambda: 7
    assert count_reads(store, range(1000, 2000), monkeypatch) < 100
    assert store.find_entries(key_of(1))


def test_a_run_that_is_not_alone_asks_for_every_key(open_store, monkeypatch):
    """While another run may write, every key is asked for."""
    store = open_store()
    assert count_reads(store, range(1000, 1200), monkeypatch) == 200


def test_what_another_run_wrote_is_found_when_it_has_come_or_gone(open_store, monkeypatch):
    """What another run has written is found as soon as it is known that there was one."""
    store, other = open_store(), open_store()
    since = [1]
    store.alone_since = lambda: since[0]
    count_reads(store, range(1000, 1200), monkeypatch)
    add(other, 5)
    other.flush()
    since[0] = None
    assert store.find_entries(key_of(5))
    add(other, 6)
    other.flush()
    since[0] = 2
    assert store.find_entries(key_of(6))


def test_what_was_written_and_forgotten_is_found(open_store, monkeypatch):
    """What this process has written and forgotten is found in the database."""
    store = open_store()
    store.alone_since = lambda: 1
    count_reads(store, range(1000, 1200), monkeypatch)
    add(store, 5)
    store.flush()
    store._trim()
    assert store.find_entries(key_of(5))
