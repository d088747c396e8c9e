"""More than one run a command: sweeps, repeats, the queue."""

from __future__ import annotations

import json

import pytest

PICKY = """
from finestflow import Param, Pipeline, Task

class Share(Task):
    among: int = Param(1)
    def run(self) -> float:
        return 1 / self.among

class Picky(Pipeline):
    share: Share
    def __call__(self) -> float:
        return self.share()
"""


def factors(finestflow, query=""):
    return [run["params"]["scale.factor"] for run in finestflow("log", query, "--json").json["runs"]]


def test_the_runs_of_a_sweep_share_a_tag_and_are_compared_at_its_end(project, finestflow):
    answer = finestflow("run", "-p", "scale.factor=range:1:3")

    tag = finestflow("log", "--json").json["runs"][0]["tags"][0]
    assert factors(finestflow, f"#{tag}") == [3.0, 2.0, 1.0]
    assert answer.out.splitlines()[-2].split() == ["p.scale.factor", "3.0", "2.0", "1.0"]
    assert f"finestflow compare '#{tag}'" in answer.err


def test_runs_of_one_name_are_told_apart_where_they_are_compared(project, finestflow):
    finestflow("run", "-p", "scale.factor=1,2", "--name", "twin")

    newest, older = (run["id"][:4] for run in finestflow("log", "--json").json["runs"])
    assert finestflow("compare").out.split()[:5] == ["run", "twin", newest, "twin", older]


def test_a_table_gives_the_settings_of_each_run(project, finestflow):
    (project / "settings.csv").write_text("scale.factor,n\n5,2\n6,3\n")

    finestflow("run", "--sweep", "settings.csv")

    assert factors(finestflow) == [6.0, 5.0]
    assert "cannot be read" in finestflow("run", "--sweep", "nothing.csv", code=2).err


def test_repeats_are_told_by_mean_and_deviation(project, finestflow):
    answer = finestflow("run", "--repeat", "2", "-p", "scale.factor=1,2")

    assert answer.out.splitlines()[-2:] == [
        "scale.factor=1.0: total/total 6 ± 0  (n=2)",
        "scale.factor=2.0: total/total 12 ± 0  (n=2)",
    ]
    assert "run seed  0  →  1" in finestflow("diff", "@~1", "@").out
    assert "run seed" in finestflow("compare", "@~1", "@").out
    assert "run seed" not in finestflow("compare", "@", "@~2").out


def test_a_sweep_that_a_failure_ends_says_how_many_runs_were_not_made_and_how_they_are(project, finestflow):
    (project / "picky.py").write_text(PICKY)
    words = ("run", "picky.py", "-p", "share.among=0,2,3")

    stopped = finestflow(*words, code=1).err.splitlines()
    whole = finestflow(*words, "--keep-going", code=1)

    assert stopped[-2].startswith("finestflow compare '#sweep-")
    assert stopped[-1].startswith("2 of 3 runs have not been made: run it with --keep-going")
    assert whole.err.count("ok in") == 2
    assert "have not been made" not in whole.err


def test_what_is_wrong_with_a_sweep_is_said_before_anything_runs(project, finestflow):
    assert "add --samples" in finestflow("run", "-p", "scale.factor=uniform:0:1", code=2).err
    assert factors(finestflow) == []


@pytest.mark.slow
def test_a_sweep_with_jobs_makes_its_runs_in_processes_of_their_own(project, finestflow):
    answer = finestflow("run", "-p", "scale.factor=4,5", "-j", "2")

    assert sorted(factors(finestflow)) == [4.0, 5.0]
    assert answer.err.count("ok in") == 2


@pytest.mark.slow
def test_the_queue_is_worked_off_once_and_keeps_what_failed(project, finestflow):
    finestflow("run", "-p", "scale.factor=8", "--queue")
    finestflow("run", "broken", "--queue")
    assert factors(finestflow) == []

    answer = finestflow("queue", "run", "--keep-going", code=1)

    entries = finestflow("queue", "list", "--json").json["entries"]
    assert [entry["state"] for entry in entries] == ["ok", "failed"]
    assert [run["id"] for run in finestflow("log", "--json").json["runs"]] == [
        entry["run"] for entry in reversed(entries)
    ]
    assert "TypeError" in answer.err
    assert "nothing waits" in finestflow("queue", "run").err
    assert "is not waiting" in finestflow("run", "--queued", "1", code=6).err
    finestflow("queue", "rm", "--ended")
    assert "the queue is empty" in finestflow("queue").err


@pytest.mark.slow
def test_a_value_that_looks_like_a_sweep_stays_one_value_in_the_queue(project, finestflow):
    finestflow("run", "-p", "scale.factor=1", "-p", 'n="3"', "--queue")

    words = finestflow("queue", "list", "--json").json["entries"][0]["words"]
    assert json.dumps(words).count("sweep") == 0
    finestflow("queue", "run")
    assert finestflow("show", "@", "--json").json["run"]["inputs"]["n"] == 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "has no settings"),
        (b"n\n", "has no settings"),
        (b"n,n\n1,2\n", "names 'n' twice"),
        (b"n,\n1,2\n", "has no name"),
        (b"n\n1,2\n", "line 2 has more cells"),
        (b"n,scale.factor\n1\n", "line 2 has fewer cells"),
        (b"n\n\xff\n", "no text in UTF-8"),
        (b"n\n1\x002\n", "NUL byte"),
        (b"n\n" + b"9" * 140_000, "field larger than field limit"),
        (b"n\n1\nthree\n", "'three'"),
        (b"m\n1\n2\n", "no param or input 'm'"),
    ],
)
def test_a_table_that_is_wrong_is_refused_before_anything_runs(project, finestflow, data, said):
    (project / "settings.csv").write_bytes(data)
    for more in ([], ["-j", "2"], ["--queue"]):
        assert said in finestflow("run", "--sweep", "settings.csv", *more, code=2).err
    assert factors(finestflow) == []
    assert finestflow("queue", "list", "--json").json["entries"] == []


@pytest.mark.parametrize(
    "data", [b"n;scale.factor\r\n1;2\r\n", b"\xef\xbb\xbfn\tscale.factor\n1\t2", b'n, scale.factor\n"1", "2"\n\n']
)
def test_a_table_may_come_from_a_spreadsheet(project, finestflow, data):
    """With semicolons or tabs, a byte order mark, other line ends, quotes, empty lines."""
    (project / "settings.csv").write_bytes(data)
    finestflow("run", "--sweep", "settings.csv")
    assert finestflow("show", "@", "--json").json["run"]["inputs"]["n"] == 1
    assert factors(finestflow) == [2.0]


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5", "²"])
def test_a_number_of_jobs_that_is_none_is_refused(project, finestflow, jobs):
    assert "expected a whole number" in finestflow("run", "-p", "n=1,2", "-j", jobs, code=2).err
    assert finestflow("queue", "list", "--json").json["entries"] == []


def test_a_wrong_value_of_a_sweep_is_said_before_anything_runs(project, finestflow):
    for more in ([], ["-j", "2"], ["--queue"]):
        assert "'x'" in finestflow("run", "-p", "n=1,x", *more, code=2).err
    assert factors(finestflow) == []


def test_what_is_queued_is_told_as_json_too(project, finestflow):
    document = finestflow("run", "-p", "n=1,2", "--queue", "--json").json
    assert (document["kind"], document["entries"]) == ("queue.added", [1, 2])
