"""A run is a commit that plain git can list, show and check out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import run_git
from tests.e2e import processes
from tests.e2e.conftest import Project

TARGET = "numbers_pipeline.py:Numbers"

BY_HAND = """
import finestflow
from numbers_pipeline import Numbers
pipeline = Numbers()
pipeline(4)
print({path: node.output.digest for path, node in pipeline.last_run.nodes.items()})
"""


def test_git_log_lists_one_commit_a_run_and_nothing_else(project: Project):
    """Failed runs and annotations included; the user's own commits are not in it."""
    project.do("run", TARGET)
    project.do("run", TARGET, "-p", "n=-1")
    project.do("tag", "@", "wip")
    project.write("other.txt", "x")
    project.commit()
    project.edit("numbers_pipeline.py", "return list(range(n))", "return list(range('n'))")
    project.do("run", TARGET, code=1)

    subjects = project.git("log", "--format=%s", "refs/finestflow").splitlines()
    assert len(subjects) == 3
    assert [subject.split()[0] for subject in subjects] == ["Numbers"] * 3
    assert [": failed" in subject for subject in subjects] == [True, False, False]
    ids = project.git("log", "--format=%(trailers:key=Run,valueonly,separator=)", "refs/finestflow").splitlines()
    assert ids == [run["id"] for run in project.runs()]
    assert project.git("log", "--format=%s").splitlines() == ["work", "work", "first"]
    assert len(project.git("log", "--grep=^Status: failed", "--format=%h", "refs/finestflow").split()) == 1
    assert project.git("branch", "--all", "--format=%(refname)").split() == ["refs/heads/main"]
    project.git("fsck", "--strict")


def test_git_log_p_shows_what_changed_between_runs(project: Project):
    """The changed line of code and the changed param stand in the patch of the later run."""
    project.do("run", TARGET)
    project.edit("numbers_pipeline.py", "return sum(numbers)", "return sum(numbers) / 2")
    project.do("run", TARGET, "-p", "scale.factor=3.5")

    patch = project.git("log", "-p", "-1", "refs/finestflow").splitlines()
    assert "-        return sum(numbers)" in patch
    assert "+        return sum(numbers) / 2" in patch
    assert any(line.startswith("+") and "3.5" in line for line in patch)
    assert any(line.startswith("-") and "2.0" in line for line in patch)
    assert "numbers_pipeline.py" in project.git("diff", "--stat", "refs/finestflow~1", "refs/finestflow")


@pytest.mark.slow
def test_a_worktree_of_a_run_gives_the_same_digests_by_hand(project: Project, tmp_path: Path):
    """``git worktree add`` brings back the files as they were, uncommitted ones too, and running them gives the same outputs."""
    project.edit("numbers_pipeline.py", "return sum(numbers)", "return sum(numbers) * 7")
    project.write("by_hand.py", BY_HAND)
    first = processes.python("by_hand.py", cwd=project.folder)
    assert first.code == 0, first.err
    project.git("checkout", "--quiet", "--", "numbers_pipeline.py")
    run_git(project.folder, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"), "refs/finestflow")

    again = processes.python(
        "by_hand.py", cwd=tmp_path / "tree", env={**processes.environment(), "FINESTFLOW_TRACKING": "auto"}
    )

    assert again.out.splitlines()[-1] == first.out.splitlines()[-1]
    assert not run_git(tmp_path / "tree", "status", "--porcelain")


def test_checkout_makes_a_worktree_of_a_run(project: Project):
    """``finestflow checkout`` gives the same files, and leaves the work tree alone."""
    project.do("run", TARGET)
    project.edit("numbers_pipeline.py", "2.0", "9.0")
    status = project.git("status", "--porcelain")
    project.do("checkout", "@", "../old")

    assert "2.0" in (project.folder.parent / "old" / "numbers_pipeline.py").read_text()
    assert project.git("status", "--porcelain") == status


def test_the_journal_can_be_pushed_and_fetched(project: Project, tmp_path: Path):
    """``git push origin refs/finestflow`` works to the letter, also after gc and packing of refs."""
    run_git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    project.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    for number in range(3):
        project.do("run", TARGET, "-p", f"n={number}")
    project.git("gc", "--quiet", "--prune=now")
    project.git("push", "--quiet", "origin", "refs/finestflow")

    assert run_git(tmp_path / "remote.git", "rev-list", "--count", "refs/refs/finestflow") == "3"
    assert len(project.runs()) == 3
    project.do("verify", "--deep")


@pytest.mark.slow
def test_the_files_of_runs_outlive_gc_and_a_fetch(project: Project, tmp_path: Path):
    """The tree of uncommitted files has no ref of its own: it is had from the run's commit."""
    project.edit("numbers_pipeline.py", "return sum(numbers)", "return sum(numbers) + 1  # more")
    project.do("run", TARGET)
    project.edit("numbers_pipeline.py", "+ 1  # more", "+ 2  # yet more")
    project.do("run", TARGET)
    project.git("checkout", "--quiet", ".")
    project.git("gc", "--quiet", "--prune=now")

    for here in (project, project.clone(tmp_path / "clone")):
        assert "numbers_pipeline.py" in here.do("diff", "@~1", "@").out
        assert "+ 2  # yet more" in here.do("diff", "@~1", "@", "--code").out
        assert "identical: all 3" in here.do("reproduce", "@").out
        assert "yet more" in here.do("recover", "numbers_pipeline.py").out
        assert "numbers_pipeline.py" in here.do("taint", "# yet more").out
        here.do("promote", "@", "good")
        assert "yet more" in here.git("show", "good:numbers_pipeline.py")
        assert here.git("fsck", "--connectivity-only", "--no-dangling") == ""
