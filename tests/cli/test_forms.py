"""Lists as Markdown and CSV, as other programs take them."""

from __future__ import annotations

import csv
import json

import pytest


@pytest.fixture
def runs(after):
    """Two runs, the newer with a note that Markdown and CSV could mistake."""
    note = 'a | b, "c" ' + "x" * 200
    after("run -p scale.factor=1", f"run -p scale.factor=1.23456789 -m '{note}'")


def test_a_log_is_text_markdown_csv_or_json(runs, finestflow):
    """Numbers and ids are whole in CSV; --format json is --json; times are written out; long notes are cut where a person reads them."""
    columns = ("--columns", "id,status,p.scale.factor,total,took,when,note")
    documents = finestflow("log", "--json").json["runs"]
    table = list(csv.DictReader(finestflow("log", *columns, "--format", "csv").out.splitlines()))
    lines = finestflow("log", *columns, "--format", "md").out.splitlines()
    text = finestflow("log", *columns).out.splitlines()

    assert [row["id"] for row in table] == [run["id"] for run in documents]
    assert [float(row["p.scale.factor"]) for row in table] == [1.23456789, 1.0]
    assert [float(row["took"]) for row in table] == [run["seconds"] for run in documents]
    assert table[0]["when"] == text[1].split()[5]
    assert table[0]["note"] == documents[0]["note"] == 'a | b, "c" ' + "x" * 200
    assert lines[0] == "| id | status | p.scale.factor | total | took | when | note |"
    assert 'a \\| b, "c" xxx' in lines[2]
    assert len(lines) == 4
    assert text[1].endswith("x…")
    assert json.loads(finestflow("log", "--format", "json").out)["runs"] == documents


def test_groups_and_disk_usage_have_the_same_forms(runs, finestflow):
    assert finestflow("log", "--group", "p.scale.factor", "--format", "csv").out.startswith("p.scale.factor,runs,")
    assert finestflow("du", "--format", "md").out.splitlines()[:3] == [
        "| what | count | size |",
        "|---|---|---|",
        "| runs | 2 |  |",
    ]
    shares = list(csv.DictReader(finestflow("du", "--by", "task", "--format", "csv").out.splitlines()))
    assert all(share["size"].isdigit() for share in shares)
    assert shares


def test_the_cache_has_the_same_forms(runs, finestflow):
    """Digests, bytes and seconds are whole in CSV."""
    documents = finestflow("cache", "list", "--format", "json").json["values"]
    table = list(csv.DictReader(finestflow("cache", "list", "--format", "csv").out.splitlines()))
    lines = finestflow("cache", "list", "--format", "md").out.splitlines()

    assert [row["digest"] for row in table] == [value["digest"] for value in documents]
    assert [int(row["size"]) for row in table] == [value["size"] for value in documents]
    assert lines[0] == "| digest | size | cost | uses | type | value |"
    assert len(lines) == 2 + len(documents)


def test_a_list_of_no_runs_is_its_head(runs, finestflow):
    """With -n0 nobody is told that there are no runs; a query that finds none leaves a table of none."""
    answer = finestflow("log", "-n0")
    assert (answer.out.split()[:2], answer.err) == (["id", "status"], "")
    assert finestflow("log", "-n0", "--format", "csv").out == "id,status,name,pipeline,when,took\n"
    none = finestflow("log", "status:failed", "--columns", "id,total", "--format", "md")
    assert none.out == "| id | total |\n|---|---|\n"
    assert "no runs match" in none.err


def test_the_queue_has_the_same_forms(project, finestflow):
    assert finestflow("queue", "list", "--format", "csv").out == "entry,state,added,run,command\n"
    finestflow("run", "-p", "scale.factor=8", "--queue")
    (entry,) = csv.DictReader(finestflow("queue", "list", "--format", "csv").out.splitlines())
    assert (entry["entry"], entry["state"], entry["added"][10]) == ("1", "waiting", "T")


ITEMS = """
from finestflow import Pipeline, Task, each

class Power(Task):
    exponent: int = 2
    def run(self, x: int) -> int:
        self.log(value=x**self.exponent)
        return x**self.exponent

class Powers(Pipeline):
    power: Power = Power()
    def __call__(self) -> list:
        return list(each(self.power, range(6)))
"""


def test_the_items_of_a_large_fan_out_are_one_line_for_people_and_whole_for_programs(project, finestflow):
    (project / "powers.py").write_text(ITEMS)
    finestflow("run", "powers.py", "-p", "power.exponent=1,2")

    table = finestflow("compare").out
    assert table.splitlines()[-1].split() == ["power/*/value", "9.1667", "2.5"]
    assert len(finestflow("compare", "--json").json["rows"]) == 1 + 4  # 0 and 1 are what they were
    difference = finestflow("diff").out
    assert "power/*/value  2.5  →  9.1667  +6.667" in difference
    assert "power/*  6 outputs → 6 outputs, 4 differ\n    param 'exponent' 1 -> 2\n" in difference
    assert finestflow("diff", "--format", "csv").out.count("power/") == 4 + 4
    assert "| metrics | power/\\*/value | 2.5 | 9.1667 | +6.667 |" in finestflow("diff", "--format", "md").out


def test_show_has_a_line_for_many_items_that_ended_alike_and_one_for_each_that_failed(project, finestflow):
    (project / "powers.py").write_text(ITEMS.replace("self.log", "1 / (x - 2)\n        self.log"))
    finestflow("run", "powers.py", "--keep-going", code=1)

    shown = [line.split() for line in finestflow("show").out.splitlines()]
    assert ["power/*/value", "10.2", "mean", "of", "5"] not in shown  # five are few
    assert [line[:2] + line[3:6] for line in shown if line[:1] == ["power/*"]] == [["power/*", "ok", "5", "of", "6"]]
    assert [line[:2] for line in shown if line[:1] == ["power/2"]] == [["power/2", "failed"]]
    assert {f"power/{place}" for place in range(6)} <= set(finestflow("show", "--items").out.split())
