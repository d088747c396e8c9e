"""A program whose tasks never end: run as a script, it tells in files which processes it has."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from finestflow import Pipeline, Task


class Busy(Task):
    def run(self, how):
        child = subprocess.Popen(["sleep", "600"])
        Path(f"{how}.new").write_text(f"{os.getpid()} {child.pid} {os.getppid()}")
        Path(f"{how}.new").rename(f"{how}.pids")
        if how == "gil":
            ctypes.PyDLL(None).sleep(600)
        time.sleep(600)


class Branches(Pipeline):
    busy: Busy

    def __call__(self):
        return [self.busy("asleep"), self.busy("gil")]


def main() -> None:
    """Run the pipeline, in a thread when asked to end with it still running."""
    branches = Branches().options(jobs=2)
    if sys.argv[1:] != ["leave"]:
        branches()
    threading.Thread(target=branches, daemon=True).start()
    while not all(Path(f"{how}.pids").exists() for how in ("asleep", "gil")):
        time.sleep(0.01)


main()
