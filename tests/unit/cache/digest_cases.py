"""Values whose digests are written down in ``digests.json``. Run as a program it prints their digests as JSON."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import json
import pathlib
import re
import struct
import uuid
from dataclasses import dataclass

from finestflow.cache.digest import digest_value


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    tags: set


class Names(set):
    pass


class Node:
    def __init__(self, name):
        self.name = name


ring = [1, {"a"}]
ring.append(ring)
words = [f"word{i}" for i in range(50)]

CASES = {
    "none": None,
    "booleans": [True, False],
    "integers": [0, 1, -1, 2**63 - 1, 2**63, -(2**63) - 1, 10**100],
    "floats": [
        0.0,
        -0.0,
        1.5,
        float("inf"),
        float("nan"),
        -float("nan"),
        struct.unpack("<d", b"\1" * 6 + b"\xf8\x7f")[0],
    ],
    "complex": [1j, complex(float("nan"), -0.0)],
    "texts": ["", "a", "é", "\ud800", "x" * 5000],
    "bytes": [b"", b"a" * 5000, bytearray(b"a"), memoryview(b"a")],
    "column of integers": list(range(100)),
    "column of floats": [i / 7 for i in range(99)] + [float("nan")],
    "column of texts": tuple(words),
    "column of booleans": [True, False] * 20,
    "column of bytes": [b"a", b"bc"] * 20,
    "dict": {word: i for i, word in enumerate(words)},
    "dict of keys of all kinds": {1: 1, "1": 2, None: 3, (1, "a"): 4, 1.5: 5, b"1": 6, frozenset("ab"): 7},
    "set": set(words),
    "frozenset": frozenset(words),
    "sets in sets": {frozenset(words[:i]) for i in range(20)},
    "set of objects": {dt.date(2020, 1, i + 1) for i in range(20)},
    "derived set": Names(words),
    "deep": json.loads("[" * 300 + "]" * 300),
    "ring": ring,
    "object": Node({"b": {1, 2}, "a": set(words)}),
    "dataclass": Point(1, set(words)),
    "enum": Colour.RED,
    "ordered": collections.OrderedDict(b=1, a=2),
    "default": collections.defaultdict(list, a=[1], b=[2]),
    "counter": collections.Counter("abracadabra"),
    "deque": collections.deque([1, 2], 3),
    "range": range(1, 10, 3),
    "dates": [
        dt.date(2020, 1, 1),
        dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC),
        dt.timedelta(1, 2, 3),
        dt.time(1, 2),
    ],
    "numbers": [decimal.Decimal("1.10"), fractions.Fraction(1, 3)],
    "uuid": uuid.UUID(int=5),
    "pattern": re.compile("a+", re.IGNORECASE),
    "path": pathlib.PurePosixPath("a/b"),
    "class": Point,
    "functions": [len, json.dumps, dict.fromkeys],
    "error": ValueError("a", 1),
}


def digests() -> dict[str, str]:
    """Return the digest of each case."""
    return {name: digest_value(value).digest for name, value in CASES.items()}


if __name__ == "__main__":
    print(json.dumps(digests(), indent=1))
