"""Time the terminal UI through a real pseudo-terminal, beside a plain Textual ``DataTable`` over the same runs.

Run: ``python -m tests.bench.tui [runs ...]``; 10,000 and 100,000 when none are given; FOLDER in the environment keeps the labs for the next time.
CPU is that of all threads of the process, read from the kernel; of a key that is pressed some times the least is shown, since other programs only
ever add to it. ``first`` is what was used when the first bytes came. Budgets are read by people, not asserted.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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

Row = tuple[str, str, str]
"""What was done, what it may cost, what it costs."""


def least(terminal: Terminal, keys: bytes, times: int = 9, quiet: float = PREVIEW) -> Cost:
    """Return the least CPU, and the medians of the rest, of a key that is pressed some times; the preview has its time between."""
    costs = []
    for _ in range(times):
        costs.append(terminal.press(keys, quiet))
        terminal.read()
    return Cost(
        min(cost.cpu for cost in costs), *(statistics.median(column) for column in list(zip(*costs, strict=True))[1:])
    )


def told(cost: Cost, *, with_first: bool = False) -> str:
    """Return a cost as text."""
    first = f"{cost.first:.1f} / " if with_first else ""
    return f"{first}{cost.cpu:.1f} ms, {cost.bytes:.0f} B"


def bench_list(folder: Path) -> Iterator[Row]:
    """Time the list."""
    starts, quits = [], []
    for _ in range(3):
        terminal = Terminal(OURS, folder)
        terminal.wait_for(b"digits")
        os.write(terminal.master, b"j")
        terminal.read(quiet=0.02)
        starts.append(terminal.cpu())
        terminal.read(quiet=0.5)
        loaded, memory = terminal.cpu(), terminal.memory()
        quits.append(terminal.close())
    yield "start: rows, a key answered", "500 ms", f"{min(starts):.0f} ms"
    yield "start: whole list and preview too", "", f"{loaded:.0f} ms"
    yield "memory, loaded", "60 MB (90)", f"{memory:.0f} MB"
    yield "quit", "200 ms", f"{min(cost.cpu for cost in quits):.0f} ms, wall {min(cost.wall for cost in quits):.0f}"
    terminal = Terminal(OURS, folder)
    terminal.wait_for(b"digits")
    terminal.read(quiet=0.6)
    yield "cursor", "5 ms, 700 B", told(least(terminal, b"j"))
    yield "cursor, with the preview after it", "", told(least(terminal, b"j", quiet=0.15))
    yield "page", "20 ms, 22 kB", told(least(terminal, b"\x1b[6~"))
    yield "page, with the preview after it", "", told(least(terminal, b"\x1b[6~", quiet=0.15))
    yield "next column", "20 ms", told(least(terminal, b"l", 5))
    yield "sort: first screen / all", "5 / 40 (10 / 200)", told(least(terminal, b"s", 5, quiet=0.15), with_first=True)
    yield "hide a column", "5 / 40 (10 / 200)", told(least(terminal, b"-", 3, quiet=0.15), with_first=True)
    yield "group", "5 / 40 (10 / 200)", told(terminal.press(b"b"), with_first=True)
    yield "group, and back", "", told(terminal.press(b"b"), with_first=True)
    terminal.press(b"\x1b[H")
    terminal.press(b"/")
    first, whole = [], []
    for letter in b"m0>0.95 p1=3":
        first.append(terminal.press(bytes([letter]), 0.03))
        whole.append(terminal.read())
    spans = sorted(cost.cpu for cost in first)
    yield "filter: a letter, to the first screen", "5 (20)", f"{statistics.median(spans):.1f} ms, worst {spans[-1]:.1f}"
    before = terminal.cpu()
    terminal.press(b"0", 0.03)
    terminal.press(b"\x7f")
    yield "filter: a letter and back, exact count", "50 (180)", f"{terminal.cpu() - before:.1f} ms"
    terminal.press(b"\x15\x1b")
    terminal.read(quiet=0.6)
    yield "open a run", "30 ms", told(terminal.press(b"\r"))
    yield "next run of the list, same tab", "30 ms", told(least(terminal, b"]", 7))
    for key, name in zip(
        b"345678921", ("logs", "metrics", "params", "config", "code", "env", "outputs", "graph", "tasks"), strict=True
    ):
        yield f"tab: {name}", "20 ms", told(terminal.press(bytes([key])))
    terminal.press(b"\x1b")
    yield from bench_idle(terminal, folder)
    terminal.close()


def bench_idle(terminal: Terminal, folder: Path) -> Iterator[Row]:
    """Measure what it costs to do nothing, and to watch two live runs; and how long an event takes to the screen."""
    terminal.read(quiet=0.5)
    yield "idle", "0.5 %", f"{share(terminal, 8):.2f} %"
    with going_on(folder, 2) as runs:
        terminal.wait_until(lambda: "2 live" in terminal.text)
        yield "two live runs, 20 events a second each", "8 %", f"{share(terminal, 8):.1f} %"
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
        yield "lag, event to screen", "250 ms", f"{statistics.median(lags):.0f} ms, worst {max(lags):.0f}"
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
        terminal.read(quiet=0.5)
        yield f"{name}: its graph", budget, told(terminal.press(b"2"))
        yield f"{name}: next node", "20 ms", told(least(terminal, b"j", 5, quiet=0.1))
        terminal.close()
    change_pages(folder)
    terminal = Terminal(OURS, folder)
    terminal.wait_until(lambda: "changed-4" in terminal.text)
    terminal.read(quiet=0.6)
    yield "diff of 20 files: list / first hunk coloured", "40 / 60 ms", told(terminal.press(b"d"), with_first=True)
    yield "diff: next file", "20 ms", told(least(terminal, b"]", 7))
    terminal.close()


def bench_data_table(folder: Path) -> Iterator[Row]:
    """Time the same with the table that comes with Textual."""
    terminal = Terminal([sys.executable, "-c", DATA_TABLE], folder)
    terminal.wait_for(b"digits")
    terminal.read(quiet=0.5)
    yield "DataTable: start", "", f"{terminal.cpu():.0f} ms"
    yield "DataTable: memory", "", f"{terminal.memory():.0f} MB"
    yield "DataTable: cursor", "", told(least(terminal, b"\x1b[B", 5))
    yield "DataTable: page", "", told(least(terminal, b"\x1b[6~", 3))
    terminal.close()


def show(title: str, rows: Iterator[Row]) -> None:
    """Print a table as it comes to be known."""
    print(f"\n{title}\n{'':46}{'budget':22}CPU, bytes")
    for name, budget, cost in rows:
        print(f"{name:46}{budget:22}{cost}", flush=True)


def main(words: list[str]) -> None:
    """Measure labs of several sizes."""
    with tempfile.TemporaryDirectory(prefix="finestflow-bench-") as scratch:
        place = Path(os.environ.get("FOLDER", scratch))
        for runs in map(int, words or ["10000", "100000"]):
            folder = build_list(place / f"list-{runs}", runs)
            show(f"{runs:,} runs, 150x48", bench_list(folder))
            if runs <= 20_000:
                show("beside it", bench_data_table(folder))
        show("screens, 150x48", bench_pages(build_pages(place / "pages")))


if __name__ == "__main__":
    main(sys.argv[1:])
