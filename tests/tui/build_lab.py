"""Make the repository that the tests of the terminal UI look at: real runs of a real pipeline, with a clock and ids that are always the same.

``python -m tests.tui.build_lab FOLDER``: one process that forks for each run, so that each imports the project as it then is.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NOW = 1_767_610_000.0
"""When the tests look at it: 2026-01-05."""

TRAIN = """\
from finestflow import Param, Pipeline, Task


class Load(Task):
    def run(self, n: int) -> list[float]:
        print(f"loading {n} numbers")
        return [((i * 37) % 100) / 100 for i in range(n)]


class Clean(Task):
    threshold: float = Param(0.1)

    def run(self, numbers: list[float]) -> list[float]:
        kept = [x for x in numbers if x > self.threshold]
        print(f"kept {len(kept)} of {len(numbers)}")
        return kept


class Fit(Task):
    lr: float = Param(0.1)
    epochs: int = Param(20)

    def run(self, numbers: list[float]) -> float:
        weight = 0.0
        for epoch in range(self.epochs):
            loss = sum((x - weight) ** 2 for x in numbers) / len(numbers)
            if loss > 1e6:
                raise ValueError(f"diverged at epoch {epoch}: loss {loss:.3g}")
            weight -= self.lr * sum(2 * (weight - x) for x in numbers) / len(numbers)
            self.log(loss=loss, step=epoch)
            self.progress(epoch + 1, self.epochs)
            print(f"epoch {epoch:2} loss {loss:.5f}")
        return weight


class Score(Task):
    def run(self, fold: int, weight: float) -> float:
        return round(1 - abs(weight - 0.5) - fold / 1000, 6)


class Report(Task):
    def run(self, weight: float, scores: list[float]) -> str:
        score = sum(scores) / len(scores)
        self.log(acc=score)
        return f"weight {weight:.4f}, score {score:.4f}"


class Train(Pipeline):
    load: Load
    clean: Clean
    fit: Fit
    score: Score
    report: Report

    class Meta:
        name = "train"

    def __call__(self, n: int = 40) -> str:
        numbers = self.clean(self.load(n))
        weight = self.fit(numbers)
        scores = [self.score(fold, weight) for fold in range(5)]
        return self.report(weight, scores)
"""
SETTINGS = """\
default-pipeline = "train"

[pipelines.train]
target = "train.py:Train"
"""
EDITS = (
    ("kept = [x for x in numbers if x > self.threshold]", "kept = sorted(x for x in numbers if x >= self.threshold)"),
    ('return f"weight {weight:.4f}, score {score:.4f}"', 'return f"w={weight:.4f} score={score:.4f}"'),
)
ENVIRONMENT = {
    "python": "3.11.7",
    "platform": "Linux-6.1-x86_64",
    "packages": {"finestflow": "0.1.0", "numpy": "2.4.0"},
    "variables": {},
}


class SteadyClock:
    """Goes on by a quarter of a second whenever somebody measures."""

    def __init__(self, start: float) -> None:
        self.now = start

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        self.now += 0.25
        return self.now


def run(folder: Path, number: int, name: str, settings: dict[str, str], **options: Any) -> None:
    """Make one run in a process of its own."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert status == 0, f"run {name} could not be made"
        return
    try:
        _run(folder, number, name, settings, options)
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


def _run(folder: Path, number: int, name: str, settings: dict[str, str], options: dict[str, Any]) -> None:
    import finestflow.environment as environment
    from finestflow.options import RunOptions
    from finestflow.workspace import Workspace

    environment.read_environment = lambda *_, **__: ENVIRONMENT
    rng = random.Random(number)
    os.urandom = rng.randbytes
    os.chdir(folder)
    workspace = Workspace.find(folder, os.environ)
    workspace.clock = SteadyClock(NOW - 86_400 * (8 - number) * (1 if number < 7 else 0.3))
    time.time = workspace.clock.time  # what a worker stamps metrics with
    pipeline, inputs = workspace.load_pipeline(None)
    inputs = workspace.configure(pipeline, settings.items(), inputs)
    finished = workspace.run(
        pipeline, (), inputs, options=RunOptions(echo=False, name=name, seed=1, **options), argv=("finestflow", "run")
    )
    workspace.close()
    assert (finished.error is None) == (name != "icy-owl-4"), finished.error


def build(folder: Path) -> None:
    """Make the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    day = "2026-01-01T12:00:00+0000"
    environ = {**os.environ, "GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day}
    (folder / "train.py").write_text(TRAIN)
    (folder / ".finestflow.toml").write_text(SETTINGS)
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "The pipeline"]):
        subprocess.run(["git", *words], cwd=folder, env=environ, check=True)
    run(folder, 1, "baseline-1", {})
    run(folder, 2, "baseline-again-2", {})
    run(folder, 3, "brisk-lynx-3", {"fit.lr": "0.3"}, tags=("best",), note="try a bigger lr")
    run(folder, 4, "icy-owl-4", {"fit.lr": "9"})
    text = TRAIN
    for old, new in EDITS:
        assert old in text
        text = text.replace(old, new)
    (folder / "train.py").write_text(text)
    (folder / "notes.md").write_text("Sorted numbers are easier to read.\n")
    run(folder, 5, "calm-wren-5", {"fit.lr": "0.3"})
    run(folder, 6, "dusty-fox-6", {"fit.lr": "0.05", "fit.epochs": "30"}, note="slower")


if __name__ == "__main__":
    import finestflow.git.objects
    import finestflow.git.snapshot
    import finestflow.runner
    import finestflow.workspace  # noqa: F401 - imported once, before the forks

    build(Path(sys.argv[1]))
