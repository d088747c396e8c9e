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
    rate: float = Param(0.5)
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


@pytest.mark.slow
def test_a_run_that_fails_again_is_said_to_with_what_was_compared(failed, finestflow):
    """The exit code is that of what is identical."""
    verdict = finestflow("reproduce", "@").out.splitlines()[-1]
    nodes = finestflow("reproduce", "@", "--json").json["nodes"]

    assert verdict == (
        "identical: 'fit' failed again with the same error; all 1 compared outputs have the same digest, 2 not comparable"
    )
    assert [node["path"] for node in nodes if node["failed"]] == ["fit"]


def test_a_diff_with_a_run_that_failed_compares_the_params_that_it_had(failed, finestflow):
    """Also of tasks that it skipped, whose code and inputs nobody knows."""
    finestflow("run", "failing.py", "-p", "fit.C=10", "-p", "score.rate=0.5")
    why = {node["path"]: node["why"] for node in finestflow("diff", "@~1", "@", "--json").json["outputs"]}
    finestflow("run", "failing.py", "-p", "fit.C=11", "-p", "score.rate=0.25")
    changed = {node["path"]: node["why"] for node in finestflow("diff", "@~2", "@", "--json").json["outputs"]}

    assert why == {"fit": ["param 'C' 3.0 -> 10.0"], "score": [], "tell": []}
    assert changed == {"fit": ["param 'C' 3.0 -> 11.0"], "score": ["param 'rate' 0.5 -> 0.25"], "tell": []}


def test_outputs_that_look_the_same_are_told_apart_by_their_digests(project, finestflow):
    """Where the previews are equal, or cut to be."""
    code = FAILING.replace('raise ValueError("no fit with " + "x" * 300)', "return list(range(1000)) + [self.C]")
    (project / "failing.py").write_text(code.replace("-> float", "-> list"))
    finestflow("run", "failing.py", "-p", "fit.C=1,2")
    digests = [node["digests"] for node in finestflow("diff", "@~1", "@", "--json").json["outputs"]]
    line = next(line for line in finestflow("diff", "@~1", "@").out.splitlines() if line.startswith("  fit  ["))
    table = finestflow("diff", "@~1", "@", "--format", "md").out

    left, right = line.split(" → ")
    assert (left.split()[-1], right.split()[-1]) == (digests[0][0][:8], digests[0][1][:8])
    assert f"{digests[0][1][:8]} |" in table
