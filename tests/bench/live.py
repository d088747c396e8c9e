"""A live run of the digits example, followed by the terminal UI in a pseudo-terminal: how soon its end is seen, and what moves or flickers meanwhile.

Run: ``python -m tests.bench.live [REPEATS]``. Goals: the end, and a ``kill -9``, within 500 ms; the row under the cursor stays; no cell flickers; no
line is wiped. The run is a process of its own; its end is the time of the file of the ref. A cell flickers when it becomes something else and what
it was before within 100 ms, counted in the bytes as they are written, whether a terminal would show them or not.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyte

from tests.bench.lab import begin_repository
from tests.bench.terminal import ENVIRON, Terminal
from tests.bench.tui_lab import build_list

__all__ = ["Following", "Watched", "build", "follow"]

ROOT = Path(__file__).parents[2]
SIZE = (150, 40)
RUNS = 60
FLICKER = 0.1
LATE = 0.05
"""Seconds without a look at what was written, after which nobody knows how long each of it was seen."""
PATIENCE = 600.0
"""Seconds to wait for what a run shows: on a busy machine it takes minutes to import scikit-learn and to fit."""
_REF = ".git/refs/refs/finestflow"
_WIPES = re.compile(rb"\x1b\[[0-3]?[JK]")


class Watched(pyte.Screen):
    """A screen that keeps when each of its cells became what."""

    def __init__(self, columns: int, lines: int) -> None:
        self.now = 0.0
        self.is_late = False
        self.flickers: list[tuple[int, int, str]] = []
        self._cells: dict[tuple[int, int], list[tuple[float, str]]] = defaultdict(list)
        super().__init__(columns, lines)

    def draw(self, data: str) -> None:
        """Write text, letter by letter."""
        for letter in data:
            at = self.cursor.y, self.cursor.x
            super().draw(letter)
            self._note(at, f"{letter} {self.cursor.attrs.fg} {self.cursor.attrs.bg}")

    def _note(self, at: tuple[int, int], value: str) -> None:
        cell = self._cells[at]
        if cell and cell[-1][1] == value:
            return
        cell.append((self.now, value))
        seen = self.now - cell[-2][0] if len(cell) > 2 and cell[-3][1] == value else FLICKER
        if seen < FLICKER and not (self.is_late and seen == 0):
            self.flickers.append((*at, value))
        del cell[:-3]

    def forget(self) -> None:
        """Count from here on."""
        self.flickers.clear()
        self._cells.clear()


class Following(NamedTuple):
    """What was seen of one run: seconds until its end was shown, whether the row under the cursor stayed, and what was written meanwhile."""

    lag: float
    stayed: bool
    flickers: list[tuple[int, int, str]]
    wipes: int
    bytes_per_second: float
    most_per_second: int
    cpu: float


class Screen:
    """The terminal UI with what a person sees of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.terminal = Terminal([sys.executable, "-m", "finestflow", "tui"], folder, size=SIZE)
        self.watched = Watched(*SIZE)
        self._stream = pyte.ByteStream(self.watched)
        self._fed = 0
        self.written: list[tuple[float, bytes]] = []

    @property
    def lines(self) -> list[str]:
        """What stands on it."""
        return self.watched.display

    @property
    def cursor(self) -> tuple[int, str]:
        """The line of the row under the cursor, and the name in it."""
        for at, line in enumerate(self.lines):
            if line.startswith("▌"):
                found = re.search(r"[a-z]+(?:-[a-z]+)+-\d+", line)
                return at, found[0] if found else ""
        return -1, ""

    def watch(
        self, until: Callable[[], bool], limit: float = PATIENCE, then: Callable[[], object] | None = None
    ) -> float:
        """Follow what is written until something is so; return when what showed it had come."""
        end = time.time() + limit
        self.watched.now = looked = time.time()
        while time.time() < end:
            self.terminal.read(quiet=0.002, limit=0.002)
            self.watched.is_late, looked = time.time() - looked > LATE, time.time()
            new, self._fed = self.terminal.seen[self._fed :], len(self.terminal.seen)
            if new:
                self.watched.now = time.time()
                self.written.append((self.watched.now, new))
                self._stream.feed(new)
            if then is not None:
                then()
            if until():
                return self.watched.now
        raise TimeoutError("\n".join(self.lines))

    def settle(self, seconds: float = 0.5) -> None:
        """Follow it for a while."""
        end = time.time() + seconds
        self.watch(lambda: time.time() > end)

    def begin(self) -> None:
        """Count from here on."""
        self.watched.forget()
        self.written.clear()


def build(folder: Path) -> Path:
    """Make a repository of the digits example with some runs; so far the values of its tasks are in no cache."""
    models = folder / "models"
    for place in (models, folder / "lab"):
        if place == models:
            place.mkdir(parents=True)
        else:
            build_list(place, RUNS)
        shutil.copy(ROOT / "docs" / "examples" / "digits.py", place)
        begin_repository(place)
        if place == models:
            run(place).wait()
    return folder / "lab"


def run(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a run of the digits example, as from another terminal."""
    environ = {**ENVIRON, "HOME": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-m", "finestflow", "run", "digits.py:Digits", "--no-cache", *words],
        cwd=folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def follow(screen: Screen, *, kills: bool = False) -> Following:
    """Follow one run from its begin to its end, or until it was killed, and the screen until it shows that."""
    before, total = screen.cursor, _total(screen.lines)
    screen.begin()
    process, moved, begun, cpu = run(screen.folder), False, time.time(), screen.terminal.cpu()

    def look() -> None:
        nonlocal moved
        moved |= screen.cursor != before

    try:
        screen.watch(lambda: "1 live" in screen.lines[0], then=look)
        if kills:
            screen.watch(lambda: bool(re.search(r"[1-9]/\d", screen.lines[1])), then=look)
            os.killpg(process.pid, signal.SIGKILL)
            ended = time.time()
        is_shown = lambda: _total(screen.lines) == total + 1 and " live" not in screen.lines[0]
        shown = screen.watch(is_shown, then=look)
        if not kills:
            ended = (screen.folder / _REF).stat().st_mtime
    finally:
        if process.poll() is None and kills:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    seconds, cpu = shown - begun, screen.terminal.cpu() - cpu
    screen.settle()
    look()
    counts: dict[int, int] = defaultdict(int)
    for moment, data in screen.written:
        counts[int(moment)] += len(data)
    wipes = sum(len(_WIPES.findall(data)) for _, data in screen.written)
    return Following(
        lag=shown - ended,
        stayed=not moved,
        flickers=list(screen.watched.flickers),
        wipes=wipes,
        bytes_per_second=sum(counts.values()) / seconds,
        most_per_second=max(counts.values()),
        cpu=cpu / 10 / seconds,
    )


def _total(lines: list[str]) -> int:
    found = re.search(r"([\d,]+) runs?", lines[0])
    return int(found[1].replace(",", "")) if found else -1


def open_screen(folder: Path) -> Screen:
    """Open the list, with the cursor in the middle of it."""
    screen = Screen(folder)
    screen.watch(lambda: _total(screen.lines) >= RUNS)
    os.write(screen.terminal.master, b"j" * 12)
    screen.settle(1.0)
    return screen


def _told(name: str, found: list[Following]) -> list[Any]:
    lags = sorted(each.lag * 1000 for each in found)
    return [
        name,
        f"{statistics.median(lags):.0f} ms, at most {lags[-1]:.0f}",
        "yes" if all(each.stayed for each in found) else "NO",
        sum(len(each.flickers) for each in found),
        sum(each.wipes for each in found),
        f"{statistics.median(each.bytes_per_second for each in found):.0f} B/s, at most {max(each.most_per_second for each in found)}",
        f"{statistics.median(each.cpu for each in found):.1f}%",
    ]


def main() -> None:
    """Print the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        screen = open_screen(build(Path(folder)))
        table = [["run", "seen after", "row stays", "flickers", "wipes", "written", "CPU"]]
        for name, kills in (("ends", False), ("kill -9", True)):
            table.append(_told(name, [follow(screen, kills=kills) for _ in range(repeats)]))
        screen.terminal.close()
    for line in table:
        print("  ".join(f"{cell:<26}" if at in {1, 5} else f"{cell:<10}" for at, cell in enumerate(line)))


if __name__ == "__main__":
    main()
