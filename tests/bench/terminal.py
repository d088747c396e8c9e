"""A program in a pseudo-terminal of its own, with what it costs: CPU of all its threads from the kernel, bytes, memory."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Cost", "Terminal"]

QUIET = 0.15
ENVIRON = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b\][^\x07]*\x07")


class Cost(NamedTuple):
    """What a key costs: CPU and time until the last byte, bytes, and the CPU when the first ones came; in milliseconds."""

    cpu: float
    wall: float
    bytes: float
    first: float


class Terminal:
    """A program in a pseudo-terminal.

    Args:
        words: The program.
        folder: Where it runs; also its home.
        size: Columns and rows.
        environ: More of the environment.
    """

    def __init__(
        self,
        words: list[str],
        folder: Path,
        *,
        size: tuple[int, int] = (150, 48),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.began = time.perf_counter()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            path = os.pathsep.join(sys.path)
            os.chdir(folder)
            os.execvpe(words[0], words, {**ENVIRON, "PYTHONPATH": path, "HOME": str(folder), **(environ or {})})
        self.resize(*size)
        self.seen = b""

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def cpu(self) -> float:
        """Return the CPU that all threads have used, in milliseconds."""
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                continue
        return total / 1e6

    def memory(self) -> float:
        """Return the resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    @property
    def text(self) -> str:
        """What was written, without escape sequences."""
        return _ESCAPES.sub(b"", self.seen).decode("utf-8", "replace")

    def read(self, quiet: float = QUIET, limit: float = 120.0) -> tuple[int, float]:
        """Read until nothing comes for a while; return how many bytes, and how long until the last."""
        begin = last = time.perf_counter()
        count = 0
        while time.perf_counter() - begin < limit:
            ready, _, _ = select.select([self.master], [], [], quiet)
            if not ready:
                break
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:
                break
            count += len(data)
            self.seen += data
            last = time.perf_counter()
        return count, (last - begin) * 1000

    def wait_for(self, text: bytes, limit: float = 300.0) -> float:
        """Read until a text was written; return the seconds since the start."""
        return self.wait_until(lambda: text in self.seen, limit)

    def wait_until(self, condition: Callable[[], bool], limit: float = 30.0) -> float:
        """Read until something is so; return the seconds since the start."""
        begin = time.perf_counter()
        while not condition() and time.perf_counter() - begin < limit:
            self.read(quiet=0.005, limit=0.02)
        return time.perf_counter() - self.began

    def press(self, keys: bytes, quiet: float = QUIET) -> Cost:
        """Press keys; return what they cost until nothing was written for a while."""
        cpu = self.cpu()
        os.write(self.master, keys)
        select.select([self.master], [], [], quiet)
        first = self.cpu() - cpu
        count, wall = self.read(quiet)
        return Cost(self.cpu() - cpu, wall, count, first)

    def reach(self, keys: bytes, *texts: str, limit: float = 10.0) -> list[float]:
        """Press keys; return the CPU that was used when each text, a regular expression over the bytes, had been written."""
        cpu, begin, self.seen = self.cpu(), time.perf_counter(), b""
        os.write(self.master, keys)
        used = []
        for text in texts:
            while re.search(text.encode(), self.seen) is None:
                if time.perf_counter() - begin > limit:
                    raise TimeoutError(f"{text!r} was not written after {keys!r}: {self.text[-500:]!r}")
                self.read(quiet=0.002, limit=0.005)
            used.append(self.cpu() - cpu)
        self.read()
        return used

    def close(self) -> Cost:
        """Quit, and return what that took."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # threads that have ended count too
        begin = time.perf_counter()
        os.write(self.master, b"\x11")
        while time.perf_counter() - begin < 3.0:
            self.read(quiet=0.002, limit=0.01)
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
        wall = (time.perf_counter() - begin) * 1000
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        _, _, usage = os.wait4(self.pid, 0)
        os.close(self.master)
        return Cost((usage.ru_utime + usage.ru_stime - used) * 1000, wall, 0, 0)
