"""What recording a task costs: chains of 1,000 and 5,000 trivial tasks, first and fully cached, beside joblib.Memory.

The slope between the two lengths is the cost of a task; what is left is the fixed cost of a run (snapshot, commit, index). Times are CPU and
wall of this process, best of several. Run it: python tests/bench/chain.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SHORT, LONG, TIMES = 1_000, 5_000, 3
SOURCE = """
from finestflow import Pipeline, Task


class Increment(Task):
    def run(self, x):
        return x + 1


class Chain(Pipeline):
    increment: Increment

    def __call__(self, length):
        x = length * 1_000_000
        for _ in range(length):
            x = self.increment(x)
        return x
"""


def measure(action: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def ours(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Return first and cached costs of the short and the long chain."""
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / "chain.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    import os

    os.chdir(folder)
    import chain

    chain.Chain()(2)
    found = {}
    for length in (SHORT, LONG):
        found[f"first {length}"] = [measure(lambda length=length: chain.Chain()(length))]
        found[f"cached {length}"] = [measure(lambda length=length: chain.Chain()(length)) for _ in range(TIMES)]
    return found


def joblib_memory(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Return the same of joblib.Memory."""
    import joblib

    memory = joblib.Memory(folder, verbose=0)
    (folder / "increments.py").write_text("def increment(x):\n    return x + 1\n")
    sys.path.insert(0, str(folder))
    import increments

    increment = memory.cache(increments.increment)

    def run(length: int) -> None:
        x = length * 1_000_000
        for _ in range(length):
            x = increment(x)

    run(2)
    found = {}
    for length in (SHORT, LONG):
        found[f"first {length}"] = [measure(lambda length=length: run(length))]
        found[f"cached {length}"] = [measure(lambda length=length: run(length)) for _ in range(TIMES)]
    return found


def main() -> None:
    """Print the table."""
    tables = {}
    for name, contestant in (("finestflow", ours), ("joblib.Memory", joblib_memory)):
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        tables[name] = contestant(folder)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{'':16}{'':8}{'slope us/task':>26}{'fixed ms a run':>26}")
    print(f"{'':16}{'':8}{'wall':>13}{'CPU':>13}{'wall':>13}{'CPU':>13}")
    for name, table in tables.items():
        for kind in ("first", "cached"):
            cells = []
            for clock in (0, 1):
                short = min(times[clock] for times in table[f"{kind} {SHORT}"])
                long = min(times[clock] for times in table[f"{kind} {LONG}"])
                slope = (long - short) / (LONG - SHORT)
                cells.append((slope * 1e6, (short - SHORT * slope) * 1e3))
            (wall, wall_fixed), (cpu, cpu_fixed) = cells
            print(f"{name:16}{kind:8}{wall:13.1f}{cpu:13.1f}{wall_fixed:13.1f}{cpu_fixed:13.1f}")


if __name__ == "__main__":
    main()
