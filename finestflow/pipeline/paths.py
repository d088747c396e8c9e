"""The paths of calls: ``fit``, ``fit[1]``, ``train/fit``.

Owns how a call gets its name. Invariant: a path depends on the order of calls within one body alone. Used where bodies run, and where they are
traced.
"""

from __future__ import annotations

from finestflow.errors import GraphError
from finestflow.pipeline.task import Task

__all__ = ["Paths"]


class Paths:
    """The names that the calls of one body have taken.

    Args:
        prefix: Path of the pipeline's own node with a slash; empty for the outermost.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self._counts: dict[str, int] = {}
        self._named: set[str] = set()

    def next_path(self, task: Task, name: str | None) -> str:
        """Return the path of the next call: a name once, unnamed repeats with a number.

        Raises:
            GraphError: The name is taken.
        """
        if name is not None:
            if name in self._named or name in self._counts:
                raise GraphError(f"two calls are named {name!r}", "give each a name of its own: task.named(...)")
            self._named.add(name)
            return self.prefix + name
        label = task.__dict__.get("_slot") or task.task_name
        count = self._counts.get(label, 0)
        self._counts[label] = count + 1
        if count:
            return f"{self.prefix}{label}[{count}]"
        if label in self._named:
            raise GraphError(f"two calls are named {label!r}", "give each a name of its own: task.named(...)")
        return self.prefix + label
