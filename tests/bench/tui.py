"""Time the terminal UI through a real pseudo-terminal, beside a plain Textual ``DataTable`` over the same runs.

Run: ``python -m tests.bench.tui [runs ...]``; 10,000 and 100,000 when none are given. CPU is that of all threads of the process, read from
the kernel; a step has ended when nothing was written for 150 ms. Budgets, in ms of CPU at 10,000 runs: interactive 500, cursor 5, page 20,
filter 25, sort 40, open a run 30; they are read by people, not asserted.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

from tests.bench.journal import ENVIRON, build

COLUMNS, ROWS = 150, 48
QUIET = 0.15

DATA_TABLE = """
import sys
from pathlib import Path
from textual.app import App
from textual.widgets import DataTable
from finestflow.git.repository import find_repository
from finestflow.journal.index import Index

class Plain(App):
    def compose(self):
        yield DataTable(cursor_type="row")
    def on_mount(self):
        repo = find_repository(Path.cwd(), dict(__import__("os").environ))
        table = self.query_one(DataTable)
        columns = ["name", "pipeline", "status", "started", "seconds", *(f"m.m{n}" for n in range(8)), *(f"p.p{n}" for n in range(7))]
        table.add_columns(*columns)
        table.add_rows([tuple(map(str, row)) for row in Index(repo.state_dir / "index.sqlite").rows(columns)])
Plain().run()
"""


class Terminal:
    """A program in a pseudo-terminal."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.began = time.perf_counter()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            environ = {
                **ENVIRON,
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "PYTHONPATH": ":".join(sys.path),
                "HOME": str(folder),
            }
            os.chdir(folder)
            os.execvpe(words[0], words, environ)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.seen = b""

    def cpu(self) -> float:
        """Return the CPU that all threads have used, in milliseconds."""
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except OSError:
                continue
        return total / 1e6

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
        while text not in self.seen and time.perf_counter() - self.began < limit:
            self.read(quiet=0.02, limit=0.05)
        return time.perf_counter() - self.began

    def memory(self) -> float:
        """Return the resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def press(self, keys: bytes) -> tuple[float, float, int]:
        """Press keys; return CPU and wall until the screen is still, and the bytes written."""
        cpu = self.cpu()
        os.write(self.master, keys)
        count, wall = self.read()
        return self.cpu() - cpu, wall, count

    def close(self) -> float:
        """Quit, and return the milliseconds that it took."""
        begin = time.perf_counter()
        os.write(self.master, b"\x11")
        self.read(limit=3.0)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        os.close(self.master)
        return (time.perf_counter() - begin) * 1000


def median(terminal: Terminal, keys: bytes, times: int = 7) -> tuple[float, float, float]:
    """Return the medians of CPU, wall and bytes of a key that is pressed some times."""
    found = sorted(terminal.press(keys) for _ in range(times))
    return found[times // 2]


def show(name: str, cpu: float, wall: float | None = None, count: float | None = None) -> None:
    """Print one line."""
    print(
        f"  {name:34} {cpu:8.1f} ms CPU"
        + (f" {wall:8.1f} ms" if wall is not None else "")
        + (f" {count:8.0f} B" if count is not None else "")
    )


def bench_ours(folder: Path) -> None:
    """Time what a person does most."""
    words = [sys.executable, "-m", "finestflow", "tui"]
    for attempt in range(3):
        terminal = Terminal(words, folder)
        first = terminal.wait_for(b"digits")
        os.write(terminal.master, b"j")
        terminal.read(quiet=0.02)
        answered = terminal.cpu()
        terminal.read(quiet=0.5)
        show(f"start {attempt + 1}: rows, a key answered", answered, first * 1000)
        if attempt < 2:
            terminal.close()
    show("interactive, all loaded", terminal.cpu(), first * 1000)
    show("memory (MB)", terminal.memory())
    show("cursor", *median(terminal, b"j"))
    show("page", *median(terminal, b"\x1b[6~"))
    show("column", *median(terminal, b"l", 3))
    show("sort by the column", *median(terminal, b"s", 4))
    show("top", *median(terminal, b"\x1b[H", 1))
    terminal.press(b"/")
    show("filter: first letter", *terminal.press(b"m"))
    for letter in b"0>0.9":
        show(f"filter: {chr(letter)}", *terminal.press(bytes([letter])))
    terminal.press(b"\x15")
    terminal.press(b"\x1b")
    show("open a run", *terminal.press(b"\r"))
    show("next run", *median(terminal, b"]", 3))
    show("another tab", *median(terminal, b"5", 1))
    begin = terminal.cpu()
    time.sleep(3)
    print(f"  idle: {(terminal.cpu() - begin) / 30:.1f} % of a core")
    print(f"  quit: {terminal.close():.0f} ms (150 of them waiting for silence)")


def bench_data_table(folder: Path) -> None:
    """Time the same with the table that comes with Textual."""
    terminal = Terminal([sys.executable, "-c", DATA_TABLE], folder)
    first = terminal.wait_for(b"digits")
    terminal.read(quiet=0.5)
    show("DataTable: interactive", terminal.cpu(), first * 1000)
    show("DataTable: memory (MB)", terminal.memory())
    show("DataTable: cursor", *median(terminal, b"\x1b[B", 5))
    show("DataTable: page", *median(terminal, b"\x1b[6~", 3))
    terminal.close()


def main(words: list[str]) -> None:
    """Measure labs of several sizes."""
    for runs in map(int, words or ["10000", "100000"]):
        with tempfile.TemporaryDirectory(prefix="finestflow-bench-") as place:
            repository = build(Path(place) / "repository", runs)
            folder = repository.work_tree
            assert folder is not None
            from finestflow.journal.index import Index

            index = Index(repository.state_dir / "index.sqlite")
            index.refresh(repository)
            index.close()
            print(f"{runs:,} runs, {COLUMNS}x{ROWS}")
            bench_ours(folder)
            if runs <= 20_000:
                bench_data_table(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
