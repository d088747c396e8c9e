"""What tracking costs a script: ``python -m tests.bench.track``.

Prints microseconds of one ``log`` in a loop, and milliseconds of an empty run, in a small repository; nothing is asserted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LOGS = 20_000
RUNS = 20


def main() -> None:
    """Measure in a new repository of 200 files."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number in range(200):
            Path(f"file{number}.py").write_text(f"x = {number}\n")
        for words in (
            ["init", "-q"],
            ["add", "."],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
        ):
            subprocess.run(["git", *words], check=True)
        began = time.perf_counter()
        import finestflow

        finestflow.start("first").finish()
        print(f"first run of a process, imports included  {(time.perf_counter() - began) * 1e3:8.1f} ms")
        before = os.times()
        times = [seconds_of(lambda: finestflow.start("empty", lr=0.1).finish()) for _ in range(RUNS)]
        own, git = ((sum(os.times()[at : at + 2]) - sum(before[at : at + 2])) / RUNS * 1e3 for at in (0, 2))
        print(f"start and finish, median of {RUNS}            {statistics.median(times) * 1e3:8.1f} ms")
        print(f"    of CPU: in this process, in git        {own:8.1f} {git:8.1f} ms")
        with finestflow.start("logging") as run:
            for what, call in {
                "run.log(loss=...)": lambda step: run.log(loss=0.5, step=step),
                "run.log(loss=..., acc=...)": lambda step: run.log(loss=0.5, acc=0.5, step=step),
                "finestflow.log(loss=...)": lambda step: finestflow.log(loss=0.5, step=step),
            }.items():
                print(f"{what:<40}  {per_call(call):8.2f} us")
            seconds = seconds_of(lambda: [None for _ in run.track(range(LOGS))])
            print(f"{'run.track, an item':<40}  {seconds / LOGS * 1e6:8.2f} us")
        began = time.perf_counter()
        run = finestflow.start("many")
        for step in range(LOGS):
            run.log(loss=0.5, step=step)
        began = time.perf_counter()
        run.finish()
        print(f"finish of a run with {LOGS} values        {(time.perf_counter() - began) * 1e3:8.1f} ms")


def seconds_of(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def per_call(call: Callable[[int], object]) -> float:
    """Return the microseconds of one of many calls."""
    began = time.perf_counter()
    for step in range(LOGS):
        call(step)
    return (time.perf_counter() - began) / LOGS * 1e6


if __name__ == "__main__":
    main()
