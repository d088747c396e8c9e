"""Time the journal: events, appending a run, and listing and querying many runs.

Run: ``python -m tests.bench.journal [runs]``. Prints the least of several times; budgets are read by people, not asserted.
The runs are written by ``git fast-import``, with eight params and eight metrics each.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from finestflow.git.refs import JOURNAL_REF
from finestflow.git.repository import Repository, find_repository
from finestflow.journal.annotations import Annotations, Change
from finestflow.journal.index import Index
from finestflow.journal.journal import Journal
from finestflow.journal.live import LiveFolder
from finestflow.journal.message import format_message
from finestflow.journal.names import new_run_id, new_run_name
from finestflow.journal.query import parse
from finestflow.journal.state import RunState
from finestflow.model import Run, RunStatus, RunSummary

NOW = 1_795_339_000.0
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
QUERIES = (
    "m.m0>0.9",
    "m0>0.9",
    "p.p0=3 status:ok",
    "-status:ok or m.m1<0.05",
    "lynx",
    "pipeline:digits #wip",
    "since:2d dur>1m",
)


def summary_of(seed: int) -> RunSummary:
    """Make up a run."""
    rng = random.Random(seed)
    return RunSummary(
        id=new_run_id(rng.randbytes(6)),
        name=new_run_name(rng.randbytes(4)),
        pipeline=rng.choice(("digits", "rag", "train", "clean")),
        status=rng.choice((RunStatus.OK, RunStatus.OK, RunStatus.FAILED)),
        started=NOW - 10**6 + seed * 100,
        seconds=rng.random() * 300,
        base="8" * 40,
        branch="main",
        code=f"{seed:040x}",
        dirty=(rng.randrange(3), 0),
        params={f"p{key}": rng.choice((1, 3, 0.5, "rbf", True)) for key in range(8)},
        metrics={f"m{key}": rng.random() for key in range(8)},
        tags=("wip",) if rng.random() < 0.1 else (),
        note="a note of some words" if rng.random() < 0.3 else "",
        nodes=8,
        hits=rng.randrange(8),
    )


def build(folder: Path, runs: int) -> Repository:
    """Make a repository with a journal of so many runs."""
    subprocess.run(["git", "init", "-q", folder], env=ENVIRON, check=True)
    process = subprocess.Popen(
        ["git", "fast-import", "--quiet", "--date-format=raw"], cwd=folder, env=ENVIRON, stdin=subprocess.PIPE
    )
    assert process.stdin is not None
    for seed in range(runs):
        message = format_message(Run(summary=summary_of(seed))).encode()
        when = int(NOW) - 10**6 + seed * 100
        process.stdin.write(
            f"commit {JOURNAL_REF}\ncommitter Ada <ada@example.org> {when} +0000\ndata {len(message)}\n".encode()
            + message
            + b"M 100644 inline a.txt\ndata 2\na\n\n"
        )
    process.stdin.close()
    assert process.wait() == 0
    repository = find_repository(folder, ENVIRON)
    assert repository is not None
    return repository


def show(name: str, action: Callable[[], object], *, times: int = 5, per: int = 1) -> None:
    """Print the least time that something takes, wall and CPU."""
    walls, cpus = [], []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    unit, factor = ("us", 1e6) if per > 1 else ("ms", 1e3)
    print(f"{name:52} {min(walls) / per * factor:9.2f} {unit}   CPU {min(cpus) / per * factor:9.2f} {unit}")


def bench_events(folder: Path) -> None:
    """Emit and fold events."""
    live = LiveFolder.create(folder, new_run_id(os.urandom(6)))
    event = {"e": "metric", "node": "fit", "name": "loss", "value": 0.3212, "step": 17, "t": NOW}
    show("emit an event", lambda: [live.emit(event) for _ in range(5000)], per=5000)
    show("emit a lazy event", lambda: [live.emit(event, lazy=True) for _ in range(5000)], per=5000)
    live.close(remove=True)
    events = [{"e": "run", "id": "k" * 12, "name": "n", "pipeline": "p", "started": NOW}]
    for item in range(5000):
        path, digest = f"embed[{item}]", "a" * 64
        events.append({"e": "start", "path": path, "task": "m:T", "key": digest, "t": NOW})
        inputs, output = {"x": {"digest": digest, "from": "load"}}, {"digest": digest, "size": 10, "type": "int"}
        node = {"e": "node", "path": path, "task": "m:T", "kind": "task", "status": "ok", "key": digest}
        events.append({**node, "inputs": inputs, "output": output, "seconds": 0.1, "t": NOW})

    def fold() -> None:
        state = RunState()
        for each in events:
            state.apply(each)
        assert len(state.run.nodes) == 5000

    show("fold 5,000 nodes", fold)


def bench_append(repo: Repository) -> None:
    """Append runs and annotations."""
    journal, seeds = Journal(repo), iter(range(10**6, 10**7))
    show("append a run", lambda: journal.append(Run(summary=summary_of(next(seeds)))), times=30)
    annotations = Annotations(repo)

    def star() -> None:
        annotations.change({summary_of(next(seeds)).id: Change(star=True)}, "star", now=NOW)

    show("annotate a run", star, times=20)


def bench_index(repo: Repository, runs: int) -> None:
    """Build, refresh, list and query."""
    path = repo.state_dir / "index.sqlite"

    def rebuild() -> None:
        path.unlink(missing_ok=True)
        index = Index(path)
        index.refresh(repo)
        index.close()

    show(f"make the index of {runs:,} runs", rebuild, times=2)
    index = Index(path)
    show("refresh when nothing is new", lambda: index.refresh(repo))
    columns = ["id", "name", "pipeline", "status", "started", "seconds", "tags", "m.m0", "m.m1", "p.p0"]
    show("rows, 10 columns, all", lambda: index.rows(columns))
    show("rows, 10 columns, first 50", lambda: index.rows(columns, limit=50))
    show("summaries, all", index.summaries)
    show("sort by a metric, all", lambda: index.rows(["id"], sort="-m.m0"))
    show("sort by a metric, first 50", lambda: index.rows(["id"], sort="-m.m0", limit=50))
    show("shortest prefixes of all", lambda: index.prefixes([row[0] for row in index.rows(["id"])]))
    show("names of all metrics and params", index.known_names)
    for text in QUERIES:
        query = parse(text, now=NOW)
        print(f"   {index.count(query):6} of {runs:,}", end=" ")
        show(f"query {text}", lambda query=query: index.rows(["id", "name"], query))
    show("parse a query", lambda: [parse(QUERIES[3], now=NOW) for _ in range(1000)], per=1000)
    code = (
        "import sys\nfrom pathlib import Path\nfrom finestflow.git.repository import find_repository\n"
        "from finestflow.journal.index import Index\nfrom finestflow.journal.query import parse\n"
        f"repo = find_repository(Path({str(repo.work_tree)!r}), {ENVIRON!r})\nindex = Index(repo.state_dir / 'index.sqlite')\n"
        f"index.refresh(repo)\nrows = index.rows({columns!r}, parse(sys.argv[1], now={NOW}))\n"
        "sys.stdout.writelines('  '.join(map(str, row)) + '\\n' for row in rows)\n"
    )

    def whole(text: str) -> Callable[[], object]:
        environ = {**ENVIRON, "PYTHONPYCACHEPREFIX": str(repo.state_dir / "pyc")}  # as installed: compiled
        words = [sys.executable, "-c", code, text]
        return lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environ)

    show("whole process: python -c pass", lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
    show("whole process: list all", whole(""), times=9)
    show("whole process: query a metric", whole("m0>0.9"), times=9)


def bench_layouts(repo: Repository) -> None:
    """Compare rows of values under (key, num, seq) with indexes on JSON expressions."""
    with contextlib.closing(sqlite3.connect(repo.state_dir / "index.sqlite")) as database:
        rows = database.execute("SELECT seq, metrics FROM runs").fetchall()
        memory = sqlite3.connect(":memory:")
        memory.execute("CREATE TABLE runs (seq INTEGER PRIMARY KEY, metrics TEXT)")
        memory.executemany("INSERT INTO runs VALUES (?, ?)", rows)
        database.backup(files := sqlite3.connect(":memory:"))
    path = '$."m0"'
    bare = f"SELECT seq FROM runs WHERE json_extract(metrics, '{path}') > 0.9"
    order = f"SELECT seq FROM runs ORDER BY json_extract(metrics, '{path}')"
    show("layout: JSON, no index, range", lambda: memory.execute(bare).fetchall())
    show("layout: JSON, no index, sort", lambda: memory.execute(order).fetchall())
    show(
        "layout: JSON, make the index of one key",
        lambda: memory.executescript(
            f"DROP INDEX IF EXISTS m0; CREATE INDEX m0 ON runs (json_extract(metrics, '{path}'))"
        ),
        times=2,
    )
    show("layout: JSON, indexed, range", lambda: memory.execute(bare).fetchall())
    show("layout: JSON, indexed, sort", lambda: memory.execute(order).fetchall())
    composite = "SELECT seq FROM runs WHERE seq IN (SELECT seq FROM metrics WHERE key = 'm0' AND num > 0.9)"
    sort = "SELECT seq FROM runs ORDER BY (SELECT num FROM metrics WHERE key = 'm0' AND seq = runs.seq)"
    show("layout: (key, num, seq), range", lambda: files.execute(composite).fetchall())
    show("layout: (key, num, seq), sort", lambda: files.execute(sort).fetchall())


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Give an empty folder."""
    with tempfile.TemporaryDirectory(prefix="finestflow-bench-") as path:
        yield Path(path)


def main(words: list[str]) -> None:
    """Run all of them."""
    runs = int(words[0]) if words else 10_000
    with folder() as place:
        bench_events(place)
        repo = build(place / "repository", runs)
        bench_index(repo, runs)
        bench_layouts(repo)
        bench_append(repo)
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
