"""The same questions to mlflow and dvc, beside finestflow on the same machine: ``python -m tests.bench.peers [RUNS]``.

They are not installed with finestflow: ``MLFLOW`` and ``DVC`` in the environment name the Python programs of environments that have them; what is
missing is skipped with a line. Each makes as many runs as asked for, or as it can in ``PATIENCE`` seconds, with the same two params and three metrics.
Each question is a process of its own. mlflow keeps its runs in SQLite. dvc saves experiments (``exp save``); nothing runs in it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.bench.lab import ENVIRON, build_real, count, measure

RUNS = 1000
PATIENCE = 180
FINESTFLOW = (
    ("the newest 20", ["log", "-n", "20"]),
    ("f1 > 0.99", ["log", "f1>0.99"]),
    ("the best 20 by f1", ["log", "--sort", "-f1", "-n", "20"]),
    ("20 side by side", ["compare", "-n", "20"]),
    ("two by all that differs", ["diff", "@~1", "@"]),
)
DRAW = """\
import random, sys, time
end, runs = time.time() + float(sys.argv[2]), int(sys.argv[1])
rng = random.Random(1)
def drawn():
    for number in range(runs):
        if time.time() > end:
            break
        yield {"lr": round(rng.random(), 4), "kind": rng.choice("abc")}, {"loss": rng.random(), "f1": rng.random(), "accuracy": rng.random()}
"""
MLFLOW = (
    DRAW
    + """
import mlflow
for params, metrics in drawn():
    with mlflow.start_run():
        mlflow.log_params(params)
        for step in range(5):
            mlflow.log_metric("loss", metrics["loss"], step=step)
        mlflow.log_metrics({"f1": metrics["f1"], "accuracy": metrics["accuracy"]})
"""
)
_SEARCH = "import mlflow; found = mlflow.search_runs({}); print(found.to_string())"
MLFLOW_QUESTIONS = (
    ("the newest 20", _SEARCH.format("max_results=20")),
    ("f1 > 0.99", _SEARCH.format("filter_string='metrics.f1 > 0.99'")),
    ("the best 20 by f1", _SEARCH.format("order_by=['metrics.f1 DESC'], max_results=20")),
)
DVC = (
    DRAW
    + """
import json
import dvc.api
from pathlib import Path
for params, metrics in drawn():
    Path("params.yaml").write_text(f"lr: {params['lr']}\\nkind: {params['kind']}\\n")
    Path("metrics.json").write_text(json.dumps(metrics))
    dvc.api.exp_save(force=True)
"""
)
DVC_QUESTIONS = (
    ("all of them", ["exp", "show", "--csv"]),
    ("all, sorted by f1", ["exp", "show", "--csv", "--sort-by", "f1", "--sort-order", "desc"]),
    ("two by params and metrics", ["exp", "diff"]),
)


def make(title: str, command: list[str], folder: Path, environ: dict[str, str]) -> None:
    """Let a program make its runs, and print what that took."""
    used, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{title} failed: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    print(f"\n{title}: made in {time.perf_counter() - begin:.0f} s, CPU {cpu:.0f} s")


def ask(folder: Path, program: str, questions: Iterable[tuple[str, list[str]]]) -> None:
    """Print what questions cost."""
    print(f"{'':40}{'wall ms':>9}{'CPU ms':>8}{'lines':>8}")
    for name, words in questions:
        wall, cpu, lines = measure(folder, words, program=program)
        print(f"{name:40}{wall:9.0f}{cpu:8.0f}{lines:8}")


def of_mlflow(python: str, folder: Path, runs: int) -> None:
    """Let mlflow make runs, and ask it."""
    folder.mkdir(exist_ok=True)
    ENVIRON["MLFLOW_TRACKING_URI"] = "sqlite:///mlflow.db"
    make("mlflow", [python, "-c", MLFLOW, str(runs), str(PATIENCE)], folder, ENVIRON)
    ask(folder, python, [(name, ["-c", text]) for name, text in MLFLOW_QUESTIONS])


def of_dvc(python: str, folder: Path, runs: int) -> None:
    """Let dvc save experiments, and ask it."""
    folder.mkdir(exist_ok=True)
    environ = {**ENVIRON, "PATH": f"{Path(python).parent}{os.pathsep}{ENVIRON['PATH']}"}
    (folder / "dvc.yaml").write_text("params:\n- params.yaml\nmetrics:\n- metrics.json\n")
    (folder / "params.yaml").write_text("lr: 0.1\nkind: a\n")
    (folder / "metrics.json").write_text('{"loss": 1, "f1": 0, "accuracy": 0}')
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["git", "add", "-A"], [*git, "commit", "-qm", "x"]):
        subprocess.run(command, cwd=folder, env=environ, check=True)
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        subprocess.run(["git", "config", name, value], cwd=folder, env=environ, check=True)
    make("dvc", [python, "-c", DVC, str(runs), str(PATIENCE)], folder, environ)
    refs = subprocess.run(
        ["git", "for-each-ref", "refs/exps"], cwd=folder, env=environ, capture_output=True, check=True
    )
    print(f"{refs.stdout.count(b'commit')} experiments")
    ask(folder, str(Path(python).with_name("dvc")), DVC_QUESTIONS)


def main(words: list[str]) -> None:
    """Make the runs of each, and print what they and the questions cost."""
    runs = int(words[0]) if words else RUNS
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        used, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        build_real(place / "finestflow", runs, processes=1)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        made = count(place / "finestflow")
        print(f"finestflow: {made} runs made in {time.perf_counter() - begin:.0f} s, CPU {cpu:.0f} s")
        ask(place / "finestflow", "", FINESTFLOW)
        for name, measure_it in (("mlflow", of_mlflow), ("dvc", of_dvc)):
            python = os.environ.get(name.upper())
            if python:
                measure_it(python, place / name, runs)
            else:
                print(f"\n{name}: skipped; {name.upper()}=PYTHON names a Python that has it")


if __name__ == "__main__":
    main(sys.argv[1:])
