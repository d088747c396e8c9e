"""What recording a task costs: chains of 1,000 and 5,000 trivial tasks, first and fully cached, beside joblib.Memory.

The slope between the two lengths is the cost of a task; what is left is the fixed cost of a run (snapshot, commit, index). Times are CPU and
wall of this process, the least of several; each first run has values of its own, and a pipeline that never ran. Run it: python -m tests.bench.chain
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SHORT, LONG, TIMES = 1_000, 5_000, 6
SOURCE = """
from finestflow import Pipeline, Task


class Increment(Task):
    def run(self, x):
        return x + 1


class Chain(Pipeline):
    increment: Increment

    def __call__(self, start, length):
        x = start
        for _ in range(length):
            x = self.increment(x)
        return x


def chain(number):
    name = f"Chain{number}"
    globals()[name] = type(name, (Chain,), {"__module__": __name__})
    return globals()[name]
"""
Table = dict[str, list[tuple[float, float]]]


def measure(action: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(prepare: Callable[[int], Callable[[int], object]]) -> Table:
    """Return first and cached costs of short and long chains.

    Args:
        prepare: Returns what runs a chain of a length, with values that no other has, by number.
    """
    numbers = itertools.count()
    prepare(next(numbers))(2)
    found: Table = {}
    for length in (SHORT, LONG):
        for _ in range(TIMES):
            run = prepare(next(numbers))
            found.setdefault(f"first {length}", []).append(measure(lambda run=run, length=length: run(length)))
        for _ in range(TIMES):
            found.setdefault(f"cached {length}", []).append(measure(lambda run=run, length=length: run(length)))
    return found


def ours(folder: Path) -> Table:
    """Return what chains cost here."""
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / "chain.py").write_text(SOURCE)
    os.chdir(folder)
    import chain

    def prepare(number: int) -> Callable[[int], object]:
        pipeline = chain.chain(number)
        return lambda length: pipeline()(number * 1_000_000, length)

    return compare(prepare)


def joblib_memory(folder: Path) -> Table:
    """Return what they cost with joblib.Memory."""
    import joblib

    memory = joblib.Memory(folder, verbose=0)
    (folder / "increments.py").write_text("def increment(x):\n    return x + 1\n")
    import increments

    increment = memory.cache(increments.increment)

    def prepare(number: int) -> Callable[[int], object]:
        def run(length: int) -> None:
            x = number * 1_000_000
            for _ in range(length):
                x = increment(x)

        return run

    return compare(prepare)


def main() -> None:
    """Print the table."""
    tables = {}
    for name, contestant in (("finestflow", ours), ("joblib.Memory", joblib_memory)):
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        sys.path.insert(0, str(folder))
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
