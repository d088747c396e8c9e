"""A run as a person in Python sees it: ``pipeline.last_run``, and what reads of runs return.

Thin over ``model.Run`` and the workspace; values are loaded when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from finestflow.errors import NotFoundError, nearest_hint
from finestflow.journal.conditions import find_value
from finestflow.model import Metric, NodeRecord, Run, RunSummary

if TYPE_CHECKING:
    from datetime import datetime

    from finestflow.compare import RunDiff
    from finestflow.reproduce import Verdict
    from finestflow.workspace import Workspace

__all__ = ["RunView"]


class _ByName(Mapping[str, Any]):
    """What has names of several forms: looking one up that is not there says which there are."""

    def __init__(self, view: RunView) -> None:
        self._view = view

    def get(self, name: str, default: Any = None) -> Any:
        if name in self:
            return self[name]
        return default

    def __len__(self) -> int:
        return len(list(iter(self)))


class _Outputs(_ByName):
    """Outputs by node path or by the name of a result; each look loads a private copy."""

    def __getitem__(self, address: str) -> Any:
        return self._view.workspace.load_output(self._view.record, address)

    def __contains__(self, address: object) -> bool:
        from finestflow.address import find_output

        try:
            find_output(self._view.record, str(address))
        except NotFoundError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter([path for path, node in self._view.record.nodes.items() if node.output is not None])

    def __repr__(self) -> str:
        return f"<outputs: {', '.join(self)}>"


class _Metrics(_ByName):
    """Metrics by ``node/name``, or by the name alone: then it is the run's own, else the only one that is called so."""

    def __getitem__(self, name: str) -> Metric:
        metrics = self._view.record.metrics
        found = find_value(metrics, name, "/")
        if found is None:
            same = [each for each in metrics if each.endswith(f"/{name}")]
            hint = f"it has: {', '.join(same)}" if same else nearest_hint(name, metrics, "metrics")
            raise NotFoundError(f"run {self._view.name!r} has no {'single ' if same else ''}metric {name!r}", hint)
        metric: Metric = found[0]
        return metric

    def __contains__(self, name: object) -> bool:
        return find_value(self._view.record.metrics, str(name), "/") is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._view.record.metrics)

    def __repr__(self) -> str:
        return repr(dict(self))


class RunView:
    """One run; its record is read when something is asked that a listing does not know.

    Args:
        workspace: Where it is.
        run: The run, whole or as a listing has it.
    """

    def __init__(self, workspace: Workspace, run: Run | RunSummary) -> None:
        self.workspace = workspace
        self._record = run if isinstance(run, Run) else None
        self.summary = run.summary if isinstance(run, Run) else run

    @property
    def record(self) -> Run:
        """All that is recorded of it."""
        if self._record is None:
            self._record = self.workspace.load_run(self.summary)
        return self._record

    @property
    def id(self) -> str:
        """Its id: 12 letters from k to z."""
        return self.summary.id

    @property
    def name(self) -> str:
        """Its name, such as ``brisk-lynx-41``."""
        return self.summary.name

    @property
    def pipeline(self) -> str:
        """The name of its pipeline."""
        return self.summary.pipeline

    @property
    def status(self) -> str:
        """How it stands: running, ok, failed, cancelled, killed."""
        return self.summary.status.value

    @property
    def started(self) -> datetime:
        """When it began, in the time zone of this machine."""
        from datetime import UTC, datetime

        return datetime.fromtimestamp(self.summary.started, UTC).astimezone()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.summary.seconds

    @property
    def tags(self) -> tuple[str, ...]:
        """Words to find it by."""
        return self.summary.tags

    @property
    def note(self) -> str:
        """What a person says of it."""
        return self.summary.note

    @property
    def params(self) -> Mapping[str, Any]:
        """Its params by path."""
        return self.summary.params

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Its metrics with all their values, by ``node/name``, or by the name alone where only one is called so."""
        return _Metrics(self)

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Its outputs, loaded when looked at."""
        return _Outputs(self)

    @property
    def nodes(self) -> Mapping[str, NodeRecord]:
        """The calls of its tasks by path."""
        return self.record.nodes

    def log(self, node: str | None = None) -> str:
        """Return what a node, or the whole run, printed."""
        run = self.workspace.resolve(self.id)
        return self.workspace.read_log(run, node).decode("utf-8", "replace")

    def why(self, node: str) -> str:
        """Return why a node ran, or which run its hit came from."""
        if node not in self.nodes:
            raise NotFoundError(f"run {self.name!r} has no node {node!r}", nearest_hint(node, self.nodes, "nodes"))
        return self.nodes[node].why

    def code(self, path: str) -> str:
        """Return a file as it was when the run started.

        Raises:
            NotFoundError: The snapshot has no such file.
        """
        from finestflow.git.objects import Objects

        snapshot = self.record.snapshot
        with Objects(self.workspace.require_repository()) as objects:
            data = objects.read_path(snapshot.tree, path) if snapshot is not None else None
        if data is None:
            raise NotFoundError(f"run {self.name!r} has no file {path!r}", f"finestflow checkout {self.id}")
        return data.decode("utf-8", "replace")

    def diff(self, other: RunView | str) -> RunDiff:
        """Return all that differs between this run and another one, this one being the earlier.

        Args:
            other: The run that is asked about, or what names it.
        """
        return self.workspace.diff(self.id, other if isinstance(other, str) else other.id)

    def reproduce(self, *, tolerance: float | None = None, env: bool = False) -> Verdict:
        """Run it again from its snapshot, in a work tree and process of its own, and compare every output.

        Args:
            tolerance: Largest difference of numbers that still counts as equal.
            env: Whether it runs in the recorded Python and packages, which are built when they are not there yet; what cannot be had is warned of.
        """
        workspace, prepare = self.workspace, None
        if env:
            plan = workspace.plan_provision(self.record)
            for note in plan.notes:
                workspace.warn(note)
            prepare = workspace.provide(plan, workspace.warn)
        return workspace.reproduce(self.record, workspace.inspect(self.record), tolerance=tolerance, prepare=prepare)

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.name} {self.status}>"

    def _repr_html_(self) -> str:
        """Show it in a notebook: what it was given, what came of it, node by node."""
        from finestflow.markup import table

        nodes = [(node.path, node.status.value, node.seconds, node.why) for node in self.nodes.values()]
        facts = [("params", _pairs(self.params)), ("metrics", _pairs(self.summary.metrics)), ("note", self.note)]
        head = [(name, text) for name, text in facts if text]
        title = f"{self.name} ({self.id}): {self.pipeline} {self.status} in {self.seconds:.3g}s"
        return table((), head, caption=title) + table(("node", "status", "seconds", "why"), nodes)


def _pairs(values: Mapping[str, Any]) -> str:
    from finestflow.markup import shown

    return ", ".join(f"{name}={shown(value)}" for name, value in values.items())
