"""A run as a person in Python sees it: ``pipeline.last_run``, and what reads of runs return.

Thin over ``model.Run`` and the workspace; values are loaded when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from finestflow.errors import NotFoundError, nearest_hint
from finestflow.model import Metric, NodeRecord, Run

if TYPE_CHECKING:
    from finestflow.workspace import Workspace

__all__ = ["RunView"]


class _Outputs(Mapping[str, Any]):
    """Outputs by node path or by the name of a result; each look loads a private copy."""

    def __init__(self, view: RunView) -> None:
        self._view = view

    def __getitem__(self, address: str) -> Any:
        return self._view.workspace.load_output(self._view.record, address)

    def __iter__(self) -> Iterator[str]:
        return iter([path for path, node in self._view.record.nodes.items() if node.output is not None])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"<outputs: {', '.join(self)}>"


class RunView:
    """One run.

    Attributes:
        record: All that is recorded of it.
    """

    def __init__(self, workspace: Workspace, record: Run) -> None:
        self.workspace = workspace
        self.record = record

    @property
    def id(self) -> str:
        """Its id: 12 letters from k to z."""
        return self.record.summary.id

    @property
    def name(self) -> str:
        """Its name, such as ``brisk-lynx-41``."""
        return self.record.summary.name

    @property
    def status(self) -> str:
        """How it ended: ok, failed, cancelled, killed."""
        return self.record.summary.status.value

    @property
    def params(self) -> Mapping[str, Any]:
        """Its params by path."""
        return self.record.summary.params

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Its metrics with all their values, by ``node/name``."""
        return self.record.metrics

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

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.name} {self.status}>"
