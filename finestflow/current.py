"""``finestflow.log``, ``save`` and ``track``, wherever they are called: which run do they mean?

In this order: the call of a task that is being run, the body of a pipeline, the run that this context has started, the only call or else the
last run that this process has started (so that threads need nothing), the run that the whole process is (``finestflow run script.py``). Where there is none of
them they warn once and do nothing. Invariant: whatever happens here, the user's program goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from finestflow.handed import read_handed
from finestflow.pipeline.call import ACTIVE_SCOPES, FRAME, SCOPE

__all__ = [
    "OpenRun",
    "Reporter",
    "close_run",
    "find_open_run",
    "find_reporter",
    "iter_open_runs",
    "log",
    "open_run",
    "save",
    "track",
    "warn_once",
]

Item = TypeVar("Item")


class Reporter(Protocol):
    """What takes metrics, artifacts and progress."""

    def log(self, values: Mapping[str, Any], step: float | None) -> None:
        """Take metrics."""

    def save(self, value: Any, name: str) -> None:
        """Take an artifact."""

    def progress(self, done: float, total: float | None) -> None:
        """Take how far it is."""


class OpenRun(Protocol):
    """A run that this process has started."""

    @property
    def reporter(self) -> Reporter:
        """What takes what it reports."""

    @property
    def outer(self) -> OpenRun | None:
        """The run that was there before it in its context."""

    @property
    def is_open(self) -> bool:
        """Whether it still takes anything."""


_of_context: ContextVar[OpenRun | None] = ContextVar("finestflow_started", default=None)
_open: list[OpenRun] = []
_warned: set[str] = set()


def open_run(run: OpenRun) -> None:
    """Make a run the one that is meant from now on."""
    _open.append(run)
    _of_context.set(run)


def close_run(run: OpenRun) -> None:
    """Let a run be meant no longer."""
    if run in _open:
        _open.remove(run)
    if _of_context.get() is run:
        _of_context.set(run.outer)


def find_open_run(*, here: bool = False) -> OpenRun | None:
    """Return the innermost open run of this context or, for a thread that has none, the one started last in the process.

    Args:
        here: Only one of this context.
    """
    run = _of_context.get()
    while run is not None and not run.is_open:
        run = run.outer
    return run if run is not None or here or not _open else _open[-1]


def iter_open_runs() -> Iterator[OpenRun]:
    """Yield the open runs of this process, the last one first."""
    yield from reversed(list(_open))


def log(values: Mapping[str, float] | None = None, /, *, step: float | None = None, **metrics: float) -> None:
    """Report metrics to whatever run this is below: a task, a started run, a tracked script.

    Args:
        values: Numbers by name, for names that are no identifiers, such as ``val/loss``.
        step: Where in a series they belong: an epoch, a batch.
        metrics: Numbers by name.
    """
    reporter = _find_reporter("log")
    if reporter is not None:
        reporter.log(_joined(values, metrics), step)


def save(value: Any, name: str = "") -> None:
    """Keep an artifact of whatever run this is below.

    Args:
        value: A file or folder by its path, kept by content as it is now, or any value, which needs a name.
        name: What it is called in the run; the path as it is given when left out.
    """
    reporter = _find_reporter("save")
    if reporter is not None:
        reporter.save(value, name)


def track(items: Iterable[Item], total: float | None = None) -> Iterator[Item]:
    """Yield the items and report the progress of whatever run this is below.

    Args:
        items: What is looped over.
        total: How many there are, where ``len(items)`` does not tell.
    """
    from finestflow.progress import iter_tracked

    reporter = _find_reporter("track")
    return iter(items) if reporter is None else iter_tracked(items, total, reporter.progress)


def find_reporter() -> Reporter | None:
    """Return what takes what is reported here; None where no run is going on."""
    found: Any = SCOPE.get() or FRAME.get()
    if found is None and len(ACTIVE_SCOPES) == 1 and find_open_run(here=True) is None:
        found = ACTIVE_SCOPES[0]
    if hasattr(found, "save"):
        return found  # type: ignore[no-any-return]
    run = find_open_run()
    return run.reporter if run is not None else _outer_run(os.getpid())


def _find_reporter(what: str) -> Reporter | None:
    found = find_reporter()
    if found is None:
        warn_once(f"finestflow.{what}() does nothing here: no run is going on (start one with finestflow.start())")
    return found


@cache
def _outer_run(_process: int) -> Reporter | None:
    """Return the run that this whole process is, where it is one."""
    handed = read_handed(os.environ)
    if not handed.live or not os.path.isdir(handed.live):
        return None
    from finestflow.dotenv import hidden_here
    from finestflow.journal.joined import JoinedFolder
    from finestflow.reporter import RunReporter
    from finestflow.workspace import current

    folder = JoinedFolder(Path(handed.live), hidden_here(os.environ, handed.root))
    return RunReporter(handed.node, folder, store=lambda: current().store, warn=warn_once)


def _joined(values: Any, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    if values is None:
        return metrics
    if isinstance(values, Mapping):
        return {**values, **metrics}
    warn_once(f"finestflow.log() takes names and numbers, not {values!r:.80}")
    return metrics


def warn_once(text: str) -> None:
    """Say something to the person at the terminal, once."""
    if text not in _warned:
        _warned.add(text)
        try:
            print(f"finestflow: warning: {text}", file=sys.stderr)  # noqa: T201 - the one line of a library
        except (OSError, ValueError, AttributeError):  # nobody reads it
            pass
