"""Labs for timing the terminal UI: lists of any length with whole records, and runs with large graphs and many changed files."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from finestflow.git.refs import JOURNAL_REF
from finestflow.git.repository import find_repository
from finestflow.journal.index import Index
from finestflow.journal.journal import Journal
from finestflow.journal.message import format_message
from finestflow.journal.record import FOLDER, dump_record
from finestflow.model import Metric
from tests.bench.journal import summary_of
from tests.bench.lab import begin_repository
from tests.bench.terminal import ENVIRON

__all__ = ["PAGES", "build_list", "build_pages", "change_pages"]

ROOT = Path(__file__).parents[2]
PAGES = (("sixty-1", 20), ("two-hundred-2", 80), ("thousand-3", 80))
"""Runs with so many tasks, and the milliseconds that drawing the graph of each may cost."""
FILES = 20
STEPS = """\
from finestflow import Pipeline, Task


class Step(Task):
    def run(self, a: int, b: int = 0) -> int:
        return a + b + 1


class Thousand(Pipeline):
    load: Step
    embed: Step
    score: Step

    def __call__(self) -> int:
        start, total = self.load(0), 0
        for item in range(500):
            total = self.score(self.embed(start, item), 1)
        return total
"""


def build_list(folder: Path, runs: int) -> Path:
    """Make a repository with so many recorded runs of eight params, eight metrics and ten tasks, unless it is there; with its index."""
    if not folder.exists():
        models = folder.with_name("models")
        if not models.exists():
            subprocess.run([sys.executable, "-m", "tests.tui.build_lab", str(models)], cwd=ROOT, check=True)
        _generate(folder, runs, models)
    repository = find_repository(folder, ENVIRON)
    assert repository is not None
    index = Index(repository.state_dir / "index.sqlite")
    index.refresh(repository)
    index.close()
    return folder


def _generate(folder: Path, runs: int, models: Path) -> None:
    repository = find_repository(models, ENVIRON)
    assert repository is not None
    journal = Journal(repository)
    commits = subprocess.run(
        ["git", "rev-list", JOURNAL_REF], cwd=models, env=ENVIRON, capture_output=True, text=True, check=True
    ).stdout.split()
    made = [(run, journal.read_logs(run.summary.commit, run.nodes)) for run in journal.load_many(commits)]
    subprocess.run(["git", "init", "-q", "-b", "main", folder], env=ENVIRON, check=True)
    process = subprocess.Popen(["git", "fast-import", "--quiet"], cwd=folder, env=ENVIRON, stdin=subprocess.PIPE)
    assert process.stdin is not None
    rng = random.Random(1)
    for seed in range(runs):
        model, logs = rng.choice(made)
        summary = summary_of(seed)
        metrics = {name: Metric(name=name, last=value) for name, value in summary.metrics.items()}
        run = replace(
            model, summary=summary, metrics={**model.metrics, **metrics}, ended=summary.started + summary.seconds
        )
        parts = [
            f"commit {JOURNAL_REF}\ncommitter Ada <ada@example.org> {int(summary.started)} +0000\n".encode(),
            _data(format_message(run).encode()),
            b"deleteall\n",
        ]
        for path, content in dump_record(run, logs).items():
            parts += [f'M 100644 inline "{FOLDER}/{path}"\n'.encode(), _data(content)]
        process.stdin.write(b"".join([*parts, b"\n"]))
    process.stdin.close()
    assert process.wait() == 0


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content + b"\n"


def _pipeline(name: str, count: int) -> str:
    """Return a pipeline of so many tasks, each of which takes two of the eight before it."""
    rng = random.Random(count)
    lines = [
        f"\n\nclass {name}(Pipeline):",
        *(f"    s{at}: Step" for at in range(count)),
        "\n    def __call__(self) -> int:",
    ]
    for at in range(count):
        before = [f"v{rng.randrange(max(0, at - 8), at)}" for _ in range(min(at, 2))]
        lines.append(f"        v{at} = self.s{at}({', '.join(before) or '0'})")
    return "\n".join([*lines, f"        return v{count - 1}\n"])


def build_pages(folder: Path) -> Path:
    """Make a repository with runs of 60, 200 and 1,000 tasks beside twenty files, unless it is there."""
    if folder.exists():
        return folder
    folder.mkdir(parents=True)
    (folder / "steps.py").write_text(STEPS + _pipeline("Sixty", 60) + _pipeline("TwoHundred", 200))
    for at in range(FILES):
        (folder / f"part{at:02}.py").write_text(
            "".join(f"def f{line}(x):\n    return x + {line}\n" for line in range(100))
        )
    begin_repository(folder)
    for target, (name, _) in zip(("Sixty", "TwoHundred", "Thousand"), PAGES, strict=True):
        _run(folder, target, name)
    return folder


def change_pages(folder: Path) -> None:
    """Change all twenty files, and run again."""
    for at in range(FILES):
        path = folder / f"part{at:02}.py"
        text, changed = path.read_text(), f"x * {time.time_ns()}"
        path.write_text(re.sub(r"x \* \d+|x \+ 7$", changed, text, flags=re.MULTILINE))
    _run(folder, "Sixty", "changed-4")


def _run(folder: Path, target: str, name: str) -> None:
    words = [sys.executable, "-m", "finestflow", "run", f"steps.py:{target}", "--name", name]
    environ = {**ENVIRON, "HOME": str(folder), "PYTHONPATH": ":".join(sys.path)}
    subprocess.run(words, cwd=folder, env=environ, check=True, capture_output=True)
