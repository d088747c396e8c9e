"""Commands that ask many runs something: ``compare bisect for taint promote recover``; one lab is shared by all tests."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from finestflow.cli import main
from finestflow.journal.journal import Journal
from finestflow.model import Run, RunStatus
from tests.e2e import processes
from tests.unit.journal.made import make_summary, open_repository

PIPELINE = """\
from finestflow import Pipeline, Task

RATE = 0.5


def clean(numbers):
    return [number for number in numbers if number is not None]


class Load(Task):
    def run(self, n: int) -> list:
        return list(range(n))


class Fit(Task):
    rate: float = 1.0

    def run(self, numbers: list) -> float:
        score = self.rate * len(clean(numbers))
        self.log(score=score, loss=1 / score)
        return score


class Lab(Pipeline):
    load: Load
    fit: Fit

    def __call__(self, n: int = 4) -> float:
        return self.fit(self.load(n))
"""


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def lab(tmp_path_factory, home_of_session):
    """A repository with five runs: two rates on a clean tree, one edit of a helper, one bad run, one repaired."""
    folder = tmp_path_factory.mktemp("lab")
    environ = {**os.environ, "HOME": str(home_of_session)}
    _git(folder, "init", "-q", "-b", "main")
    file = folder / "lab.py"
    file.write_text(PIPELINE)
    _git(folder, "add", "-A")
    _git(folder, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", "begin")

    def run(*words: str) -> None:
        processes.run("run", "lab.py:Lab", *words, cwd=folder, env=environ)

    run("-p", "fit.rate=1,2")
    file.write_text(PIPELINE.replace("is not None]", "is not None][:1]"))
    run("-p", "fit.rate=1", "--name", "broken-one")
    file.write_text(PIPELINE.replace("is not None]", "is not None][:3]"))
    run("-p", "fit.rate=3", "--name", "mended")
    return folder


@pytest.fixture
def ask(lab, capfd, monkeypatch):
    """Run a command in the lab and return its output; its JSON when that is asked for."""

    def ask(*words: str, code: int = 0):
        monkeypatch.chdir(lab)
        capfd.readouterr()
        answer = main(list(words))
        out, err = capfd.readouterr()
        assert answer == code, err
        return json.loads(out) if "--json" in words else out if code == 0 else err

    return ask


def test_compare_shows_what_differs_between_runs_with_code_versions_and_the_best(ask):
    table = ask("compare", "--json")

    rows = {row["name"]: row for row in table["rows"]}
    assert [run["name"] for run in table["runs"]][:2] == ["mended", "broken-one"]
    assert rows["fit.rate"]["values"] == [3.0, 1.0, 2.0, 1.0]
    assert rows["Fit()"]["values"] == ["v3", "v2", "v1", "v1"]
    assert (rows["fit/score"]["goal"], rows["fit/score"]["best"]) == ("max", [0])
    assert (rows["fit/loss"]["goal"], rows["fit/loss"]["best"]) == ("min", [0])
    assert "n" not in rows  # the same in all of them
    assert "Load()" not in rows


def test_a_project_says_which_way_of_a_metric_is_better_where_its_name_does_not_or_is_wrong(ask, lab, monkeypatch):
    monkeypatch.setenv("FINESTFLOW_METRICS_MINIMIZE", "sco*")
    rows = {row["name"]: row for row in ask("compare", "--json")["rows"]}
    values = rows["fit/score"]["values"]
    assert rows["fit/score"]["goal"] == "min"
    assert values[rows["fit/score"]["best"][0]] == min(values)
    assert rows["fit/loss"]["goal"] == "min"


def test_compare_tells_on_request_which_function_of_a_task_changed(ask):
    rows = {row["name"]: row for row in ask("compare", "--code", "--all", "--json")["rows"]}

    assert (rows["lab.clean"]["kind"], rows["lab.clean"]["values"]) == ("part", ["v3", "v2", "v1", "v1"])
    assert rows["lab.Fit.run"]["values"] == ["v1"] * 4
    assert "lab.clean" in ask("compare", "--code")
    assert "lab.clean" not in ask("compare")


def test_compare_takes_names_or_a_query_and_with_all_shows_what_is_the_same(ask):
    names = ask("compare", "mended", "broken-one", "--all", "--json")

    assert [run["name"] for run in names["runs"]] == ["mended", "broken-one"]
    assert {"n", "Load()"} <= {row["name"] for row in names["rows"]}
    assert len(ask("compare", "p.fit.rate=1", "--json")["runs"]) == 2


@pytest.mark.slow
def test_compare_writes_tables_for_people_spreadsheets_and_pull_requests(ask):
    text, markdown = ask("compare"), ask("compare", "--format", "md")
    lines = list(csv.DictReader(io.StringIO(ask("compare", "--format", "csv"))))

    assert text.splitlines()[0].split()[:3] == ["run", "mended", "broken-one"]
    assert "9*" in text
    assert "| **9** |" in markdown
    assert [line["p.fit.rate"] for line in lines] == ["3.0", "1.0", "2.0", "1.0"]


def test_compare_says_when_nothing_differs_or_nothing_is_found(ask):
    assert ask("compare", "mended", "mended", "--format", "text").splitlines()[0].split() == ["run", "mended"]
    assert "no run matches" in ask("compare", "no-such-run", code=4)


def test_bisect_names_the_run_at_which_a_metric_broke_and_what_changed_in_it(ask):
    found = ask("bisect", "score >= 4", "--json")
    text = ask("bisect", "m.score", ">=", "4")

    assert found["repaired"] is True
    assert found["diff"]["files"] == [{"path": "lab.py", "kind": "changed"}]
    assert "broke in broken-one (1); later runs are good again" in text
    assert "changed `lab.clean`" in text


def test_bisect_says_that_a_metric_never_broke_or_does_not_exist(ask):
    assert ask("bisect", "score > 0") == "score > 0 holds in all of 4 runs\n"
    assert "no run has a metric 'nope'" in ask("bisect", "nope > 1", code=4)
    assert "is no condition on a metric" in ask("bisect", "score", code=2)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("task:fi", ["mended", "broken-one", 2.0, 1.0]),
        ("task=fit", ["mended", "broken-one", 2.0, 1.0]),
        ("task:nothing", []),
        ("task.status:hit", ["mended", "broken-one", 2.0]),
        ("pipeline:Lab -task.status:hit", [1.0]),
        ("changed:fit.rate", ["mended", "broken-one", 2.0]),
        ("changed:rate -changed:code", [2.0]),
        ("changed:Fit", ["mended", "broken-one"]),
        ("changed:load", []),
        ("file:lab.py", ["mended", "broken-one"]),
        ("file:l*", ["mended", "broken-one"]),
        ("file:other.py", []),
        ("like:broken-one", ["broken-one", 1.0]),
        ("like:broken-one changed:code", ["broken-one"]),
    ],
)
def test_log_asks_for_what_is_inside_of_runs(ask, query, found):
    """Calls and their ends, what changed since the run before, and which runs had the same params; what was asked before is asked again."""
    for _ in range(2):
        runs = ask("log", query, "--json")["runs"]
        names = [run["name"] if run["name"] in {"mended", "broken-one"} else run["params"]["fit.rate"] for run in runs]
        assert names == found


def test_log_finds_runs_by_an_output(ask):
    digest = next(node["digest"] for node in ask("show", "mended", "--json")["run"]["nodes"] if node["path"] == "load")

    assert len(ask("log", f"out:{digest[:10]}", "--json")["runs"]) == 4
    assert ask("log", f"out!={digest}", "--json")["runs"] == []


def test_columns_of_a_log_are_named_as_in_a_query(ask):
    answer = ask("log", "--columns", "name,rate,fit.rate,score,m.score,code", "-n", "1", "--format", "csv")

    head, line = csv.reader(io.StringIO(answer))
    assert head == ["name", "rate", "fit.rate", "score", "m.score", "code"]
    assert line[:5] == ["mended", "3.0", "3.0", "9.0", "9.0"]
    assert len(line[5]) == 40
    assert ask("log", "--columns", "name,rate", "-n", "1").split() == ["name", "rate", "mended", "3.0"]


def test_log_groups_runs_with_mean_deviation_and_best_of_metrics(ask):
    groups = {g["value"]: g for g in ask("log", "--group", "p.fit.rate", "--json")["groups"]}
    lines = ask("log", "--group", "rate", "--columns", "fit/score", "--sort", "-fit/score").splitlines()

    assert {value: group["runs"] for value, group in groups.items()} == {1.0: 2, 2.0: 1, 3.0: 1}
    score = groups[1.0]["metrics"]["score"]
    assert (score["mean"], score["min"], score["best"], round(score["deviation"], 3)) == (2.5, 1, 4, 2.121)
    assert [line.split() for line in lines] == [
        ["rate", "runs", "fit/score", "best"],
        ["3.0", "1", "9", "9"],
        ["2.0", "1", "8", "8"],
        ["1.0", "2", "2.5", "±", "2.1213", "4"],
    ]
    assert "no 'nope'" in ask("log", "--group", "nope", code=2)
    assert "to be sorted by" in ask("log", "--group", "rate", "--sort", "nope", code=2)


@pytest.mark.slow
def test_log_groups_numbers_that_nobody_chose_in_ranges(repository, finestflow, monkeypatch):
    """A metric or a time always, a param where it has more than a hundred values; other programs get each value."""
    monkeypatch.chdir(repository)
    journal = Journal(open_repository(repository))
    for at in range(102):
        summary = make_summary(started=1_700_000_000.0 + 60 * at, params={"lr": at / 10}, metrics={"f1": at / 100})
        journal.append(Run(summary=summary))

    lines = finestflow("log", "--group", "f1").out.splitlines()
    assert len(lines) == 11
    assert lines[1].split()[:4] == ["0", "…", "0.1", "11"]
    assert finestflow("log", "--group", "started").out.splitlines()[1].count("2023-11-1") == 2
    assert len(finestflow("log", "--group", "lr").out.splitlines()) == 11
    assert len(finestflow("log", "--group", "lr", "lr<5").out.splitlines()) == 51
    assert len(finestflow("log", "--group", "f1", "--json").json["groups"]) == 102


def test_a_view_has_a_name_in_the_settings_and_can_be_narrowed(ask, lab):
    (lab / ".finestflow.toml").write_text(
        '[views.best]\nquery = "score>3 or is:star"\nsort = "-score"\ncolumns = ["name", "score"]\n'
        '[views.rates]\ngroup = "p.fit.rate"\n[views.odd]\nquerry = "x"\n[views.wrong]\nlimit = "two"\n'
    )
    try:
        assert [line.split()[-1] for line in ask("log", "--view", "best").splitlines()] == ["score", "9", "8", "4"]
        assert len(ask("log", "--view", "best", "mended", "--json")["runs"]) == 1
        assert len(ask("log", "--view", "rates", "-n", "2", "--json")["groups"]) == 2
        assert "did you mean 'best'" in ask("log", "--view", "bets", code=2)
        assert "did you mean 'query'" in ask("log", "--view", "odd", code=2)
        assert "'limit' of the view 'wrong' is 'two'" in ask("log", "--view", "wrong", code=2)
    finally:
        (lab / ".finestflow.toml").unlink()


def test_env_of_two_runs_shows_what_differs(ask):
    assert ask("env", "mended", "broken-one") == "nothing differs\n"
    assert ask("env", "mended", "broken-one", "--json")["changes"] == []
    assert "is for one run" in ask("env", "@", "@~1", "--requirements", code=2)


def test_for_lists_the_runs_of_exactly_the_files_of_a_commit(ask):
    assert [run["params"]["fit.rate"] for run in ask("for", "--json")["runs"]] == [2.0, 1.0]
    assert "git knows no commit 'nothing'" in ask("for", "nothing", code=4)


def test_taint_finds_the_calls_that_used_a_function_by_its_version(ask):
    uses = ask("taint", "clean", "--json")["uses"]

    assert [(use["node"], use["part"]) for use in uses] == [("fit", "lab.clean")] * 4
    assert len({use["version"] for use in uses}) == 3
    assert all(use["stored"] for use in uses)
    assert ask("taint", "lab.clean").splitlines()[1].split()[-2] == "v3"


def test_taint_finds_the_runs_whose_files_contain_a_text(ask):
    texts = ask("taint", "is not None][:1]", "--json")["texts"]

    assert [text["files"] for text in texts] == [["lab.py"]]
    assert ask("taint", "such a text is nowhere").strip() == ""
    assert "nothing is looked for" in ask("taint", " ", code=2)
    assert "several lines" in ask("taint", "a\nb", code=2)


def test_why_says_that_no_task_of_a_run_began(repository, finestflow, monkeypatch):
    monkeypatch.chdir(repository)
    summary = make_summary(name="ideal-bat-15", status=RunStatus.CANCELLED)
    Journal(open_repository(repository)).append(Run(summary=summary))
    assert "no task of ideal-bat-15 began: it is cancelled" in finestflow("why", "@").err


def test_names_of_runs_and_a_query_do_not_mix(ask):
    assert "all words are names of runs" in ask("compare", "@", "score>1", code=4)
    assert "or a query together" in ask("compare", "mended", "nowhere", code=4)


def test_promote_makes_a_branch_of_the_files_of_a_run_and_leaves_everything_else(ask, lab):
    before = _git(lab, "status", "--porcelain=v2", "--branch")
    made = ask("promote", "broken-one", "from-run", "--json")

    assert _git(lab, "rev-parse", "from-run") == made["commit"]
    assert _git(lab, "rev-parse", "from-run^") == _git(lab, "rev-parse", "main")
    assert _git(lab, "diff", "--name-only", "main", "from-run") == "lab.py"
    assert _git(lab, "log", "-1", "--format=%(trailers:key=Finestflow-Name,valueonly)", "from-run") == "broken-one"
    assert _git(lab, "status", "--porcelain=v2", "--branch") == before
    assert "a branch 'from-run' already" in ask("promote", "mended", "from-run", code=2)
    assert "no branch can be called 'a..b'" in ask("promote", "mended", "a..b", code=2)


def test_recover_prints_a_file_as_a_run_had_it(ask, lab):
    assert "[:1]" in ask("recover", "lab.py")  # the newest that differs from what is there
    assert ask("recover", "lab.py", "--at", "mended") == (lab / "lab.py").read_text()
    assert ask("recover", "lab.py", "--at", "@~3") == PIPELINE
    assert len(ask("recover", "lab.py", "--json")["versions"]) == 3
    assert "no run is as old as" in ask("recover", "lab.py", "--at", "2 days ago", code=4)
    assert ask("recover", "lab.py", "--at", "now") == (lab / "lab.py").read_text()
    lost = ask("recover", "lab.py", "--at", "sometime", code=4)
    assert "neither a time nor a run" in lost
    assert '"30 minutes ago", today, yesterday, 2026-11-01' in lost
    assert "T" in ask("recover", "lab.py", "--list").splitlines()[1].split()[1]  # written out, as log does
    assert "no run has a file 'nope.py'" in ask("recover", "nope.py", code=4)
    assert "is not in this repository" in ask("recover", "../elsewhere", code=2)


def test_recover_never_overwrites_a_file(ask, lab):
    ask("recover", "lab.py", "-o", "old.py")

    assert "[:1]" in (lab / "old.py").read_text()
    assert "is there already" in ask("recover", "lab.py", "-o", "lab.py", code=2)
    (lab / "old.py").unlink()


def test_diff_of_an_output_shows_how_its_value_differs(ask):
    assert ask("diff", "broken-one:fit", "mended:fit") == "1.0 → 9.0  (+8, +800%)\n"
    assert ask("diff", "@~2:load", "@:load") == "nothing differs\n"
    assert ask("diff", "@:fit", "--json")["differences"] == [{"path": "", "text": "1.0 → 9.0  (+8, +800%)"}]


def test_show_value_shows_the_beginning_of_an_output(ask):
    """A list is a table with statistics, as text and as JSON; a run without a node is refused."""
    text = ask("show", "@:load", "--value")
    assert re.search(r"items +\d+", text)
    assert "mean" in text
    document = ask("show", "@:load", "--value", "--json")
    assert document["kind"] == "value"
    assert document["value"]["kind"] == "table"
    assert document["value"]["rows"][1] == ["1", "1"]


def test_cache_lists_values_and_says_what_it_would_evict(ask):
    """The greatest come first; a digest may be cut, and with -n nothing happens."""
    found = ask("cache", "list", "--json")["values"]
    assert [each["size"] for each in found] == sorted((each["size"] for each in found), reverse=True)
    digest = found[0]["digest"]
    assert digest[:10] in ask("cache", "list", "-n", "1")
    told = ask("cache", "rm", digest[:16], "-n", "--json")
    assert told == {"schema": 1, "kind": "cache.rm", "dry_run": True, "values": [digest], "bytes": found[0]["size"]}
    assert digest in {each["digest"] for each in ask("cache", "list", "--json")["values"]}


def test_report_is_one_page_with_table_graph_and_differences_that_needs_nothing_else(ask, lab):
    ask("report", "pipeline:Lab", "-o", "report.html", "--title", "<b>Lab</b>")

    page = (lab / "report.html").read_text()
    (lab / "report.html").unlink()
    for text in ("broken-one → mended", "fit.rate", "Fit()", "<svg", "changed `lab.clean`", "&lt;b&gt;Lab&lt;/b&gt;"):
        assert text in page
    assert not re.findall(r"(?:src|href)=", page)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "no run matches" in ask("report", "no-such", "-o", "x.html", code=4)
    assert "cannot be written" in ask("report", "-o", "no/folder/x.html", code=2)
