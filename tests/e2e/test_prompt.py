"""Pipelines that are in no file: typed at a prompt, given to ``python -c``, defined in cells of a notebook."""

from __future__ import annotations

import sys

import pytest

from tests.e2e import processes
from tests.e2e.conftest import Project

SOURCE = """
from finestflow import Pipeline, Task

def offset():
    return 1

class Count(Task):
    def run(self, n: int): return list(range(n + offset()))

class Counting(Pipeline):
    count: Count
    def __call__(self, n: int = 3): return self.count(n)

print(Counting()(2))
"""

CELLS = """
import linecache, sys

def run_cell(number, source):
    name = f"<ipython-input-{number}-abcdef>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), sys.modules["__main__"].__dict__)

first, second = open(sys.argv[1]).read().split("# cell\\n")
run_cell(1, first)
run_cell(2, second)
"""


@pytest.mark.slow
def test_python_c_and_stdin_run_and_are_recorded(project: Project):
    """The value is right, the run is in the log, its nodes are ok."""
    for argv, stdin in ((("-c", SOURCE), None), (("-",), SOURCE)):
        answer = processes.python(*argv, cwd=project.folder, stdin=stdin)
        assert answer.out == "[0, 1, 2]\n", answer.err
        assert project.statuses() in ({"count": "ok"}, {"count": "hit"})
    assert len(project.runs()) == 2
    assert "prompt" in project.do("reproduce", "@", code=2).err


@pytest.mark.slow
def test_cells_of_a_notebook_run_and_their_source_is_kept(project: Project, tmp_path):
    """An edited cell is a miss, an unchanged one a hit, and the record holds the source of the cells."""
    cell = SOURCE.replace("class Count(Task)", "# cell\nclass Count(Task)")
    (tmp_path / "cells.txt").write_text(cell)
    for expected in ("ok", "hit"):
        answer = processes.python("-c", CELLS, str(tmp_path / "cells.txt"), cwd=project.folder)
        assert answer.out == "[0, 1, 2]\n", answer.err
        assert project.statuses() == {"count": expected}
    (tmp_path / "cells.txt").write_text(cell.replace("return 1", "return 2"))
    answer = processes.python("-c", CELLS, str(tmp_path / "cells.txt"), cwd=project.folder)

    assert answer.out == "[0, 1, 2, 3]\n", answer.err
    assert project.statuses() == {"count": "ok"}
    listed = project.git("ls-tree", "-r", "--name-only", "refs/finestflow:.finestflow").splitlines()
    sources = [name for name in listed if name.startswith("source/")]
    assert sources
    kept = "".join(project.git("show", f"refs/finestflow:.finestflow/{name}") for name in sources)
    assert "class Counting(Pipeline)" in kept
    assert "return 2" in kept


def test_a_prompt_outside_of_a_repository(tmp_path):
    """It runs and is cached, and one warning says that nothing is recorded."""
    answer = processes.python("-c", SOURCE, cwd=tmp_path)

    assert answer.out == "[0, 1, 2]\n"
    assert answer.err.count("not recorded") == 1
    assert sys.version_info >= (3, 11)
