"""What starting costs, as whole processes: import, --help, log -n 20; CPU over bare Python, best of many.

Run it: python tests/bench/startup.py
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TIMES = 15
PIPELINE = """
from finestflow import Pipeline, Task

class Double(Task):
    def run(self, x: int) -> int:
        self.log(value=2 * x)
        return 2 * x

class Tiny(Pipeline):
    double: Double
    def __call__(self, x: int = 1) -> int:
        return self.double(x)

for x in range(25):
    Tiny()(x)
"""


def cpu_of(arguments: list[str], folder: Path) -> float:
    """Return the least CPU time in ms of a command and its children."""
    least = float("inf")
    for _ in range(TIMES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(arguments, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least * 1e3


def main() -> None:
    """Print the table."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / "tiny.py").write_text(PIPELINE)
    subprocess.run([sys.executable, "tiny.py"], cwd=folder, check=True)
    program = str(Path(sys.executable).with_name("finestflow"))
    bare = cpu_of([sys.executable, "-c", "pass"], folder)
    print(f"{'':34}{'CPU ms':>10}{'over bare':>12}")
    print(f"{'python -c pass':34}{bare:10.1f}{0:12.1f}")
    for name, arguments in {
        "import finestflow": [sys.executable, "-c", "import finestflow"],
        "from finestflow import Pipeline": [sys.executable, "-c", "from finestflow import Pipeline, Task"],
        "import joblib": [sys.executable, "-c", "import joblib"],
        "import git (GitPython)": [sys.executable, "-c", "import git"],
        "finestflow --help": [program, "--help"],
        "finestflow log -n 20": [program, "log", "-n", "20"],
        "git log -n 20 refs/finestflow": ["git", "log", "-n", "20", "refs/finestflow"],
    }.items():
        cpu = cpu_of(arguments, folder)
        print(f"{name:34}{cpu:10.1f}{cpu - bare:12.1f}")
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
