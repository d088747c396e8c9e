"""Processes of this machine: which one is meant, what it has started, what it uses, and how to send it a signal.

Invariant: a process is only taken for another one when host, id and start time all agree, so neither a process on another host nor one
that was given the same id later gets a signal that was not meant for it. Live folders name the process of a run with it; ``stop`` and
``resources`` look at processes through it. Linux tells all of this in ``/proc``; elsewhere ``ps`` tells the start, and the rest is unknown.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self

__all__ = [
    "Meter",
    "Process",
    "ProcessHandle",
    "Usage",
    "load_process",
    "make_follower_of_parent",
    "read_usage",
]

# Places in /proc/PID/stat, counted from the state that follows the name in parentheses; proc(5) counts three more.
_TIMES, _START, _PAGES = slice(11, 15), 19, 21
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG = 1
_MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Which process: its host, its id, and when it was started, in whatever form its system tells that (empty: it is not there)."""

    host: str
    pid: int
    start: str

    @classmethod
    def of(cls, pid: int) -> Self:
        """Return a process of this host."""
        return cls(host=os.uname().nodename, pid=pid, start=_read_start(pid))

    @property
    def is_here(self) -> bool:
        """Whether it belongs to this host."""
        return self.host == os.uname().nodename

    @property
    def is_there(self) -> bool:
        """Whether it is on this host, and lives."""
        return self.is_here and bool(self.start) and _read_start(self.pid) == self.start

    def dump(self) -> bytes:
        """Return it as a line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"


def load_process(data: bytes) -> Process | None:
    """Return the process that a line of JSON names; None when it names none."""
    try:
        fields = json.loads(data)
        return Process(host=str(fields["host"]), pid=int(fields["pid"]), start=str(fields["start"]))
    except (ValueError, TypeError, KeyError):
        return None


class ProcessHandle:
    """A hold on a process, to send it signals.

    Linux holds it by a descriptor, which stays that process however long the caller takes; elsewhere it is looked at again each time.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._descriptor: int | None = None
        if process.is_here and hasattr(os, "pidfd_open"):
            try:
                self._descriptor = os.pidfd_open(process.pid)
            except OSError:  # gone, or a kernel before 5.3
                self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def send(self, number: int) -> bool:
        """Send a signal; return whether the process was there to take it.

        Raises:
            PermissionError: It belongs to somebody else.
        """
        if not self._process.is_there:
            return False
        try:
            if self._descriptor is not None:
                signal.pidfd_send_signal(self._descriptor, number)
            else:
                os.kill(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def ignores(self, number: int) -> bool:
        """Whether it ignores a signal, as what a shell script puts into the background does with SIGINT; False where that is not told."""
        try:
            with open(f"/proc/{self._process.pid}/status", "rb") as file:
                ignored = next((line.split()[1] for line in file if line.startswith(b"SigIgn:")), b"0")
        except OSError:
            return False
        return bool(int(ignored, 16) >> (number - 1) & 1)


def make_follower_of_parent() -> Callable[[], None] | None:
    """Return what a child calls before its program begins, so that it gets SIGTERM when the thread that started it is gone.

    None where the system cannot do that (it is Linux's prctl(2)). All that needs a lock is done here: the child is a fork of a process that may
    have threads.
    """
    if sys.platform != "linux":
        return None
    import ctypes

    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    number, term = ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGTERM)

    def follow() -> None:
        prctl(number, term)
        if os.getppid() != parent:  # it went before the call
            os._exit(128 + signal.SIGTERM)

    return follow


class Meter:
    """What the calls of this process use, one after the other.

    Args:
        has_peaks: Whether the process does nothing else, so that the memory that it has is that of its calls.
    """

    def __init__(self, *, has_peaks: bool = False) -> None:
        self._has_peaks = has_peaks
        self._peak: int | None = None
        if has_peaks:
            with contextlib.suppress(OSError):  # Linux: "5" makes the highest size so far the present one, see proc(5)
                self._peak = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
        self._children = _cpu_of_children()
        self._begun = 0.0

    def begin(self) -> None:
        """Take note that a call begins: this takes 0.8 us, or with peaks 1.5."""
        if self._peak is not None:
            os.pwrite(self._peak, b"5", 0)
        self._begun = time.process_time()

    def end(self) -> tuple[float, int | None]:
        """Return what the call that has ended used: seconds of CPU, its child processes included, and the most memory.

        Where no peak can be told for a call alone, it is that of all calls so far; None without peaks.
        """
        cpu, children = time.process_time() - self._begun, _cpu_of_children()
        cpu, self._children = cpu + children - self._children, children
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MEMORY_UNIT if self._has_peaks else None
        return round(cpu, 6), memory


def _cpu_of_children() -> float:
    """Return the CPU seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Usage(NamedTuple):
    """What a process uses: seconds of CPU so far, its own and of children that have ended, and resident bytes; its start since the boot."""

    cpu: float
    memory: int
    started: float


def read_usage(pid: int) -> Usage | None:
    """Return what a process uses; None when it is gone, or where ``/proc`` does not tell."""
    fields = _read_stat(pid)
    if fields is None:
        return None
    return Usage(sum(map(int, fields[_TIMES])) / _TICKS, int(fields[_PAGES]) * _PAGE, int(fields[_START]) / _TICKS)


def _read_start(pid: int) -> str:
    if sys.platform == "linux":
        fields = _read_stat(pid)
        return "" if fields is None or fields[0] in {b"Z", b"X"} else fields[_START].decode()
    import subprocess

    try:
        told = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return told.stdout.strip()


def _read_stat(pid: int) -> list[bytes] | None:
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return fields if len(fields) > _PAGES else None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
