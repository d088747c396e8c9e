"""One run, in order: live folder, snapshot, execute, record, append. Read this to understand the product.

Invariant: the events tell everything; what is recorded at the end is their fold, the same that recovery makes of a killed run. A run that
cannot be tracked (no repository, a disk that is full) still computes, and says so once. ``workspace`` makes runners.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from finestflow.blanking import blank_source
from finestflow.ending import INTERRUPTS, deferring
from finestflow.errors import FinestflowError, UsageError
from finestflow.executor.capture import Capture
from finestflow.executor.perform import Clock
from finestflow.finished import Finished, problem_of
from finestflow.journal.names import is_named_by
from finestflow.journal.standing import count_groups
from finestflow.model import NodeStatus, Run, RunId, RunStatus, Snapshot
from finestflow.options import RunOptions
from finestflow.pipeline.context import Context
from finestflow.pipeline.describe import (
    dump_task,
    dump_value,
    flat_params,
    iter_param_values,
    iter_paths,
    secret_values,
)
from finestflow.pipeline.lint import explained
from finestflow.pipeline.output import Output
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import signature_of
from finestflow.session.body import BodyFrame, running
from finestflow.session.lookup import Lookup
from finestflow.session.node import UnknownValue
from finestflow.session.partial import Partial
from finestflow.session.session import Session
from finestflow.target import place_of, sources_of, target_of
from finestflow.telling import Telling, format_traceback, named_outputs, one_line, shown_result, tell_record

if TYPE_CHECKING:
    from finestflow.cache.fingerprint import Fingerprinter
    from finestflow.cache.store import Store
    from finestflow.executor.protocol import Executor
    from finestflow.journal.live import LiveFolder

__all__ = ["Finished", "RunOptions", "RunRequest", "Runner", "Tracking", "format_traceback"]

_RETURNED = frozenset({NodeStatus.OK, NodeStatus.HIT})


@dataclass(slots=True, kw_only=True)
class RunRequest:
    """What to run.

    Attributes:
        pipeline: The pipeline object.
        args: Positional inputs.
        kwargs: Inputs by name.
        options: How.
        run_id: Identity of the run to be made.
        name: Its name.
        argv: The command line that led to it.
        reproduces: The run that this one runs again.
        folder: Where the process works, relative to the root.
        judge: Asked at the end how the run compares; its answer is recorded.
        partial: Where the run starts and stops, when that is not at the beginning and the end.
    """

    pipeline: Pipeline
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    options: RunOptions = field(default_factory=RunOptions)
    run_id: RunId
    name: str
    argv: tuple[str, ...] = ()
    reproduces: RunId | None = None
    folder: str = "."
    judge: Callable[[Run], dict[str, Any]] | None = None
    partial: Partial | None = None


class Tracking(Protocol):
    """What a run is recorded through; ``tracking.RepositoryTracking`` is it."""

    def open_live(self, run_id: RunId) -> LiveFolder | None:
        """Make the live folder of a run; None where it is not recorded."""

    def snapshot(self, run_id: RunId, live: LiveFolder) -> Snapshot | None:
        """Record the files as they are; None where that cannot be."""

    def publish(self, run: Run, live: LiveFolder) -> None:
        """Append a run that has ended to the journal, and remove its live folder."""

    def is_alone(self) -> bool:
        """Whether no other run is going on here."""

    def alone_since(self) -> int | None:
        """Return since when that is so: another number after each run that came or went; None where nobody can tell."""


class Runner:
    """Makes runs with what a workspace has.

    Args:
        store: Values and entries.
        open_store: Opens the store in a folder, for tasks with one of their own.
        open_executor: Opens the executor of that name with so many jobs, for one run.
        fingerprinter: Fingerprints of code.
        clock: Where the time comes from.
        environment: What ``read_environment`` found; asked for once a run.
        root: The repository's root, or the folder of the process.
        warn: Says something to the person at the terminal, once a text.
        sample: Opens what tells, while a run goes, what it uses of the machine.
        hidden: Gives the secrets of the environment as it is when a run begins; see ``Blanking``.
    """

    def __init__(
        self,
        *,
        store: Store,
        open_store: Callable[[str], Store],
        open_executor: Callable[[str, int], Executor],
        fingerprinter: Fingerprinter,
        clock: Clock,
        environment: Callable[[], Mapping[str, Any]],
        root: Path,
        warn: Callable[[str], None],
        sample: Callable[[Callable[[dict[str, Any]], None]], AbstractContextManager[object]] = contextlib.nullcontext,
        hidden: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._sample = sample
        self._store = store
        self._fingerprinter = fingerprinter
        self._clock = clock
        self._environment = environment
        self._root = root
        self._warn = warn
        self._hidden = hidden
        self._open_store = open_store
        self._open_executor = open_executor

    def run(
        self, request: RunRequest, tracking: Tracking, listener: Callable[[Mapping[str, Any]], None] | None = None
    ) -> Finished:
        """Make a run: everything from the live folder to the commit.

        The error of a failed run is in the result; the run is recorded all the same. ``KeyboardInterrupt`` is recorded as cancelled and
        raised again.
        """
        live = tracking.open_live(request.run_id)
        telling = Telling(live, listener, secret_values(request.pipeline), self._hidden())
        finished = Finished(run=None, nodes={})  # type: ignore[arg-type]
        try:
            telling.emit(self._begin(request))
            if live is not None:
                self._take_snapshot(request, tracking, live, telling)
            with self._sample(telling.emit):
                self._execute(request, telling, tracking, finished)
            if live is not None:
                with contextlib.nullcontext() if finished.is_interrupted else deferring():
                    self._record(finished, telling, tracking, live)
        except BaseException as error:
            if live is not None:
                self._cut(error, telling, tracking, live, at_once=finished.is_interrupted)
            raise
        telling.release()
        if finished.is_interrupted:
            raise finished.error  # type: ignore[misc]
        return finished

    def _record(self, finished: Finished, telling: Telling, tracking: Tracking, live: LiveFolder) -> None:
        """Append a run that has ended to the journal; an error that interrupted it then says so."""
        telling.write_logs_of_hits(self._store, finished.nodes)
        with _without_gc():
            is_recorded = self._publish(finished.run, tracking, live)
        if is_recorded and finished.is_interrupted:
            tell_record(finished.error, finished.run)  # type: ignore[arg-type]

    def _cut(
        self, error: BaseException, telling: Telling, tracking: Tracking, live: LiveFolder, *, at_once: bool
    ) -> None:
        """Leave a run that is interrupted outside of its body, or a second time: its next reader finds how it stood.

        Args:
            error: What interrupted it, or went wrong.
            telling: What was told of it.
            tracking: What it is recorded through.
            live: Its folder.
            at_once: Whether nothing more is to be done now.
        """
        try:
            if isinstance(error, INTERRUPTS) and telling.state.has_begun:
                run = telling.cut(error, self._clock.time())
                if at_once or self._publish(run, tracking, live):
                    tell_record(error, run, later=at_once)
        finally:
            live.close()

    def plan(self, request: RunRequest) -> Finished:
        """Find out what would be hit and what would run; nothing runs, nothing is recorded.

        Where the body looks at a value that nobody has computed yet, the rest is followed without values.
        """
        telling = Telling(None, None, secret_values(request.pipeline))
        telling.emit(self._begin(request))
        finished = Finished(run=None, nodes={})  # type: ignore[arg-type]
        self._execute(request, telling, None, finished)
        if finished.unknown:
            from finestflow.pipeline.trace import trace

            hits = {path: node for path, node in finished.nodes.items() if node.status is NodeStatus.HIT}
            finished.further = trace(request.pipeline, request.args, request.kwargs, known=hits)
        return finished

    # -- the steps ---------------------------------------------------------------------------------------------------------------------

    def _begin(self, request: RunRequest) -> dict[str, Any]:
        pipeline, options = request.pipeline, request.options
        inputs, digests = self._describe_inputs(request)
        return {
            "e": "run",
            "id": request.run_id,
            "name": options.name or request.name,
            "pipeline": pipeline.task_name,
            "target": target_of(pipeline, self._root),
            "started": self._clock.time(),
            "argv": list(request.argv),
            "sources": {name: blank_source(text) for name, text in sources_of(pipeline).items()},
            "params": flat_params(pipeline),
            "description": dump_task(pipeline, lambda thing: place_of(thing, self._root), self._put),
            "inputs": inputs,
            "input_digests": digests,
            "environment": self._environment(),
            "settings": {
                "seed": options.seed,
                "executor": options.executor,
                "jobs": options.jobs,
                **({"threads": options.threads} if options.threads is not None else {}),
                "cache": options.cache,
                "force": list(options.forced),
                **_bounds(options),
                "folder": request.folder,
                "context": dump_value(dict(options.context), self._put),
            },
            "tags": list(options.tags),
            "note": options.note,
            "reproduces": request.reproduces,
        }

    def _describe_inputs(self, request: RunRequest) -> tuple[dict[str, Any], dict[str, str]]:
        signature = signature_of(request.pipeline)
        try:
            bound = signature.bind(*request.args, **request.kwargs) if signature is not None else None
        except TypeError as error:
            name = request.pipeline.task_name
            raise UsageError(
                f"{name!r} cannot be called like that: {error}", f"its inputs are {name}{signature}"
            ) from None
        if bound is not None:
            bound.apply_defaults()
        given = dict(bound.arguments) if bound is not None else dict(request.kwargs)
        described = {name: dump_value(value, self._put) for name, value in given.items()}
        digests = {
            name: data["$digest"] for name, data in described.items() if isinstance(data, dict) and "$digest" in data
        }
        return described, digests

    def _given_files(self, request: RunRequest) -> dict[str, str]:
        """Return the digests of the project's files and folders among inputs and params, by path from the root."""
        found: dict[str, str] = {}
        for path in iter_paths([request.args, request.kwargs, iter_param_values(request.pipeline)]):
            place = Path(os.path.abspath(path))
            if place.is_relative_to(self._root) and place != self._root and place.exists():
                with contextlib.suppress(FinestflowError, OSError):
                    found[place.relative_to(self._root).as_posix()] = self._store.digest(path).digest
        return found

    def _put(self, value: Any) -> str:
        encoded = self._store.encode(value)
        self._store.add_value(encoded)
        return encoded.digest

    def _take_snapshot(self, request: RunRequest, tracking: Tracking, live: LiveFolder, telling: Telling) -> None:
        snapshot = tracking.snapshot(request.run_id, live)
        if snapshot is None:
            return
        left_out = telling.tell_snapshot(snapshot)
        if left_out:
            self._warn(left_out)

    def _execute(self, request: RunRequest, telling: Telling, tracking: Tracking | None, finished: Finished) -> None:
        """Run the body with everything that it calls, and tell the end."""
        is_plan = tracking is None
        options, pipeline = request.options, request.pipeline
        self._fingerprinter.refresh()
        if tracking is not None:
            self._store.alone_since = tracking.alone_since
        earlier = self._store.prefetch(pipeline.task_name)
        lookup = Lookup(self._store, self._fingerprinter, options.seed, self._root, self._open_store, earlier)
        executor = None if is_plan else self._open_executor(options.executor, int(options.jobs or 1))
        session = Session(
            run_id=request.run_id,
            lookup=lookup,
            executor=executor,
            emit=telling.emit,
            emit_node=telling.emit_node,
            clock=self._clock,
            context=Context(dict(options.context)),
            claims=None if is_plan else self._store.claims(),
            is_alone=tracking.is_alone if tracking is not None else lambda: True,
            use_cache=options.cache,
            forced=options.forced,
            keep_going=options.keep_going,
            timeout=options.timeout or None,
            partial=request.partial,
            warn=telling.warn_of(self._warn),
            blank=telling.blank,
            holds_secret=telling.holds_secret,
        )
        loaded = set(sys.modules)
        _look_at_code(pipeline, lookup)
        if earlier:
            telling.emit({"e": "expect", "nodes": count_groups(earlier)}, lazy=True)
        finished.nodes = session.nodes
        try:
            folder = str(telling.folder or "") if options.descriptors and options.executor == "sequential" else ""
            with Capture(partial(_tell_text, telling), echo=options.echo, folder=folder):
                self._run_to_end(request, session, finished, telling)
            with contextlib.nullcontext() if is_plan or finished.is_interrupted else deferring():
                if not is_plan:
                    self._tell_edits(sys.modules.keys() - loaded, telling)
                self._end(request, session, finished, telling, is_plan=is_plan)
        finally:
            self._store.alone_since = lambda: None
            session.close()

    def _run_to_end(self, request: RunRequest, session: Session, finished: Finished, telling: Telling) -> None:
        """Run the body until all that it called has ended, or is ended: nothing goes on after this."""
        is_cut = True
        try:
            self._run_body(request, session, finished)
            if finished.is_interrupted:
                telling.emit({"e": "cancel", "t": self._clock.time(), "error": one_line(finished.error)})  # type: ignore[arg-type]
                with _without_gc():
                    session.stop()
            else:
                self._take_result(request, session, finished)
                is_cut = False
        finally:
            if session.executor is not None:
                session.executor.close(cancel=is_cut)

    def _run_body(self, request: RunRequest, session: Session, finished: Finished) -> None:
        frame = BodyFrame(session, request.pipeline)
        try:
            with running(frame):
                finished.result = request.pipeline.body(*request.args, **request.kwargs)
            frame.go_on()
        except UnknownValue as unknown:
            finished.unknown = unknown.path
        except BaseException as error:  # noqa: BLE001 - it is recorded, and handed on
            finished.error = explained(error)
        if not finished.is_interrupted:
            raised = finished.error
            try:
                finished.error = session.finish(raised, finished.result)
                finished.is_misused = raised is None and isinstance(finished.error, UsageError)
            except INTERRUPTS as error:
                finished.error = error

    def _take_result(self, request: RunRequest, session: Session, finished: Finished) -> None:
        """Take what the run gives back, and with what error it ends."""
        if request.partial is not None and request.partial.stop:
            outputs = {node.path: Output(node) for node in request.partial.chosen(session.nodes)}
            finished.result = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        elif request.pipeline.__finestflow_meta__.return_all and finished.error is None:
            finished.result = {path: Output(node) for path, node in session.nodes.items() if node.error is None}
        if finished.error is None:
            failed = session.failures.first(session.nodes)
            finished.error = problem_of(finished.result) if failed is None else failed.error

    def _tell_edits(self, loaded: Iterable[str], telling: Telling) -> None:
        """Say which code of the project was imported while the run went, and is not what its record has."""
        for path in self._fingerprinter.edited_since(loaded, telling.state.started):
            text = (
                f"{os.path.relpath(path, self._root)} was edited after the run began and imported only then:"
                " what ran may not be what is recorded"
            )
            telling.emit({"e": "note", "node": None, "text": text})
            telling.warn_of(self._warn)(text)

    def _end(
        self, request: RunRequest, session: Session, finished: Finished, telling: Telling, *, is_plan: bool
    ) -> None:
        error = finished.error
        status = RunStatus.OK if error is None else RunStatus.FAILED
        if finished.is_interrupted:
            status = RunStatus.CANCELLED
        for pattern in _unmatched(request.options.forced, session.nodes):
            self._warn(f"no node matches {pattern!r}, which was to be forced")
        reproduction = request.judge(telling.state.run) if request.judge is not None else {}
        telling.emit(
            {
                "e": "end",
                "reproduction": reproduction,
                "status": status.value,
                "ended": self._clock.time(),
                "error": "" if error is None else one_line(error),
                "traceback": "" if error is None else format_traceback(error),
                "outputs": named_outputs(finished.result),
                "files": {**self._given_files(request), **session.files},
                "returned": "" if finished.result is None or error is not None else shown_result(finished.result),
            }
        )
        if not is_plan:
            self._store.remember(
                request.pipeline.task_name, _looked_up(session, is_whole=error is None and request.partial is None)
            )
            self._store.flush()
        with _without_gc():
            finished.run = telling.state.run

    def _publish(self, run: Run, tracking: Tracking, live: LiveFolder) -> bool:
        """Append the run to the journal; return whether it is there now."""
        try:
            tracking.publish(run, live)
        except (FinestflowError, OSError) as error:
            live.close()
            then = f"part of it is lost: {live.problem}" if live.problem else "the next finestflow command tries again"
            self._warn(f"run {run.summary.name} could not be recorded: {error}; {then}")
            return False
        return True


def _tell_text(telling: Telling, path: str, text: str) -> None:
    telling.emit({"e": "text", "node": path, "text": text})


@contextlib.contextmanager
def _without_gc() -> Iterator[None]:
    """Do without the cycle collector for as long as a record takes: it would walk all nodes again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _look_at_code(pipeline: Pipeline, lookup: Lookup) -> None:
    """Fingerprint all tasks as the run starts, so that files edited while it goes are told from those that run.

    Where the body changes what modules hold, they are fingerprinted anew with each call.
    """
    body = getattr(type(pipeline), "__finestflow_body__", None)
    if body is not None and lookup.fingerprinter.changes_modules(type(pipeline), body):
        lookup.looks_again = True
    for child in pipeline.children.values():
        if isinstance(child, Pipeline):
            _look_at_code(child, lookup)
        else:
            lookup.static_of(child)


def _looked_up(session: Session, *, is_whole: bool) -> dict[str, str]:
    """Return the key of each node's last result by its path; a call that failed keeps the one before."""
    earlier = session.lookup.earlier
    keys = {} if is_whole else dict(earlier)
    for path, node in session.nodes.items():
        key = node.key if node.key is not None and node.status in _RETURNED else earlier.get(path)
        if key is not None:
            keys[path] = key
    return keys


def _bounds(options: RunOptions) -> dict[str, Any]:
    """Return where a partial run starts and stops, for the record."""
    bounds = {"start": list(options.start), "stop": list(options.stop), "from_run": options.from_run}
    return {name: value for name, value in bounds.items() if value}


def _unmatched(patterns: Iterable[str], nodes: Iterable[str]) -> list[str]:
    """Return the patterns that no node's path matches."""
    paths = list(nodes)
    return [pattern for pattern in patterns if not any(is_named_by(path, pattern) for path in paths)]
