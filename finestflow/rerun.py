"""Makes a recorded run again, in a worktree of its commit and in a process of its own.

Invariant: nothing of the user's files is touched, and nothing of the project comes from anywhere but the worktree, neither what is imported here nor what
the path of Python names. The new run is recorded with ``Reproduces:``. Called by ``workspace``; ``reproduce_child`` is the process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finestflow.cache.copying import copy_file
from finestflow.errors import UsageError
from finestflow.given import BLANK
from finestflow.handed import Handed
from finestflow.journal.names import new_run_id
from finestflow.model import Run
from finestflow.reproduce import Preflight, is_program

if TYPE_CHECKING:
    from finestflow.git.repository import Repository

__all__ = ["Interpreter", "Prepare", "reproduce_in_child", "run_code_in_child"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python that runs again.

    Attributes:
        program: Its file.
        variables: The environment variables that it gets besides, or in place of, those of this process; None takes one away.
    """

    program: str = sys.executable
    variables: Mapping[str, str | None] = field(default_factory=dict)

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a child."""
        changed = {**environ, **self.variables, "PYTHONDONTWRITEBYTECODE": "1"}
        return {name: value for name, value in changed.items() if value is not None}


Prepare = Callable[[Path], AbstractContextManager[Interpreter]]
"""Gives the interpreter for a worktree, while it is needed."""


def reproduce_in_child(
    run: Run,
    repository: Repository,
    preflight: Preflight,
    root: Path,
    *,
    into: Path | None = None,
    given: Mapping[str, str] | None = None,
    prepare: Prepare | None = None,
) -> str:
    """Run a recorded run again and return the id of the new one; what its tasks print goes to stderr.

    Args:
        run: The run.
        repository: Where its commit is.
        preflight: What ``inspect_run`` found.
        root: The user's work tree.
        into: Folder for the worktree, kept afterwards; a temporary one when not given.
        given: Values by path for params and inputs that are not in the record, such as secrets.
        prepare: Gives the interpreter; this one when not given.

    Raises:
        UsageError: The run cannot be made again, and why.
    """
    _check(run, given or {})
    with _worktree(repository, run.summary.commit, into) as folder:
        working = _prepare(run, preflight, root, folder)
        with (prepare or _this_python(root, repository.environ))(folder) as python:
            environ = python.environ(repository.environ)
            if is_program(run):
                return _repeat_program(run, python, environ, working)
            return _run_child(run, python, environ, folder, working, {"given": dict(given or {})})


def run_code_in_child(
    run: Run, repository: Repository, preflight: Preflight, root: Path, request: Mapping[str, Any]
) -> str:
    """Run a pipeline of the present with the code of a recorded run and return the id of the new one.

    Args:
        run: The run whose code it is.
        repository: Where its commit is.
        preflight: What ``inspect_run`` found.
        root: The user's work tree.
        request: ``description`` of the pipeline, its ``inputs``, and ``options`` of the run.

    Raises:
        UsageError: It cannot be made with that code, and why.
    """
    if run.snapshot is None or not run.summary.commit:
        raise UsageError(f"run {run.summary.name!r} has no code to run", "runs outside a git work tree keep no code")
    with _worktree(repository, run.summary.commit, None) as folder:
        working = _prepare(run, preflight, root, folder)
        with _this_python(root, repository.environ)(folder) as python:
            return _run_child(run, python, python.environ(repository.environ), folder, working, request)


def _this_python(root: Path, environ: Mapping[str, str]) -> Prepare:
    """Return what gives the running interpreter, with the folders of the project on its path turned into those of the worktree.

    They are there by PYTHONPATH, or by an editable installation: the code of the present would be imported in place of the run's.
    """

    def prepare(folder: Path) -> AbstractContextManager[Interpreter]:
        given = environ.get("PYTHONPATH", "").split(os.pathsep)
        installed = [entry for entry in sys.path[1:] if _moved(entry, root, folder)]  # the first one is not the run's
        path = dict.fromkeys(_moved(entry, root, folder) or entry for entry in (*given, *installed) if entry)
        return nullcontext(Interpreter(variables={"PYTHONPATH": os.pathsep.join(path) or None}))

    return prepare


def _moved(entry: str, root: Path, folder: Path) -> str:
    """Return the folder of a worktree that stands for an entry of the path; empty where the entry stays: outside, or finestflow itself."""
    if not Path(entry).is_relative_to(root) or (Path(entry) / "finestflow" / "reproduce_child.py").is_file():
        return ""
    place = folder / Path(entry).relative_to(root)
    return str(place) if place.is_dir() else ""


def _prepare(run: Run, preflight: Preflight, root: Path, folder: Path) -> Path:
    """Bring what the snapshot left out into a worktree; return the folder that the run worked in."""
    for name in preflight.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, dirs_exist_ok=True, symlinks=True, copy_function=copy_file)
        else:
            copy_file(root / name, folder / name)
    working = folder / str(run.settings.get("folder", "."))
    return working if working.is_dir() else folder


def _run_child(
    run: Run, python: Interpreter, environ: Mapping[str, str], folder: Path, working: Path, request: Mapping[str, Any]
) -> str:
    """Make a run in a worktree by a process of its own; return its id."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as answer:
        child = subprocess.run(
            [python.program, "-c", f"import finestflow.reproduce_child as c; c.main({answer.name!r})"],
            input=json.dumps({"commit": run.summary.commit, "root": str(folder), **request}),
            text=True,
            cwd=working,
            stdout=sys.stderr,
            check=False,
            env=environ,
        )
        text = answer.read()
    if not text:
        raise UsageError(
            f"run {run.summary.name!r} could not be started again (exit {child.returncode})", "its messages are above"
        )
    result = json.loads(text)
    if "error" in result:
        raise UsageError(f"run {run.summary.name!r} could not be made again: {result['error']}", result.get("hint", ""))
    found: str = result["run"]
    return found


def _repeat_program(run: Run, python: Interpreter, environ: Mapping[str, str], folder: Path) -> str:
    """Give the command line of a run again; the program, or the run that it makes in the same place, records itself."""
    words = [python.program if word == "python" and not at else word for at, word in enumerate(run.argv)]
    if run.settings["made-by"] == "script":
        saved = [option for pattern in run.settings.get("save", ()) for option in ("--save", pattern)]
        words = [python.program, "-m", "finestflow", "run", *saved, "--", *run.argv]
    new = new_run_id(os.urandom(6))
    handed = Handed(reproduces=run.summary.id, turn=run.settings.get("turn", 0), run_id=new)
    try:
        subprocess.run(words, cwd=folder, stdout=sys.stderr, check=False, env={**environ, **handed.environment()})
    except OSError as error:
        raise UsageError(f"{words[0]!r} cannot be run: {error.strerror}", "the run was made with it") from error
    return new


def _check(run: Run, given: Mapping[str, str]) -> None:
    name = run.summary.name
    if run.snapshot is None or not run.summary.commit:
        raise UsageError(f"run {name!r} has no snapshot to run again", "runs outside a git work tree keep no code")
    if is_program(run):
        if not run.argv:
            raise UsageError(
                f"run {name!r} was started at a prompt or in a notebook", "there is no command to give again"
            )
        if any(word.endswith(BLANK) for word in run.argv):
            raise UsageError(
                f"the command of run {name!r} has a secret that no record holds", "give it by hand: finestflow checkout"
            )
        return
    use = str(run.description.get("use"))
    if not run.target and not use.startswith("finestflow."):  # a chain is no class of the project
        raise UsageError(
            f"the pipeline of run {name!r} cannot be imported again", "it was defined at a prompt or inside a function"
        )
    secrets = [path for path in _secrets(run.description) if path not in given]
    if secrets:
        names = " ".join(f"-p {path}=..." for path in secrets)
        raise UsageError(
            f"run {name!r} used secret params that no record holds: {', '.join(secrets)}", f"give them again: {names}"
        )


def _secrets(description: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name in description.get("$secrets", ()):
        yield prefix + name
    for name, value in description.items():
        if isinstance(value, Mapping) and "$task" in value:
            yield from _secrets(value["$task"], f"{prefix}{name}.")


@contextmanager
def _worktree(repository: Repository, commit: str, into: Path | None) -> Iterator[Path]:
    from finestflow.git.checkout import add_worktree, remove_worktree

    if into is not None:
        if into.exists() and (not into.is_dir() or any(into.iterdir())):
            raise UsageError(f"{str(into)!r} is not empty", "name a new folder")
        add_worktree(repository, commit, into)
        yield into
        return
    parent = Path(tempfile.mkdtemp(prefix="finestflow-"))
    try:
        add_worktree(repository, commit, parent / "tree")
        yield parent / "tree"
    finally:
        remove_worktree(repository, parent / "tree")
        shutil.rmtree(parent, ignore_errors=True)
