"""Code that is edited while a run goes: the run has one version of it, or says that it has not."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Project

LATE = """
import importlib, pathlib
from finestflow import Pipeline, Task

class Edit(Task):
    def run(self, text: str) -> str:
        if text:
            pathlib.Path("late_helper.py").write_text(text)
        return text

class Use(Task):
    def run(self, text: str) -> int:
        return importlib.import_module("late_" + "helper").NUMBER

class Late(Pipeline):
    edit: Edit
    pick: Use

    def __call__(self, text: str = ""):
        return self.pick(self.edit(text))
"""


@pytest.mark.parametrize(("text", "is_said"), [("", False), ("NUMBER = 2", True)])
def test_a_module_that_is_edited_before_the_run_imports_it_is_named(project: Project, text: str, is_said: bool):
    """The snapshot has the old text and the new one ran: the record and the person at the terminal are told which file."""
    project.write("late_helper.py", "NUMBER = 1\n")
    project.write("late.py", LATE)

    told = project.do("run", "late.py", "-p", f"text={text}").err

    said = "late_helper.py was edited after the run began and imported only then: what ran may not be what is recorded"
    assert (said in told) == is_said
    assert told.count("late_helper.py was edited") == is_said
    assert (said in project.do("show", "@").out) == is_said
