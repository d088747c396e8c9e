"""Parts of outputs by their names: ``RUN:node.part``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from finestflow.view import RunView
from finestflow.workspace import Workspace

PIPELINE = """\
from dataclasses import dataclass

from finestflow import Pipeline, Task


class Split(Task):
    class Meta:
        outputs = ("train", "test")

    def run(self, n):
        return list(range(n)), [n]


class Table(Task):
    class Meta:
        outputs = ("train", "test")

    def run(self, n):
        return {"train": n, "test": n + 1}


class Counts(Task):
    def run(self, numbers):
        return {"low": min(numbers), "high end": max(numbers)}


@dataclass
class Best:
    f1: float
    by: dict


class Pick(Task):
    def run(self, counts, train):
        return Best(0.5, {"svm": train})


class Parts(Pipeline):
    split: Split
    table: Table
    counts: Counts
    pick: Pick

    def __call__(self, n: int = 3):
        data = self.split(n)
        counts = self.counts(data.test)
        train, test = self.table(n)
        return self.pick(counts, train)
"""


@pytest.fixture
def made(project: Path, finestflow) -> Path:
    (project / "parts.py").write_text(PIPELINE)
    finestflow("run", "parts.py:Parts")
    return project


def test_parts_are_read_back_by_name(made, finestflow):
    """By those of ``Meta.outputs``, the keys of a dict and the fields of a dataclass; by their places too."""
    expected = {
        "split.train": [0, 1, 2],
        "split.test[0]": 3,
        "split[1]": [3],
        "table.test": 4,
        "table[1]": 4,
        'table["test"]': 4,
        "counts.low": 3,
        "counts['high end']": 3,
        "pick.f1": 0.5,
        "pick.by.svm": 3,
    }
    workspace = Workspace.find(made, {})
    outputs = RunView(workspace, workspace.load_run("@")).outputs

    assert {place: json.loads(finestflow("get", f"@:{place}").out) for place in expected} == expected
    assert {place: outputs[place] for place in expected} == expected
    assert "hint: did you mean '.train'?" in finestflow("get", "@:split.trian", code=4).err
    assert "no such part" in finestflow("get", "@:split.valid", code=4).err


def test_a_named_part_that_the_pipeline_returns_is_its_output(project, finestflow):
    (project / "returned.py").write_text(
        PIPELINE
        + """

class Returned(Pipeline):
    split: Split

    def __call__(self):
        return self.split(2).test
"""
    )
    finestflow("run", "returned.py:Returned")

    assert json.loads(finestflow("get", "@:result").out) == [2]


def test_show_lists_the_names_and_tells_a_part(made, finestflow):
    node = finestflow("show", "@:split", "--json").json["node"]["output"]

    assert node["names"] == ["train", "test"]
    assert re.findall(r"^  (\.\w+|\[\S+\]) ", finestflow("show", "@:split").out, re.MULTILINE) == [".train", ".test"]
    assert set(re.findall(r"^  (\S.*\]|\.\w+) ", finestflow("show", "@:counts").out, re.MULTILINE)) == {
        "['high end']",
        ".low",
    }
    part = finestflow("show", "@:split.test", "--json").json["node"]
    assert (part["part"], part["digest"]) == ("[1]", node["parts"]["[1]"])
    assert "did you mean '.train'?" in finestflow("show", "@:split.trian", code=4).err
    assert finestflow("show", "@:split.train", "--value").out


def test_diff_compares_parts_by_name(made, finestflow):
    finestflow("run", "parts.py:Parts", "-p", "n=4")

    assert "3 → 4" in finestflow("diff", "@~1:split.test", "@:split.test").out
    assert "3 → 4" in finestflow("diff", "@~1:counts.low").out


def test_a_record_without_names_has_keys_and_places(made, finestflow):
    """As records were before they had them."""
    workspace = Workspace.find(made, {})
    run = workspace.load_run("@")
    nodes = {
        path: node._replace(output=node.output._replace(names=())) if node.output is not None else node
        for path, node in run.nodes.items()
    }
    run.nodes.update(nodes)

    assert workspace.load_output(run, "split[0]") == [0, 1, 2]
    assert workspace.load_output(run, "table.test") == 4
    assert workspace.load_output(run, "counts.low") == 3


def test_names_of_parts_are_completed(made, finestflow, monkeypatch, capfd):
    from click.shell_completion import BashComplete

    from finestflow.cli import COMPLETION_VARIABLE, cli

    complete = BashComplete(cli, {}, "finestflow", COMPLETION_VARIABLE)
    found = [item.value for item in complete.get_completions(["get"], "@:split.t")]

    assert found == ["@:split.train", "@:split.test"]
    assert [item.value for item in complete.get_completions(["get"], "@:sp")] == ["@:split"]
