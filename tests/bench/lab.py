"""What questions to many runs cost as whole processes: a lab of 10,000 runs that were made by running, and one of 100,000 that were generated.

Goals: each question well under 300 ms at 10,000 runs, and growing no more than its answer. Wall and CPU of the process and its children. What a
run costs is measured in the same lab: it must not grow with the number of runs. Run it: python -m tests.bench.lab [RUNS [GENERATED]]; FOLDER in the environment keeps the labs for the next time.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from finestflow.git.refs import JOURNAL_REF
from finestflow.git.repository import find_repository
from finestflow.journal.journal import Journal
from finestflow.journal.message import format_message
from finestflow.journal.names import new_run_id, new_run_name
from finestflow.journal.record import FOLDER, dump_record
from finestflow.model import Run

ROUNDS = 5
MOST_READ = 20_000
"""Records that are all read by the commands that have to."""
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
PIPELINE = '''\
from finestflow import Pipeline, Task


class Load(Task):
    def run(self, n: int) -> list:
        return [((i * 37) % 100) / 100 for i in range(n)]


class Fit(Task):
    lr: float = 0.1
    kind: str = "a"

    def run(self, numbers: list) -> float:
        weight = 0.0
        for step in range(5):
            weight -= self.lr * sum(2 * (weight - x) for x in numbers) / len(numbers)
            self.log(loss=abs(weight - 0.5), step=step)
        print("fitted", weight)
        return weight


class Score(Task):
    def run(self, weight: float) -> dict:
        """Turn {turn}."""
        self.log(f1=1 - abs(weight - 0.5), accuracy=weight)
        return {{"f1": 1 - abs(weight - 0.5), "turn": {turn}}}


class Lab(Pipeline):
    load: Load
    fit: Fit
    score: Score

    def __call__(self, n: int = 20) -> dict:
        return self.score(self.fit(self.load(n)))
'''
WORKER = """\
import random, sys
import lab
rng = random.Random(sys.argv[1])
for _ in range(int(sys.argv[2])):
    pipeline = lab.Lab()
    pipeline.fit = lab.Fit(lr=round(rng.random(), 4), kind=rng.choice("abc"))
    pipeline(rng.randrange(5, 40))
"""
STINT = 250
"""Runs of one process; then the code changes, as it does between the days of a person."""


def begin_repository(folder: Path) -> None:
    """Make a folder a repository whose first commit has all its files."""
    for words in (
        ["init", "-q", "-b", "main"],
        ["config", "user.name", "Ada"],
        ["config", "user.email", "ada@example.org"],
    ):
        subprocess.run(["git", *words], cwd=folder, env=ENVIRON, check=True)
    subprocess.run(["git", "add", "-A"], cwd=folder, env=ENVIRON, check=True)
    subprocess.run(["git", "commit", "-qm", "begin"], cwd=folder, env=ENVIRON, check=True)


def build_real(folder: Path, runs: int, *, processes: int = 2) -> None:
    """Make a repository with so many runs by running them, or make those that it lacks."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lab.py").write_text(PIPELINE.format(turn=0))
        begin_repository(folder)
    while (have := count(folder)) < runs:
        share = min(STINT, -(-(runs - have) // processes))
        (folder / "lab.py").write_text(PIPELINE.format(turn=have))
        environ = {**ENVIRON, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, f"{have}-{at}", str(share)],
                cwd=folder,
                env=environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for at in range(processes)
        ]
        if any(worker.wait() for worker in workers):
            raise SystemExit("a worker failed")


def count(folder: Path) -> int:
    """Return how many runs a repository has."""
    done = subprocess.run(
        ["git", "rev-list", "--count", JOURNAL_REF], cwd=folder, env=ENVIRON, capture_output=True, check=False
    )
    return int(done.stdout or 0)


def build_generated(folder: Path, runs: int, real: Path) -> None:
    """Write so many records without running anything: copies of real ones with other ids, times, params and metrics."""
    repository = find_repository(real, ENVIRON)
    assert repository is not None
    journal = Journal(repository)
    tip = journal.tip()
    assert tip is not None
    commits = subprocess.run(
        ["git", "rev-list", "-n", "50", tip], cwd=real, env=ENVIRON, capture_output=True, text=True, check=True
    ).stdout.split()
    models = [(run, journal.read_logs(run.summary.commit, run.nodes)) for run in journal.load_many(commits)]
    subprocess.run(["git", "init", "-q", "-b", "main", folder], env=ENVIRON, check=True)
    process = subprocess.Popen(
        ["git", "fast-import", "--quiet", "--date-format=raw"], cwd=folder, env=ENVIRON, stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    rng = random.Random(1)
    begin = time.time() - runs * 60
    for seed in range(runs):
        run, logs = rng.choice(models)
        made = _vary(run, rng, begin + seed * 60, f"{seed // 100 + 1:040x}")
        files = {f"{FOLDER}/{path}": data for path, data in dump_record(made, logs).items()}
        files["lab.py"] = PIPELINE.format(turn=seed // 100).encode()
        process.stdin.write(_commit(made, files))
    process.stdin.close()
    assert process.wait() == 0


def _vary(run: Run, rng: random.Random, started: float, code: str) -> Run:
    metrics = {name: replace(metric, last=rng.random()) for name, metric in run.metrics.items()}
    summary = replace(
        run.summary,
        id=new_run_id(rng.randbytes(6)),
        name=new_run_name(rng.randbytes(4)),
        started=started,
        code=code,
        params={**run.summary.params, "fit.lr": rng.random()},
        metrics={name: metric.last for name, metric in metrics.items()},
    )
    return replace(run, summary=summary, metrics=metrics, ended=started + summary.seconds)


def _commit(run: Run, files: dict[str, bytes]) -> bytes:
    message = format_message(run).encode()
    when = int(run.summary.started)
    parts = [
        f"commit {JOURNAL_REF}\ncommitter Ada <ada@example.org> {when} +0000\ndata {len(message)}\n".encode(),
        message,
    ]
    parts.append(b"deleteall\n")
    for path, data in files.items():
        parts += [f'M 100644 inline "{path}"\ndata {len(data)}\n'.encode(), data, b"\n"]
    return b"".join([*parts, b"\n"])


def measure(folder: Path, words: Iterable[str], *, program: str = "", rounds: int = ROUNDS) -> tuple[float, float, int]:
    """Return wall and CPU of a command in ms, the median and the least of several times, and how many lines it prints."""
    command = [program or str(Path(sys.executable).with_name("finestflow")), *words]
    walls, cpus, lines = [], [], 0
    for _ in range(rounds + 1):
        used, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env={**ENVIRON, "HOME": str(folder)}, capture_output=True, check=False
        )
        walls.append((time.perf_counter() - begin) * 1000)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append((after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime) * 1000)
        assert done.returncode == 0, done.stderr.decode()
        lines = done.stdout.count(b"\n")
    return statistics.median(walls[1:] or walls), min(cpus[1:] or cpus), lines


def cost_of_run(folder: Path) -> float:
    """Return the CPU of one more run in ms, that of git included and that of the start of a process not."""
    environ = {**ENVIRON, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    used = []
    for runs in (5, 55):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        words = [sys.executable, "-c", WORKER, "cost", str(runs)]
        subprocess.run(words, cwd=folder, env=environ, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
    return (used[1] - used[0]) / 50


QUESTIONS = (
    ("log -n 20", ["log", "-n", "20"]),
    ("log (all of them)", ["log"]),
    ("log 'f1>0.99 p.fit.kind=a'", ["log", "f1>0.99 p.fit.kind=a"]),
    ("log 'task:fit changed:fit.lr' -n 20", ["log", "task:fit changed:fit.lr", "-n", "20"]),
    ("log 'file:lab.py' -n 20", ["log", "file:lab.py", "-n", "20"]),
    ("log 'out:abcd' -n 20", ["log", "out:abcd", "-n", "20"]),
    ("log like:@", ["log", "like:@"]),
    ("log is:removed (the trash)", ["log", "is:removed"]),
    ("log --sort -f1 -n 20", ["log", "--sort", "-f1", "-n", "20"]),
    ("log --group p.fit.kind", ["log", "--group", "p.fit.kind"]),
    ("log --group f1", ["log", "--group", "f1"]),
    ("compare of 20", ["compare", "-n", "20"]),
    ("compare of the best 20", ["compare", "-n", "20", "--sort", "-f1"]),
    ("diff @~1 @", ["diff", "@~1", "@"]),
    ("diff of first and last", ["diff", "@~{last}", "@"]),
    ("show @", ["show", "@"]),
    ("why @:fit", ["why", "@:fit"]),
    ("bisect 'f1>0.9'", ["bisect", "f1>0.9"]),
    ("bisect 'f1>0' (it never broke)", ["bisect", "f1>0"]),
    ("for", ["for", "refs/finestflow"]),
    ("report of 10", ["report", "f1>0.9", "-n", "10", "-o", os.devnull]),
    ("du", ["du"]),
    ("cache list", ["cache", "list"]),
)
UPKEEP = (("gc -n", ["gc", "-n"]), ("taint lab.Fit", ["taint", "lab.Fit"]), ("verify", ["verify"]))
"""What has to look at every run; once each."""


def show(folder: Path, title: str) -> None:
    """Print the table of one lab."""
    runs = count(folder)
    for path in (folder / ".git" / "finestflow").glob("index.sqlite*"):
        path.unlink()
    begin = time.perf_counter()
    subprocess.run(
        [Path(sys.executable).with_name("finestflow"), "log", "-n", "1"],
        cwd=folder,
        env=ENVIRON,
        check=True,
        capture_output=True,
    )
    anew, begin = time.perf_counter() - begin, time.perf_counter()
    measure(folder, ["log", "task:none or file:none"], rounds=0)
    read = time.perf_counter() - begin
    print(f"\n{title}: {runs} runs; the index anew {anew:.1f} s, what is inside of runs read into it {read:.1f} s")
    print(f"{'':40}{'wall ms':>9}{'CPU ms':>8}{'lines':>8}")
    for name, words in QUESTIONS:
        wall, cpu, lines = measure(folder, [word.format(last=runs - 1) for word in words])
        print(f"{name:40}{wall:9.0f}{cpu:8.0f}{lines:8}")
    if runs <= MOST_READ:
        for name, words in UPKEEP:
            wall, cpu, lines = measure(folder, words, rounds=0)
            print(f"{name:40}{wall:9.0f}{cpu:8.0f}{lines:8}")


def main(words: list[str]) -> None:
    """Make the labs where they are not there yet, and print what they cost."""
    runs = int(words[0]) if words else 10_000
    generated = int(words[1]) if len(words) > 1 else 100_000
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(os.environ.get("FOLDER", scratch))
        real, made = place / f"real-{runs}", place / f"generated-{generated}"
        begin = time.perf_counter()
        build_real(real, runs)
        print(f"made by running in {time.perf_counter() - begin:.0f} s")
        print(f"a run in a loop: {cost_of_run(real):.0f} ms CPU")
        show(real, "made by running")
        if generated and not made.exists():
            build_generated(made, generated, real)
        if generated:
            show(made, "generated")


if __name__ == "__main__":
    main(sys.argv[1:])
