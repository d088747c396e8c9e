"""A user's code, as mypy --strict is to understand it."""

from __future__ import annotations

from pathlib import Path

import finestflow
from finestflow import Param, Pipeline, Run, Task, Workspace


class Load(Task):
    """A task without params."""

    def run(self, n: int) -> list[int]:
        return list(range(n))


class Fit(Task):
    """A task with params of several kinds."""

    kind: str = "svm"
    C: float = Param(1.0, help="inverse regularisation")

    def run(self, train: list[int]) -> float:
        self.log(loss=0.3, step=1)
        return self.C * sum(train)


class Small(Pipeline):
    """Tasks as children."""

    load: Load
    fit: Fit = Fit(kind="svm")

    def __call__(self, n: int = 3) -> float:
        numbers = self.load(n)
        return float(self.fit(numbers))


def use() -> None:
    """Call what users call."""
    pipeline = Small(load=Load, fit={"C": 0.1})
    value: float = pipeline(4)
    run: Run = pipeline.last_run
    workspace: Workspace = run.workspace
    root: Path = workspace.root
    print(value, run.id, run.params, root)


def track() -> None:
    """Track a script."""
    with finestflow.start("train", {"lr": 0.1}, epochs=3).tag("wip") as run:
        for epoch in run.track(range(3)):
            step: int = epoch
            run.log({"val/loss": 0.1}, step=step, loss=0.3)
        run.save(Path("model.pt"))
    for name in finestflow.track(["a", "b"]):
        finestflow.log(length=len(name))
    finestflow.save({"a": 1}, "values")
