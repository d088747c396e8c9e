"""``finestflow run --detach``: the run goes on in a process of its own session, and the command returns when it has begun.

The command forks before it has loaded or opened anything. The child does the whole work, at the terminal until the run has begun, so that
everything that goes wrong before is seen there; then it leaves the terminal, and what is still written goes to the log of the run.
Invariant: the parent returns only when the files of the run are recorded, or with the exit code of what went wrong. ``run`` calls it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from finestflow.cli._errors import ExitCode
from finestflow.cli._text import one_line

if TYPE_CHECKING:
    from finestflow.cli._session import Session

__all__ = ["detach"]


def detach(session: Session, *, as_json: bool) -> int | None:
    """Go on in two processes.

    Args:
        session: The command.
        as_json: Whether the parent says as JSON which run has begun.

    Returns:
        None in the background process, which has the run to make; in the other one, when that run has begun or failed to, the exit code.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell script made it deaf to that
        session.workspace.require_repository()  # without one nobody could follow or stop it
        session.follower = _Leaving(session, writing)
        return None
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = pipe.read()
    if told:
        _tell(session, json.loads(told), as_json=as_json)
        return ExitCode.DONE
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _tell(session: Session, run: Mapping[str, Any], *, as_json: bool) -> None:
    out, name = session.out, one_line(run["name"])
    if as_json:
        out.json("run.detached", run=run)
        return
    out.line(run["id"])
    out.note(f"run {name} of {one_line(run['pipeline'])} goes on in the background, as process {run['pid']}")
    if run["is_recorded"]:
        out.note(f"  finestflow logs {name} -f   follows it")
        out.note(f"  finestflow stop {name}      stops it")


class _Leaving:
    """Listens to the run in the background process, and leaves the terminal when it has begun.

    A process may make several runs; each gets what is printed while it goes.

    Args:
        session: The command.
        pipe: Where the parent waits.
    """

    def __init__(self, session: Session, pipe: int) -> None:
        self._session = session
        self._pipe = pipe
        self._run: Mapping[str, Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        return

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["e"] == "run":
            self._run = event
        elif self._run is not None and event["e"] != "note":  # the snapshot, or what comes after it where there is none
            self._leave(self._run)
            self._run = None

    def _leave(self, run: Mapping[str, Any]) -> None:
        from finestflow.journal.live import find_live

        if self._pipe >= 0:
            os.setsid()
        self._session.out.verbosity = -1
        live = find_live(self._session.workspace.state_dir, run["id"])
        _redirect(live.log_path("") if live is not None else Path(os.devnull))
        if self._pipe >= 0:
            told = {"id": run["id"], "name": run["name"], "pipeline": run["pipeline"], "pid": os.getpid()}
            told["is_recorded"] = live is not None
            os.write(self._pipe, json.dumps(told).encode())
            os.close(self._pipe)
            self._pipe = -1


def _redirect(path: Path) -> None:
    """Read from nothing, and write to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    for descriptor, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, path, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        (2, path, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        opened = os.open(name, flags, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
