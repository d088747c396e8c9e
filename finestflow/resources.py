"""What a run uses of the machine: CPU, memory and GPU, sampled while it goes.

One thread wakes once a second, later every ten, and looks at the process of the run and all that it has started. Invariant: nothing is sampled
in the first second, so that short runs pay for a sleeping thread only; and a sample never ends a run. The runner opens one ``Sampler`` a run.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from finestflow.descendants import iter_descendants
from finestflow.processes import read_usage

__all__ = ["CPU", "MEMORY", "Sampler"]

CPU = "system/cpu"
"""Percent of one core: 200 is two cores at work."""
MEMORY = "system/memory"
"""Resident bytes of all processes together; what they share counts in each."""

_FIRST = 1.0
_LONGEST = 10.0
_GROWTH = 600.0
"""A sample a second for ten minutes, then fewer: so a day of them is less than a megabyte of events."""
_GPU_SECONDS = 5.0
_GPU_PATIENCE = 5.0
_GPU_QUERY = ("--query-gpu=index,utilization.gpu,memory.used", "--format=csv,noheader,nounits")
_MIB = 1 << 20


class Sampler:
    """Samples while it is open.

    Args:
        emit: Takes the events, from a thread of the sampler's own.
        path: Where to look for ``nvidia-smi``; empty looks for none.
    """

    def __init__(self, emit: Callable[[dict[str, Any]], None], *, path: str = "") -> None:
        self._emit = emit
        self._usage = _Usage()
        self._gpu = _Gpu(path)
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._work, name="finestflow-resources", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        with self._lock:  # a sample that is being told is told to its end, and none after it
            pass

    def _work(self) -> None:
        began = time.monotonic()
        pause = _FIRST
        while not self._ended.wait(pause):
            try:
                values = {**self._usage.read(), **self._gpu.read()}
            except (OSError, ValueError):  # a system that tells it otherwise
                return
            with self._lock:
                if self._ended.is_set():
                    return
                self._emit({"e": "sample", "t": time.time(), "values": values})
            pause = min(_LONGEST, max(_FIRST, (time.monotonic() - began) / _GROWTH))


class _Usage:
    """CPU and memory of this process and all that it has started."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._at = time.monotonic()
        self._boot = time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else 0.0
        self._cpu = sum(os.times()[:4])
        self._is_first = True

    def read(self) -> Mapping[str, float]:
        own = read_usage(self._pid)
        cpu, memory = _rough_usage() if own is None else (own.cpu, own.memory)
        earlier = 0.0
        for pid in iter_descendants(self._pid):
            usage = read_usage(pid)
            if usage is not None:
                cpu += usage.cpu
                memory += usage.memory
                if self._is_first and usage.started < self._boot:
                    earlier += usage.cpu  # it was there before the run, and what it did then is none of the run's
        now = time.monotonic()
        # What a child has used becomes its parent's when it is gone, unless nobody waited for it.
        share = max(0.0, cpu - earlier - self._cpu) / max(1e-9, now - self._at)
        self._at, self._cpu, self._is_first = now, cpu, False
        return {CPU: round(100 * share, 1), MEMORY: memory}


def _rough_usage() -> tuple[float, int]:
    """Return CPU seconds, those of ended children too, and the largest size so far: what there is without ``/proc``."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, own.ru_maxrss * unit


class _Gpu:
    """Use and memory of each NVIDIA GPU, by whoever uses it; nothing where there is none."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._program: str | None = ""
        self._next = 0.0

    def read(self) -> Mapping[str, float]:
        if self._program == "":
            self._program = shutil.which("nvidia-smi", path=self._path) if self._path else None
        if self._program is None or time.monotonic() < self._next:
            return {}
        self._next = time.monotonic() + _GPU_SECONDS
        try:
            told = subprocess.run(
                [self._program, *_GPU_QUERY], capture_output=True, text=True, timeout=_GPU_PATIENCE, check=True
            )
            return _parse_gpus(told.stdout)
        except (OSError, subprocess.SubprocessError, ValueError):  # no driver, or one that hangs: it is not asked again
            self._program = None
            return {}


def _parse_gpus(text: str) -> Mapping[str, float]:
    values: dict[str, float] = {}
    for line in text.splitlines():
        index, use, memory = (word.strip() for word in line.split(","))
        values[f"system/gpu{index}"] = float(use)
        values[f"system/gpu{index}-memory"] = int(float(memory) * _MIB)
    return values
