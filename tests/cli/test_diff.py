"""``finestflow diff``: graph, logs, the files as they are now, and what other programs read; one lab is shared by all tests."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from finestflow.cli import main
from finestflow.cli._markdown import cell, fence
from tests.conftest import run_git
from tests.e2e import processes

PIPELINE = """\
from finestflow import Pipeline, Task


class Load(Task):
    def run(self, n: int) -> list:
        return list(range(n))


class Clean(Task):
    def run(self, numbers: list) -> list:
        print("cleaned")
        return numbers[1:]


class Fit(Task):
    def run(self, numbers: list) -> float:
        print(len(numbers), "numbers")
        self.log(score=len(numbers) / 4)
        return len(numbers) / 4


class Shape(Pipeline):
    load: Load
    clean: Clean
    fit: Fit

    def __call__(self, n: int = 4, cleaned: bool = False) -> float:
        numbers = self.load(n)
        return self.fit(self.clean(numbers) if cleaned else numbers)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory, home_of_session):
    """A repository with two runs, the first without a node that the second has."""
    folder = tmp_path_factory.mktemp("diff")
    run_git(folder, "init", "-q", "-b", "main")
    (folder / "shape.py").write_text(PIPELINE)
    environ = {**os.environ, "HOME": str(home_of_session)}
    processes.run("run", "shape.py:Shape", "-p", "cleaned=false,true", cwd=folder, env=environ)
    return folder


@pytest.fixture
def ask(lab, capfd, monkeypatch):
    """Run ``diff`` in the lab and return its output; its JSON when that is asked for."""

    def ask(*words: str, code: int = 0):
        monkeypatch.chdir(lab)
        capfd.readouterr()
        answer = main(["diff", *words])
        out, err = capfd.readouterr()
        assert answer == code, err
        return json.loads(out) if "json" in words[-1] else out

    return ask


def test_nodes_and_edges_that_are_new_or_gone_are_shown(ask):
    graph = ask("@~1", "@", "--json")["graph"]
    text = ask("@~1", "@", "--graph").splitlines()

    assert [(change["name"], change["before"], change["after"]) for change in graph["nodes"]] == [
        ("clean", None, "shape:Clean")
    ]
    assert [(change["name"], change["before"], change["after"]) for change in graph["edges"]] == [
        ("fit.numbers", "load", "clean"),
        ("clean.numbers", None, "load"),
    ]
    assert [line.split() for line in text[1:]] == [
        [],
        ["nodes"],
        ["clean", "(absent)", "→", "shape:Clean"],
        [],
        ["edges"],
        ["fit.numbers", "load", "→", "clean"],
        ["clean.numbers", "(absent)", "→", "load"],
    ]
    assert ask("@", "@", "--graph").splitlines()[1:] == ["nothing differs"]


def test_what_was_printed_is_shown_node_by_node(ask):
    logs = ask("@~1", "@", "--logs", "--json")["logs"]

    assert logs == {"fit": "@@ -1 +1 @@\n-4 numbers\n+3 numbers\n", "clean": "@@ -0,0 +1 @@\n+cleaned\n"}
    assert "log of fit\n@@ -1 +1 @@\n-4 numbers\n+3 numbers\n" in ask("@~1", "@", "--logs")
    assert ask("@~1", "@", "--json")["logs"] is None
    ask("@~1", "@", "--logs", "--exit-code", code=1)
    ask("@", "@", "--logs", "--exit-code")


def test_a_spreadsheet_gets_values_as_they_are_and_a_pull_request_as_they_are_shown(ask):
    rows = csv.DictReader(io.StringIO(ask("@~1", "@", "--format", "csv")))
    found = {(row["part"], row["name"]): row for row in rows}
    markdown = ask("@~1", "@", "--metrics", "--logs", "--format", "md").splitlines()

    score = found["metrics", "fit/score"]
    assert (score["change"], score["before"], score["after"], score["delta"]) == ("changed", "1.0", "0.75", "-0.25")
    assert (found["inputs", "cleaned"]["after"], found["nodes", "clean"]["change"]) == ("True", "added")
    assert "| metrics | fit/score | 1 | 0.75 | -0.25 |" in markdown
    assert markdown[-4:] == ["```diff", "@@ -0,0 +1 @@", "+cleaned", "```"]
    assert ask("@~1", "@", "--format", "json") == ask("@~1", "@", "--json")


def test_values_are_written_for_others_too(ask):
    assert ask("@~1:fit", "@:fit", "--format", "csv") == 'path,text\n,"1.0 → 0.75  (-0.25, -25%)"\n'
    assert ask("@~1:fit", "@:fit", "--format", "md").splitlines()[2:] == ["|  | 1.0 → 0.75  (-0.25, -25%) |"]
    assert ask("@:fit", "@:fit", "--format", "md") == "nothing differs\n"


def test_a_point_is_the_files_as_they_are_now(ask, lab):
    file = Path(lab, "shape.py")
    assert ask("@", ".", "--params").splitlines()[1:] == ["nothing differs"]
    file.write_text(PIPELINE.replace("numbers[1:]", "numbers[2:]"))
    try:
        found = ask("@", ".", "--json")
        patch = ask("@", ".", "--code")
        assert ask("@", ".", "--logs") == ""
    finally:
        file.write_text(PIPELINE)

    assert (found["after"], found["files"]) == (None, [{"path": "shape.py", "kind": "changed"}])
    assert (patch.startswith("diff --git"), "+        return numbers[2:]" in patch) == (True, True)


def test_text_of_a_run_is_no_markup_in_markdown():
    assert cell("a|b <i>*c*</i> [d](e) `f` _g_ h_i\n\x1b[31m") == (r"a\|b \<i\>\*c\*\</i\> \[d\](e) \`f\` \_g\_ h_i ")
    assert list(fence("```\n+x", "diff")) == ["````diff", "```", "+x", "````"]
