"""One version of the code in all processes of a run: what the runner has loaded."""

from __future__ import annotations

import importlib
import os
import sys

import pytest

from finestflow.target import import_file
from tests.unit.executor.process.lab import Lab

MODULE = """
from finestflow import Task
import other_of_lab

FACTOR = {factor}

class Times(Task):
    def run(self, x):
        return x * FACTOR + other_of_lab.plus()
"""
OTHER = """
def plus():
    return {plus}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A module and another one that it imports."""
    folder = tmp_path / "project"
    folder.mkdir()
    write(folder, 2, 0)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in ("times_of_lab", "other_of_lab"):
        sys.modules.pop(name, None)


def write(folder, factor, plus):
    (folder / "times_of_lab.py").write_text(MODULE.format(factor=factor))
    (folder / "other_of_lab.py").write_text(OTHER.format(plus=plus))


@pytest.fixture
def lab(project, tmp_path):
    lab = Lab(tmp_path / "lab", project)
    yield lab
    lab.close()


def load():
    return importlib.import_module("times_of_lab")


def test_files_that_change_after_the_run_began_change_nothing(project, lab):
    times = load().Times()
    run = lab.open_run()
    write(project, 300, 1000)
    outcome = lab.run(times, 4, executor=run)
    assert lab.value(outcome) == 8
    assert outcome.notes == []


def test_a_module_that_is_reloaded_between_runs_is_taken_by_new_workers(project, lab):
    module = load()
    assert lab.value(lab.run(module.Times(), 4)) == 8
    write(project, 3, 10)
    for name in ("other_of_lab", "times_of_lab"):
        importlib.reload(sys.modules[name])
    run = lab.open_run()
    outcome = lab.run(module.Times(), 4, executor=run)
    assert lab.value(outcome) == 22
    assert outcome.notes == []


@pytest.mark.slow
def test_what_was_changed_in_the_runner_alone_runs_in_the_runner(project, lab, monkeypatch):
    """The fingerprint in the worker tells: nothing is ever filed under a code that did not run."""
    module = load()
    monkeypatch.setattr(module, "FACTOR", 5)
    outcome = lab.run(module.Times(), 4)
    assert lab.value(outcome) == 20
    assert outcome.notes[-1].startswith(
        "ran in the process of the run, one at a time: the code that a worker has is not the runner's"
    )


@pytest.mark.slow
def test_a_module_that_starts_a_run_is_imported_up_to_there(project, lab):
    text = "from finestflow import Pipeline\n{}\nclass P(Pipeline):\n    def __call__(self):\n        return 1\n{}\n"
    path = project / "times_of_lab.py"
    path.write_text(text.format(MODULE.format(factor=2), "assert P()() == 1, 'a run in a worker'\nraise SystemExit(3)"))
    outcome = lab.run(import_file(path).Times(), 4)
    assert lab.value(outcome) == 8
    assert outcome.notes == []


DEVICE = """
import os

HOME = os.getpid()

def use():
    if os.getpid() != HOME:
        raise RuntimeError("the device cannot be used in a forked process")
    return HOME
"""
USE = """
import device_of_lab
from finestflow import Task

class Use(Task):
    def run(self):
        return device_of_lab.use()
"""


@pytest.mark.slow
def test_a_library_that_breaks_in_forks_of_its_process_works_in_workers(project, lab, monkeypatch):
    installed = project / "site-packages"
    installed.mkdir()
    (installed / "device_of_lab.py").write_text(DEVICE)
    monkeypatch.syspath_prepend(str(installed))
    (project / "times_of_lab.py").write_text(USE)
    device = importlib.import_module("device_of_lab")
    try:
        assert device.use() == os.getpid()
        outcome = lab.run(load().Use())
        assert lab.value(outcome) != os.getpid()
        assert outcome.notes == []
    finally:
        del sys.modules["device_of_lab"]
