"""Time digests, and values going into the store and out of it, beside ``joblib.hash`` and ``numpy.load`` in the same run.

Run: ``python -m tests.bench.values [quick]``. Prints the median of several rounds; budgets are read by people, not asserted.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from finestflow.cache.digest import digest_simple, digest_value
from finestflow.cache.store import Entry, Store


@dataclass
class Sample:
    """A record such as people pass around."""

    name: str
    score: float
    tags: list[str]


NESTED = [
    {"id": i, "name": f"sample {i}", "scores": [i / 7, i / 11], "tags": ("a", "b", str(i % 5))} for i in range(2000)
]
VALUES: dict[str, Any] = {
    "int": 5,
    "text": "a short text",
    "small dict": {"lr": 0.1, "layers": [64, 64], "name": "adam"},
    "20 texts": [f"word {i}" for i in range(20)],
    "2,000 nested records": NESTED,
    "2,000 dataclasses": [Sample(f"s{i}", i / 3, ["a", str(i)]) for i in range(2000)],
    "1,000,000 floats in a list": [i / 3 for i in range(1_000_000)],
    "100,000 texts in a list": [f"word {i}" for i in range(100_000)],
    "array 8 KB": np.arange(1000.0),
    "array 8 MB": np.arange(1_000_000.0),
    "frame 100,000 x 5": pd.DataFrame({f"c{i}": np.arange(100_000) * (i + 0.5) for i in range(4)}).assign(t="text"),
}


def median_us(work: Callable[[], Any], seconds: float = 0.3) -> float:
    """Return the median time of one call, in us, over rounds that take about so long."""
    work()
    started = time.perf_counter()
    work()
    number = max(1, int(seconds / 7 / max(time.perf_counter() - started, 1e-7)))
    rounds = []
    gc.disable()
    for _ in range(7):
        started = time.perf_counter()
        for _ in range(number):
            work()
        rounds.append((time.perf_counter() - started) / number)
    gc.enable()
    return statistics.median(rounds) * 1e6


def show(name: str, *numbers: float, unit: str = "us") -> None:
    """Print one line."""
    print(f"{name:44}" + "".join(f"{number:12,.1f}" for number in numbers) + f"  {unit}")


def time_digests() -> None:
    """Digests beside joblib.hash."""
    print(f"{'digest':44}{'ours':>12}{'joblib':>12}{'ratio':>12}")
    for name, value in VALUES.items():
        plain = not isinstance(value, np.ndarray | pd.DataFrame) and "dataclass" not in name
        ours = median_us(partial(digest_simple if plain else digest_value, value))
        theirs = median_us(partial(joblib.hash, value))
        print(f"{name:44}{ours:12,.1f}{theirs:12,.1f}{theirs / ours:12.1f}  us")


def time_calls(folder: Path, calls: int) -> None:
    """What a trivial call costs: put, find with and without prefetch, load."""
    keys = [os.urandom(32).hex() for _ in range(calls)]
    store = Store(folder / "store.sqlite", folder / "objects")
    store.encode(0)

    def put(i: int) -> None:
        encoded = store.encode(i)
        store.add_value(encoded)
        store.add_entry(Entry(keys[i], (), encoded.digest, "klmnopqrstuv", 0.1, ""))

    store.prefetch("bench")
    show("encode a trivial value", median_us(lambda: store.encode(7)))
    started = time.perf_counter()
    for i in range(calls):
        put(i)
    show("put: encode, value, entry", (time.perf_counter() - started) / calls * 1e6)
    store.remember("bench", {str(i): key for i, key in enumerate(keys)})
    started = time.perf_counter()
    store.close()
    show(f"close with what waits of {calls:,} puts", (time.perf_counter() - started) * 1e3, unit="ms")
    for is_prefetched in (True, False):
        store = Store(folder / "store.sqlite", folder / "objects")
        if is_prefetched:
            started = time.perf_counter()
            store.prefetch("bench")
            show("prefetch, a key", (time.perf_counter() - started) / calls * 1e6)
        started = time.perf_counter()
        found = [(store.find_ahead(key) or store.find_entries(key)[0]).value for key in keys]
        show(f"find {'with' if is_prefetched else 'without'} prefetch", (time.perf_counter() - started) / calls * 1e6)
        started = time.perf_counter()
        for digest in found:
            store.has(digest)
        show("has", (time.perf_counter() - started) / calls * 1e6)
        started = time.perf_counter()
        for digest in found:
            store.load(digest)
        show("load", (time.perf_counter() - started) / calls * 1e6)
        store.close()
    claims = store.claims()
    show("claim and release", median_us(lambda: (claims.take(keys[0]), claims.release(keys[0]))))


def time_arrays(folder: Path, megabytes: int) -> None:
    """A large array in and out, beside numpy's own file."""
    array = np.random.default_rng(0).random(megabytes * 125_000)
    store = Store(folder / "large.sqlite", folder / "objects")
    started = time.perf_counter()
    digest_value(array)
    show(f"digest {megabytes} MB", (time.perf_counter() - started) * 1e3, unit="ms")
    started = time.perf_counter()
    encoded = store.encode(array)
    show(f"encode {megabytes} MB (digest, name, write)", (time.perf_counter() - started) * 1e3, unit="ms")
    started = time.perf_counter()
    np.save(folder / "array.npy", array)
    show("numpy.save", (time.perf_counter() - started) * 1e3, unit="ms")
    started = time.perf_counter()
    store.encode(array)
    show("encode it again (digest, name)", (time.perf_counter() - started) * 1e3, unit="ms")
    store.add_value(encoded)
    show(f"load {megabytes} MB", median_us(lambda: store.load(encoded.digest)) / 1e3, unit="ms")
    show("numpy.load", median_us(lambda: np.load(folder / "array.npy")) / 1e3, unit="ms")
    show("load and sum", median_us(lambda: store.load(encoded.digest).sum()) / 1e3, unit="ms")
    show("numpy.load and sum", median_us(lambda: np.load(folder / "array.npy").sum()) / 1e3, unit="ms")
    store.close()


def main() -> None:
    """Run everything."""
    is_quick = "quick" in sys.argv
    with tempfile.TemporaryDirectory() as name:
        time_digests()
        VALUES.clear()
        gc.collect()
        gc.freeze()  # the values above are not what the calls below should pay for
        print()
        time_calls(Path(name), 2_000 if is_quick else 20_000)
        print()
        time_arrays(Path(name), 20 if is_quick else 200)


if __name__ == "__main__":
    main()
