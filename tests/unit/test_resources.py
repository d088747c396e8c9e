"""What a run uses of its machine, sampled for real."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from finestflow import resources
from finestflow.resources import CPU, MEMORY, Sampler

GPU = "#!/bin/sh\necho x >> \"$0.calls\"\necho '0, 35, 1024'\necho '1, 0, 5'\n"
BROKEN = '#!/bin/sh\necho x >> "$0.calls"\nexit 9\n'


@pytest.fixture
def quick(monkeypatch):
    """Samples every few milliseconds."""
    monkeypatch.setattr(resources, "_FIRST", 0.01)
    monkeypatch.setattr(resources, "_GPU_SECONDS", 0.0)


class Told:
    def __init__(self, wanted=3):
        self.events = []
        self._wanted = wanted
        self._enough = threading.Event()

    def __call__(self, event):
        self.events.append(event)
        if len(self.events) >= self._wanted:
            self._enough.set()

    def wait(self):
        assert self._enough.wait(30)
        return [event["values"] for event in self.events]


def test_samples_tell_cpu_and_memory_of_the_process_and_its_children(quick):
    told = Told()
    code = "x = bytearray(100 << 20); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        with Sampler(told):
            values = told.wait()
        child.stdin.close()

    assert all(event["e"] == "sample" and event["t"] > 0 for event in told.events)
    assert all(each[CPU] >= 0 for each in values)
    if sys.platform == "linux":
        assert all(each[MEMORY] > 100 << 20 for each in values)


def test_nothing_is_told_in_the_first_second_and_after_the_end():
    told = Told()
    with Sampler(told):
        pass

    assert told.events == []


def test_gpus_are_told_where_there_are_any(quick, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text(GPU)
    program.chmod(0o755)
    told = Told()
    with Sampler(told, path=f"{tmp_path}:/bin:/usr/bin"):
        values = told.wait()

    assert values[0]["system/gpu0"] == 35
    assert values[0]["system/gpu0-memory"] == 1 << 30
    assert values[0]["system/gpu1-memory"] == 5 << 20


def test_a_gpu_program_that_fails_is_not_asked_again(quick, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text(BROKEN)
    program.chmod(0o755)
    told = Told()
    with Sampler(told, path=f"{tmp_path}:/bin:/usr/bin"):
        values = told.wait()

    assert all("gpu" not in name for each in values for name in each)
    assert (tmp_path / "nvidia-smi.calls").read_text() == "x\n"
