"""Time ``take_snapshot`` beside ``git status`` and ``git stash create``, in repositories of several sizes.

Run: ``python -m tests.bench.snapshot [files ...]``. Budgets are read by people, not asserted: a dirty
work tree of 5,000 files at most 3 times ``git status``, of 60,000 at most 2 times; on a busy machine the CPU says more than the time.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from finestflow.git.repository import find_repository
from finestflow.git.snapshot import SnapshotRules, take_snapshot

SIZES = (200, 5_000, 60_000)
ENVIRON = {
    **os.environ,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada Test",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada Test",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def git(folder: Path, *words: str) -> None:
    """Run git, quietly."""
    subprocess.run(["git", *words], cwd=folder, env=ENVIRON, check=True, capture_output=True)


def build(folder: Path, files: int) -> None:
    """Make a repository of so many files in folders of fifty, committed."""
    git(folder, "init", "-q")
    git(folder, "config", "gc.auto", "0")
    for number in range(files):
        path = folder / f"part{number // 2500}" / f"folder{number // 50}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"value = {number}\n" * 5, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
    git(folder, "gc", "-q")
    time.sleep(1.1)  # entries as old as the index would have to be read again each time
    git(folder, "update-index", "--refresh")
    git(folder, "status")


def least_ms(actions: Sequence[Callable[[], object]], times: int) -> list[tuple[float, float]]:
    """Return the least (time, CPU) of each action in milliseconds; they take turns, so that a busy machine hits all alike."""
    least = [(float("inf"), float("inf"))] * len(actions)
    for _ in range(times):
        for i, action in enumerate(actions):
            started, used = time.perf_counter(), cpu_s()
            action()
            taken = (time.perf_counter() - started) * 1000, (cpu_s() - used) * 1000
            least[i] = min(least[i][0], taken[0]), min(least[i][1], taken[1])
    return least


def cpu_s() -> float:
    """Return the CPU that this process and its children have used."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(files: int) -> None:
    """Print one row for a clean work tree and one with three changes and three new files."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build(folder, files)
        repo = find_repository(folder, ENVIRON)
        assert repo is not None
        times = 15 if files < 20_000 else 7

        def snapshot() -> None:
            take_snapshot(repo, SnapshotRules(), index=repo.state_dir / "live" / "bench" / "index")

        for state in ("clean", "dirty"):
            if state == "dirty":
                for number in range(3):
                    (folder / "part0" / "folder0" / f"file{number}.py").write_text(
                        f"changed {number}\n", encoding="utf-8"
                    )
                    (folder / f"new{number}.py").write_text("new\n", encoding="utf-8")
            snapshot()
            ours, status, stash = least_ms(
                (
                    snapshot,
                    lambda: git(folder, "status", "--porcelain", "-uall"),
                    lambda: git(folder, "stash", "create"),
                ),
                times,
            )
            row = "".join(f"{wall:>8.1f}{cpu:>8.1f}" for wall, cpu in (ours, status, stash))
            print(f"{files:>7,} {state:<6}{row} {ours[0] / status[0]:>7.1f}x{ours[1] / status[1]:>7.1f}x")


def main() -> None:
    """Measure the sizes that are asked for."""
    print(f"{'ms, the least of several':<26}{'snapshot':<16}{'git status':<16}{'git stash create':<16}")
    print(f"{'files':>7} {'state':<6}{'time     CPU'.rjust(16) * 3} {'to status'.rjust(15)}")
    for files in [int(word) for word in sys.argv[1:]] or SIZES:
        measure(files)


if __name__ == "__main__":
    main()
