"""Make the repository of a small study: two learning rates with two seeds each, tasks that log with levels, a picture, a table, a failure.

``python -m tests.tui.build_study FOLDER``, as ``build_lab`` does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.tui.build_lab import run

STEPS = """\
import logging

logger = logging.getLogger("steps")


def descend(weight: float, lr: float, step: int) -> float:
    if lr > 5:
        logger.error("diverged at step %d", step)
        raise ValueError(f"weight {weight} after step {step}")
    return weight - lr * (weight - 0.5)
"""
STUDY = """\
import struct
import zlib

import steps
from finestflow import Param, Pipeline, Task


class Fit(Task):
    lr: float = Param(0.1)
    start: float = Param(1.0)

    def run(self) -> float:
        weight = self.start
        for step in range(40):
            weight = steps.descend(weight, self.lr, step)
            self.log(loss=(weight - 0.5) ** 2, gap=abs(weight - 0.5), epoch=step // 10, step=step)
            if step == 3:
                steps.logger.warning("slow start")
        print("12:00:02 fitted")
        return weight


class Rows(Task):
    def run(self, weight: float) -> list[dict]:
        print("12:00:01 rows begin")
        print("12:00:03 rows end")
        return [{"id": at, "value": round(weight * at, 2)} for at in range(5)]


class Image(Task):
    def run(self, weight: float) -> bytes:
        lines = b"".join(b"\\0" + bytes(int(255 * weight) * (x > y) for x in range(24)) for y in range(24))

        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 24, 8, 0, 0, 0, 0))
        return b"\\x89PNG\\r\\n\\x1a\\n" + head + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


class Study(Pipeline):
    fit: Fit
    rows: Rows
    image: Image

    class Meta:
        name = "study"

    def __call__(self) -> list[dict]:
        weight = self.fit()
        self.image(weight)
        return self.rows(weight)
"""
SETTINGS = """\
default-pipeline = "study"

[pipelines.study]
target = "study.py:Study"
"""


def build(folder: Path) -> None:
    """Make the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("steps.py", STEPS), ("study.py", STUDY), (".finestflow.toml", SETTINGS)):
        (folder / name).write_text(text)
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "The study"]):
        subprocess.run(["git", *words], cwd=folder, env=os.environ, check=True)
    at = 0
    for lr in ("0.1", "0.2"):
        for start in ("1.0", "2.0"):
            at += 1
            run(folder, at, f"lr-{lr[-1]}-{at}", {"fit.lr": lr, "fit.start": start})
    run(folder, 5, "icy-owl-4", {"fit.lr": "9"})  # the name of the run that may fail


if __name__ == "__main__":
    import finestflow.git.objects
    import finestflow.git.snapshot
    import finestflow.runner
    import finestflow.workspace  # noqa: F401 - imported once, before the forks

    sys.path.insert(0, str(Path(sys.argv[1])))
    build(Path(sys.argv[1]))
