"""The container: what goes in comes out, as a copy of its own, or a clear refusal."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finestflow.cache.codec import MissingValueError, check, pack, unpack
from finestflow.cache.digest import Walk
from finestflow.cache.refusal import Refusal
from finestflow.errors import CorruptionError, NewerFormatError


def dump(value):
    return b"".join(pack(value, opaque=True, in_main=False, artifacts=None).iter_bytes())


@dataclass
class Model:
    weights: np.ndarray
    name: str


PLAIN = [
    None,
    True,
    1,
    10**100,
    1.5,
    "text",
    b"bytes",
    [1, [2]],
    (1,),
    {"a": {1, 2}},
    range(3),
    "a" * 100_000,
    list(range(10_000)),
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_plain_values_come_back(value):
    back = unpack(dump(value))

    assert back == value
    assert type(back) is type(value)


def test_arrays_come_back_writable_and_aligned():
    for size in (1, 100, 1000, 100_000):
        value = Model(np.arange(float(size)), "m")
        back = unpack(bytearray(dump(value)))

        assert np.array_equal(back.weights, value.weights)
        assert back.weights.flags.writeable
        if size >= 1000:
            assert back.weights.ctypes.data % 16 == 0
        back.weights[0] = -1


def test_every_load_of_the_same_bytes_is_a_copy():
    data = dump([np.zeros(1000), {"a": []}])
    one, other = unpack(data), unpack(data)

    one[0][0] = 1
    one[1]["a"].append(1)

    assert other[0][0] == 0
    assert other[1] == {"a": []}


def test_buffers_are_aligned_to_64_bytes():
    packed = pack([np.zeros(1000), np.ones(3001, "u1"), np.zeros(500)], opaque=True, in_main=False, artifacts=None)
    offset, starts = 0, []
    for piece in packed.pieces:
        if len(piece) >= 1024:
            starts.append(offset)
        offset += len(piece)

    assert len(starts) == 3
    assert [start % 64 for start in starts] == [0, 0, 0]


def test_frames_come_back():
    frame = pd.DataFrame({"a": np.arange(1000), "b": ["x"] * 1000, "c": pd.date_range("2020", periods=1000)})

    back = unpack(dump(frame))
    back.loc[0, "a"] = 7

    pd.testing.assert_frame_equal(unpack(dump(frame)), frame)


def test_aliases_inside_a_value_stay_aliases():
    shared = [1]

    back = unpack(dump([shared, shared]))

    assert back[0] is back[1]


# -- damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [7, {"a": np.zeros(1000)}], ids=["pickle alone", "with buffers"])
def test_cut_off_and_lengthened_containers_are_damaged(value):
    data = dump(value)

    for wrong in [data[:i] for i in (0, 1, 20, 39, 40, len(data) // 2, len(data) - 1)] + [data + b"x"]:
        with pytest.raises(CorruptionError):
            unpack(wrong)
    with pytest.raises(CorruptionError):
        unpack(data, len(data) + 1)


def test_each_flipped_bit_of_header_table_and_pickle_is_seen():
    data = dump({"a": np.zeros(200)})
    end = check(data)[1]

    for position in range(end):
        for bit in (1, 128):
            wrong = bytearray(data)
            wrong[position] ^= bit
            with pytest.raises((CorruptionError, NewerFormatError)):
                check(wrong)


def test_a_later_format_is_told_apart_from_damage():
    data = bytearray(dump(1))
    data[8] = 9

    with pytest.raises(NewerFormatError, match="format 9"):
        unpack(data)


class Gone:
    pass


def test_a_value_whose_class_is_gone_is_missing(monkeypatch):
    data = dump(Gone())
    monkeypatch.delattr(sys.modules[__name__], "Gone")

    with pytest.raises(MissingValueError, match="Gone"):
        unpack(data)


class Picky:
    def __init__(self):
        self.a = 1

    def __setstate__(self, state):
        if "b" in state:
            raise KeyError("b")


def test_a_value_whose_class_no_longer_takes_it_is_missing():
    value = Picky()
    data = dump(value)
    value.b = 2
    raw = pickle.dumps(value)

    with pytest.raises(MissingValueError, match="KeyError"):
        unpack(b"".join([*_container(raw)]))
    assert unpack(data) is not None


def _container(pickled):
    from finestflow.cache.codec import _assemble

    return _assemble(pickled, [], [], 0).pieces


# -- refusals -------------------------------------------------------------------------------------------------------------


class Broken:
    """It can be pickled, and not be read."""

    def __reduce__(self):
        return Broken, (1, 2, 3)


class BadError(Exception):
    def __init__(self, code, detail):
        super().__init__(f"{code}: {detail}")


def test_what_cannot_be_read_back_is_refused_when_it_is_packed():
    for value in (Broken(), BadError(1, "x"), [Broken()]):
        with pytest.raises(Refusal, match="TypeError"):
            dump(value)


def test_the_culprit_of_a_failed_pickle_is_named():
    class Local:
        pass

    local = Local()
    for value, culprit in [([1, local], local), ({"f": (unnamed := lambda x: x)}, unnamed)]:
        with pytest.raises(Refusal) as caught:
            dump(value)
        assert caught.value.culprit is culprit
        assert "top level" in caught.value.hint


def test_locks_and_views_are_refused():
    for value in (threading.Lock(), [memoryview(b"a")]):
        with pytest.raises(Refusal):
            dump(value)


def test_what_is_too_deep_for_pickle_is_refused():
    value = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(Refusal, match="deeply"):
        dump(value)


# -- programs -------------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys
from dataclasses import dataclass
from enum import Enum
from finestflow.cache.codec import pack, unpack
from finestflow.cache.digest import Walk

class Colour(Enum):
    RED = 1

@dataclass
class Point:
    x: int
    colour: Colour = Colour.RED

def double(x):
    return 2 * x

if __name__ == "__main__":
    value = [Point(1), double, Point, {"c": Colour.RED}]
    walk = Walk()
    digest = walk.digest(value).digest
    data = b"".join(pack(value, opaque=walk.opaque, in_main=walk.in_main, artifacts=None).iter_bytes())
    assert unpack(data)[0] == Point(1) and type(unpack(data)[0]) is Point
    sys.stdout.buffer.write(digest.encode() + data)
"""


def test_values_of_a_script_load_in_a_process_that_imports_it(tmp_path: Path):
    (tmp_path / "points.py").write_text(textwrap.dedent(SCRIPT))
    code = """
import sys, points
from finestflow.cache.codec import unpack
from finestflow.cache.digest import digest_value
data = sys.stdin.buffer.read()
value = unpack(data[64:])
assert type(value[0]) is points.Point and value[1] is points.double and value[2] is points.Point
assert value[3]["c"] is points.Colour.RED
assert digest_value(value).digest == data[:64].decode()
"""

    written = subprocess.run([sys.executable, "points.py"], cwd=tmp_path, check=True, capture_output=True).stdout
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, input=written)


def test_a_module_run_by_name_keeps_its_name(tmp_path: Path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "points.py").write_text(textwrap.dedent(SCRIPT))

    written = subprocess.run(
        [sys.executable, "-m", "package.points"], cwd=tmp_path, check=True, capture_output=True
    ).stdout

    assert b"package.points" in written
    assert b"__main__" not in written


def test_walks_know_whether_a_pickle_must_be_proved():
    walk = Walk()
    walk.digest([1, {"a": (2.0, None)}])
    assert not walk.opaque

    walk = Walk()
    walk.digest([1, Model(np.zeros(3), "a")])
    assert walk.opaque
    assert not walk.in_main


def test_the_documented_container_is_the_one_that_is_written():
    page = (Path(__file__).parents[3] / "docs/reference/store-format.md").read_text()
    lines = page.partition("The number 7, whole:")[2].split("```")[1].strip().splitlines()
    digits = "".join(
        word for line in lines for word in line.split("   ")[0].split() if set(word) <= set("0123456789abcdef")
    )

    assert bytes.fromhex(digits) == dump(7)
