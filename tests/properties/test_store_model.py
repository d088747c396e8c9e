"""The store behaves as two dicts, whatever is done to it in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from finestflow.cache.store import Entry, MissingValueError, Store
from tests.conftest import examples

KEYS = st.sampled_from([f"{i:02x}" * 32 for i in range(6)])
OBSERVED = st.sampled_from([(), (("seed", "1"),), (("seed", "2"), ("context:a", "x"))])
VALUES = st.integers(0, 5) | st.sampled_from(["text", (1, 2), "a" * 40_000, "b" * 40_000, ["c" * 50_000, 1]])


class StoreAgainstDicts(RuleBasedStateMachine):
    """Random work of two processes on one store."""

    digests = Bundle("digests")

    @initialize()
    def open(self):
        self.folder = Path(tempfile.mkdtemp(prefix="finestflow-test-"))
        self.values = {}
        self.entries = {}
        self.store = self.make()

    def make(self):
        return Store(self.folder / "store.sqlite", self.folder / "objects", warn=self.unexpected)

    def unexpected(self, message):
        raise AssertionError(message)

    @rule(target=digests, value=VALUES)
    def add_value(self, value):
        encoded = self.store.encode(value)
        self.store.add_value(encoded)
        self.values[encoded.digest] = value
        return encoded.digest

    @rule(key=KEYS, observed=OBSERVED, digest=digests)
    def add_entry(self, key, observed, digest):
        if digest in self.values:
            self.store.add_entry(Entry(key, observed, digest, "klmnopqrstuv", 0.5, ""))
            self.entries.setdefault(key, {})[observed] = digest

    @rule(key=KEYS, fresh=st.booleans())
    def find(self, key, fresh):
        found = {entry.observed: entry.value for entry in self.store.find_entries(key, fresh=fresh)}
        assert found == self.entries.get(key, {})

    @rule(key=KEYS)
    def find_ahead(self, key):
        ahead = self.store.find_ahead(key)
        assert ahead is None or self.entries[key][ahead.observed] == ahead.value

    @rule(digest=digests)
    def load(self, digest):
        if digest in self.values:
            assert self.store.load(digest) == self.values[digest]
        else:
            assert self.store.info(digest) is None

    @rule()
    def flush(self):
        self.store.flush()

    @rule()
    def trim(self):
        self.store.flush()
        self.store._trim()

    @rule()
    def reopen(self):
        self.store.close()
        self.store = self.make()

    @rule()
    def remember_and_prefetch(self):
        keys = {str(i): key for i, key in enumerate(sorted(self.entries))}
        self.store.remember("p", keys)
        assert self.store.prefetch("p") == keys
        for key in keys.values():
            self.find_ahead(key)

    @rule(target=digests, digest=digests)
    def remove(self, digest):
        self.store.remove_values([digest])
        self.values.pop(digest, None)
        for found in self.entries.values():
            for observed in [observed for observed, value in found.items() if value == digest]:
                del found[observed]
        return multiple()

    @rule(digest=digests)
    def lose_an_object(self, digest):
        found = self.store.info(digest)
        if found is not None and found.object is not None:
            assert self.store.objects.remove(found.object)
            assert not self.store.has(digest)
            try:
                self.store.load(digest)
            except MissingValueError:
                pass
            else:
                raise AssertionError(digest)
            self.store.add_value(self.store.encode(self.values[digest]))

    @invariant()
    def what_is_there_is_whole(self):
        if hasattr(self, "store"):
            assert all(self.store.has(digest) for digest in self.values)

    def teardown(self):
        if hasattr(self, "store"):
            assert list(self.store.verify(deep=True)) == []
            self.store.close()
            shutil.rmtree(self.folder)


StoreAgainstDicts.TestCase.settings = settings(max_examples=examples(40), stateful_step_count=30)
TestStore = StoreAgainstDicts.TestCase
