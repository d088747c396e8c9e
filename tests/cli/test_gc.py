"""``finestflow gc``: what a kept run names stays, whoever brought it and whenever the run ended."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import closing

import finestflow as library
from finestflow.config import GcConfig
from finestflow.gc import rules_of
from finestflow.provisioned import mark_ready
from finestflow.workspace import Workspace

LARGE = """\
from finestflow import Pipeline, Task


class Large(Task):
    def run(self, n: int) -> bytes:
        return bytes([n]) * 200_000


class Lab(Pipeline):
    large: Large

    def __call__(self, n: int = 1) -> bytes:
        return self.large(n)
"""


def age(folder):
    """Make all files of a folder older than any that a writer is about to name."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))


def use_store(project, path):
    (project / "large.py").write_text(LARGE)
    (project / ".finestflow.toml").write_text(f'[store]\npath = "{path}"\n')


def test_files_that_a_tracker_brought_stay_where_a_kept_run_names_them(project, finestflow):
    use_store(project, "artifacts")
    for number in (1, 2):
        finestflow("run", "large.py:Lab", "-p", f"n={number}")
    finestflow("rm", "@~1")
    shutil.rmtree(project / ".git" / "finestflow" / "store")  # a fresh clone has the files, and no database
    age(project / "artifacts")

    finestflow("gc")

    finestflow("get", "@:large", "-o", "large.bin")
    assert (project / "large.bin").read_bytes() == b"\2" * 200_000
    assert len([file for file in (project / "artifacts").rglob("*") if file.is_file()]) == 1


def test_outputs_in_a_folder_outside_of_the_repository_stay(project, finestflow, tmp_path):
    use_store(project, tmp_path / "shared")
    finestflow("run", "large.py:Lab")
    finestflow("rm", "@")
    age(tmp_path / "shared")
    before = sorted((tmp_path / "shared").rglob("*"))

    answer = finestflow("gc")

    assert "dropped 1 run and 0 outputs" in answer.err
    assert "others may use them too" in answer.err
    assert sorted((tmp_path / "shared").rglob("*")) == before


def test_a_query_that_keeps_no_run_is_refused_where_nothing_else_keeps_any(project, finestflow):
    finestflow("run")

    assert "all would go" in finestflow("gc", "--keep", "#nope", code=2).err
    assert len(finestflow("log", "--json").json["runs"]) == 1
    assert "dropped 0 runs" in finestflow("gc", "--keep", "#nope", "--keep-last", "1").err


def test_a_run_that_ended_while_gc_waited_is_kept_where_the_query_chooses_it(project, environ):
    going = library.start("train")

    def end_it(run):
        going.log(f1=0.9)
        going.finish()

    with closing(Workspace.find(project, environ)) as workspace:
        workspace.gc(lambda: rules_of(GcConfig(keep="f1>0.5"), workspace.select, workspace.clock.time()), end_it)
        assert [run.id for run in workspace.select()] == [going.id]


def test_environments_that_nobody_uses_go_and_are_told(project, finestflow, tmp_path, monkeypatch):
    """After 30 days, by the setting or by a flag; du tells what they take."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    homes = []
    for name, days in (("aaaa", 40), ("bbbb", 3)):
        home = tmp_path / "cache" / "finestflow" / "environments" / name
        (home / "place" / "bin").mkdir(parents=True)
        (home / "place" / "bin" / "python").write_bytes(b"x" * 5000)
        mark_ready(home, home / "place", ["a==1"])
        then = time.time() - days * 86400
        os.utime(home / "ready", (then, then))
        homes.append(home)

    assert finestflow("du", "--json").json["environments"]["count"] == 2
    assert "environments" in finestflow("du").out
    assert [each["path"] for each in finestflow("gc", "-n", "--json").json["environments"]] == [str(homes[0])]
    assert "environment aaaa  1 package" in finestflow("gc", "-n").out
    finestflow("gc")
    assert [(home / "ready").exists() for home in homes] == [False, True]
    finestflow("config", "set", "gc.environments", "1d")
    assert "dropped 1 environment" in finestflow("gc").err
    assert "expected a span" in finestflow("gc", "--environments", "soon", code=2).err
