"""Computes the code fingerprints of many small projects, each in a process of its own.

Run as a program: reads jobs as JSON from its standard input, forks once for each (so that Python and finestflow
are loaded once), and writes the results as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_JOB = tuple[str, str, str, tuple[str, ...]]


def fingerprint_projects(jobs: Sequence[_JOB], **environ: str) -> list[dict[str, Any]]:
    """Return hash, components and notes for each job: folder of a project, entry, argument, further paths."""
    done = subprocess.run(
        [sys.executable, "-P", __file__],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environ},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fingerprint_call(root: Path, entry: str, argument: str) -> dict[str, Any]:
    """Return what the code of a call is: that of the task, and of the project's classes inside its argument."""
    from finestflow.cache.digest import digest_value
    from finestflow.cache.fingerprint import Fingerprinter

    module_name, _, name = entry.partition(":")
    module = importlib.import_module(module_name)

    def digest(value: object) -> Any:
        return digest_value(
            value, root=root, of_code=lambda code: fingerprinter.of_function(code).hash,
            is_project=fingerprinter.is_project,
        )  # fmt: skip

    fingerprinter = Fingerprinter([root], digest=digest)
    found = [fingerprinter.of_task(getattr(module, name)())]
    for class_name in digest(eval(argument, vars(module))).classes:
        inside, _, path = class_name.partition(":")
        found.append(fingerprinter.of_class(getattr(sys.modules[inside], path)))
    components: dict[str, str] = {}
    for one in reversed(found):
        components.update(one.components)
    return {
        "hash": " ".join(one.hash for one in found),
        "components": components,
        "notes": [note for one in found for note in one.notes],
    }


def _answer(job: _JOB) -> dict[str, Any]:
    """Do one job in a fork and return what it says."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        root, entry, argument, paths = job
        try:
            sys.path[:0] = [root, *(str(Path(root) / path) for path in paths)]
            answer = fingerprint_call(Path(root), entry, argument)
        except BaseException as error:
            import traceback

            answer = {"error": f"{error!r}\n{traceback.format_exc()}"}
        with os.fdopen(writing, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text)


def _load_once() -> None:
    """Load before the first fork what every job needs."""
    import finestflow

    _ = finestflow.Task
    for name in ("logging", "finestflow.cache.digest", "finestflow.cache.fingerprint"):
        importlib.import_module(name)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    _load_once()
    json.dump([_answer(job) for job in json.load(sys.stdin)], sys.stdout)
