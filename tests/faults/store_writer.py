"""A program that fills a store until it is killed: each value can be told from its key."""

from __future__ import annotations

import sys
from pathlib import Path

from finestflow.cache.store import Entry, Store


def value_of(key: str) -> object:
    """Return the value that belongs to a key: every fourth one is large."""
    number = int(key, 16)
    return f"{key}-" * (2000 if number % 4 == 0 else 1)


def main(folder: Path, start: int, count: int, step: int = 1) -> None:
    """Add entries for the keys from ``start`` on."""
    store = Store(folder / "store.sqlite", folder / "objects")
    for number in range(start, start + count * step, step):
        key = f"{number:064x}"
        encoded = store.encode(value_of(key))
        store.add_value(encoded)
        store.add_entry(Entry(key, (), encoded.digest, "klmnopqrstuv", 0.0, ""))
        if number == start + 300 * step:
            print("writing", flush=True)
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
