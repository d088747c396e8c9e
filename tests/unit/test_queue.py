"""The queue of runs that wait."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from finestflow.errors import NotFoundError, RepositoryError
from finestflow.processes import Process
from finestflow.queue import Queue


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path / "queue.sqlite", lambda: 1000.0)


@pytest.fixture
def gone():
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = Process.of(child.pid)
        child.communicate(b"\n")
    return process


ME = Process.of(os.getpid())


def states(queue):
    return [entry.state for entry in queue.entries()]


def test_a_queue_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "text").write_text("no database, but a text" * 100)
    for path in (tmp_path, tmp_path / "text" / "queue.sqlite", tmp_path / "text"):
        with pytest.raises(RepositoryError, match=r"the queue .* cannot be used"):
            Queue(path, lambda: 1000.0).add([["a"]], folder=tmp_path, batch="x")


def test_entries_are_taken_in_their_order_each_once(queue):
    queue.add([["a"], ["b"]], folder=Path("/somewhere"), batch="x")

    taken = [queue.claim(ME), queue.claim(ME), queue.claim(ME)]

    assert [entry and entry.words for entry in taken] == [("a",), ("b",), None]


def test_many_workers_never_take_the_same_entry(queue):
    queue.add([[str(n)] for n in range(40)], folder=Path("/somewhere"), batch="x")

    with ThreadPoolExecutor(8) as pool:
        taken = [entry.number for entry in pool.map(lambda _: queue.claim(ME), range(60)) if entry is not None]

    assert sorted(taken) == list(range(1, 41))


def test_a_worker_may_take_only_those_of_a_batch(queue):
    queue.add([["a"]], folder=Path("/somewhere"), batch="x")
    queue.add([["b"]], folder=Path("/somewhere"), batch="y")

    assert queue.claim(ME, batch="y").words == ("b",)
    assert queue.claim(ME, batch="y") is None


def test_an_entry_whose_process_is_gone_was_killed_and_is_not_started_again(queue, gone):
    queue.add([["a"]], folder=Path("/somewhere"), batch="x")
    queue.begin(queue.claim(ME).number, gone)

    assert states(queue) == ["killed"]
    assert queue.claim(ME) is None


def test_an_entry_whose_process_is_gone_is_what_its_run_is_recorded_as(tmp_path, gone):
    """It may have died between the record and its word to the queue; a run that nobody recorded leaves a killed entry that names it."""
    recorded = {"kkkkkkkkkkkk": "ok", "llllllllllll": "failed"}
    queue = Queue(tmp_path / "queue.sqlite", lambda: 1000.0, recorded.get)
    for number in queue.add([["a"], ["b"], ["c"]], folder=Path("/somewhere"), batch="x"):
        queue.begin(number, gone)
        queue.name_run(number, "klm"[number - 1] * 12)

    entries = [(entry.state, entry.run) for entry in queue.entries()]

    assert entries == [("ok", "kkkkkkkkkkkk"), ("failed", "llllllllllll"), ("killed", "mmmmmmmmmmmm")]
    queue.retry([2])
    assert queue.entries()[1].run == ""


def test_an_entry_that_ends_without_a_word_of_its_run_keeps_the_one_it_has(queue):
    [number] = queue.add([["a"]], folder=Path("/somewhere"), batch="x")
    queue.begin(number, ME)
    queue.name_run(number, "kkkkkkkkkkkk")
    queue.end(number, "cancelled", "")

    assert [(entry.state, entry.run) for entry in queue.entries()] == [("cancelled", "kkkkkkkkkkkk")]


def test_an_entry_that_a_worker_had_taken_but_not_started_waits_again(queue, gone):
    queue.add([["a"]], folder=Path("/somewhere"), batch="x")
    queue.claim(gone)

    assert queue.claim(ME).words == ("a",)


def test_an_entry_begins_in_one_process_only(queue):
    [number] = queue.add([["a"]], folder=Path("/somewhere"), batch="x")

    assert [queue.begin(number, ME), queue.begin(number, ME)] == [True, False]


def test_what_has_ended_can_wait_again_or_go_and_what_runs_cannot(queue):
    first, second = queue.add([["a"], ["b"]], folder=Path("/somewhere"), batch="x")
    queue.begin(first, ME)
    with pytest.raises(NotFoundError):
        queue.remove([first])
    with pytest.raises(NotFoundError):
        queue.retry([second])
    queue.end(first, "failed", "kkkkkkkkkkkk")
    assert next((entry.state, entry.run, entry.ended) for entry in queue.entries()) == (
        "failed",
        "kkkkkkkkkkkk",
        1000.0,
    )

    queue.retry([first])
    queue.remove([second])

    assert states(queue) == ["waiting"]


def test_an_empty_queue_makes_no_file(queue, tmp_path):
    assert queue.entries() == []
    assert list(tmp_path.iterdir()) == []
