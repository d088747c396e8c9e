"""The fold of a run's events to a ``Run``, also of one that is still going on.

Owns the meaning of the events (docs/reference/journal-format.md lists them). Invariant: the same events give the same run,
whoever folds them: the runner in memory, the recovery of a killed run, a follower. Unknown events and fields are ignored.
``apply`` only files an event; records are built when ``run`` is asked for, and only those that changed. What the runner knows of a node as a
record it need not tell as an event: ``add_node`` takes it as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

from finestflow.journal.message import own_first
from finestflow.journal.node_events import STATUSES, load_node
from finestflow.model import (
    Attempt,
    Metric,
    NodeRecord,
    NodeStatus,
    Omitted,
    Resource,
    Run,
    RunId,
    RunStatus,
    RunSummary,
    Snapshot,
)

__all__ = ["RunState"]

Event = Mapping[str, Any]


class RunState:
    """A run as far as its events tell it."""

    def __init__(self) -> None:
        self.progress: dict[str, tuple[int, int | None]] = {}
        """How far a node has come: (done, total)."""
        self.expected: dict[str, int] = {}
        """How many nodes the run before had, by what the items of a fan-out have in common."""
        self.last_metric: tuple[str, float] | None = None
        """The number that was reported last: (``node/name``, value)."""
        self.version = 0
        """The number of events so far: what a follower compares to know whether to draw again."""
        self.last_time = 0.0
        """The time of the latest event that has one."""
        self._begin: Event | None = None
        self._snapshot: Event | None = None
        self._end: Event | None = None
        self._cancel: Event | None = None
        self._starts: dict[str, list[Event]] = {}
        self._ends: dict[str, Event | NodeRecord] = {}
        self._node_notes: dict[str, list[str]] = {}
        self._notes: list[str] = []
        self._series: dict[str, _Series] = {}
        self._samples: dict[str, list[tuple[float, float]]] = {}
        self._statics: dict[str, Event] = {}
        self._records: dict[str, NodeRecord] = {}
        self._changed: dict[str, None] = {}

    @property
    def has_begun(self) -> bool:
        """Say whether there is anything to tell: an id, a name, a start."""
        return self._begin is not None

    @property
    def started(self) -> float:
        """When the run began, in seconds since the epoch; 0 before it has."""
        return 0.0 if self._begin is None else float(self._begin["started"])

    @property
    def has_ended(self) -> bool:
        """Say whether the run told its end itself."""
        return self._end is not None

    def apply(self, event: Event) -> None:
        """Take an event in.

        Raises:
            KeyError, TypeError, ValueError: The event lacks what its kind needs; nothing has changed then.
        """
        handler = self._handlers.get(event["e"])
        if handler is None:
            return
        handler(self, event)
        self.version += 1
        time = event.get("t")
        if isinstance(time, (int, float)) and time > self.last_time:
            self.last_time = time

    def add_node(self, node: NodeRecord, time: float) -> None:
        """Take in that a node has ended, as the event does that ``dump_node`` writes of it."""
        path = node.path
        starts = self._starts.get(path)
        if starts is not None and len(starts) == 1 and starts[0].get("t") == node.started:
            del self._starts[path]  # the record says it all, and the garbage collector has less to walk
        self._ends[path] = node
        self._changed[path] = None
        if self.progress:
            self.progress.pop(path, None)
        self.version += 1
        self.last_time = max(self.last_time, time)

    @property
    def run(self) -> Run:
        """The run, whole; metrics have their series.

        Raises:
            ValueError: The event ``run`` is missing.
        """
        if self._begin is None:
            message = "a run has no event 'run' yet"
            raise ValueError(message)
        for path in self._changed:
            end = self._ends.get(path)
            is_whole = type(end) is NodeRecord and path not in self._starts and path not in self._node_notes
            self._records[path] = end if is_whole else self._build_node(path)  # type: ignore[assignment]
        self._changed.clear()
        begin, end = self._begin, self._end or {}
        return Run(
            summary=self._build_summary(begin, end),
            target=begin.get("target") or "",
            argv=tuple(begin.get("argv") or ()),
            description=begin.get("description") or {},
            inputs=begin.get("inputs") or {},
            input_digests=begin.get("input_digests") or {},
            settings=_settings_of(begin),
            environment=begin.get("environment") or {},
            snapshot=None if self._snapshot is None else _build_snapshot(self._snapshot),
            nodes=dict(self._records),
            metrics={name: series.build(name) for name, series in self._series.items()},
            resources={name: _build_resource(name, values) for name, values in self._samples.items()},
            outputs=end.get("outputs") or {},
            returned=end.get("returned") or "",
            files=end.get("files") or {},
            notes=tuple(self._notes),
            ended=end.get("ended"),
            traceback=end.get("traceback") or "",
            reproduction=end.get("reproduction") or {},
            sources=begin.get("sources") or {},
        )

    def killed(self) -> Run:
        """The run as it is recorded when its process is gone: with its own end if it told one, else killed at its last event.

        One that was about to cancel itself has done so.
        """
        run, cancel = self.run, self._cancel
        ended = max(self.last_time, run.summary.started) if run.ended is None else run.ended
        status = NodeStatus.KILLED if not self.has_ended and cancel is None else NodeStatus.CANCELLED
        nodes = {path: _kill(node, ended, status) for path, node in run.nodes.items()}
        if self.has_ended:
            return replace(run, nodes=nodes)
        summary = replace(run.summary, status=RunStatus(status.value), seconds=round(ended - run.summary.started, 6))
        if cancel is not None:
            summary = replace(summary, error=cancel.get("error") or "")
        return replace(run, summary=summary, nodes=nodes, ended=ended)

    def _on_run(self, event: Event) -> None:
        for field in ("id", "name", "pipeline"):
            if not isinstance(event[field], str):
                raise TypeError(field)
        float(event["started"])
        self._begin = event
        self.last_time = max(self.last_time, event["started"])

    def _on_about(self, event: Event) -> None:
        if self._begin is None:
            return
        said = {field: str(event[field]) for field in ("name", "note") if event.get(field)}
        params = {**(self._begin.get("params") or {}), **(event.get("params") or {})}
        tags = list(dict.fromkeys([*(self._begin.get("tags") or ()), *(event.get("tags") or ())]))
        self._begin = {**self._begin, **said, "params": params, "tags": tags}

    def _on_snapshot(self, event: Event) -> None:
        _build_snapshot(event)
        self._snapshot = event

    def _on_static(self, event: Event) -> None:
        self._statics[event["id"]] = event

    def _on_expect(self, event: Event) -> None:
        self.expected.update({str(path): int(count) for path, count in event["nodes"].items()})

    def _on_start(self, event: Event) -> None:
        path = event["path"]
        self._starts.setdefault(path, []).append(event)
        self._touch(path)

    def _on_node(self, event: Event) -> None:
        path = event["path"]
        STATUSES[event["status"]]  # refuses another word
        self._ends[path] = event
        self._touch(path)
        self.progress.pop(path, None)
        for name, value, step, time in event.get("metrics") or ():
            self._add_value(f"{path}/{name}", value, step, time, None)

    def _on_metric(self, event: Event) -> None:
        node, name = event.get("node"), event["name"]
        self._add_value(
            f"{node}/{name}" if node else name, event["value"], event.get("step"), event.get("t"), event.get("goal")
        )

    def _on_metrics(self, event: Event) -> None:
        node = event.get("node")
        rows = [
            (f"{node}/{name}" if node else name, float(value), step, time) for name, value, step, time in event["rows"]
        ]
        for name, value, step, time in rows:
            self._add_value(name, value, step, time, None)
        if rows and rows[-1][3] is not None:
            self.last_time = max(self.last_time, rows[-1][3])

    def _on_sample(self, event: Event) -> None:
        if self._end is not None:  # the sampler has a thread of its own
            return
        time = float(event["t"])
        for name, value in {str(name): float(value) for name, value in event["values"].items()}.items():
            self._samples.setdefault(name, []).append((time, value))

    def _on_progress(self, event: Event) -> None:
        self.progress[event["node"]] = (event["done"], event.get("total"))

    def _on_note(self, event: Event) -> None:
        node, text = event.get("node"), str(event["text"])
        if node:
            self._node_notes.setdefault(node, []).append(text)
            self._touch(node)
        else:
            self._notes.append(text)

    def _on_cancel(self, event: Event) -> None:
        self._cancel = event

    def _on_end(self, event: Event) -> None:
        RunStatus(event["status"])
        float(event["ended"])
        self._end = event

    def _touch(self, path: str) -> None:
        self._changed[path] = None

    def _add_value(self, name: str, value: float, step: float | None, time: float | None, goal: str | None) -> None:
        number = float(value)  # before the series is made: what is no number leaves no trace
        series = self._series.get(name)
        if series is None:
            series = self._series[name] = _Series()
        self.last_metric = name, number
        series.add(number, step, self.last_time if time is None else time, goal)

    def _build_summary(self, begin: Event, end: Event) -> RunSummary:
        snapshot = self._snapshot or {}
        started = begin["started"]
        ended = end.get("ended", max(self.last_time, started))
        tasks = [node for node in self._records.values() if node.kind == "task"]
        return RunSummary(
            id=RunId(begin["id"]),
            name=begin["name"],
            pipeline=begin["pipeline"],
            status=RunStatus(end.get("status", RunStatus.RUNNING)),
            started=started,
            seconds=max(0.0, round(ended - started, 6)),
            base=snapshot.get("base"),
            branch=snapshot.get("branch"),
            code=snapshot.get("code") or snapshot.get("tree") or "",
            dirty=(snapshot.get("changed") or 0, snapshot.get("untracked") or 0),
            params=begin.get("params") or {},
            metrics={name: series.last for name, series in own_first(self._series)},
            tags=tuple(begin.get("tags") or ()),
            note=begin.get("note") or "",
            error=end.get("error") or "",
            reproduces=begin.get("reproduces"),
            hits=[node.status for node in tasks].count(NodeStatus.HIT),
            nodes=len(tasks),
        )

    def _build_node(self, path: str) -> NodeRecord:
        starts, end = self._starts.get(path, ()), self._ends.get(path)
        notes = self._node_notes.get(path, ())
        if end is None:
            first = starts[0] if starts else {}
            return NodeRecord(
                path=path,
                task=first.get("task") or "",
                kind=first.get("kind") or "task",
                status=NodeStatus.RUNNING if starts else NodeStatus.PENDING,
                key=first.get("key"),
                started=first.get("t"),
                attempts=_attempts_of(starts),
                notes=tuple(notes),
            )
        if isinstance(end, NodeRecord):
            node, started = end, end.started
        else:
            node = load_node(end, self._statics.get(end.get("static") or "", end))
            started = end["t"] - node.seconds if end.get("t") is not None else None
        if starts and starts[0].get("t") is not None:
            started = starts[0]["t"]
        attempts = node.attempts or _attempts_of(starts, node)
        if started == node.started and not notes and len(attempts) == len(node.attempts):
            return node
        return node._replace(started=started, attempts=attempts, notes=(*node.notes, *notes))

    _handlers: ClassVar[dict[str, Callable[[RunState, Event], None]]] = {
        "run": _on_run,
        "about": _on_about,
        "snapshot": _on_snapshot,
        "static": _on_static,
        "expect": _on_expect,
        "start": _on_start,
        "node": _on_node,
        "metric": _on_metric,
        "metrics": _on_metrics,
        "sample": _on_sample,
        "progress": _on_progress,
        "note": _on_note,
        "cancel": _on_cancel,
        "end": _on_end,
    }
    """Functions, not methods: those would make of each state a cycle that keeps all nodes until the garbage collector comes."""


class _Series:
    """The values of one metric, as they came."""

    __slots__ = ("best", "goal", "last", "values")

    def __init__(self) -> None:
        self.values: list[tuple[float | None, float, float]] = []
        self.last = math.nan
        self.best: float | None = None
        self.goal: str | None = None

    def add(self, value: float, step: float | None, time: float, goal: str | None) -> None:
        self.values.append((step, value, time))
        self.last = value
        if goal is not None and goal != self.goal:
            self.goal, self.best = goal, None
            for _, each, _ in self.values:
                self._compare(each)
        elif self.goal is not None:
            self._compare(value)

    def _compare(self, value: float) -> None:
        if math.isnan(value):
            return
        if self.best is None or (value > self.best if self.goal == "max" else value < self.best):
            self.best = value

    def build(self, name: str) -> Metric:
        return Metric(name=name, last=self.last, best=self.best, count=len(self.values), values=tuple(self.values))


def _build_resource(name: str, values: list[tuple[float, float]]) -> Resource:
    numbers = [value for _, value in values]
    return Resource(name=name, mean=sum(numbers) / len(numbers), peak=max(numbers), values=tuple(values))


def _settings_of(begin: Event) -> dict[str, Any]:
    settings = dict(begin.get("settings") or {})
    settings.update({field: begin[field] for field in ("seed", "executor", "jobs") if begin.get(field) is not None})
    return settings


def _build_snapshot(event: Event) -> Snapshot:
    return Snapshot(
        tree=str(event["tree"]),
        base=event.get("base"),
        branch=event.get("branch"),
        changed=event.get("changed") or 0,
        untracked=event.get("untracked") or 0,
        omitted=tuple(
            Omitted(path=each["path"], reason=each["reason"], size=each.get("size"), digest=each.get("digest"))
            for each in event.get("omitted") or ()
        ),
        stable=event.get("stable", True),
        notes=tuple(event.get("notes") or ()),
    )


def _attempts_of(starts: Sequence[Event], end: NodeRecord | None = None) -> tuple[Attempt, ...]:
    """Take the attempts of a node that were seen to start: each but the last one has failed.

    A single try says nothing that the node does not say, and is left out.
    """
    if len(starts) < 2 or starts[0].get("t") is None:
        return ()
    times = [each.get("t") or 0.0 for each in starts]
    attempts = [
        Attempt(started=time, seconds=max(0.0, following - time), status=NodeStatus.FAILED)
        for time, following in pairwise(times)
    ]
    if end is not None:
        attempts.append(Attempt(started=times[-1], seconds=end.seconds, status=end.status))
    return tuple(attempts)


def _kill(node: NodeRecord, ended: float, status: NodeStatus) -> NodeRecord:
    if node.status is NodeStatus.PENDING:
        return node._replace(status=NodeStatus.CANCELLED)
    if node.status is not NodeStatus.RUNNING:
        return node
    seconds = max(0.0, ended - (node.started if node.started is not None else ended))
    attempts = node.attempts
    if attempts:
        last = attempts[-1].started + attempts[-1].seconds
        attempts = (*attempts, Attempt(started=last, seconds=max(0.0, ended - last), status=status))
    return node._replace(status=status, seconds=seconds, attempts=attempts)
