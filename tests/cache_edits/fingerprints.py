"""Computes the code fingerprints of many small projects, each in a process of its own.

Run as a program: for each line of its standard input, a job as JSON, it forks (so that Python and finestflow are loaded once)
and writes the answer as a line of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

_JOB = tuple[str, str, str, tuple[str, ...]]


class Fingerprints:
    """A process that answers jobs (folder of a project, entry, argument, further paths) with hash, components and notes.

    Args:
        environ: Further variables of its environment.
    """

    def __init__(self, **environ: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        )

    def of(self, job: _JOB) -> dict[str, Any]:
        """Return the answer to one job."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


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
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)
