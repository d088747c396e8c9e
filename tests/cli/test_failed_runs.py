"""What is said of a run that failed: once, by the node whose failure it is."""

from __future__ import annotations

import pytest

FAILING = """
from finestflow import Param, Pipeline, Task

class Load(Task):
    def run(self) -> int:
        return 1

class Fit(Task):
    C: float = Param(3.0)
    def run(self, n: int) -> float:
        if self.C < 9:
            raise ValueError("no fit with " + "x" * 300)
        return self.C

class Score(Task):
    def run(self, n: float) -> float:
        return n

class Tell(Task):
    def run(self, n: float) -> float:
        return n

class Flow(Pipeline):
    load: Load
    fit: Fit
    score: Score
    tell: Tell
    def __call__(self) -> float:
        return self.tell(self.score(self.fit(self.load())))
"""


@pytest.fixture
def failed(project, finestflow):
    """What the run of a pipeline said whose second task fails."""
    (project / "failing.py").write_text(FAILING)
    return finestflow("run", "failing.py", code=1)


def test_what_a_failure_skipped_names_the_node_that_failed_and_not_its_error(failed, finestflow):
    """While the run goes and in ``show``; JSON has the error of each as before."""
    said = [line.split(maxsplit=3) for line in failed.err.splitlines() if line.startswith("  skipped")]
    shown = [line.split(maxsplit=2) for line in finestflow("show", "@").out.splitlines() if " skipped " in line]

    assert [words[2:] for words in said] == [["score", "skipped: 'fit' failed"], ["tell", "skipped: 'fit' failed"]]
    assert shown == [["score", "skipped", "skipped: 'fit' failed"], ["tell", "skipped", "skipped: 'fit' failed"]]
    assert finestflow("show", "@:tell", "--json").json["node"]["error"].startswith("ValueError: no fit")


def test_a_run_that_fails_again_is_said_to_with_what_was_compared(failed, finestflow):
    """The exit code is that of what is identical."""
    verdict = finestflow("reproduce", "@").out.splitlines()[-1]
    nodes = finestflow("reproduce", "@", "--json").json["nodes"]

    assert verdict == (
        "identical: 'fit' failed again with the same error; all 1 compared outputs have the same digest, 2 not comparable"
    )
    assert [node["path"] for node in nodes if node["failed"]] == ["fit"]
