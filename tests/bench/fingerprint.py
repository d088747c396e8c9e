"""Time of code fingerprints of a package of 20,000 lines: cold, in a new process, and again in the same one.

Run as ``python -m tests.bench.fingerprint``. Prints milliseconds, the best of several processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULES = 80
FUNCTIONS = 8
CLASSES = 3
REPEATS = 5


def write_package(folder: Path) -> int:
    """Write a package whose modules call each other; return its number of lines."""
    package = folder / "big"
    package.mkdir()
    (package / "__init__.py").write_text("")
    lines = 0
    for index in range(MODULES):
        text = _module(index)
        lines += text.count("\n")
        (package / f"m{index}.py").write_text(text)
    (folder / "tasks.py").write_text(
        "from finestflow import Task\nfrom big import m0\n\n\n"
        "class Fit(Task):\n    def run(self, x):\n        return m0.f0(x)\n"
    )
    return lines


def _module(index: int) -> str:
    following = index + 1
    parts = ["import math", "import json", f"from big import m{following}" if following < MODULES else "", ""]
    parts += [f"LIMIT_{index} = {index}", f"TABLE_{index} = {{'a': {index}, 'b': [1, 2, 3], 'c': ('x', 'y')}}", ""]
    for number in range(FUNCTIONS):
        callee = f"f{number + 1}" if number + 1 < FUNCTIONS else (f"m{following}.f0" if following < MODULES else "abs")
        parts.append(_function(index, number, callee))
    for number in range(CLASSES):
        parts.append(_class(number))
    return "\n".join(parts)


def _function(index: int, number: int, callee: str) -> str:
    return f'''
def f{number}(value, scale=1.5, *, offset=0):
    """Compute one thing.

    Some text that explains it.
    """
    total = 0.0
    for position in range(3):
        if value > LIMIT_{index}:
            total += math.sqrt(abs(value)) * scale
        elif TABLE_{index}["a"] == position:
            total -= position / (1 + offset)
        else:
            # nothing to do
            total = min(total, value)
    names = [str(item) for item in TABLE_{index}["b"] if item]
    result = {{"total": total, "names": names, "json": json.dumps(names)}}
    model = C{number % CLASSES}(scale)
    if model.fit(total) > 10:
        return result
    return {callee}(total)
'''


def _class(number: int) -> str:
    return f'''
class C{number}:
    """Hold a scale."""

    RATE = 0.1

    def __init__(self, scale):
        self.scale = scale
        self.history = []

    def fit(self, value):
        """Fit it."""
        step = value * self.RATE
        for _ in range(2):
            step = self.advance(step)
        self.history.append(step)
        return step

    def advance(self, step):
        if step > 1:
            return step / 2
        return step + math.log1p(self.scale)
'''


def measure(folder: Path, kept: Path | None) -> dict[str, float]:
    """Fingerprint the task in this process; return milliseconds of wall and processor time."""
    from finestflow.cache.digest import digest_simple
    from finestflow.cache.fingerprint import Fingerprinter, FolderDefinitionCache

    sys.path.insert(0, str(folder))
    import tasks

    task = tasks.Fit()
    times = {}
    start, cpu = time.perf_counter(), time.process_time()
    definitions = FolderDefinitionCache(kept) if kept is not None else None
    fingerprinter = Fingerprinter([folder], digest=digest_simple, definitions=definitions)
    found = fingerprinter.of_task(task)
    times["first"], times["first cpu"] = time.perf_counter() - start, time.process_time() - cpu
    start = time.perf_counter()
    fingerprinter.of_task(task)
    times["again"] = time.perf_counter() - start
    start = time.perf_counter()
    fingerprinter.refresh()
    fingerprinter.of_task(task)
    times["after refresh"] = time.perf_counter() - start
    return {**{name: 1000 * value for name, value in times.items()}, "components": len(found.components)}


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        print(f"{write_package(folder)} lines, {MODULES} modules")
        for title, kept in (("cold", None), ("kept (written)", folder / "kept"), ("kept", folder / "kept")):
            runs = []
            for _ in range(1 if "written" in title else REPEATS):
                command = [sys.executable, __file__, str(folder), str(kept or "")]
                runs.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
            best = {name: min(run[name] for run in runs) for name in runs[0]}
            print(f"{title:15}", "  ".join(f"{name} {value:.3f}" for name, value in best.items()))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None)))
    else:
        main()
