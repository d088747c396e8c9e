"""CPU of the command line over bare Python: help, and lists of runs, also of 10,000; and of a table of 10,000 rows.

Budgets: ``finestflow --help`` at most 80 ms; 10,000 runs listed in 150 ms as a process. Run it: python -m tests.bench.cli
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from finestflow.cli._output import Column, Styled, format_table
from tests.bench.journal import build

ROUNDS = 15


def cpu_of(*command: str, cwd: str | None = None) -> float:
    """Return the median CPU of a command in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        times.append((usage.ru_utime + usage.ru_stime) * 1000)
    return statistics.median(times)


def table_of(rows: int) -> float:
    """Return the CPU of formatting a table in milliseconds."""
    columns = [
        Column("id"),
        Column("status"),
        Column("name"),
        Column("took", right=True),
        Column("metrics", shrinks=True),
    ]
    cells = [
        [f"k{n:05}", Styled("ok", "green"), f"brisk-lynx-{n}", "3m12s", "f1=0.972  loss=0.21"] for n in range(rows)
    ]
    begin = time.process_time()
    for _ in format_table(columns, cells, room=100, color=True):
        pass
    return (time.process_time() - begin) * 1000


def main() -> None:
    """Measure and print."""
    bare = cpu_of(sys.executable, "-c", "pass")
    print(f"bare Python          {bare:6.1f} ms")
    print(f"finestflow --help   +{cpu_of(sys.executable, '-m', 'finestflow', '--help') - bare:6.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        print(
            f"finestflow log      +{cpu_of(sys.executable, '-m', 'finestflow', 'log', cwd=folder) - bare:6.1f} ms  (no runs)"
        )
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), 10_000)
        cpu_of(sys.executable, "-m", "finestflow", "log", "-n", "1", cwd=folder)  # makes the index
        for words in (["-n", "20"], [], ["m0>0.9"], ["--json"]):
            cpu = cpu_of(sys.executable, "-m", "finestflow", "log", *words, cwd=folder)
            print(f"{'log ' + ' '.join(words):20} {cpu:6.1f} ms  (10,000 runs, whole process)")
    print(f"table of 10,000      {table_of(10_000):6.1f} ms")


if __name__ == "__main__":
    main()
