"""What happens to the store must not happen to the run: damage is a miss, a full disk is memory, a kill leaves no lie."""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from finestflow.cache.store import Entry, MissingValueError, Store
from tests.faults.store_writer import main as fill
from tests.faults.store_writer import value_of

KEY, OTHER = "ab" * 32, "cd" * 32
LARGE = np.arange(100_000.0)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def told():
    return []


@pytest.fixture
def open_store(tmp_path, told):
    opened = []

    def make():
        opened.append(
            Store(tmp_path / "store.sqlite", tmp_path / "objects", warn=told.append, scratch=tmp_path / "scratch")
        )
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def add(store, value, key=KEY):
    encoded = store.encode(value)
    store.add_value(encoded)
    store.add_entry(Entry(key, (), encoded.digest, "klmnopqrstuv", 0.5, ""))
    return encoded


def overwrite(path, data, at=0):
    Path(path).chmod(0o644)
    with open(path, "r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        file.write(data)


# -- objects --------------------------------------------------------------------------------------------------------------

DAMAGES = {
    "removed": os.unlink,
    "emptied": lambda path: os.truncate(path, 0),
    "cut off": lambda path: os.truncate(path, os.path.getsize(path) - 1),
    "cut to its header": lambda path: os.truncate(path, 40),
    "lengthened": lambda path: overwrite(path, b"x", os.path.getsize(path)),
    "replaced": lambda path: overwrite(path, b"not a value at all"),
    "zeroes": lambda path: overwrite(path, bytes(4096)),
    "flipped head": lambda path: overwrite(path, b"\xff", 70),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_object_is_a_miss_and_is_made_again(open_store, name):
    store = open_store()
    encoded = add(store, LARGE)
    DAMAGES[name](store.objects.path(encoded.object))

    with pytest.raises(MissingValueError):
        store.load(encoded.digest)
    assert not store.has(encoded.digest)

    add(store, LARGE)
    np.testing.assert_array_equal(store.load(encoded.digest), LARGE)
    assert list(store.verify(deep=True)) == []


def test_a_flipped_element_is_found_by_verify_and_never_served_where_asked_to_look(tmp_path, open_store):
    store = open_store()
    encoded, other = add(store, LARGE), add(store, "fine" * 20_000, OTHER)
    overwrite(store.objects.path(encoded.object), b"\xff", -1000)

    assert list(store.verify()) == []
    (problem,) = store.verify(deep=True)
    assert problem.digest == encoded.digest
    assert "damaged" in problem.message

    careful = Store(tmp_path / "store.sqlite", tmp_path / "objects", verify_always=True)
    with pytest.raises(MissingValueError, match="not those that were written"):
        careful.load(encoded.digest)
    assert careful.load(other.digest) == "fine" * 20_000
    careful.close()


def test_verify_names_what_is_missing_and_goes_on(open_store):
    store = open_store()
    lost, short, _ = [add(store, LARGE + i, f"{i:064x}") for i in range(3)]
    os.unlink(store.objects.path(lost.object))
    os.truncate(store.objects.path(short.object), 100)

    problems = {problem.digest: problem.message for problem in store.verify()}

    assert set(problems) == {lost.digest, short.digest}
    assert "missing" in problems[lost.digest]
    assert "100 bytes" in problems[short.digest]


# -- the database ---------------------------------------------------------------------------------------------------------


def test_garbage_in_place_of_the_database_is_moved_aside_with_one_warning(open_store, tmp_path, told):
    first = open_store()
    add(first, 1)
    first.close()
    (tmp_path / "store.sqlite").write_bytes(os.urandom(50_000))

    store = open_store()
    assert store.find_entries(KEY) == []
    add(store, 2, OTHER)
    store.close()

    again = open_store()
    assert [again.load(entry.value) for entry in again.find_entries(OTHER)] == [2]
    assert (tmp_path / "store.sqlite.damaged").stat().st_size == 50_000
    assert len(told) == 1
    assert "damaged" in told[0]


def test_a_damaged_database_that_cannot_be_moved_is_left_alone_and_named(open_store, tmp_path, told):
    first = open_store()
    add(first, 1, KEY)
    first.close()
    (tmp_path / "store.sqlite").write_bytes(b"?" * 50_000)
    (tmp_path / "store.sqlite.damaged/in the way").mkdir(parents=True)

    store = open_store()
    assert store.find_entries(KEY) == []
    add(store, 2, OTHER)
    store.close()

    assert (tmp_path / "store.sqlite").read_bytes() == b"?" * 50_000
    assert any("cannot be moved" in text for text in told)


def test_damage_in_the_middle_of_the_database_is_survived(open_store, tmp_path, told):
    first = open_store()
    for i in range(3000):
        add(first, i, f"{i:064x}")
    first.close()
    size = (tmp_path / "store.sqlite").stat().st_size
    for page in range(16_384, size, 16_384):
        overwrite(tmp_path / "store.sqlite", os.urandom(8000), page + 100)

    store = open_store()
    for i in range(3000):
        for entry in store.find_entries(f"{i:064x}"):
            assert store.load(entry.value) == i
    add(store, "new", KEY)
    store.close()

    assert open_store().find_entries(KEY) != []
    assert len(told) == 1


def test_a_database_that_vanishes_is_begun_anew(open_store, tmp_path):
    first = open_store()
    add(first, 1)
    first.close()
    for path in tmp_path.glob("store.sqlite*"):
        path.unlink()
    store = open_store()

    assert store.find_entries(KEY) == []
    add(store, 2)
    store.close()
    assert len(open_store().find_entries(KEY)) == 1


def test_a_busy_database_keeps_rows_waiting(open_store, tmp_path, told, monkeypatch):
    monkeypatch.setattr("finestflow.cache.database._BUSY_SECONDS", 0.05)
    store = open_store()
    add(store, 1)
    store.flush()
    blocker = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    encoded = add(store, 2, OTHER)
    store.flush()
    assert store.load(encoded.digest) == 2
    assert len(store.find_entries(OTHER)) == 1

    blocker.execute("COMMIT")
    blocker.close()
    store.flush()
    assert len(open_store().find_entries(OTHER)) == 1
    assert len(told) == 1


# -- disks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT], ids=errno.errorcode.get)
def test_where_no_object_can_be_written_the_run_goes_on_in_memory(open_store, told, monkeypatch, tmp_path, number):
    store = open_store()

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("finestflow.cache.objects.write_all", refuse)
        digests = [add(store, LARGE + i, f"{i:064x}").digest for i in range(3)]
        store.flush()

    for i, digest in enumerate(digests):
        assert store.has(digest)
        np.testing.assert_array_equal(store.load(digest), LARGE + i)
        store.load(digest)[:] = 0
    assert list((tmp_path / "objects").iterdir()) == []
    assert len(told) == 1
    assert "memory" in told[0]
    store.prefetch("p")
    np.testing.assert_array_equal(store.load(digests[0]), LARGE)


FULL = """
import resource, signal, sys, warnings
from pathlib import Path
from finestflow.cache.store import Entry, Store
told = []
store = Store(Path(sys.argv[1], "store.sqlite"), Path(sys.argv[1], "objects"), warn=told.append)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
digests = []
for i in range(4000):
    encoded = store.encode([i, "x" * (400_000 if i % 1000 == 0 else 100)])
    store.add_value(encoded)
    store.add_entry(Entry(f"{i:064x}", (), encoded.digest, "klmnopqrstuv", 0.5, ""))
    if i % 500 == 0:
        store.flush()
store.flush()
for i in range(4000):
    (entry,) = store.find_entries(f"{i:064x}")
    assert store.load(entry.value)[0] == i
store.close()
print(len(told))
"""


def test_a_full_disk_stops_neither_the_program_nor_its_results(tmp_path, open_store):
    """No file may grow beyond 300,000 bytes: objects fail first, then the database."""
    out = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=False)

    assert (out.returncode, out.stderr) == (0, "")
    assert out.stdout.strip() == "2"
    assert list(open_store().verify(deep=True)) == []


def test_a_store_that_cannot_be_made_is_memory(tmp_path, told):
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "store.sqlite", tmp_path / "file" / "objects", warn=told.append)

    digest = add(store, LARGE).digest
    store.flush()

    np.testing.assert_array_equal(store.load(digest), LARGE)
    assert len(store.find_entries(KEY)) == 1
    store.close()
    assert 1 <= len(told) <= 2


# -- processes ------------------------------------------------------------------------------------------------------------


def start_writer(folder, *numbers):
    words = [sys.executable, "-m", "tests.faults.store_writer", folder, *map(str, numbers)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE)


def check_whole(store):
    """Every entry leads to its value; return how many there are."""
    entries = list(store.iter_entries())
    for entry in entries:
        assert store.has(entry.value)
        assert store.load(entry.value) == value_of(entry.key)
    assert list(store.verify(deep=True)) == []
    return len(entries)


def kill_writers(folder, count, turn=0):
    writers = [start_writer(folder, (turn * count + i) * 10**7, 10**6) for i in range(count)]
    for writer in writers:
        assert writer.stdout.readline() == b"writing\n"
    for writer in writers:
        time.sleep(random.random() * 0.1)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()


@pytest.mark.slow
def test_killed_writers_leave_no_entry_without_its_value(tmp_path, open_store):
    kill_writers(tmp_path, 2)

    assert check_whole(open_store()) > 0


@pytest.mark.stress
def test_many_killed_writers_leave_no_entry_without_its_value(tmp_path, open_store):
    for turn in range(40):
        kill_writers(tmp_path, 3, turn)

    store = open_store()
    assert check_whole(store) > 10_000
    assert [path for path, _ in store.objects.iter_abandoned()] != []


@pytest.mark.slow
def test_two_processes_that_write_the_same_keys_agree(tmp_path, open_store):
    writers = [start_writer(tmp_path, 0, 1500) for _ in range(2)]
    for writer in writers:
        assert writer.wait(60) == 0
        writer.stdout.close()

    store = open_store()

    assert check_whole(store) == 1500
    assert store.usage().objects == 1500 // 4


def test_threads_that_write_the_same_keys_agree(tmp_path, open_store):
    store = open_store()
    errors = []

    def work():
        try:
            for number in range(400):
                key = f"{number:064x}"
                encoded = add(store, value_of(key), key)
                assert store.load(encoded.digest) == value_of(key)
                assert store.find_entries(key)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert check_whole(store) == 400


@pytest.mark.slow
def test_a_reader_of_another_process_is_never_given_half_a_value(tmp_path, open_store):
    """Objects are renamed into place, so what is found is whole while others write."""
    with start_writer(tmp_path, 0, 2000) as writer:
        store = open_store()
        seen = 0
        while writer.poll() is None:
            for number in range(0, 2000, 100):
                for entry in store.find_entries(f"{number:064x}", fresh=True):
                    assert store.load(entry.value) == value_of(entry.key)
                    seen += 1

    assert seen > 0


def test_an_interpreter_that_ends_without_closing_loses_nothing(tmp_path, open_store):
    code = "import sys; from pathlib import Path; from finestflow.cache.store import Entry, Store\n"
    code += (
        "s = Store(Path(sys.argv[1], 'store.sqlite'), Path(sys.argv[1], 'objects')); e = s.encode(7); s.add_value(e)\n"
    )
    code += f"s.add_entry(Entry({KEY!r}, (), e.digest, 'klmnopqrstuv', 0.5, ''))"

    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)

    assert len(open_store().find_entries(KEY)) == 1


def test_the_writer_program_writes_what_it_says(tmp_path, open_store):
    fill(tmp_path, 0, 10)

    assert check_whole(open_store()) == 10


def test_threads_never_wait_for_each_other_while_memory_is_trimmed(tmp_path, open_store, monkeypatch):
    """Whoever fills a batch writes it, and trimming then needs the lock that adding holds."""
    monkeypatch.setattr("finestflow.cache.store._MAX_KEPT", 50)
    store = open_store()

    def work(start):
        for number in range(start, start + 1500):
            add(store, number, f"{number:064x}")

    threads = [threading.Thread(target=work, args=(i * 10_000,), daemon=True) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert not any(thread.is_alive() for thread in threads)
    store.flush()
    assert store.usage().entries == 4500
