"""What starting costs, as whole processes: imports, help, lists of runs, also of 10,000; and a table of 10,000 rows in this process.

Budgets: ``finestflow --help`` at most 80 ms over bare Python; 10,000 runs listed in 150 ms, all told. CPU of the process and its children,
the least of many, with compiled modules as an installation has them. Run it: python -m tests.bench.cli
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from finestflow.cli._output import Column, Styled, format_table
from tests.bench.journal import build

ROUNDS = 15
IMPORTS = ("import finestflow", "from finestflow import Pipeline, Task", "import click", "import joblib", "import git")
LISTS = (["-n", "20"], [], ["m0>0.9"], ["--columns", "id,name,m0,p.p0"], ["--json"])


def cpu_of(*command: str, cwd: str | Path, compiled: str) -> float:
    """Return the least CPU of a command and its children in milliseconds."""
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    times = []
    for _ in range(ROUNDS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd, env=environ, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
    return min(times[1:])  # the first one compiles


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
    program = (str(Path(sys.executable).with_name("finestflow")),)
    with tempfile.TemporaryDirectory() as place:
        folder, compiled = Path(place, "runs"), str(Path(place, "compiled"))
        build(folder, 10_000)
        bare = cpu_of(sys.executable, "-c", "pass", cwd=folder, compiled=compiled)
        print(f"{'':38}{'CPU ms':>8}{'over bare':>11}")

        def show(name: str, *command: str, cwd: Path = folder) -> None:
            cpu = cpu_of(*command, cwd=cwd, compiled=compiled)
            print(f"{name:38}{cpu:8.1f}{cpu - bare:11.1f}")

        print(f"{'python -c pass':38}{bare:8.1f}")
        for statement in IMPORTS:
            show(statement, sys.executable, "-c", statement)
        show("finestflow --help", *program, "--help")
        empty = Path(place, "empty")
        subprocess.run(["git", "init", "--quiet", empty], check=True)
        show("finestflow log, no runs", *program, "log", cwd=empty)
        for words in LISTS:
            show(f"finestflow log {' '.join(words)}", *program, "log", *words)
        show("git log -n 20 refs/finestflow", "git", "log", "-n", "20", "refs/finestflow")
    print(f"{'table of 10,000 rows, in this process':38}{table_of(10_000):8.1f}")


if __name__ == "__main__":
    main()
