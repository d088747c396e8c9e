"""Ten tasks that pass a 200 MB array on, first and fully cached, with peak memory, beside joblib.Memory; each in a process of its own.

Run it: python tests/bench/arrays.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = """
import json, resource, sys, time
import numpy as np
from finestflow import Pipeline, Task

class Make(Task):
    def run(self):
        return np.arange(25_000_000, dtype=np.float64)

class Shift(Task):
    def run(self, a):
        a += 1
        return a

class Chain(Pipeline):
    make: Make
    shift: Shift
    def __call__(self):
        a = self.make()
        for _ in range(9):
            a = self.shift(a)
        return a

begin = time.perf_counter()
read = lambda: int(next(line for line in open("/proc/self/io") if line.startswith("rchar")).split()[1])
bytes_before = read()
result = Chain()()
seconds = time.perf_counter() - begin
print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "read": (read() - bytes_before) / 1e6}))
"""
JOBLIB = """
import json, resource, sys, time
import numpy as np, joblib
from steps import make, shift

memory = joblib.Memory("cache", verbose=0)
make, shift = memory.cache(make), memory.cache(shift)
begin = time.perf_counter()
read = lambda: int(next(line for line in open("/proc/self/io") if line.startswith("rchar")).split()[1])
bytes_before = read()
a = make()
for _ in range(9):
    a = shift(a)
seconds = time.perf_counter() - begin
print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "read": (read() - bytes_before) / 1e6}))
"""
STEPS = """
import numpy as np
def make():
    return np.arange(25_000_000, dtype=np.float64)
def shift(a):
    return a + 1
"""


def main() -> None:
    """Print the table."""
    print(f"{'':16}{'':8}{'seconds':>10}{'peak MB':>10}{'read MB':>10}")
    for name, source in (("finestflow", OURS), ("joblib.Memory", JOBLIB)):
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
        (folder / "work.py").write_text(source)
        (folder / "steps.py").write_text(STEPS)
        for kind in ("first", "cached"):
            done = subprocess.run(
                [sys.executable, "work.py"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
                env=dict(os.environ),
            )
            told = json.loads(done.stdout.splitlines()[-1])
            print(f"{name:16}{kind:8}{told['seconds']:10.3f}{told['peak']:10.0f}{told['read']:10.1f}")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
