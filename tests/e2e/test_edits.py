"""Every edit of ``tests/cache_edits``, run for real: a hit or a miss as it must be, with its reason, and never a stale value.

The quick tier runs a third of them; the fingerprints of all are compared in ``unit/cache/test_fingerprint_edits.py``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cache_edits.scenarios import SCENARIOS, Scenario
from tests.e2e import processes
from tests.sampling import sampled

DRIVER = """
import importlib, json, os, sys
from pathlib import Path
from finestflow import Pipeline, Task
from finestflow.workspace import Workspace

entry, argument, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
sys.path[:0] = paths
module_name, _, name = entry.partition(":")
module = importlib.import_module(module_name)
task = getattr(module, name)
value = eval(argument, vars(module))

class Calling(Pipeline):
    task: Task

    def __call__(self, value):
        return self.task(value)

workspace = Workspace.find(Path.cwd(), os.environ, warn=lambda text: None)
finished = workspace.run(Calling(task=task), (value,))
workspace.close()
if finished.error is not None:
    raise finished.error
node = finished.run.nodes["task"]
is_right = node.status.value == "ok" or finished.value == task()(value)  # computed for the first time in this process
told = {"status": node.status.value, "why": node.why, "notes": node.notes, "is_right": is_right}
print("\\n" + json.dumps(told))
"""


def write_project(root: Path, files: dict[str, str]) -> None:
    """Make the files of a folder these and no others."""
    for path in [path for path in root.rglob("*") if path.is_file() and str(path.relative_to(root)) not in files]:
        path.unlink()
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def call(root: Path, scenario: Scenario) -> dict[str, Any]:
    """Run the task of a project in a process of its own and return what became of the call."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(root.parent / "cache")}
    paths = [str(root / path) for path in scenario.paths]
    answer = processes.run_code(DRIVER, scenario.entry, scenario.argument, *paths, cwd=root, env=environment)
    return json.loads(answer.out.splitlines()[-1])


@pytest.mark.parametrize("scenario", sampled(SCENARIOS, 10), ids=lambda scenario: scenario.name)
def test_an_edit_is_a_hit_or_a_miss_and_says_why(scenario: Scenario, tmp_path: Path):
    """The call before the edit runs; the one after it is a hit, or runs for the reason that is told; its value is right."""
    root = tmp_path / "project"
    root.mkdir()
    write_project(root, scenario.before)
    first = call(root, scenario)
    write_project(root, scenario.after)
    second = call(root, scenario)

    assert (first["status"], first["why"]) == ("ok", "no earlier result")
    assert second["status"] == {"hit": "hit", "miss": "ok"}[scenario.expected], second["why"]
    assert second["is_right"]
    is_kept = not any("not cached" in note for note in first["notes"])
    assert not is_kept or scenario.reason in second["why"]
    assert any(scenario.note in note for note in first["notes"] or [""])


def test_there_are_at_least_40_edits():
    assert len(SCENARIOS) >= 40
