"""When workers get ready before a pipeline is imported: not where the same command has been through with the same files."""

from __future__ import annotations

import os

import pytest

from finestflow.configured import locate
from finestflow.runner import RunOptions
from finestflow.workspace import Workspace
from finestflow.workspace.foresight import Foresight

PIPELINE = """
import helper
from finestflow import Pipeline, Task

class Add(Task):
    def run(self, x):
        return x + helper.ONE

class Sum(Pipeline):
    add: Add
    def __call__(self, x: int = 1):
        return self.add(x)
"""


@pytest.fixture
def workspace(repository, monkeypatch):
    """A workspace with a pipeline."""
    (repository / "foreseen.py").write_text(PIPELINE.replace("helper", "foreseen_helper"))
    (repository / "foreseen_helper.py").write_text("ONE = 1\n")
    monkeypatch.syspath_prepend(repository)
    made = Workspace.find(repository, dict(os.environ))
    yield made
    made.close()


def is_getting_ready(workspace: Workspace, words=("run", "foreseen.py"), **options) -> bool:
    workspace.prepare("foreseen.py", RunOptions(**{"jobs": 2, **options}), words)
    is_ready = workspace._pool is not None
    workspace._close_pool()
    return is_ready


@pytest.mark.slow
def test_a_command_that_has_been_through_does_not_start_processes_until_a_file_of_its_code_changes(workspace):
    assert is_getting_ready(workspace)
    assert not is_getting_ready(workspace, jobs=1)
    pipeline, inputs = workspace.load_pipeline("foreseen.py")
    workspace.prepare("foreseen.py", RunOptions(jobs=2), ("run", "foreseen.py"))
    finished = workspace.run(pipeline, (), inputs, options=RunOptions(jobs=2))
    workspace._close_pool()
    assert finished.value == 2

    assert not is_getting_ready(workspace)
    assert is_getting_ready(workspace, ("run", "foreseen.py", "-p", "x=2"))
    assert is_getting_ready(workspace, cache=False)
    assert is_getting_ready(workspace, force=True)
    (workspace.root / "foreseen_helper.py").write_text("ONE = 1.5\n")
    assert is_getting_ready(workspace)


@pytest.mark.slow
def test_workers_of_the_run_that_follows_were_forked_with_what_the_pipeline_imports(workspace, monkeypatch, tmp_path):
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "foreseen_library.py").write_text("import os\nLOADED_BY = os.getpid()\n")
    text = (
        "import os, foreseen_library\nfrom finestflow import Pipeline, Task\n"
        "class Look(Task):\n    def run(self):\n        return foreseen_library.LOADED_BY == os.getppid()\n"
        "class Whole(Pipeline):\n    look: Look\n    def __call__(self):\n        return self.look()\n"
    )
    (workspace.root / "foreseen_whole.py").write_text(text)
    monkeypatch.syspath_prepend(site)
    options = RunOptions(jobs=2)
    workspace.prepare("foreseen_whole.py:Whole", options, ("run",))
    pipeline, inputs = workspace.load_pipeline("foreseen_whole.py:Whole")

    assert workspace.run(pipeline, (), inputs, options=options).value is True


def test_the_last_commands_are_remembered_and_a_damaged_file_is_no_command(tmp_path):
    file = tmp_path / "foresight"
    file.write_bytes(b"\xff\xfe\n")
    first = Foresight(file, ["0"], [])
    assert not first.is_known
    first.remember()
    assert first.is_known
    for number in range(1, 64):
        Foresight(file, [str(number)], []).remember()
    assert first.is_known
    Foresight(file, ["64"], []).remember()
    assert not first.is_known
    assert Foresight(file, ["64"], []).is_known


def test_the_file_of_a_target_is_found_without_importing_it(workspace):
    folders = [workspace.root]
    assert locate("foreseen.py:Sum", workspace.config, folders) == str((workspace.root / "foreseen.py").resolve())
    assert locate("package.module:Sum", workspace.config, folders) == "package.module"
    assert locate("exp.toml", workspace.config, folders) is None
    assert locate("nowhere.py", workspace.config, folders) is None
    assert locate(None, workspace.config, folders) is None
