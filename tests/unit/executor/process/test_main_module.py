"""What a main module defines reaches the workers, however it was started, and the module does not run again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("main_program.py")
LIBRARY = """
class Maker(type):
    def __new__(kind, name, bases, space):
        kept = {key: space.pop(key) for key in space.get("__annotations__", {})}
        return super().__new__(kind, name, bases, {**space, "fields": kept})

class Record(metaclass=Maker):
    pass
"""
WAYS = {
    "script": ([sys.executable, "program.py"], None),
    "module": ([sys.executable, "-m", "program"], None),
    "stdin": ([sys.executable, "-"], PROGRAM.read_bytes()),
    "command": ([sys.executable, "-c", PROGRAM.read_text("utf-8")], None),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "way", ["script", *[pytest.param(w, marks=pytest.mark.slow) for w in ("stdin", "module", "command")]]
)
def test_a_main_module_needs_no_guard(repository, way):
    shutil.copy(PROGRAM, repository / "program.py")
    (repository / "library_of_lab.py").write_text(LIBRARY)
    command, stdin = WAYS[way]
    done = subprocess.run(command, input=stdin, cwd=repository, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    first, last = done.stdout.decode().splitlines()
    assert first == "the main module runs"
    assert json.loads(last) == {
        "is the class": True,
        "elsewhere": [True, True],
        "values": [10, "blue", [1, 2], [1, 2], 9, 1, 6],
        "functions": [30, 4, True, "b", {"a": [1, 2]}],
        "code": 4,
        "config": [True, 10],
        "plus": 4,
        "notes": {},
    }


@pytest.mark.slow
def test_cells_of_a_notebook_reach_the_workers_also_when_they_change(repository):
    pytest.importorskip("IPython")
    shutil.copy(PROGRAM.with_name("notebook.py"), repository.parent / "notebook.py")
    command = [sys.executable, str(repository.parent / "notebook.py")]
    done = subprocess.run(command, cwd=repository, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    results, notes = json.loads(done.stdout.decode().splitlines()[-1])
    assert results == [[[True, x, True] for x in found] for found in ([3, 6], [4, 7], [11, 21])]
    assert notes == []
