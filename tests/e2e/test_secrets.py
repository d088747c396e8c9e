"""What must not be recorded is nowhere below ``.git``."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.e2e.conftest import Project

SECRET = b"abracadabra-7391"
HIDDEN = b"correct-horse-battery"


def places_with(folder: Path, text: bytes) -> list[str]:
    """Return where a text stands below ``.git``: in files as they are, and in every object of git."""
    found = [str(path) for path in (folder / ".git").rglob("*") if path.is_file() and text in path.read_bytes()]
    listed = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"], cwd=folder, capture_output=True, check=True
    )
    return found + (["a git object"] if text in listed.stdout else [])


def test_a_secret_param_is_nowhere(project: Project):
    """Neither in the command line, params, logs, errors, nor in the store; not in a failed run and not in a killed one's files."""
    project.edit(
        "numbers_pipeline.py",
        "factor: float = Param(2.0)",
        'factor: float = Param(2.0)\n    token: str = Param("", secret=True)',
    )
    project.edit(
        "numbers_pipeline.py",
        "return [self.factor * number for number in numbers]",
        'print("token is", self.token)\n        if self.factor < 0: raise ValueError("bad " + self.token)\n        return numbers',
    )
    secret = SECRET.decode()
    project.do("run", "numbers_pipeline.py:Numbers", "-p", f"scale.token={secret}")
    project.do("run", "numbers_pipeline.py:Numbers", "-p", f"scale.token={secret}")
    project.do("run", "numbers_pipeline.py:Numbers", "-p", f"scale.token={secret}", "-p", "scale.factor=-1", code=1)

    assert "token is ***" in project.do("logs", "@~2:scale").out
    assert places_with(project.folder, SECRET) == []
    shown = project.do("show", "@", "--json").out + project.do("log", "--json").out + project.do("show", "@~1").out
    assert secret not in shown


def test_files_that_hold_secrets_are_left_out(project: Project):
    """An untracked ``.env``, key or certificate is not in the snapshot, and a line tells so; variables are not recorded."""
    for name in (".env", ".env.local", "server.pem", "deploy.key", "id_rsa", "conf/.env"):
        project.write(name, b"PASSWORD=" + HIDDEN)
    answer = project.do(
        "run",
        "numbers_pipeline.py:Numbers",
        env={"PATH": __import__("os").environ["PATH"], "HOME": "/nonexistent", "API_TOKEN": HIDDEN.decode()},
    )

    assert "not in the snapshot" in answer.err
    assert places_with(project.folder, HIDDEN) == []


def test_an_ignored_file_is_left_out(project: Project):
    """What ``.gitignore`` names never enters."""
    project.write(".gitignore", "private/\n")
    project.write("private/notes.txt", HIDDEN)
    project.do("run", "numbers_pipeline.py:Numbers")

    assert places_with(project.folder, HIDDEN) == []
