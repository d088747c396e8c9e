"""Commands over runs: from ``run`` to ``gc``."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from finestflow.workspace import Workspace


def nodes_of(finestflow, run="@"):
    return {node["path"]: node for node in finestflow("show", run, "--json").json["run"]["nodes"]}


def add_settings(project: Path, text: str) -> None:
    file = project / ".finestflow.toml"
    file.write_text(file.read_text() + text)


class TestRun:
    def test_records_a_run_and_says_what_each_task_did(self, project, finestflow):
        answer = finestflow("run")

        assert [line.split()[0:3:2] for line in answer.err.splitlines()[1:4]] == [
            ["ok", "load"],
            ["ok", "scale"],
            ["ok", "total"],
        ]
        assert re.fullmatch(r"[a-z]+-[a-z]+-\d+: ok in \S+, 3 tasks, 0 hits  total=12", answer.err.splitlines()[-1])
        assert answer.out == "loading 4 numbers\n"

    def test_a_second_run_is_all_hits(self, after, finestflow):
        after("run", "run")

        assert {node["status"] for node in nodes_of(finestflow).values() if node["kind"] == "task"} == {"hit"}

    def test_params_and_inputs_are_set_by_path(self, project, finestflow):
        finestflow("run", "-p", "scale.factor=10", "-p", "n=3")

        assert finestflow("get", "@:total").out == "30.0\n"

    def test_a_list_of_values_is_a_sweep(self, project, finestflow):
        finestflow("run", "-p", "scale.factor=1,2,3")

        assert [run["params"]["scale.factor"] for run in finestflow("log", "--json").json["runs"]] == [3.0, 2.0, 1.0]

    def test_a_misspelled_param_suggests_the_nearest_and_records_nothing(self, project, finestflow):
        answer = finestflow("run", "-p", "scale.facter=3", code=2)

        assert "scale.factor" in answer.err or "'factor'" in answer.err
        assert finestflow("log", "--json").json["runs"] == []

    @pytest.mark.parametrize(
        ("name", "bound"),
        [
            ("Foreseen", "--from"),
            ("Unforeseen", "--to"),
            pytest.param("Foreseen", "--to", marks=pytest.mark.slow),
            pytest.param("Unforeseen", "--from", marks=pytest.mark.slow),
        ],
    )
    def test_a_misspelled_node_is_a_usage_error_whenever_it_is_known(self, project, finestflow, name, bound):
        """Before anything runs, or at the end where the body decides what it calls."""
        (project / "bounds.py").write_text(
            """
from finestflow import Pipeline
from numbers_pipeline import Load, Total

class Foreseen(Pipeline):
    load: Load
    total: Total

    def __call__(self):
        return self.total(self.load(3))

class Unforeseen(Foreseen):
    def __call__(self):
        try:
            return self.total(self.load(3))
        except ValueError:
            return self.load(2)
"""
        )
        finestflow("run", "bounds.py:Foreseen")
        answer = finestflow("run", f"bounds.py:{name}", bound, "totel", code=2)

        assert answer.err.endswith("finestflow: error: no node matches 'totel'\nhint: did you mean 'total'?\n")
        assert len(finestflow("log", "--json").json["runs"]) == (1 if name == "Foreseen" else 2)

    def test_a_failed_task_is_exit_1_and_is_recorded(self, project, finestflow):
        answer = finestflow("run", "broken", code=1)

        assert "TypeError" in answer.err
        assert "numbers_pipeline.py" in answer.err
        assert finestflow("log", "--json").json["runs"][0]["status"] == "failed"

    def test_json_lines_are_events_and_the_run_at_the_end(self, project, finestflow):
        lines = [json.loads(line) for line in finestflow("run", "--json").out.splitlines()]

        assert {line["schema"] for line in lines} == {1}
        assert lines[0]["kind"] == "event.run"
        assert (lines[-1]["kind"], lines[-1]["run"]["status"]) == ("run.end", "ok")

    def test_name_note_and_tags(self, project, finestflow):
        finestflow("run", "--name", "mine", "-m", "a note", "--tag", "wip", "--tag", "x")
        run = finestflow("show", "mine", "--json").json["run"]

        assert (run["name"], run["note"], sorted(run["tags"])) == ("mine", "a note", ["wip", "x"])

    def test_force_runs_a_node_that_is_a_hit(self, project, finestflow):
        finestflow("run")
        finestflow("run", "--force", "scale")
        status = {path: node["status"] for path, node in nodes_of(finestflow).items()}

        assert (status["load"], status["scale"]) == ("hit", "ok")

    def test_a_dry_run_records_nothing(self, project, finestflow):
        answer = finestflow("run", "-n")

        assert "load" in answer.out
        assert finestflow("log", "--json").json["runs"] == []

    def test_quiet_says_why_a_run_failed(self, project, finestflow):
        answer = finestflow("-q", "run", "broken", code=1)

        assert "TypeError" in answer.err

    def test_quiet_says_nothing_of_its_own(self, project, finestflow):
        answer = finestflow("-q", "run")

        assert answer.err == ""

    @pytest.mark.parametrize(
        ("target", "code"),
        [("nope", 2), ("numbers_pipeline.py:Nope", 2), ("numbers_pipeline.py:Load", 2), ("nope.py:X", 2)],
    )
    def test_a_target_that_is_none_is_an_error_with_a_hint(self, project, finestflow, target, code):
        answer = finestflow("run", target, code=code)

        assert answer.err.startswith("finestflow: error: ")
        assert "hint: " in answer.err

    def test_leaves_the_work_tree_alone(self, project, finestflow, git):
        before = git("status", "--porcelain"), (project / ".git" / "index").read_bytes(), git("rev-parse", "HEAD")
        finestflow("run")

        assert (
            git("status", "--porcelain"),
            (project / ".git" / "index").read_bytes(),
            git("rev-parse", "HEAD"),
        ) == before

    def test_git_log_lists_the_runs(self, project, finestflow, git):
        finestflow("run", "--name", "mine")

        assert "numbers mine: ok" in git("log", "--format=%s", "refs/finestflow")


class TestPlan:
    def test_says_what_would_be_hit(self, after, finestflow):
        after("run")
        answer = finestflow("plan", "-p", "scale.factor=3", "--json")
        status = {node["path"]: node["status"] for node in answer.json["nodes"]}

        assert status["load"] == "hit"
        assert status["scale"] == "run"
        assert status["total"] == "unknown"

    def test_gives_the_reason_for_each(self, after, finestflow):
        after("run")
        answer = finestflow("plan", "-p", "scale.factor=3")
        rows = {line.split()[0]: line for line in answer.out.splitlines()}

        assert "param 'factor' 2.0 -> 3.0" in rows["scale"]
        assert "waits for 'scale'" in rows["total"]
        assert "1 hit, 1 run, 1 unknown" in answer.err


class TestLog:
    def test_lists_runs_newest_first(self, after, finestflow):
        after("run --name one", "run --name two")
        lines = finestflow("log").out.splitlines()

        assert lines[0].split()[:4] == ["id", "status", "name", "pipeline"]
        assert [line.split()[2] for line in lines[1:]] == ["two", "one"]

    def test_ls_is_log(self, after, finestflow):
        after("run")

        assert finestflow("ls").out == finestflow("log").out

    def test_a_query_chooses(self, project, finestflow):
        finestflow("run", "-p", "n=3", "--name", "small")
        finestflow("run", "-p", "n=9", "--name", "large")
        finestflow("run", "broken", code=1)

        assert [run["name"] for run in finestflow("log", "total>20", "--json").json["runs"]] == ["large"]
        assert [run["pipeline"] for run in finestflow("log", "status:failed", "--json").json["runs"]] == ["Broken"]

    def test_a_bad_word_of_a_query_is_pointed_out(self, after, finestflow):
        after("run")

        assert "finestflow: warning:" in finestflow("log", "status:nope").err

    def test_columns(self, after, finestflow):
        after("run --name mine")

        assert finestflow("log", "--columns", "name,p.scale.factor,total").out.split("\n")[1].split() == [
            "mine",
            "2.0",
            "12",
        ]

    def test_a_column_is_found_by_the_last_part_of_its_name_as_in_a_query(self, after, finestflow):
        after("run --name mine")

        lines = finestflow("log", "p.factor=2 total=12", "--columns", "name,p.factor,total").out.splitlines()
        assert lines[1].split() == ["mine", "2.0", "12"]

    def test_without_runs_says_how_to_make_one(self, project, finestflow):
        answer = finestflow("log")

        assert (answer.out, answer.err) == ("", 'no runs yet; "finestflow run" makes one\n')

    def test_works_from_the_index_alone(self, after):
        after("run")
        code = "import sys\nfrom finestflow.cli import main\nmain(['log'])\nprint([n for n in ('git', 'dulwich', 'rich', 'numpy', 'json', 'dataclasses', 'finestflow.model') if n in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

        assert done.stdout.splitlines()[-1] == "[]"

    def test_a_name_with_escape_sequences_is_shown_without(self, project, finestflow):
        finestflow("run", "--name", "evil\x1b[31mred\x07")

        assert "\x1b" not in finestflow("log").out
        assert "\x1b" not in finestflow("show", "@").out


class TestShow:
    def test_a_run(self, after, finestflow):
        after("run -m 'first try'")
        out = finestflow("show").out

        assert all(word in out for word in ("first try", "scale.factor", "total", "numbers_pipeline.py:Numbers"))

    def test_a_node(self, after, finestflow):
        after("run")
        out = finestflow("show", "@:scale").out

        assert "factor" in out
        assert "from load" in out

    def test_a_node_that_is_not_there_suggests_the_nearest(self, after, finestflow):
        after("run")

        assert "did you mean 'scale'?" in finestflow("show", "@:scael", code=4).err

    def test_a_part_that_no_output_has_is_refused_with_the_parts_there_are(self, after, finestflow):
        after("run")

        assert "parts of 'scale': [0], [1]" in finestflow("show", "@:scale.zz", code=4).err
        assert "no part '.zz' of 'total'" in finestflow("show", "@:total.zz", code=4).err
        assert finestflow("show", "@:scale[1]", "--json").json["node"]["part"] == "[1]"

    def test_a_run_that_is_not_there(self, after, finestflow):
        after("run")

        assert finestflow("show", "kkkkkkkk", code=4).err.startswith("finestflow: error: ")

    def test_config_is_toml(self, after, finestflow):
        import tomllib

        after("run")

        assert tomllib.loads(finestflow("show", "@", "--config").out)

    def test_json_has_times_with_zone(self, after, finestflow):
        after("run")

        assert re.search(r"[+-]\d\d:\d\d$", finestflow("show", "@", "--json").json["run"]["started"])


class TestDiffAndWhy:
    @pytest.fixture
    def two(self, after):
        after("run", "run -p scale.factor=3")

    def test_diff_shows_params_metrics_and_outputs(self, two, finestflow):
        document = finestflow("diff", "--json").json

        assert document["params"] == [{"name": "scale.factor", "before": 2.0, "after": 3.0, "delta": 1.0}]
        assert [change["delta"] for change in document["metrics"]] == [6.0]
        assert [node["path"] for node in document["outputs"]] == ["scale", "total"]

    def test_diff_as_text(self, two, finestflow):
        out = finestflow("diff").out

        assert re.search(r"scale\.factor +2\.0 +→ +3\.0", out)

    def test_exit_code(self, two, finestflow):
        finestflow("diff", "--exit-code", code=1)
        finestflow("diff", "@", "@", "--exit-code")
        finestflow("diff", "--exit-code", "--code")

    def test_code_is_a_patch(self, project, finestflow):
        finestflow("run")
        text = (project / "numbers_pipeline.py").read_text()
        (project / "numbers_pipeline.py").write_text(text.replace("float(sum(numbers))", "float(sum(numbers)) + 1"))
        sys.modules.pop("numbers_pipeline")
        finestflow("run")

        assert "+        total = float(sum(numbers)) + 1" in finestflow("diff", "--code").out

    def test_why_names_the_param_that_changed(self, two, finestflow):
        assert "factor" in finestflow("why", "@:scale").out

    def test_why_names_the_run_that_a_hit_came_from(self, two, finestflow):
        name = finestflow("log", "--json").json["runs"][1]["name"]

        assert name in finestflow("why", "@:load").out

    def test_why_of_a_whole_run(self, two, finestflow):
        document = finestflow("why", "@", "--json").json

        assert [node["path"] for node in document["nodes"]] == ["load", "scale", "total"]


class TestGraph:
    @pytest.fixture(autouse=True)
    def one(self, after):
        after("run")

    def test_text(self, finestflow):
        lines = finestflow("graph").out.splitlines()

        assert [line.split()[:3] for line in lines] == [["●", "load", "ok"], ["●", "scale", "ok"], ["●", "total", "ok"]]
        assert lines[1].endswith("← numbers=load")

    def test_json(self, finestflow):
        document = finestflow("graph", "--format", "json").json

        assert [(edge["from"], edge["to"]) for edge in document["edges"]] == [("load", "scale"), ("scale", "total")]

    def test_mermaid(self, finestflow):
        assert 'n0 -- "numbers" --> n1' in finestflow("graph", "--format", "mermaid").out

    def test_dot(self, finestflow):
        assert '"load" -> "scale" [label="numbers"];' in finestflow("graph", "--format", "dot").out

    def test_svg_needs_no_other_program(self, finestflow):
        assert finestflow("graph", "--format", "svg").out.startswith("<svg")

    def test_of_a_pipeline_that_did_not_run(self, finestflow):
        assert finestflow("graph", "numbers_pipeline.py:Numbers").out.splitlines() == [
            "●  load",
            "●  scale  ← numbers=load",
            "●  total  ← numbers=scale",
        ]


LOOP = """\
from finestflow import Pipeline, Task

class Load(Task):
    class Meta:
        outputs = ("train", "test")

    def run(self, n):
        return {"train": list(range(n)), "test": [n]}

class Fit(Task):
    def run(self, model):
        return 1 if isinstance(model, list) else model + 1

class Score(Task):
    def run(self, model, test):
        return model / 5

class Inner(Pipeline):
    fit: Fit

    def __call__(self, model):
        return self.fit(model)

class Loop(Pipeline):
    load: Load
    fit: Fit
    score: Score
    inner: Inner

    def __call__(self, goal: float = 0.5):
        print("the body runs")
        data = self.load(3)
        model = self.fit(data.train)
        score = self.score(model, data["test"])
        while score < goal:
            model = self.fit(model)
            score = self.score(model, data.test)
        if score > 0.55:
            return self.inner(model)
        return float(score)
"""


class TestLoop:
    """A body that looks at values: known before it runs as far as it can be, and exactly after."""

    @pytest.fixture(autouse=True)
    def written(self, project):
        (project / "loop.py").write_text(LOOP)

    def test_the_graph_before_a_run_has_what_may_be_called(self, finestflow):
        answer = finestflow("graph", "loop.py:Loop", "--format", "json")
        nodes = {node["path"]: (node["maybe"], node["count"]) for node in answer.json["nodes"]}

        assert nodes == {
            "load": (False, 1),
            "fit": (False, 1),
            "score": (False, 1),
            "fit[1]": (True, None),
            "score[1]": (True, None),
            "inner": (True, 1),
            "inner/fit": (True, 1),
        }
        assert {"from": "score", "part": None, "to": "fit[1]", "input": "", "kind": "control"} in answer.json["edges"]
        assert "needs a number of" in answer.json["stopped"]

    def test_a_plan_tells_what_depends_on_values_that_nobody_has(self, finestflow):
        plan = finestflow("plan", "loop.py:Loop", "--json").json
        assert {node["path"]: node["status"] for node in plan["nodes"]} == {
            "load": "run",
            "fit": "unknown",
            "score": "unknown",
            "fit[1][*]": "unknown",
            "score[1][*]": "unknown",
            "inner": "unknown",
            "inner/fit": "unknown",
        }
        assert plan["nodes"][3]["why"] == "only called in some branches: depends on 'score'"

        finestflow("run", "loop.py:Loop")
        plan = finestflow("plan", "loop.py:Loop", "-p", "goal=0.7", "--json").json
        statuses = {node["path"]: node["status"] for node in plan["nodes"]}
        assert statuses["fit[3]"] == "hit"  # the pipeline inside called the same task with the same input
        assert statuses["score[3]"] == "run"
        assert statuses["inner/fit"] == "unknown"

    def test_a_run_of_it_records_the_looks(self, finestflow):
        finestflow("run", "loop.py:Loop", "--json")
        document = finestflow("graph", "--format", "json").json
        joined = {(edge["from"], edge["to"], edge["kind"]) for edge in document["edges"]}

        assert [node["path"] for node in document["nodes"]] == [
            "load", "fit", "score", "fit[1]", "score[1]", "fit[2]", "score[2]", "inner", "inner/fit",
        ]  # fmt: skip
        assert {("load", "fit", "data"), ("score", "fit[1]", "control"), ("score[1]", "fit[2]", "control")} <= joined
        assert {node["status"] for node in document["nodes"]} == {"ok"}
        assert "┊" in finestflow("graph").out or "┄" in finestflow("graph").out

    def test_pipelines_inside_are_folded(self, finestflow):
        assert "▾ inner" in finestflow("graph", "loop.py:Loop").out
        folded = finestflow("graph", "loop.py:Loop", "--depth", "0").out
        assert "▾" not in folded
        assert "inner maybe" in folded


class TestOutputs:
    @pytest.fixture(autouse=True)
    def one(self, after):
        after("run")

    def test_get_prints_json(self, finestflow):
        assert json.loads(finestflow("get", "@:scale").out) == [0.0, 2.0, 4.0, 6.0]

    def test_get_a_part(self, finestflow):
        assert finestflow("get", "@:scale[2]").out == "4.0\n"

    def test_get_by_the_name_of_a_result(self, finestflow):
        assert finestflow("get", "@:result").out == "12.0\n"

    def test_get_into_a_file(self, project, finestflow):
        finestflow("get", "@:scale", "-o", "x.csv")

        assert (project / "x.csv").read_text().split() == ["0.0", "2.0", "4.0", "6.0"]

    def test_get_needs_a_node(self, finestflow):
        assert "names no node" in finestflow("get", "@", code=2).err

    def test_get_in_a_form_that_does_not_fit(self, finestflow):
        assert ".png" in finestflow("get", "@:scale", "-o", "x.png", code=2).err

    def test_logs_of_a_node(self, finestflow):
        assert finestflow("logs", "@:load").out == "loading 4 numbers\n"

    def test_logs_of_a_run(self, finestflow):
        assert "loading 4 numbers" in finestflow("logs").out

    def test_env(self, finestflow):
        environment = finestflow("env", "--json").json["environment"]

        assert environment["python"].startswith("3.")
        assert re.search(r"^click==\d", finestflow("env", "--requirements").out, re.MULTILINE)

    def test_checkout_makes_a_work_tree(self, project, finestflow, tmp_path):
        folder = Path(finestflow("checkout", "@", str(tmp_path / "then")).out.strip())

        assert (folder / "numbers_pipeline.py").exists()
        finestflow("checkout", "@", str(tmp_path / "then"), code=2)


class TestAnnotations:
    @pytest.fixture(autouse=True)
    def one(self, after):
        after("run --name mine")

    def run_of(self, finestflow):
        return finestflow("show", "@", "--json").json["run"]

    def test_tags_are_added_and_taken_away(self, finestflow):
        finestflow("tag", "@", "good", "#wip")
        assert sorted(self.run_of(finestflow)["tags"]) == ["good", "wip"]

        finestflow("tag", "-d", "@", "wip")
        assert self.run_of(finestflow)["tags"] == ["good"]

    def test_a_tag_is_one_word(self, finestflow):
        finestflow("tag", "@", "two words", code=2)

    def test_a_note(self, finestflow):
        finestflow("note", "@", "quite", "good")

        assert finestflow("note", "@").out == "quite good\n"

    def test_a_run_gets_another_name_and_its_own_back(self, finestflow):
        finestflow("rename", "mine", "the good one")
        assert self.run_of(finestflow)["name"] == "the good one"
        assert "the good one" in finestflow("show", "the good one").out

        finestflow("rename", "the good one", "")
        assert self.run_of(finestflow)["name"] == "mine"

    def test_a_star(self, finestflow):
        finestflow("star", "@")
        assert self.run_of(finestflow)["star"] is True

        finestflow("star", "-d", "@")
        assert self.run_of(finestflow)["star"] is False

    def test_a_removed_run_is_listed_nowhere_until_it_is_restored(self, finestflow):
        finestflow("rm", "mine")
        assert finestflow("log", "--json").json["runs"] == []

        finestflow("restore", "mine")
        assert len(finestflow("log", "--json").json["runs"]) == 1

    def test_undo_takes_the_last_change_back(self, finestflow):
        finestflow("rm", "mine")
        finestflow("undo")

        assert len(finestflow("log", "--json").json["runs"]) == 1

    def test_undo_says_what_it_took_back_as_a_person_does(self, finestflow):
        said = {
            ("tag", "mine", "good", "wip"): "tagged mine #good #wip",
            ("tag", "-d", "mine", "wip"): "took #wip off mine",
            ("note", "mine", "quite", "good"): "noted on mine: quite good",
            ("note", "mine", ""): "took the note of mine away",
            ("rename", "mine", "its"): "renamed mine to its",
            ("rename", "its", ""): "took the name of its away",
            ("star", "mine"): "starred mine",
            ("star", "-d", "mine"): "unstarred mine",
            ("rm", "mine"): "removed mine",
            ("restore", "mine"): "restored mine",
        }
        for words in said:
            finestflow(*words)

        assert [finestflow("undo").err for _ in said] == [f"took back: {text}\n" for text in reversed(said.values())]
        assert finestflow("redo").err == "made again: tagged mine #good #wip\n"

    def test_rm_with_dry_run_removes_nothing(self, finestflow):
        assert "mine" in finestflow("rm", "-n", "mine").out
        assert len(finestflow("log", "--json").json["runs"]) == 1

    def test_restore_of_what_is_not_removed(self, finestflow):
        finestflow("restore", "mine", code=4)


class TestHouseKeeping:
    @pytest.fixture(autouse=True)
    def two(self, after):
        after("run --name one", "run --name two -p n=9")

    def test_gc_drops_removed_runs(self, finestflow, git):
        finestflow("rm", "one")
        assert "one" in finestflow("gc", "-n").out
        assert len(git("log", "--format=%s", "refs/finestflow").splitlines()) == 2

        finestflow("gc")
        assert [line.split(":")[0] for line in git("log", "--format=%s", "refs/finestflow").splitlines()] == [
            "numbers two"
        ]

    def test_gc_keeps_what_a_rule_keeps(self, finestflow):
        finestflow("gc", "--keep-last", "1")

        assert [run["name"] for run in finestflow("log", "--json").json["runs"]] == ["two"]

    def test_gc_keeps_what_the_settings_keep_and_what_is_starred(self, project, finestflow):
        add_settings(project, "[gc]\nkeep-last = 0\n")
        finestflow("star", "one")
        finestflow("gc")

        assert [run["name"] for run in finestflow("log", "--json").json["runs"]] == ["one"]

    def test_gc_drops_the_oldest_until_the_outputs_fit(self, project, finestflow):
        """The newest stays with all that it reaches; without --fit only a line tells that there is too much."""
        kept = finestflow("gc", "-n", "--json").json["kept_bytes"]
        add_settings(project, f"[store]\nmax-size = {kept - 1}\n")
        assert "--fit" in finestflow("gc").err
        planned = finestflow("gc", "--fit", "-n", "--json").json
        done = finestflow("gc", "--fit", "--json").json

        assert [run["name"] for run in done["runs"]] == [run["name"] for run in planned["runs"]] == ["one"]
        assert done["kept_bytes"] == planned["kept_bytes"] < kept
        assert finestflow("run", "-p", "n=9").err.count("hit ") == 3
        assert finestflow("verify", "--deep", "--json").json["ok"] is True

    def test_gc_leaves_outputs_that_lie_outside_of_the_repository(self, project, finestflow):
        """Another project may use them: runs go, what they computed stays."""
        add_settings(project, f"[store]\npath = '{project.parent / 'shared'}'\n")
        finestflow("run", "--name", "three", "-p", "n=7")
        finestflow("rm", "one", "two", "three")
        for flags in (["-n"], []):
            answer = finestflow("gc", *flags, "--json").json
            assert ([run["name"] for run in answer["runs"]], answer["values"], answer["bytes"]) == (
                ["three", "two", "one"],
                [],
                0,
            )

        assert finestflow("run", "-p", "n=7").err.count("hit ") == 3

    def test_gc_keeps_what_a_run_reaches_that_was_recorded_after_it_looked(self, project, finestflow):
        """A run that has ended since the index was read last is found before anything goes."""
        finestflow("rm", "one", "two")
        with closing(Workspace.find(project, os.environ)) as workspace:
            workspace.refresh()
            finestflow("run", "--name", "three")
            plan = workspace.gc(None, lambda run: None)

        assert [run.name for run in plan.runs] == ["two", "one"]
        assert finestflow("run").err.count("hit ") == 3

    def test_du_by_run_and_by_task(self, finestflow):
        runs = finestflow("du", "--by", "run", "--json").json["shares"]
        tasks = finestflow("du", "--by", "task", "--json").json["shares"]
        whole = finestflow("gc", "-n", "--json").json["kept_bytes"]

        assert {run["name"] for run in runs} == {"one", "two"}
        assert {task["task"].rpartition(":")[2].rpartition(".")[2] for task in tasks} == {"Load", "Scale", "Total"}
        assert all(share["values"] >= 3 and 0 < share["alone_bytes"] <= share["bytes"] < whole for share in runs)
        assert sum(share["alone_bytes"] for share in tasks) <= whole <= sum(share["bytes"] for share in runs)
        assert len(finestflow("du", "name:one").out.splitlines()) == 2

    def test_gc_refuses_a_query_that_it_does_not_understand(self, finestflow):
        finestflow("gc", "--keep", "status:nope", code=2)

    def test_gc_refuses_a_span_that_is_none(self, finestflow):
        finestflow("gc", "--older-than", "soon", code=2)

    def test_du(self, finestflow):
        document = finestflow("du", "--json").json

        assert document["runs"] == 2
        assert document["entries"] == 6

    def test_verify_finds_nothing_wrong(self, finestflow):
        assert finestflow("verify", "--deep", "--json").json["ok"] is True

    def test_verify_finds_a_damaged_record(self, project, finestflow, git):
        blob = git("rev-parse", "refs/finestflow:.finestflow/run.json")
        file = project / ".git" / "objects" / blob[:2] / blob[2:]
        file.chmod(0o644)
        file.write_bytes(b"damaged")

        assert finestflow("verify", "--json", code=5).json["ok"] is False

    def test_verify_says_once_what_to_do(self, project, finestflow):
        with closing(sqlite3.connect(project / ".git" / "finestflow" / "store" / "store.sqlite")) as database, database:
            database.execute("DELETE FROM value")
        answer = finestflow("verify", "--deep", code=5)

        assert len(answer.out.splitlines()) > 1
        assert answer.err.count("hint:") == 1


class TestReproduce:
    def test_an_unchanged_run_is_identical(self, project, finestflow):
        finestflow("run")
        document = finestflow("reproduce", "@", "--json").json

        assert document["identical"] is True
        assert {node["verdict"] for node in document["nodes"]} == {"identical"}
        assert finestflow("show", "@", "--json").json["run"]["reproduces"] == document["run"]

    def test_what_depends_on_something_outside_differs(self, project, finestflow, tmp_path):
        text = (project / "numbers_pipeline.py").read_text()
        outside = tmp_path / "outside.txt"
        outside.write_text("1")
        changed = text.replace(
            "total = float(sum(numbers))",
            f"total = float(sum(numbers)) + int(__import__('pathlib').Path({str(outside)!r}).read_text())",
        )
        (project / "numbers_pipeline.py").write_text(changed)
        finestflow("run")
        outside.write_text("2")
        document = finestflow("reproduce", "@", "--json", code=3).json

        assert document["first"] == "total"


PARTS = """\
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from finestflow import Pipeline, Task

class Dict(Task):
    class Meta:
        outputs = ("train", "test")

    def run(self):
        return {"train": 1, "test": 2}

class Pair(Task):
    class Meta:
        outputs = ("train", "test")

    def run(self):
        return 3, 4

class Table(TypedDict):
    a: int
    b: int

class Row(NamedTuple):
    a: int
    b: int

@dataclass
class Data:
    a: int
    b: int

class Tabled(Task):
    def run(self) -> Table:
        return {"a": 5, "b": 6}

class Rowed(Task):
    def run(self) -> Row:
        return Row(7, 8)

class Dated(Task):
    def run(self) -> Data:
        return Data(9, 10)

class Tupled(Task):
    def run(self) -> tuple[int, int]:
        return 11, 12

class Add(Task):
    def run(self, x, y):
        return x + y

class Inner(Pipeline):
    pair: Pair

    class Meta:
        outputs = ("left", "right")

    def __call__(self):
        pair = self.pair()
        return pair.test, pair.train

class Parts(Pipeline):
    dict: Dict
    pair: Pair
    tabled: Tabled
    rowed: Rowed
    dated: Dated
    tupled: Tupled
    inner: Inner
    add: Add

    def __call__(self):
        one, two = self.dict(), self.pair()
        train, test = two
        table, row, data = self.tabled(), self.rowed(), self.dated()
        first, second = self.tupled()
        inner = self.inner()
        left, right = inner
        return [
            self.add(one.train, one["test"]),
            self.add(two.train, two[1]),
            self.add(train, test),
            self.add(table["a"], table["b"]),
            self.add(row.a, row[1]),
            self.add(data.a, data.b),
            self.add(first, second),
            self.add(inner.left, inner[1]),
            self.add(left, right),
        ]
"""


def test_parts_of_outputs_have_names_and_the_graph_before_is_that_after(project, finestflow):
    (project / "parts.py").write_text(PARTS)
    before = finestflow("graph", "parts.py:Parts", "--format", "json").json
    finestflow("run", "parts.py:Parts")
    after = finestflow("graph", "--format", "json").json

    returned = {path: node for path, node in nodes_of(finestflow).items() if path.startswith("add")}
    assert [node["output"]["preview"] for node in returned.values()] == [
        "3",
        "7",
        "7",
        "11",
        "15",
        "19",
        "23",
        "7",
        "7",
    ]
    assert before["stopped"] is None
    assert {node["path"] for node in before["nodes"]} == {node["path"] for node in after["nodes"]}

    def joined(graph):
        edges = [edge for edge in graph["edges"] if edge["kind"] == "data"]
        return {(edge["from"], edge["part"], edge["to"], edge["input"]) for edge in edges}

    assert joined(before) == joined(after)
