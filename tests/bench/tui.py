"""Time the terminal UI through a real pseudo-terminal, beside a plain Textual ``DataTable`` over the same runs.

Run: ``python -m tests.bench.tui [runs ...]``; 10,000 and 100,000 when none are given; FOLDER in the environment keeps the labs for the next time.
CPU is that of all threads of the process, read from the kernel; of a key that is pressed some times the least is shown, since other programs only
ever add to it. What comes to the screen first is what had been used when the first bytes came. Budgets stand in brackets beside what was
measured, and ``over`` marks a row that keeps to them not; they are read by people, not asserted. A bare Textual app in the same table tells how
fast the machine is just now.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from finestflow.journal.live import LiveFolder
from finestflow.model import RunId
from tests.bench.terminal import Cost, Terminal
from tests.bench.tui_lab import PAGES, build_list, build_pages, change_pages

OURS = [sys.executable, "-m", "finestflow", "tui"]
PREVIEW = 0.045
"""Seconds of silence that end a step before the preview, which waits for 60 ms without a key."""
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

BARE = "from textual.app import App\nfrom textual.widgets import Static\nclass Bare(App):\n    def compose(self): yield Static('digits')\nBare().run()"
LARGE = 50_000
"""Runs from which on the budgets for 100,000 hold."""
TABS = ("tasks", "graph", "logs", "metrics", "params", "config", "code", "env", "outputs")
_AHEAD = 1.2
"""Seconds after which what is loaded ahead of the next key is there."""


class Amount(NamedTuple):
    """Something that was measured, and what it may be at most."""

    value: float
    unit: str
    limit: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is more than it may be."""
        return self.limit is not None and self.value > self.limit

    def __str__(self) -> str:
        """Return it with its budget."""
        digits = 0 if self.value >= 100 or self.unit in {"B", "MB"} else 2 if self.unit == "%" else 1
        return f"{self.value:,.{digits}f} {self.unit}" + ("" if self.limit is None else f" ({self.limit:g})")


Row = tuple[str, Sequence[Amount]]
"""What was done, and what it costs."""


def least(terminal: Terminal, keys: bytes, times: int = 9, quiet: float = PREVIEW) -> Cost:
    """Return the least CPU, and the medians of the rest, of a key that is pressed some times; the preview has its time between."""
    costs = []
    for _ in range(times):
        costs.append(terminal.press(keys, quiet))
        terminal.read()
    return Cost(
        min(cost.cpu for cost in costs),
        *(statistics.median(column) for column in list(zip(*costs, strict=True))[1:3]),
        min(cost.first for cost in costs),
    )


def told(cost: Cost, cpu: float | None = None, size: float | None = None) -> list[Amount]:
    """Return CPU and bytes with their budgets."""
    return [Amount(cost.cpu, "ms", cpu), Amount(cost.bytes, "B", size)]


def both(cost: Cost, first: float, whole: float) -> list[Amount]:
    """Return what was used when the first bytes came, and in all."""
    return [Amount(cost.first, "ms", first), Amount(cost.cpu, "ms", whole)]


def bench_list(folder: Path, runs: int) -> Iterator[Row]:
    """Time the list."""
    large = runs >= LARGE
    starts, quits = [], []
    for _ in range(3):
        terminal = Terminal(OURS, folder)
        terminal.wait_for(b"digits")
        os.write(terminal.master, b"j")
        terminal.read(quiet=0.02)
        starts.append(terminal.cpu())
        terminal.read(quiet=_AHEAD)
        loaded, memory = terminal.cpu(), terminal.memory()
        quits.append(terminal.close())
    yield "start: rows, a key answered", [Amount(min(starts), "ms", 550 if large else 500)]
    yield "start: whole list, preview, what comes next", [Amount(loaded, "ms")]
    yield "memory", [Amount(memory, "MB", 90 if large else 60)]
    yield "quit, by the clock", [Amount(min(cost.wall for cost in quits), "ms", 200)]
    terminal = Terminal(OURS, folder)
    terminal.wait_for(b"digits")
    terminal.read(quiet=_AHEAD)
    yield "cursor", told(least(terminal, b"j"), 5, 700)
    yield "cursor, with the preview after it", told(least(terminal, b"j", quiet=0.15))
    yield "page", told(least(terminal, b"\x1b[6~"), 20, 22_000)
    yield "page, with the preview after it", told(least(terminal, b"\x1b[6~", quiet=0.15))
    yield "next column", told(least(terminal, b"l", 4))
    yield from bench_filter(terminal, large=large)
    yield from bench_order(terminal, large=large)
    yield from bench_run(terminal)
    yield from bench_live(terminal, folder)
    terminal.close()


def bench_order(terminal: Terminal, *, large: bool) -> Iterator[Row]:
    """Time what changes the order of the list, on a metric and then on a param; of each the first screen, then all."""
    limits = (10, 200) if large else (5, 40)
    yield "sort by a metric: first screen, all", both(least(terminal, b"s", 5, quiet=0.15), *limits)
    terminal.press(b"l")
    yield "sort by a param: first screen, all", both(least(terminal, b"s", 4, quiet=0.15), *limits)
    yield "hide a column: first screen, all", both(least(terminal, b"-", 3, quiet=0.15), *limits)
    folded = [terminal.press(b"b", 0.6) for _ in range(6)]  # a worker is silent until it has counted all groups
    for name, costs in (("group", folded[::2]), ("groups no more", folded[1::2])):
        yield (
            f"{name}: first screen, all",
            [
                Amount(min(cost.first for cost in costs), "ms", limits[0]),
                Amount(min(cost.cpu for cost in costs), "ms", limits[1]),
            ],
        )
    terminal.press(b"\x1b[H")


def bench_filter(terminal: Terminal, *, large: bool) -> Iterator[Row]:
    """Time each letter of a query."""
    terminal.press(b"/")
    costs = [terminal.press(bytes([letter]), 0.25) for letter in b"m0>0.95 p1=3"]
    firsts, wholes = sorted(cost.first for cost in costs), sorted(cost.cpu for cost in costs)
    limit, whole = (20, 90) if large else (5, 25)
    yield (
        "filter, a letter: first screen, median, worst",
        [
            Amount(statistics.median(firsts), "ms", limit),
            Amount(firsts[-1], "ms", limit),
        ],
    )
    yield (
        "filter, a letter: exact count, median, worst",
        [
            Amount(statistics.median(wholes), "ms", whole),
            Amount(wholes[-1], "ms", whole),
        ],
    )
    terminal.press(b"\x15\x1b")
    terminal.read(quiet=0.6)


def bench_run(terminal: Terminal) -> Iterator[Row]:
    """Time a run: opened first, then each tab the first time and again."""
    terminal.seen = b""
    first = terminal.press(b"\r")
    terminal.read(quiet=_AHEAD)
    if "cannot be read" in terminal.text:
        yield "open a run: this lab is of another format", []
        terminal.press(b"\x1b")
        return
    firsts = {tab: terminal.press(b"%d" % (TABS.index(tab) + 1), 0.3) for tab in [*TABS[2:], *TABS[:2][::-1]]}
    rounds = [{tab: terminal.press(b"%d" % (TABS.index(tab) + 1), 0.3).cpu for tab in firsts} for _ in range(3)]
    again = {tab: min(each[tab] for each in rounds) for tab in TABS}
    terminal.press(b"\x1b")
    terminal.read(quiet=0.3)
    second = terminal.press(b"\r")
    terminal.read(quiet=0.3)
    yield "open a run: first, again", [Amount(first.cpu, "ms", 30), Amount(second.cpu, "ms", 30)]
    yield "next run of the list, same tab", told(least(terminal, b"]", 7), 30)
    for tab in TABS:
        yield f"switch tab, {tab}: first, again", [Amount(firsts[tab].cpu, "ms", 20), Amount(again[tab], "ms", 20)]
    terminal.press(b"\x1b")


def bench_live(terminal: Terminal, folder: Path) -> Iterator[Row]:
    """Measure what it costs to do nothing, and to watch two live runs; and how long an event takes to the screen."""
    terminal.read(quiet=0.5)
    yield "idle", [Amount(share(terminal, 8), "%", 0.5)]
    with going_on(folder, 2) as runs:
        terminal.wait_until(lambda: "2 live" in terminal.text)
        yield "two live runs, 20 events a second each", [Amount(share(terminal, 8), "%", 8)]
    terminal.read(quiet=0.5)
    with going_on(folder, 1, ticks=False) as runs:
        terminal.wait_until(lambda: "1 live" in terminal.text)
        lags = []
        for step in range(12):
            time.sleep(0.3 + random.random() / 4)
            terminal.read(quiet=0.01, limit=0.1)
            terminal.seen = b""
            begin = time.perf_counter()
            runs[0].emit({"e": "progress", "node": "fit", "done": 1000 + step, "total": 5000, "t": time.time()})
            terminal.wait_until(lambda: f"{1000 + step}/5000" in terminal.text, 5)  # noqa: B023 - it is called at once
            lags.append((time.perf_counter() - begin) * 1000)
        yield (
            "lag by the clock, event to screen: median, worst",
            [
                Amount(statistics.median(lags), "ms", 250),
                Amount(max(lags), "ms"),
            ],
        )
    terminal.read(quiet=1.0)


def share(terminal: Terminal, seconds: float) -> float:
    """Return the share of a core that is used, in percent, while nothing is typed."""
    begin, cpu = time.perf_counter(), terminal.cpu()
    while time.perf_counter() - begin < seconds:
        terminal.read(quiet=0.5, limit=0.5)
    return (terminal.cpu() - cpu) / (time.perf_counter() - begin) / 10


@contextmanager
def going_on(folder: Path, count: int, *, ticks: bool = True) -> Iterator[list[LiveFolder]]:
    """Let runs go on in this process, which tell of metrics and progress ten times a second."""
    runs, ended = [], threading.Event()
    for at in range(count):
        run_id = "".join(random.choices("klmnopqrstuvwxyz", k=12))
        live = LiveFolder.create(folder / ".git" / "finestflow", RunId(run_id))
        live.emit({"e": "run", "id": run_id, "name": f"going-on-{at}", "pipeline": "train", "started": time.time()})
        live.emit({"e": "start", "path": "fit", "task": "train:Fit", "t": time.time()})
        runs.append(live)

    def tick() -> None:
        step = 0
        while not ended.wait(0.1):
            step += 1
            for live in runs:
                live.emit({"e": "metrics", "node": "fit", "rows": [["loss", 1 / step, step, time.time()]]})
                live.emit({"e": "progress", "node": "fit", "done": step, "total": 5000, "t": time.time()})

    thread = threading.Thread(target=tick)
    if ticks:
        thread.start()
    try:
        yield runs
    finally:
        ended.set()
        if ticks:
            thread.join()
        for live in runs:
            live.close(remove=True)


def bench_pages(folder: Path) -> Iterator[Row]:
    """Time graphs and a diff of many files."""
    for name, budget in PAGES:
        terminal = Terminal([*OURS, name], folder)
        terminal.wait_until(lambda: "Graph" in terminal.text)  # noqa: B023 - it is called at once
        terminal.press(b"1", 0.4)  # the tab that was open last is open again
        terminal.read(quiet=_AHEAD)
        first = terminal.press(b"2", 0.4)
        terminal.press(b"1", 0.4)
        again = terminal.press(b"2", 0.4)
        yield f"graph, {name}: first, again", [Amount(first.cpu, "ms", budget), Amount(again.cpu, "ms", budget)]
        yield f"graph, {name}: next node", told(least(terminal, b"jk", 5, quiet=0.1))
        terminal.close()
    change_pages(folder)
    terminal = Terminal(OURS, folder)
    terminal.wait_until(lambda: "changed-4" in terminal.text)
    terminal.read(quiet=_AHEAD)
    terminal.press(b"\x1b[H", 0.5)  # the list begins where it was left
    for which in ("first", "again"):
        listed, colored = terminal.reach(b"d", "part19", r"\x1b\[[0-9;]*mreturn")
        yield f"diff of 20 files, {which}: list, hunk coloured", [Amount(listed, "ms", 40), Amount(colored, "ms", 60)]
        yield "diff: next file", told(least(terminal, b"]", 7))
        terminal.press(b"\x1b")
    terminal.close()


def bench_beside(folder: Path, runs: int) -> Iterator[Row]:
    """Time the table that comes with Textual over the same runs, and an app that shows nothing, which tells how fast the machine is."""
    terminal = Terminal([sys.executable, "-c", BARE], folder)
    terminal.wait_for(b"digits")
    terminal.read(quiet=0.3)
    yield "bare Textual app: start, memory", [Amount(terminal.cpu(), "ms"), Amount(terminal.memory(), "MB")]
    yield "bare Textual app: quit, by the clock", [Amount(terminal.close().wall, "ms")]
    if runs >= LARGE:
        return
    terminal = Terminal([sys.executable, "-c", DATA_TABLE], folder)
    terminal.wait_for(b"digits")
    terminal.read(quiet=0.5)
    yield "DataTable: start, memory", [Amount(terminal.cpu(), "ms"), Amount(terminal.memory(), "MB")]
    yield "DataTable: cursor", told(least(terminal, b"\x1b[B", 5))
    yield "DataTable: page", told(least(terminal, b"\x1b[6~", 3, quiet=0.3))
    terminal.close()


def show(title: str, rows: Iterator[Row]) -> None:
    """Print a table as it comes to be known."""
    print(f"\n{title}")
    for name, amounts in rows:
        mark = "over" if any(amount.is_over for amount in amounts) else ""
        print(f"{name:50}{', '.join(map(str, amounts)):40}{mark}".rstrip(), flush=True)


def main(words: list[str]) -> None:
    """Measure labs of several sizes."""
    with tempfile.TemporaryDirectory(prefix="finestflow-bench-") as scratch:
        place = Path(os.environ.get("FOLDER", scratch))
        for runs in map(int, words or ["10000", "100000"]):
            folder = build_list(place / f"list-{runs}", runs)
            (folder / ".git" / "finestflow" / "tui.json").unlink(
                missing_ok=True
            )  # each time begins with the same columns
            show(f"{runs:,} runs, 150x48; budgets in brackets", bench_list(folder, runs))
            show("beside it", bench_beside(folder, runs))
        show("screens, 150x48", bench_pages(build_pages(place / "pages")))


if __name__ == "__main__":
    main(sys.argv[1:])
