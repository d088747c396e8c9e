"""``finestflow demo``: the digits example in a repository of its own, shown as the commands that a user would type."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

import finestflow
from finestflow.cli._session import Session, pass_session
from finestflow.errors import NotFoundError, UsageError

_NEEDS = ("sklearn", "matplotlib")
_SETTINGS = """\
default-pipeline = "digits"

[pipelines.digits]
target = "digits.py:Digits"
"""
_FURTHER = (
    "finestflow show @~1",
    "finestflow graph @~1",
    "finestflow get @~1:pick.name",
    "finestflow log 'f1>0.98' --sort -f1",
    "finestflow plan -p forest.trees=50",
    "git show --stat refs/finestflow",
)


@click.command("demo")
@click.option("--into", metavar="DIR", help="An empty folder for the repository; a temporary one when it is left out.")
@pass_session
def command(session: Session, into: str | None) -> None:
    """Run the digits example in a scratch repository.

    Three runs: the first computes everything, the second finds everything in the cache, the third changes one param. Then what
    differs, and the third run again, from its commit alone.
    """
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError("the digits example needs scikit-learn and matplotlib", "pip install scikit-learn matplotlib")
    folder = _make_repository(_find_example(), session.folder / into if into else None)
    show = _Show(session, folder)
    show.say("Everything runs the first time, branches that do not depend on each other at the same time.")
    show.finestflow("run", "-j", "2")
    show.say("Nothing changed: every task is a hit, nothing is computed.")
    show.finestflow("run")
    show.say("One param changed: only what depends on it runs again.")
    show.finestflow("run", "-p", "svm.C=0.01", "-m", "a softer margin")
    show.finestflow("log")
    show.finestflow("diff", "@~1", "@")
    show.finestflow("why", "@:svm")
    show.say("A run is a commit; plain git reads it.")
    show.run("git", "log", "--oneline", "refs/finestflow")
    show.say("From its commit alone the run can be made again: in a work tree of its own, without the cache.")
    show.finestflow("reproduce", "@")
    session.out.note(
        "\nLook further:\n" + "".join(f"  {line}\n" for line in (f"cd {shlex.quote(str(folder))}", *_FURTHER)).rstrip()
    )


def _find_example() -> Path:
    """Return the example: beside the package in a wheel, in docs/ of a source tree."""
    package = Path(finestflow.__file__).parent
    for file in (package / "examples" / "digits.py", package.parent / "docs" / "examples" / "digits.py"):
        if file.is_file():
            return file
    raise NotFoundError(
        "the digits example is not part of this installation", "it lies in docs/examples of the sources"
    )


def _make_repository(example: Path, folder: Path | None) -> Path:
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="finestflow-demo-"))
    elif folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{str(folder)!r} is not empty", "name an empty folder, or none")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(example, folder / "digits.py")
    (folder / ".finestflow.toml").write_text(_SETTINGS, encoding="utf-8")
    identity = ("-c", "user.name=finestflow demo", "-c", "user.email=demo@example.org")
    for arguments in (
        ("init", "--quiet"),
        ("add", "."),
        (*identity, "commit", "--quiet", "--message", "The digits example"),
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


class _Show:
    """Runs commands in the demo's folder, each printed as it would be typed."""

    def __init__(self, session: Session, folder: Path) -> None:
        self._out = session.out
        self._folder = folder
        self._environ = {**session.environ, "PAGER": "cat", "GIT_PAGER": "cat"}

    def say(self, text: str) -> None:
        self._out.line(f"\n{self._out.style('# ' + text, 'dim')}")

    def finestflow(self, *arguments: str) -> None:
        self._show(["finestflow", *arguments], [sys.executable, "-m", "finestflow", *arguments])

    def run(self, *arguments: str) -> None:
        self._show(list(arguments), list(arguments))

    def _show(self, typed: list[str], command: list[str]) -> None:
        quoted = " ".join(f"'{word}'" if " " in word else word for word in typed)
        self._out.line(self._out.style(f"$ {quoted}", "bold"))
        self._out.out.flush()
        done = subprocess.run(command, cwd=self._folder, env=self._environ, check=False)
        if done.returncode:
            raise UsageError(
                f'the demo stopped: "{quoted}" ended with exit code {done.returncode}', f"look into {self._folder}"
            )
