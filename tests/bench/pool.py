"""The pool of processes beside others: its start, a trivial task, eight tasks of 0.5 s of CPU on two workers, a 200 MB array in another process.

Each contestant runs in a process of its own; one that is not installed is left out. Run it: python tests/bench/pool.py [NAME ...]
(names: finestflow, futures, loky, dask, ray). The best of several turns; the machine should have nothing else to do.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORKERS = 2
MODULES = {
    "finestflow": "finestflow",
    "futures": "concurrent.futures",
    "loky": "joblib",
    "dask": "distributed",
    "ray": "ray",
}
WORK = """
import time

def trivial(x):
    return x

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))
    return seconds

def ends(array):
    return float(array[0] + array[-1])
"""


class Contestant:
    """A pool under test; ``submit`` returns what ``result`` waits for."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        raise NotImplementedError

    def result(self, pending: Any) -> Any:
        return pending.result()

    def share(self, array: Any) -> Any:
        """Return what is given to a task in place of an array that exists already."""
        return array

    def close(self) -> None:
        pass


class Ours(Contestant):
    def __init__(self, folder: Path) -> None:
        from finestflow import Task
        from finestflow.workspace import Workspace

        self.workspace = Workspace.find(folder, dict(os.environ))
        self.executor = self.workspace.open_executor("process", WORKERS)
        self.of = Task.of
        self.tasks: dict[Any, Any] = {}

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        from finestflow.executor.protocol import Job
        from finestflow.pipeline.context import Context

        if function not in self.tasks:
            self.tasks[function] = self.of(function)
        pending: list[Any] = []
        ended = threading.Semaphore(0)
        store = self.workspace.store
        job = Job(
            path="node",
            task=self.tasks[function],
            warm_key=function.__name__,
            args=args,
            kwargs={},
            load=store.load,
            refer=lambda output: output._finestflow_handle.reference,
            encode=store.encode,
            seed=1,
            setup_seed=1,
            context=Context({}),
            sink=None,  # type: ignore[arg-type]
            start=lambda: True,
        )
        self.executor.submit(job, lambda outcome: (pending.append(outcome), ended.release()))
        return pending, ended

    def result(self, pending: Any) -> Any:
        found, ended = pending
        ended.acquire()
        if found[0].error is not None:
            raise found[0].error
        return self.workspace.store.open(found[0].encoded)

    def share(self, array: Any) -> Any:
        from finestflow.executor.protocol import Reference
        from finestflow.pipeline.output import Output

        class Handle:
            path = "made"
            reference = Reference(self.workspace.store.encode(array))

        return Output(Handle())  # type: ignore[arg-type]

    def close(self) -> None:
        self.workspace.close()


class Futures(Contestant):
    def __init__(self, _: Path) -> None:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        self.pool = ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("forkserver"))

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return self.pool.submit(function, *args)

    def close(self) -> None:
        self.pool.shutdown()


class Loky(Futures):
    def __init__(self, _: Path) -> None:
        from joblib.externals.loky import get_reusable_executor

        self.pool = get_reusable_executor(WORKERS)


class Dask(Contestant):
    def __init__(self, _: Path) -> None:
        from distributed import Client, LocalCluster

        cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None)
        self.client = Client(cluster)

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return self.client.submit(function, *args, pure=False)

    def share(self, array: Any) -> Any:
        return self.client.scatter(array)

    def close(self) -> None:
        self.client.shutdown()


class Ray(Contestant):
    def __init__(self, _: Path) -> None:
        import ray

        self.ray = ray
        ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
        self.remotes: dict[Any, Any] = {}

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        if function not in self.remotes:
            self.remotes[function] = self.ray.remote(function)
        return self.remotes[function].remote(*args)

    def result(self, pending: Any) -> Any:
        return self.ray.get(pending)

    def share(self, array: Any) -> Any:
        return self.ray.put(array)


CONTESTANTS = {"finestflow": Ours, "futures": Futures, "loky": Loky, "dask": Dask, "ray": Ray}


def timed(call: Callable[[], Any], turns: int) -> float:
    """Return the best of some turns, in seconds."""
    found = []
    for _ in range(turns):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return min(found)


def measure(name: str, folder: Path) -> dict[str, float]:
    """Measure one contestant in this process."""
    sys.path.insert(0, str(folder))
    import work

    begin = time.perf_counter()
    pool = CONTESTANTS[name](folder)
    pool.result(pool.submit(work.trivial, 0))
    found = {"start": time.perf_counter() - begin}
    for x in range(50):
        pool.result(pool.submit(work.trivial, x))

    def round_trips() -> float:
        return statistics.median(timed(lambda: pool.result(pool.submit(work.trivial, 1)), 1) for _ in range(100))

    found["round trip"] = min(round_trips() for _ in range(10))
    count = 2000

    def queued() -> None:
        for pending in [pool.submit(work.trivial, x) for x in range(count)]:
            pool.result(pending)

    found["queued"] = timed(queued, 5) / count

    def burn() -> None:
        for pending in [pool.submit(work.burn, 0.5) for _ in range(8)]:
            pool.result(pending)

    burn()
    found["eight"] = timed(burn, 5)
    import numpy as np

    shared = pool.share(np.ones(25_000_000))
    pool.result(pool.submit(work.ends, shared))
    found["array"] = timed(lambda: pool.result(pool.submit(work.ends, shared)), 9)
    pool.close()
    return found


def main() -> None:
    """Run the contestants one after the other and print a table."""
    if len(sys.argv) == 4 and sys.argv[1] == "--measure":
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
        return
    print(f"{'':12}{'start':>12}{'round trip':>14}{'queued a task':>16}{'8 x 0.5 s':>12}{'speed-up':>10}{'200 MB':>12}")
    for name in sys.argv[1:] or list(CONTESTANTS):
        if importlib.util.find_spec(MODULES[name].partition(".")[0]) is None:
            print(f"{name:12}not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["git", "init", "--quiet", folder], check=True)
            Path(folder, "work.py").write_text(WORK, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, __file__, "--measure", name, folder],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTHONPATH": folder},
            )
            if done.returncode:
                print(f"{name:12}failed: {done.stderr.strip().splitlines()[-1]}")
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{name:12}{found['start'] * 1e3:9.0f} ms{found['round trip'] * 1e6:11.0f} us{found['queued'] * 1e6:13.0f} us"
                f"{found['eight']:10.2f} s{4 / found['eight']:10.2f}{found['array'] * 1e3:9.1f} ms"
            )


if __name__ == "__main__":
    main()
