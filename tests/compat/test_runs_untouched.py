"""In every odd repository: a run, also a killed one, leaves the user's work byte for byte as it was, and is recorded.

The quick tier runs in a third of them: what a run does to files and git it does by the snapshot, which is taken in all of them.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.compat.building import git, try_git
from tests.compat.odd_files import MAX_FILE_SIZE, MAX_FILES
from tests.compat.repositories import ENVIRON, REPOSITORIES
from tests.compat.test_snapshot_repositories import look_at
from tests.e2e import processes
from tests.sampling import sampled, slow

SOME_KILLS = ["mid_merge_with_conflicts", *slow(["linked_worktree", "with_stash"])]
KILLS_EACH = 12
RUN_FORMAT = "%(trailers:key=Status,valueonly,separator=) %(trailers:key=Code,valueonly,separator=)"

PIPELINE = """
import time
from finestflow import Pipeline, Task

class Count(Task):
    def run(self, n: int) -> list[int]:
        print("counting")
        return list(range(n))

class Add(Task):
    def run(self, numbers: list[int]) -> int:
        time.sleep(0.05)
        self.log(total=sum(numbers))
        return sum(numbers)

class Sums(Pipeline):
    count: Count
    add: Add
    def __call__(self, n: int = 4) -> int:
        return self.add(self.count(n))
"""
ENVIRONMENT = {
    **ENVIRON,
    "FINESTFLOW_SNAPSHOT_MAX_FILE_SIZE": str(MAX_FILE_SIZE),
    "FINESTFLOW_SNAPSHOT_MAX_FILES": str(MAX_FILES),
}


def users_view(work_tree: Path) -> list[tuple[int, bytes, bytes]]:
    """Return what git tells the user, without letting it refresh the index; HEAD, index and refs are compared as files."""
    questions = (("status", "--porcelain=v2", "--branch", "--untracked-files=all"), ("stash", "list"))
    answers = [try_git(work_tree, *question, GIT_OPTIONAL_LOCKS="0") for question in questions]
    return [(answer.returncode, answer.stdout, answer.stderr) for answer in answers]


def users_files(folder: Path) -> dict[str, object]:
    """Return every file but git's objects, our state, and what git keeps for our refs."""
    return {
        path: seen
        for path, seen in look_at(folder).items()
        if "refs/refs" not in path and "refs/finestflow" not in path and not path.endswith("/reftable/tables.list")
        and "/reftable/" not in path
    }  # fmt: skip


def our_refs(work_tree: Path) -> list[str]:
    """Return the names of refs that we have made."""
    lines = try_git(work_tree, "for-each-ref", "--format=%(refname)").stdout.decode().splitlines()
    return [line for line in lines if "finestflow" in line]


@pytest.fixture
def built(request: pytest.FixtureRequest, tmp_path: Path):
    """The odd repository of the parameter: its description, its folder, its work tree."""
    odd = REPOSITORIES[request.param]
    if odd.skip is not None and (reason := odd.skip()):
        pytest.skip(reason)
    if not odd.can_run:
        pytest.skip("no run can be recorded here")
    folder = tmp_path / "odd"
    return odd, folder, odd(folder)


@pytest.fixture
def pipeline(tmp_path: Path) -> str:
    """A pipeline in a file outside of the repository, so that nothing has to be added to it."""
    (tmp_path / "sums.py").write_text(PIPELINE)
    return f"{tmp_path / 'sums.py'}:Sums"


@pytest.mark.parametrize("built", sampled(sorted(REPOSITORIES), 5), indirect=True)
def test_a_run_changes_nothing_and_its_tree_is_what_git_add_gives(built, pipeline: str):
    """Files, modes, index, HEAD, stash, refs and status are as before; the commit's tree is that of ``git add --all``."""
    odd, folder, work_tree = built
    view, files = users_view(work_tree), users_files(folder)

    answer = processes.run("run", pipeline, cwd=work_tree, env=ENVIRONMENT)

    assert "is not recorded" not in answer.err
    assert users_files(folder) == files
    assert users_view(work_tree) == view
    assert our_refs(work_tree) == ["refs/refs/finestflow"]
    runs = git(work_tree, "log", f"--format={RUN_FORMAT}", "refs/refs/finestflow").splitlines()
    assert [run.split()[0] for run in runs] == ["ok"]
    assert run_tree(work_tree) == runs[0].split()[1] == odd.expected_tree(work_tree)


def run_tree(work_tree: Path) -> str:
    """Return the tree of the newest run without the record, made by plain git."""
    rows = git(work_tree, "ls-tree", "-z", "refs/refs/finestflow^{tree}").strip("\0").split("\0")
    kept = [row for row in rows if not row.endswith("\t.finestflow")]
    return git(work_tree, "mktree", "-z", data="".join(f"{row}\0" for row in kept).encode(errors="surrogateescape"))


def kill_many(built, pipeline: str, count: int) -> None:
    _, folder, work_tree = built
    view, files = users_view(work_tree), users_files(folder)
    for _ in range(count):
        started = processes.start("run", "--no-cache", pipeline, cwd=work_tree, env=ENVIRONMENT)
        time.sleep(random.uniform(0.0, 0.2))
        started.send(signal.SIGKILL)
        begun = "run " in started.read_err()
        ended = started.wait().code == 0
        time.sleep(0.05)  # a git that the run had started outlives it for a moment
        assert users_files(folder) == files
        assert users_view(work_tree) == view
        before = len(git_log(work_tree))
        answer = processes.run("log", "--json", cwd=work_tree, env=ENVIRONMENT)
        if "is locked by another process" in answer.err:  # killed while it wrote an object: recorded a minute later
            age_locks(work_tree)
            answer = processes.run("log", "--json", cwd=work_tree, env=ENVIRONMENT)
        listed = answer.json["runs"]
        assert users_files(folder) == files
        assert users_view(work_tree) == view
        if listed and not ended and len(git_log(work_tree)) > before:
            assert listed[0]["status"] in {"killed", "ok"}
        assert len(listed) == len(git_log(work_tree))
        assert not begun or listed, answer.err
        assert "could not be" not in answer.err
        assert not [name for name in our_refs(work_tree) if "live" in name]
        assert list((common_dir(work_tree) / "finestflow" / "live").glob("[k-z]*")) == []
    processes.run("run", pipeline, cwd=work_tree, env=ENVIRONMENT)
    processes.run("verify", cwd=work_tree, env=ENVIRONMENT)
    checked = try_git(work_tree, "fsck", "--no-dangling", "refs/refs/finestflow")
    assert b"refs/refs" not in checked.stderr, checked.stderr


def age_locks(work_tree: Path) -> None:
    """Let a minute go by for the locks of objects."""
    for lock in (common_dir(work_tree) / "objects").rglob("*.lock"):
        os.utime(lock, (lock.stat().st_atime - 120, lock.stat().st_mtime - 120))


def git_log(work_tree: Path) -> list[str]:
    return try_git(work_tree, "rev-list", "refs/refs/finestflow", "--").stdout.decode().split()


def common_dir(work_tree: Path) -> Path:
    return work_tree / git(work_tree, "rev-parse", "--git-common-dir")


@pytest.mark.parametrize("built", SOME_KILLS, indirect=True)
def test_a_killed_run_changes_nothing_and_the_next_command_records_it(built, pipeline: str):
    """SIGKILL at any moment leaves the work as it was; the next command publishes the run, once, and cleans up."""
    kill_many(built, pipeline, 3)


@pytest.mark.stress
@pytest.mark.parametrize("built", sorted(REPOSITORIES), indirect=True)
def test_kills_in_every_odd_repository(built, pipeline: str):
    """As above, in all odd repositories and at more moments."""
    kill_many(built, pipeline, KILLS_EACH)
