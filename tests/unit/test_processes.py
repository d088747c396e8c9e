"""Which process is meant, what it has started, and signals to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from finestflow.descendants import iter_descendants
from finestflow.processes import Process, ProcessHandle, load_process, read_usage

SLEEPING = "import time; print('ready', flush=True); time.sleep(60)"


@pytest.fixture
def child():
    """A process that sleeps."""
    process = subprocess.Popen([sys.executable, "-S", "-c", SLEEPING], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_process_comes_back_from_its_line():
    own = Process.of(os.getpid())

    assert load_process(own.dump()) == own
    assert own.is_there


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}", b'{"host": "a", "pid": "x", "start": "1"}', b"null"])
def test_a_line_that_names_no_process_is_none(data):
    assert load_process(data) is None


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"start": "1"}, {"start": ""}, {"pid": 2**22 + 1}])
def test_a_process_on_another_host_or_with_another_start_is_never_signalled(child, other):
    wrong = replace(Process.of(child.pid), **other)

    assert not wrong.is_there
    with ProcessHandle(wrong) as handle:
        assert handle.send(signal.SIGKILL) is False
    assert child.poll() is None


def test_a_signal_reaches_the_process_that_is_meant(child):
    with ProcessHandle(Process.of(child.pid)) as handle:
        assert handle.send(signal.SIGTERM) is True
        assert child.wait() == -signal.SIGTERM
        assert handle.send(signal.SIGTERM) is False


@pytest.mark.skipif(sys.platform != "linux", reason="told by /proc")
def test_what_a_process_ignores_is_told():
    code = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {SLEEPING}"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with ProcessHandle(Process.of(process.pid)) as handle:
            assert handle.ignores(signal.SIGINT)
            assert not handle.ignores(signal.SIGTERM)
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="told by /proc")
def test_descendants_are_found_below_children(child):
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {SLEEPING!r}])"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE) as parent:
        parent.stdout.readline()
        below = list(iter_descendants(parent.pid))
        assert len(below) == 1
        assert {child.pid, parent.pid, *below} <= set(iter_descendants(os.getpid()))
        os.kill(below[0], signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="told by /proc")
def test_usage_is_told_of_what_lives_and_of_nothing_else(child):
    own = read_usage(os.getpid())

    assert own.cpu > 0
    assert own.memory > 1 << 20
    child.kill()
    child.wait()
    assert read_usage(child.pid) is None
    assert list(iter_descendants(child.pid)) == []
