"""What a user gets wrong: one clear error, the nearest name, no traceback, and nothing recorded."""

from __future__ import annotations

import pytest

from tests.e2e import processes
from tests.e2e.conftest import Project

TARGET = "numbers_pipeline.py:Numbers"


@pytest.fixture
def recorded(project: Project) -> Project:
    """A project with one run, and a setting for it."""
    project.write(".finestflow.toml", f'default-pipeline = "numbers"\n[pipelines.numbers]\ntarget = "{TARGET}"\n')
    project.do("run", "--name", "basic")
    return project


WRONG: list[tuple[list[str], int, str]] = [
    (["runn"], 2, "run"),
    (["run", "numbrs"], 2, "numbers"),
    (["run", "numbers_pipeline.py:Numbrs"], 2, "Numbers"),
    (["run", "numbers_pipelin.py:Numbers"], 2, ""),
    (["run", "no.such.module:Numbers"], 2, ""),
    (["run", "numbers_pipeline.py:Load"], 2, "Pipeline"),
    (["run", "-p", "scale.facto=3"], 2, "factor"),
    (["run", "-p", "scal.factor=3"], 2, "scale"),
    (["run", "-p", "m=3"], 2, "n"),
    (["run", "-p", "scale.factor=three"], 2, "float"),
    (["run", "-p", "n=three"], 2, "int"),
    (["run", "-p", "n=int:1:9"], 2, "randint:1:9"),
    (["run", "-p", "n"], 2, "="),
    (["run", "--executor", "dask"], 2, "sequential"),
    (["run", "-j", "-3"], 2, "whole number"),
    (["run", "--timeout", "0"], 2, "duration"),
    (["stop"], 2, "RUN"),
    (["run", "--forc"], 2, "--force"),
    (["show", "basix"], 4, "basic"),
    (["show", "@~5"], 4, ""),
    (["show", "@:totl"], 4, "total"),
    (["why", "@:totl"], 4, "total"),
    (["show", "@:total.zz"], 4, "total"),
    (["why", "@:total.zz"], 4, "total"),
    (["logs", "@:totl"], 4, "total"),
    (["get", "@:total.nope"], 4, "total"),
    (["reproduce", "zzzz"], 4, "finestflow log"),
    (["-C", "nowhere", "log"], 2, "nowhere"),
    (["config", "get", "snapshot.untrackd"], 2, "untracked"),
]


@pytest.mark.slow
def test_a_wrong_word_is_one_error_with_the_nearest_name(recorded: Project):
    """Exit code, ``finestflow: error:``, a hint with what was probably meant; no run is recorded."""
    for words, code, nearest in WRONG:
        answer = recorded.do(*words, code=None)
        assert answer.code == code, (words, answer.err)
        assert answer.err.startswith("finestflow: error: "), (words, answer.err)
        assert nearest in answer.err, words
        assert "Traceback" not in answer.err, words
    assert recorded.git("rev-list", "--count", "refs/finestflow") == "1"


def test_an_unknown_key_of_the_settings_is_named_with_file_and_line(recorded: Project):
    """The file, the line, the nearest key."""
    recorded.write(".finestflow.toml", '[snapshot]\nuntracked = true\nmax-fil-size = "1 KB"\n')
    answer = recorded.do("run", TARGET, code=2)

    assert ".finestflow.toml" in answer.err
    assert "line 3" in answer.err or ":3" in answer.err
    assert "max-file-size" in answer.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_package\n", ["no_such_package"]),
        ("x = 1 / 0\n", ["ZeroDivisionError", "line 1"]),
        ("def broken(:\n", ["line 1"]),
        ("import sys\nsys.exit(3)\n", ["SystemExit"]),
        ("raise KeyError\n", ["KeyError", "line 1"]),
        ("", ["'A'"]),
        ("from finestflow import Pipeline, Task\nclass A(Pipeline):\n    b: int\n    def run(self): pass\n", ["A"]),
    ],
)
def test_a_pipeline_that_cannot_be_imported(project: Project, text: str, words: list[str]):
    """What importing raised, and where, in one line; nothing is recorded."""
    project.write("broken.py", text)
    answer = project.do("run", "broken.py:A", code=2)

    assert answer.err.startswith("finestflow: error: ")
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err
    assert project.git("for-each-ref", "refs/refs") == ""


CYCLES = {
    "calls itself": "def __call__(self): return self()",
    "pipeline inside itself": "def __call__(self): return Around()()",
}


@pytest.mark.parametrize("body", CYCLES.values(), ids=CYCLES.keys())
def test_a_pipeline_that_calls_itself_for_ever(project: Project, body: str):
    """The only cycle that calls can make is a recursion without end: a failed run with Python's error, not a hang or a crash."""
    project.write("around.py", f"from finestflow import Pipeline, Task\nclass Around(Pipeline):\n    {body}\n")
    answer = project.do("run", "around.py:Around", code=None)

    assert answer.code in {1, 2}, answer.err[-500:]
    assert "internal error" not in answer.err
    assert "Recursion" in answer.err or "itself" in answer.err


def test_an_output_cannot_be_made_to_depend_on_itself(project: Project):
    """An edge always leads from a call that was made to one that is being made: to close a circle fails in Python, at its line."""
    project.write(
        "circle.py",
        """
        from finestflow import Pipeline, Task

        class One(Task):
            def run(self, x): return x

        class Circle(Pipeline):
            a: One
            b: One
            def __call__(self):
                first = self.a(second)
                second = self.b(first)
                return second
        """,
    )
    answer = project.do("run", "circle.py:Circle", code=1)

    assert "UnboundLocalError" in answer.err
    assert "circle.py" in answer.err
    assert project.runs()[0]["status"] == "failed"


def test_a_wrong_call_from_python_is_an_ordinary_error(project: Project):
    """In Python the same mistakes raise errors that name the task, the param and the nearest name."""
    project.write(
        "wrong.py",
        """
        from finestflow import FinestflowError
        from numbers_pipeline import Numbers, Scale

        for wrong in (lambda: Scale(facter=1), lambda: Scale(factor="x"), lambda: Numbers(scal=Scale), lambda: Numbers()(m=1)):
            try:
                wrong()
            except FinestflowError as error:
                print(error)
        """,
    )
    lines = processes.python("wrong.py", cwd=project.folder).out.splitlines()

    assert len(lines) == 4, lines
    for line, word in zip(lines, ("factor", "float", "scale", "n: int"), strict=True):
        assert word in line
    assert project.git("for-each-ref", "refs/refs") == ""
