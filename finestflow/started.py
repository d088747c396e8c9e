"""A run without a pipeline: ``with finestflow.start("train", lr=0.1) as run``.

Owns such a run from its snapshot to its commit. Invariant: it is recorded with its true end however the program leaves it (the block ends, an
error, ``sys.exit``, a signal, the end of the process; after a kill the next command records it), and nothing that goes wrong with the record
reaches the program once the run has started.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from finestflow.current import close_run, find_open_run, iter_open_runs, open_run, warn_once
from finestflow.dotenv import hidden_here
from finestflow.ending import Terminated, error_of_process, polite_end, renew_interrupt, watch_exit
from finestflow.errors import FinestflowError, RepositoryError
from finestflow.executor.capture import Capture
from finestflow.executor.watch import Watch, watching
from finestflow.git.objects import load_writer
from finestflow.given import command_of_process, flat_values, parse_words
from finestflow.handed import Handed, read_handed
from finestflow.journal.joined import JoinedFolder, read_joined
from finestflow.journal.names import new_run_id, new_run_name
from finestflow.model import Run, RunId, RunStatus
from finestflow.pipeline.declare import check_label
from finestflow.progress import Bar, iter_tracked, terminal
from finestflow.reporter import RunReporter
from finestflow.telling import Telling, format_traceback, one_line
from finestflow.workspace import Workspace, current

if TYPE_CHECKING:
    from finestflow.journal.live import LiveFolder

__all__ = ["StartedRun", "start"]

_MOST_FILES = 1000
_NEEDED_AT_THE_END = ("finestflow.git.maintenance", "finestflow.journal.annotations", "finestflow.journal.index_update")
Item = TypeVar("Item")
_turns = itertools.count()


def start(name: str = "", params: object = None, /, **more: Any) -> StartedRun:
    """Start a run: the files are recorded now, everything else when it ends.

    Args:
        name: What is run, as a pipeline's name; the name of the script when left out.
        params: Settings of the run: a mapping, which may be nested, an ``argparse.Namespace`` or a dataclass.
        more: Settings by name; any name is a setting.

    Returns:
        The run, to be used in a ``with`` block, or to be ended with ``finish``. One that was started before it without ``with`` ends now.

    Raises:
        UsageError: The name cannot be one, or the params have no names.
        ConfigError: A setting of finestflow is wrong.
        RepositoryError: It cannot be recorded, and ``tracking = "required"``.
    """
    label = name or Path(getattr(sys.modules.get("__main__"), "__file__", None) or "run").stem
    check_label(label, "a run")
    values = {**(flat_values(params) if params is not None else {}), **flat_values(more)}
    previous = find_open_run(here=True)
    if isinstance(previous, StartedRun) and not previous.is_block:
        previous.finish()
    return StartedRun(_find_workspace(), label, values, read_handed(os.environ))


def _find_workspace() -> Workspace | None:
    """Return the workspace; None, with a warning, where git refuses its repository: the program runs all the same."""
    try:
        return current()
    except RepositoryError as error:
        warn_once(f"this run is not recorded: {error}")
        return None


class StartedRun:
    """A run that is going on in this process, made by ``finestflow.start``.

    Attributes:
        id: Its id: 12 letters from k to z.
        name: Its name, such as ``brisk-lynx-41``.
        params: Its params by path.
        reporter: Takes what is reported.
        outer: The run that was going on here when it started.
        is_block: Whether it is in a ``with`` block.
        is_open: Whether it has not ended.
    """

    def __init__(self, workspace: Workspace | None, node: str, params: Mapping[str, Any], handed: Handed) -> None:
        turn = next(_turns)
        is_other = bool(handed.reproduces) and turn != handed.turn
        self.id = RunId(handed.run_id) if handed.run_id and not is_other else new_run_id(os.urandom(6))
        self.name = (handed.name if turn == 0 else "") or new_run_name(os.urandom(4))
        self.params = dict(params)
        self.outer = find_open_run(here=True)
        self.is_block = False
        self.is_open = True
        self._workspace = workspace
        self._handed = handed
        self._process = os.getpid()
        self._started = time.time()
        self._stack = contextlib.ExitStack()
        self._destination = _Destination(node)
        self._watch: Watch | None = None
        self._bar = Bar(node, terminal())
        warn = workspace.warn if workspace is not None else warn_once
        self.reporter = RunReporter(
            node, self._destination, store=lambda: current().store, warn=warn, show=self._bar.show
        )
        if workspace is not None and not is_other:
            self._begin(workspace, turn, handed)
        if workspace is not None and self._destination.is_recorded:
            self._stack.enter_context(workspace.sample(self._destination.emit))
            self._watch = Watch(str(workspace.root))
            watching.set(self._watch)
        self._stack.enter_context(Capture(_route_text))
        self._stack.enter_context(polite_end())
        open_run(self)
        _watch_end()

    def _begin(self, workspace: Workspace, turn: int, handed: Handed) -> None:
        """Make the live folder, tell what is run, and record the files."""
        live = workspace.tracking.open_live(self.id)
        if live is None:
            return
        node, now = self.reporter.node, self._started
        folder = os.path.relpath(workspace.folder, workspace.root)
        command = command_of_process(sys.orig_argv, sys.modules.get("__main__"), workspace.root, workspace.folder)
        handed.mark_runs()
        words = parse_words(command.words)
        telling = Telling(
            live, None, words.secrets, hidden_here(workspace.environ, workspace.root, vars(sys.modules["__main__"]))
        )
        self._destination.open(live, telling, workspace.root)
        telling.emit(
            {
                "e": "run",
                "id": self.id,
                "name": self.name,
                "pipeline": node,
                "target": command.target,
                "started": now,
                "argv": list(words.shown),
                "params": self.params,
                "environment": workspace.read_environment(),
                "settings": {"made-by": "start", "folder": folder, "turn": turn},
                "tags": list(handed.tags),
                "note": handed.note,
                "reproduces": handed.reproduces or None,
            }
        )
        try:
            snapshot = workspace.tracking.snapshot(self.id, live)
            left_out = telling.tell_snapshot(snapshot) if snapshot is not None else ""
        except BaseException:
            live.close()
            raise
        if left_out:
            workspace.warn(left_out)
        # What the end needs is loaded now: an interpreter that goes away cannot import, nor does it remember then how it was interrupted.
        for module in _NEEDED_AT_THE_END:
            importlib.import_module(module)
        load_writer()
        telling.emit({"e": "start", "path": node, "task": node, "t": workspace.clock.time()})

    # -- what the program says -------------------------------------------------------------------------------------------------------

    def log(self, values: Mapping[str, float] | None = None, /, *, step: float | None = None, **metrics: float) -> None:
        """Report metrics of this run, with or without a step."""
        if values is not None and not isinstance(values, Mapping):
            self.reporter.warn("value", f"log() takes names and numbers, not a {type(values).__name__}")
            values = None
        self.reporter.log({**values, **metrics} if values else metrics, step)

    def save(self, value: Any, name: str = "") -> None:
        """Keep an artifact: a file or folder by its path, by content as it is now, or any value, which needs a name."""
        self.reporter.save(value, name)

    def track(self, items: Iterable[Item], total: float | None = None) -> Iterator[Item]:
        """Yield the items and report how many are done, to a terminal too; ``total`` where ``len(items)`` does not tell."""
        return iter_tracked(items, total, self.reporter.progress)

    def progress(self, done: float, total: float | None = None) -> None:
        """Report how far this run is, in any unit."""
        self.reporter.progress(done, total)

    def tag(self, *tags: str) -> Self:
        """Add tags to find it by."""
        return self._say(tags=[str(tag) for tag in tags])

    def note(self, text: str) -> Self:
        """Write what to remember of it."""
        return self._say(note=str(text))

    def named(self, name: str) -> Self:
        """Give it a name of its own in place of the made-up one."""
        self.name = str(name)
        return self._say(name=self.name)

    def add_params(self, params: object = None, /, **more: Any) -> Self:
        """Add params that are only known now; see ``finestflow.start`` for what they may be."""
        try:
            values = {**(flat_values(params) if params is not None else {}), **flat_values(more)}
        except FinestflowError as error:
            self.reporter.warn("params", f"its params are not recorded: {error}")
            return self
        self.params.update(values)
        return self._say(params=values)

    def write(self, text: str) -> None:
        """Add to its log what is about to be shown."""
        self._bar.clear()
        self._destination.write(text)

    def _say(self, **fields: Any) -> Self:
        self._destination.emit({"e": "about", **fields})
        return self

    # -- the end ---------------------------------------------------------------------------------------------------------------------

    def finish(self, error: BaseException | None = None) -> None:
        """End the run and record it; a second time nothing happens.

        Args:
            error: What ended it; without one it is ok.
        """
        if not self.is_open or self._process != os.getpid():  # a forked child leaves its parent's run alone
            return
        self.is_open = False
        close_run(self)
        self._bar.close()
        self._stack.close()
        if watching.get() is self._watch:
            watching.set(None)
        _watch_end()
        try:
            if self._workspace is not None and self._destination.is_recorded:
                self._end(self._workspace, error)
        except Exception as problem:  # noqa: BLE001 - the program is more important than its record, and the events are kept
            self.reporter.warn("end", f"run {self.name} could not be recorded: {problem}; the next command tries again")

    def _end(self, workspace: Workspace, error: BaseException | None) -> None:
        """Tell how it ended, and append it to the journal."""
        node, now, status = self.reporter.node, workspace.clock.time(), status_of(error)
        message = "" if status is RunStatus.OK or error is None else one_line(error)
        shown = format_traceback(error) if error is not None and isinstance(error, Exception) else ""
        about = {"path": node, "task": node, "seconds": now - self._started}
        self._destination.emit({"e": "node", **about, "status": status.value, "error": message, "t": now})
        run, judged = self._destination.run(), {}
        if self._handed.reproduces:
            judged = workspace.judge_of(self._handed.reproduces)(run)
        end = {"status": status.value, "ended": now, "error": message, "traceback": shown}
        self._destination.emit({"e": "end", **end, "reproduction": judged, "files": self._files(workspace, run)})
        self._destination.publish(workspace)

    def _files(self, workspace: Workspace, run: Run) -> dict[str, str]:
        """Return the files of the project that were read and are not in the snapshot, with their digests: who reproduces it needs them."""
        read = self._watch.read()[0] if self._watch is not None else []
        names = [os.path.relpath(place, workspace.root) for place in read]
        recorded = workspace.recorded_files(run) if names else set()
        found: dict[str, str] = {}
        for name in [name for name in names if name not in recorded][:_MOST_FILES]:
            with contextlib.suppress(FinestflowError, OSError):
                found[name] = workspace.store.digest(workspace.root / name).digest
        return found

    def __enter__(self) -> Self:
        self.is_block = True
        _watch_end()
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: TracebackType | None) -> None:
        self.finish(error)

    def __repr__(self) -> str:
        return f"<run {self.id} {self.name} of {self.reporter.node}: {'running' if self.is_open else 'ended'}>"


def status_of(error: BaseException | None) -> RunStatus:
    """Return how a run ended that an error ended: interrupted or asked to end, or of itself."""
    if error is None or (isinstance(error, SystemExit) and error.code in {0, None}):
        return RunStatus.OK
    return RunStatus.CANCELLED if isinstance(error, (KeyboardInterrupt, Terminated)) else RunStatus.FAILED


class _Destination:
    """Where the events of a run go: to its live folder or, in a forked child of its process, to the same folder from outside.

    Args:
        node: The node of the run, which what is printed belongs to.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._root = Path()
        self._live: LiveFolder | None = None
        self._telling: Telling | None = None
        self._joined: JoinedFolder | None = None
        self._process = os.getpid()
        self._lock = threading.RLock()

    def open(self, live: LiveFolder, telling: Telling, root: Path) -> None:
        """Take events from now on; before, and where a run is not recorded, they go nowhere."""
        self._live, self._telling, self._root = live, telling, root

    @property
    def is_recorded(self) -> bool:
        """Whether events go anywhere."""
        return self._telling is not None

    @property
    def problem(self) -> str:
        """What went wrong with the last write that failed."""
        place = self._joined or self._live
        return place.problem if place is not None else ""

    def emit(self, event: dict[str, Any], *, lazy: bool = False) -> None:
        """Take an event from any thread, and from forked children."""
        if self._telling is None or self._live is None:
            return
        if self._process == os.getpid():
            with self._lock:
                self._telling.emit(event, lazy=lazy)
            return
        if self._joined is None:
            self._joined = JoinedFolder(self._live.path, hidden_here(os.environ, self._root))
        if event["e"] == "text":
            self._joined.write_log(self._node, event["text"])
        else:
            self._joined.emit(event)

    def write(self, text: str) -> None:
        """Take what the program prints."""
        self.emit({"e": "text", "node": self._node, "text": text})

    def run(self) -> Run:
        """Return the run as far as it has come; only where it is recorded."""
        assert self._live is not None
        assert self._telling is not None
        return read_joined(self._live) or self._telling.state.run

    def publish(self, workspace: Workspace) -> None:
        """Append the run to the journal; nothing is taken afterwards."""
        assert self._live is not None
        live, run = self._live, self.run()
        self._telling = None
        try:
            workspace.tracking.publish(run, live)
        except BaseException:
            live.close()
            raise


def _route_text(_: str, text: str) -> None:
    """Give what is printed to the run of whoever prints it."""
    run = find_open_run()
    if isinstance(run, StartedRun):
        run.write(text)


def _watch_end() -> None:
    """See to it that runs which are in no block end with the process, and learn how it ended while there are any."""
    if not _is_registered:
        _is_registered.append(True)
        atexit.register(_finish_all)
    watch_exit(any(isinstance(run, StartedRun) and not run.is_block for run in iter_open_runs()))


def _finish_all() -> None:
    error = error_of_process()
    for run in iter_open_runs():
        if isinstance(run, StartedRun):
            cut = Terminated("the program ended before the block did") if run.is_block else None
            run.finish(error or cut)
    renew_interrupt()


_is_registered: list[bool] = []
