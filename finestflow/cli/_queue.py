"""Runs in processes of their own, several at a time: what ``queue run`` and a parallel sweep share."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from finestflow.cli._errors import ExitCode
from finestflow.cli._output import SCHEMA, dump_json
from finestflow.cli._session import Session
from finestflow.cli._text import duration, headline, many_lines, one_line
from finestflow.errors import LockedError
from finestflow.handed import Handed
from finestflow.processes import Process

if TYPE_CHECKING:
    from finestflow.queue import Entry, Queue

__all__ = ["open_queue", "run_apart", "say_ended", "taken_from_queue", "work_off"]

_LINES_SHOWN = 20


def open_queue(session: Session) -> Queue:
    """Return the queue of the repository.

    Raises:
        RepositoryError: There is no repository.
    """
    from finestflow.model import RunId
    from finestflow.queue import Queue

    workspace = session.workspace
    workspace.require_repository()

    def status_of(run: str) -> str | None:
        workspace.refresh()  # which records what was killed
        found = workspace.index.get_summary(RunId(run))
        return None if found is None else found.status.value

    return Queue(workspace.state_dir / "queue.sqlite", lambda: session.now, status_of)


@contextmanager
def taken_from_queue(session: Session, number: int | None) -> Iterator[None]:
    """Tell the queue how the run of an entry ends that this process makes; nothing where it is no entry's.

    Raises:
        LockedError: Another process has that entry, or it has ended.
    """
    if number is None:
        yield
        return
    queue = open_queue(session)
    if not queue.begin(number, Process.of(os.getpid())):
        raise LockedError(f"entry {number} of the queue is not waiting", "finestflow queue")
    state = "failed"
    session.begun = lambda run: queue.name_run(number, run)
    try:
        yield
        if session.last_run is not None:
            state = session.last_run.status.value
    except (KeyboardInterrupt, SystemExit):
        state = "cancelled"
        raise
    finally:
        session.begun = None
        queue.end(number, state, "" if session.last_run is None else session.last_run.id)


def work_off(
    session: Session,
    *,
    jobs: int,
    keep_going: bool,
    batch: str = "",
    secrets: Mapping[str, str] = MappingProxyType({}),
    as_json: bool = False,
) -> int:
    """Run what waits, so many at a time, and say how each ended; returns the exit code.

    Args:
        session: The command.
        jobs: How many at a time.
        keep_going: Whether the next one starts after one has failed.
        batch: Only what was added together; all when empty.
        secrets: Settings of all these runs that the queue does not hold.
        as_json: Whether each is said as a JSON line.
    """
    from finestflow.ending import polite_end

    environ = {**session.workspace.environ, **Handed(settings=dict(secrets)).environment()}

    queue, worker = open_queue(session), Process.of(os.getpid())
    children: set[subprocess.Popen[bytes]] = set()
    has_failed = False

    def work() -> None:
        nonlocal has_failed
        while keep_going or not has_failed:
            entry = queue.claim(worker, batch=batch)
            if entry is None:
                return
            if not _run_entry(session, entry, children, environ, as_json=as_json):
                has_failed = True

    presses = itertools.count()

    def pressed() -> None:
        if next(presses):  # the first one is handed on below, as is what else ends this process
            for child in list(children):
                child.send_signal(signal.SIGINT)

    with polite_end(pressed), ThreadPoolExecutor(jobs) as pool:
        try:
            for done in [pool.submit(work) for _ in range(jobs)]:
                done.result()
        except BaseException:
            has_failed, keep_going = True, False
            for child in list(children):  # each ends its run properly, and records it
                child.send_signal(signal.SIGINT)
            raise
    return ExitCode.FAILED if has_failed else ExitCode.DONE


def _run_entry(
    session: Session,
    entry: Entry,
    children: set[subprocess.Popen[bytes]],
    environ: Mapping[str, str],
    *,
    as_json: bool,
) -> bool:
    """Run one entry in a process of its own; return whether it went well."""
    child = run_apart(entry.folder, ["--queued", str(entry.number), *entry.words], children, environ)
    if child.ended is None and child.code == ExitCode.LOCKED and _state_of(session, entry) in {"running", "ok"}:
        return True  # a worker that was killed meanwhile had started a process for it, which has it
    if as_json:
        error = _error_of(child.said) if child.ended is None else child.ended["error"]
        told = {"entry": entry.number, "run": child.ended, "exit": child.code, "error": error}
        session.out.line(dump_json({"schema": SCHEMA, "kind": "queue.end", **told}, ascii_only=True))
        session.out.out.flush()
        return child.ended is not None and bool(child.ended["status"] == "ok")
    return say_ended(session, child, f"entry {entry.number}")


class Apart(NamedTuple):
    """A run that had a process of its own: the exit code, what it tells of itself (None when that is nothing), and stderr."""

    code: int
    ended: dict[str, Any] | None
    said: str


def run_apart(
    folder: str | os.PathLike[str],
    words: Sequence[str],
    children: set[subprocess.Popen[bytes]],
    environ: Mapping[str, str],
) -> Apart:
    """Make a run in a process of its own.

    Args:
        folder: Where it runs.
        words: What stands after ``finestflow run``.
        children: Has the process in it while it runs.
        environ: Its environment.
    """
    words = [sys.executable, "-m", "finestflow", "-C", os.fspath(folder), "run", "--json", *words]
    # What it says goes into files: of a pipe the end is gone when this process is killed, and the run would fail by that.
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as err,
    ):
        child = subprocess.Popen(  # in a group of its own: Ctrl-C is for the parent, which hands it on once
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, process_group=0, env=environ
        )
        children.add(child)
        child.wait()
        children.discard(child)
        out.seek(0)
        err.seek(0)
        return Apart(child.returncode, _last_run(out.read()), err.read())


def say_ended(session: Session, child: Apart, label: str) -> bool:
    """Say in a line how a run ended; return whether it went well. The label is for one that has no name."""
    ended = child.ended
    if ended is None:
        session.out.note(f"{label} {'ended' if child.code == ExitCode.INTERRUPTED else 'failed'}:", "red")
        session.out.note("\n".join(many_lines(_error_of(child.said)).splitlines()[-_LINES_SHOWN:]))
        return False
    text = headline(ended["metrics"])
    line = f"{one_line(ended['name'])}: {ended['status']} in {duration(ended['seconds'])}{'  ' if text else ''}{text}"
    session.out.note(line, "" if ended["status"] == "ok" else "red")
    if ended["error"]:
        session.out.note(f"  {one_line(ended['error'])}")
    return bool(ended["status"] == "ok")


def _state_of(session: Session, entry: Entry) -> str:
    return next((each.state for each in open_queue(session).entries() if each.number == entry.number), "")


def _error_of(said: str) -> str:
    """Return the message of the error that a command said as JSON; all that it said where there is none."""
    last = said.rstrip().rpartition("\n")[2]
    try:
        document = json.loads(last)
        return f"{document['message']}\nhint: {document['hint']}" if document["hint"] else str(document["message"])
    except (ValueError, TypeError, KeyError):
        return said


def _last_run(out: str) -> dict[str, Any] | None:
    for line in reversed(out.splitlines()):
        if line.startswith("{") and '"run.end"' in line:
            document: dict[str, Any] = json.loads(line)["run"]
            return document
    return None
