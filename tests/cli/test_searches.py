"""``run --trials``: a search as a user types it."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(find_spec("optuna") is None, reason="needs optuna")

SEARCH = ("run", "-p", "scale.factor=uniform:0:1", "--metric", "total", "--goal", "max")


def test_trials_are_runs_and_the_best_is_first(project, finestflow):
    """Of one tag, which goes on by name; the pipeline's other outputs are computed once."""
    answer = finestflow(*SEARCH, "--trials", "3", "-p", "n=2,3", "--tag", "mine")
    runs = finestflow("log", "--json").json["runs"]
    tag = next(tag for tag in runs[0]["tags"] if tag.startswith("search-"))
    assert [sorted(run["tags"]) for run in runs] == [["mine", tag]] * 3
    table = [line.split() for line in answer.out.splitlines()[-4:]]
    assert table[0] == ["trial", "state", "total", "scale.factor", "n", "run"]
    values = [run["metrics"]["total/total"] for run in runs]
    assert float(table[1][2]) == pytest.approx(max(values), rel=1e-4)
    assert f"the best again: finestflow run -p scale.factor={table[1][3]}" in answer.err

    more = finestflow("run", "--resume", tag, "--trials", "4", "--json").out.splitlines()
    document = finestflow("run", "--resume", tag, "--json").json
    assert [trial["trial"] for trial in document["trials"]] == [0, 1, 2, 3]
    assert document["best"]["value"] == max(trial["value"] for trial in document["trials"])
    assert '"search.end"' in more[-1]
    assert len(finestflow("log", f"#{tag} #mine", "--json").json["runs"]) == 4


@pytest.mark.slow
def test_trials_at_a_time_have_processes_of_their_own(project, finestflow):
    """A failed trial is a failed run, and the last one; with --keep-going the others are made. One that gave up is pruned."""
    path = project / "numbers_pipeline.py"
    text = path.read_text()
    path.write_text(
        text.replace(
            "return list(range(n))",
            "if n > 2: import optuna; raise optuna.TrialPruned if n > 3 else ValueError(n)\n        return list(range(n))",
        )
    )
    words = ("run", "-p", "n=2,3,4", "--metric", "total", "--goal", "min", "--seed", "3", "--sampler", "random")
    answer = finestflow(*words, "--trials", "6", "-j", "2", "--keep-going", code=1)
    lines = [line.split() for line in answer.out.splitlines()][1:]
    assert {(each[1], each[2 if each[1] != "ok" else 3]) for each in lines} == {
        ("ok", "2"),
        ("failed", "3"),
        ("pruned", "4"),
    }
    assert len(lines) == 6, answer.err
    assert {run["status"] for run in finestflow("log", "--json").json["runs"]} == {"ok", "failed"}
    assert "ValueError: 3" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "-p", "n=randint:1:9", "--trials", "3"), "--metric NAME"),
        (("run", "-p", "n=randint:1:9", "--metric", "loss"), "--trials N"),
        (("run", "-p", "n=randint:1:9", "--trials", "3", "--metric", "total"), "--goal max"),
        (("run", "-p", "n=3", "--trials", "3", "--metric", "loss"), "nothing is to be searched"),
        (("run", "-p", "n=2,two", "--trials", "3", "--metric", "loss"), "'two'"),
        (("run", "-p", "nn=randint:1:9", "--trials", "3", "--metric", "loss"), "no param or input 'nn'"),
        (("run", "-p", "n=randint:1:9", "--trials", "3", "--metric", "loss", "--repeat", "2"), "makes its own runs"),
        (("run", "-p", "n=randint:1:9", "--resume", "search-1"), "with it go --trials and -j only"),
        (("run", "-p", "n=uniform:3:1", "--trials", "3", "--metric", "loss"), "uniform:1:3"),
        (("run", "-p", "n=randint:1.5:3", "--trials", "3", "--metric", "loss"), "whole numbers"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs_or_is_kept(project, finestflow, words, said):
    assert said in finestflow(*words, code=2).err
    assert finestflow("log", "--json").json["runs"] == []
    assert not list((project / ".git" / "finestflow").glob("searches/*"))


def test_a_metric_that_the_run_does_not_have_ends_the_search(project, finestflow):
    answer = finestflow("run", "-p", "n=randint:1:9", "--trials", "3", "--metric", "loss", code=2)
    assert "no metric 'loss'" in answer.err
    assert "it has: total/total" in answer.err
    assert len(finestflow("log", "--json").json["runs"]) == 1


def test_a_search_that_is_not_there_is_exit_4(project, finestflow):
    assert "none has been begun" in finestflow("run", "--resume", "search-1", "--trials", "3", code=4).err
