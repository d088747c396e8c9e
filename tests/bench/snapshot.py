"""Time ``take_snapshot`` beside ``git status`` and ``git stash create``, in repositories of several sizes.

Run: ``python -m tests.bench.snapshot [files ...]``. Prints a table of medians; budgets are read by people, not asserted.
"""

from __future__ import annotations

import os
import statistics
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


def medians_ms(actions: Sequence[Callable[[], object]], times: int) -> list[float]:
    """Return the median of each action in milliseconds; they take turns, so that a busy machine hits all alike."""
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(times):
        for times_of_action, action in zip(taken, actions, strict=True):
            started = time.perf_counter()
            action()
            times_of_action.append((time.perf_counter() - started) * 1000)
    return [statistics.median(row) for row in taken]


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
            ours, status, stash = medians_ms(
                (
                    snapshot,
                    lambda: git(folder, "status", "--porcelain", "-uall"),
                    lambda: git(folder, "stash", "create"),
                ),
                times,
            )
            print(f"{files:>7,} {state:<6} {ours:>10.1f} {status:>10.1f} {stash:>10.1f} {ours / status:>8.1f}x")


def main() -> None:
    """Measure the sizes that are asked for."""
    print(
        f"{'files':>7} {'state':<6} {'snapshot':>10} {'git status':>10} {'stash cr.':>10} {'to status':>9}   (ms, medians)"
    )
    for files in [int(word) for word in sys.argv[1:]] or SIZES:
        measure(files)


if __name__ == "__main__":
    main()
