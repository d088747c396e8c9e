"""A run that has ended, as who made it gets it back: its record, its nodes, what it returned or raised.

Invariant: nothing is loaded to say how it ended but a small value of which a part is returned. ``runner`` makes one a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finestflow.ending import INTERRUPTS
from finestflow.model import Run
from finestflow.pipeline.output import Output, handle_of, part_of, part_text, resolve
from finestflow.session.node import Node
from finestflow.session.structure import Structure

if TYPE_CHECKING:
    from finestflow.graph import Graph

__all__ = ["Finished", "problem_of"]


@dataclass(slots=True, kw_only=True)
class Finished:
    """A run that has ended.

    ``result`` is what the pipeline's body returned, Outputs and all; ``error`` what it raised; ``is_misused`` says that the error
    is no failure: the run was to start or stop at a node that there is not. Of a plan, ``unknown`` is the node whose value
    the body looks at before anybody has computed it, and ``further`` the graph with what may come after that.
    """

    run: Run
    nodes: dict[str, Node]
    result: Any = None
    error: BaseException | None = None
    is_misused: bool = False
    unknown: str = ""
    further: Graph | None = None

    @property
    def is_interrupted(self) -> bool:
        """Whether it was cancelled, by Ctrl-C, a signal or an exit."""
        return isinstance(self.error, INTERRUPTS)

    @property
    def value(self) -> Any:
        """The plain value that the pipeline returned; loads it."""
        return resolve(self.result)

    def release(self) -> None:
        """Let go of the nodes: they know their session, and it knows them, so else they would wait for the garbage collector."""
        self.result = None
        self.nodes.clear()


def problem_of(result: Any) -> BaseException | None:
    """Return why a pipeline's result cannot be had: a call failed or was skipped, or its value, where it is small, has no such part."""
    if type(result) is Output:
        handle, part = handle_of(result), part_of(result)
        if isinstance(handle, Structure):
            return problem_of(handle.take(part))
        if not isinstance(handle, Node) or handle.error is not None:
            return handle.error if isinstance(handle, Node) else None
        if part and handle.info is not None and handle.info.object is None:
            try:
                handle.value_unseen(part)
            except Exception as error:  # noqa: BLE001 - whatever a value of the user raises
                error.add_note(f"finestflow: it is {handle.path + part_text(part)!r}, which the pipeline returns")
                return error.with_traceback(None)
        return None
    items = result.values() if isinstance(result, dict) else result if isinstance(result, (list, tuple)) else ()
    return next((problem for item in items if (problem := problem_of(item)) is not None), None)
