"""Claims: one run has a key, the others know it, and a dead run has none."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from finestflow.cache.claims import Claims

KEY, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def open_claims(tmp_path):
    opened = []

    def make():
        opened.append(Claims(tmp_path / "claims"))
        return opened[-1]

    yield make
    for claims in opened:
        claims.close()


def test_a_key_belongs_to_one_run_until_it_is_released(open_claims):
    one, other = open_claims(), open_claims()

    assert one.take(KEY)
    assert one.take(KEY)
    assert not other.take(KEY)
    assert other.take(OTHER)
    one.release(KEY)
    assert other.take(KEY)


def test_releasing_what_was_never_taken_is_no_error(open_claims):
    open_claims().release(KEY)


def test_closing_gives_everything_back(open_claims):
    one, other = open_claims(), open_claims()
    one.take(KEY)

    one.close()

    assert other.take(KEY)
    assert one.take(OTHER)


def test_waiting_is_bounded(open_claims, monkeypatch):
    one, other = open_claims(), open_claims()
    one.take(KEY)
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)

    assert not other.take(KEY, wait=0.1)

    assert sum(slept) == pytest.approx(0.1)


def test_a_waiting_run_gets_the_key_when_it_is_released(open_claims):
    one, other = open_claims(), open_claims()
    one.take(KEY)
    timer = threading.Timer(0.05, one.release, [KEY])
    timer.start()

    assert other.take(KEY, wait=20)
    timer.join()


def test_the_claims_of_a_killed_process_end_with_it(open_claims, tmp_path):
    code = "import sys, time; from pathlib import Path; from finestflow.cache.claims import Claims\n"
    code += f"claims = Claims(Path(sys.argv[1])); print(claims.take({KEY!r}), flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "claims"], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"True\n"
        claims = open_claims()
        assert not claims.take(KEY)

        os.kill(process.pid, signal.SIGKILL)
        process.wait()

        assert claims.take(KEY)


def test_a_forked_child_does_not_keep_its_parents_claims(open_claims):
    claims = open_claims()
    claims.take(KEY)
    gate = multiprocessing.get_context("fork").Event()
    child = multiprocessing.get_context("fork").Process(target=gate.wait, args=(30,))
    child.start()

    assert not open_claims().take(KEY)
    claims.close()
    assert open_claims().take(KEY, wait=20)
    gate.set()
    child.join()


def test_where_there_are_no_such_locks_every_claim_is_granted(open_claims, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(fcntl, "fcntl", refuse)

    assert open_claims().take(KEY)
    assert open_claims().take(KEY)


def test_a_folder_that_cannot_be_written_grants_every_claim(tmp_path):
    (tmp_path / "file").touch()

    assert Claims(tmp_path / "file" / "claims").take(KEY)


def test_a_run_that_claims_all_keys_keeps_those_it_asked_for_when_it_narrows(open_claims):
    one, other = open_claims(), open_claims()
    first, second = "00" * 32, "ff" * 32
    for key in (first, KEY, second):
        assert one.take(key, with_all=True)
    assert not other.take(OTHER)
    one.release(KEY)
    assert not other.take(KEY)

    one.narrow()

    assert other.take(OTHER)
    assert other.take(KEY)
    assert not other.take(first)
    assert not other.take(second)
    one.release(first)
    one.release(second)
    assert other.take(first)
    assert other.take(second)


def test_claiming_one_key_gives_back_all_others(open_claims):
    one, other = open_claims(), open_claims()
    one.take(KEY, with_all=True)

    one.take("12" * 32)

    assert other.take(OTHER)
    assert not other.take(KEY)
    assert not other.take("12" * 32)


def test_all_keys_are_not_to_be_had_while_another_run_has_one(open_claims):
    one, other = open_claims(), open_claims()
    other.take(OTHER)

    assert one.take(KEY, with_all=True)
    assert not one.take(OTHER, with_all=True)

    assert other.take("12" * 32)
    assert not other.take(KEY)


def test_who_claims_all_keys_asks_once_to_be_narrowed(tmp_path):
    asked = []
    claims = Claims(tmp_path / "claims", asked.append)
    for key in (KEY, OTHER):
        claims.take(key, with_all=True)
    assert asked == [claims]
    claims.narrow()
    claims.narrow()
    claims.take(KEY, with_all=True)
    assert asked == [claims, claims]
    claims.close()
