"""The five minutes of the README, command by command: what is printed there is what is printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_examples import ROOT, blocks

MASKS = (
    (r"\b[a-z]+-[a-z]+-\d\d\b", "NAME"),
    (r"\b[k-z]{12}\b", "ID"),
    (r"\b[0-9a-f]{12}\b", "DIGEST"),
    (r"\b\d+(?:\.\d+)?m?s\b", "TIME"),
    (r"(\d\.\d\d)\d+", r"\1"),  # what comes after differs between versions of scikit-learn
)


def normal(line: str) -> tuple[str, ...]:
    """Return the words of a line in alphabetical order: which of two runs at a time is first is chance."""
    for pattern, shown in MASKS:
        line = re.sub(pattern, shown, line)
    return tuple(sorted(line.split()))


def tour() -> list[tuple[list[str], list[str]]]:
    """Return the commands of the tour with the lines that follow each."""
    (block,) = [block for block in blocks("README.md", "console") if "finestflow bisect" in block]
    found: list[tuple[list[str], list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((shlex.split(line[2:], comments=True), []))
        elif line.strip() not in {"", "..."}:
            found[-1][1].append(line)
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_line_that_the_tour_shows_is_printed(repository: Path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    shutil.copy(ROOT / "docs" / "examples" / "digits.py", repository)
    (repository / ".finestflow.toml").write_text(
        'default-pipeline = "digits"\n[pipelines.digits]\ntarget = "digits.py:Digits"\n'
    )
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for words, shown in tour():
        done = subprocess.run(
            words, cwd=repository, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        printed = {normal(line) for line in done.stdout.splitlines()}

        assert done.returncode == 0, done.stdout
        assert [line for line in shown if normal(line) not in printed] == [], f"{words}\n{done.stdout}"
