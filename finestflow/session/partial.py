"""Partial runs: which calls of a run are computed when it is to start, or to stop, at some of its nodes.

Owns what lies after a start node (by its inputs, or because the body looked at something that does), and what is needed for a stop node or for
a look. Invariants: what lies before a start node is never computed: it comes from the cache or from another run; with a stop node nothing is
computed that nobody needs. Every method is called with the lock of the run held; ``session`` asks before it takes a call on.
"""

from __future__ import annotations

import dis
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from finestflow.errors import FinestflowError, NotFoundError, UsageError, nearest_hint
from finestflow.journal.names import is_named_by
from finestflow.pipeline.output import Output, handle_of, iter_outputs, part_of
from finestflow.pipeline.pipeline import Pipeline
from finestflow.session.node import Call, Node

if TYPE_CHECKING:
    from finestflow.model import Run, RunId
    from finestflow.pipeline.task import Task

__all__ = ["Partial", "outputs_of"]

_NAMED = 8
_REPEAT = re.compile(r"\[\d+\]")
"""Of ``fit[1]``: the second call of ``fit``."""


class Partial:
    """What a partial run is about.

    Args:
        start: Patterns of the nodes that it starts at; none is at the beginning.
        stop: Patterns of the nodes that it stops at; none is at the end.
        run: The run that outputs before the start may come from.
        outputs: Its outputs: digests by path of the node.
    """

    def __init__(
        self,
        start: tuple[str, ...] = (),
        stop: tuple[str, ...] = (),
        run: RunId | None = None,
        outputs: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        self.start = start
        self.stop = stop
        self.make_ready: Callable[[Node], None] = lambda _: None
        """Lets a call go on; the session sets it."""
        self._outputs = outputs or {}
        self._controlled: set[Any] = set()
        self._waiting: dict[Node, None] = {}
        self._missing: dict[Node, None] = {}
        self._results: list[Node] = []

    def refuse_unknown(self, pipeline: Pipeline, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse a pattern that no node will match, where all nodes are known before anything runs.

        The body is only followed for a pattern that names none of the declared children.

        Raises:
            UsageError: There is one.
        """
        children = list(_children(pipeline))
        patterns = {pattern: _REPEAT.sub("", pattern) for pattern in (*self.start, *self.stop)}
        declared = [path for path, _ in children]
        strange = {pattern: plain for pattern, plain in patterns.items() if not _names_any(plain, declared)}
        if not strange or not all(map(_is_foreseeable, (pipeline, *(child for _, child in children)))):
            return
        from finestflow.pipeline.symbol import has_symbol
        from finestflow.pipeline.trace import trace

        graph = trace(pipeline, args, kwargs)
        if graph.stopped or any(not node.count or has_symbol(node.path) for node in graph.nodes):
            return
        paths = [node.path for node in graph.nodes]
        fans = [node.path for node in graph.nodes if node.kind == "map"]
        for pattern, plain in strange.items():
            is_item = any(_may_name_item(pattern, fan) for fan in fans)
            if not (is_item or _names_any(pattern, paths) or _names_any(plain, paths)):
                raise _unmatched(pattern, paths)

    # -- a call ------------------------------------------------------------------------------------------------------------------------

    def take_up(self, node: Node, frame: object) -> None:
        """Take note of a new node.

        Args:
            node: The node.
            frame: The body that calls it.
        """
        parent = node.parent
        node.is_controlled = frame in self._controlled or (parent is not None and parent.is_controlled)
        node.is_demanded = parent is not None and parent.kind == "map" and parent.is_demanded

    def take_up_fan(self, fan: Node) -> None:
        """Take note of a fan-out: one that the run stops at, or at an item of, has to know its items."""
        if _matches(self.stop, fan):
            self.demand(fan)
        elif fan.is_open and any(_may_name_item(pattern, fan.path) for pattern in self.stop):
            for origin in fan.parts:
                self.demand(origin)

    def find_bodies(self, call: Call) -> dict[Node, None]:
        """Return the nested pipelines whose bodies have to end before it is known where the inputs of a call come from."""
        found: dict[Node, None] = {}
        pending = [call]
        while pending:
            given = pending.pop()
            for output in iter_outputs((given.args, given.kwargs)):
                handle: Node = handle_of(output)  # type: ignore[assignment]
                handle.find_bodies(part_of(output), found)
            pending += [
                origin.call for origin in _origins(given) if origin.is_downstream is None and origin.call is not None
            ]
        return found

    def admit(self, node: Node, call: Call) -> bool:
        """Return whether a call whose origins are known is to be looked up, and computed where it may be."""
        origins = list(_origins(call))
        if node.is_downstream is None:
            node.is_downstream = not self.start or self._is_after(node, origins)
        if node.is_demanded:
            for origin in origins:
                self.demand(origin)
        if not node.is_downstream:
            if any(origin in self._missing for origin in origins):
                self._missing[node] = None
                return False
            return True
        if self.stop and not node.is_demanded:
            if not _matches(self.stop, node):
                self._waiting[node] = None
                return False
            self.demand(node)
        return True

    def _is_after(self, node: Node, origins: Iterable[Node]) -> bool:
        return node.is_controlled or _matches(self.start, node) or any(map(_lies_after, origins))

    def output_of(self, node: Node) -> str | None:
        """Return the digest that the other run has for a node before the start."""
        return None if node.is_downstream else self._outputs.get(node.path)

    def miss(self, node: Node) -> None:
        """Take note that the output of a node before the start is not to be had."""
        self._missing[node] = None

    # -- what is needed ----------------------------------------------------------------------------------------------------------------

    def demand(self, node: Node) -> None:
        """Take note that a node is needed, and with it all that it is made of."""
        pending = [node]
        while pending:
            needed = pending.pop()
            if needed.is_demanded:
                continue
            needed.is_demanded = True
            if needed in self._waiting:
                del self._waiting[needed]
                self.make_ready(needed)
            pending += needed.parts
            if needed.call is not None:
                pending += _origins(needed.call)

    def take_result(self, result: Any) -> None:
        """Take note of what the body of the pipeline returned: the run cannot do without, unless it stops before."""
        if not self.stop:
            self._results = [origin for output in iter_outputs(result) for origin in _origins_of(output)]

    def look(self, frame: object, node: Node) -> None:
        """Take note that a body looks at a node that has ended: what it calls from now on lies after what that lies after."""
        if frame is not None and _lies_after(node):
            self._controlled.add(frame)

    def check(self, node: Node) -> None:
        """Raise when a node that somebody looks at cannot be had."""
        missing = self._needed_by([node])
        if missing:
            raise self._error_of(missing)

    # -- the end -----------------------------------------------------------------------------------------------------------------------

    def close(
        self, nodes: Mapping[str, Node], error: BaseException | None
    ) -> tuple[list[tuple[Node, str, FinestflowError | None]], FinestflowError | None]:
        """Return what is not computed, each node with the reason and the error that it has, and the error that the run ends with.

        Args:
            nodes: All nodes of the run.
            error: What the body raised: then nobody knows which nodes there would have been, and that is no error of its own.
        """
        stops = ", ".join(map(repr, self.stop))
        starts = ", ".join(map(repr, self.start))
        open_nodes = [
            node for node in nodes.values() if node.is_open and node.is_downstream and node not in self._waiting
        ]
        missing = self._needed_by([*self._results, *open_nodes])
        problem = self._error_of(missing) if missing else None
        reason = (
            f"not needed for {stops}" if error is None else f"not started: the pipeline raised {type(error).__name__}"
        )
        skipped = [(node, reason, problem) for node in self._waiting]
        skipped += [(node, f"before {starts}, and not to be had", problem) for node in self._missing]
        self._waiting.clear()
        self._missing.clear()
        if error is None:
            for pattern in (*self.start, *self.stop):
                if not _names_any(pattern, nodes):
                    return skipped, _unmatched(pattern, nodes)
        return skipped, problem

    def chosen(self, nodes: Mapping[str, Node]) -> list[Node]:
        """Return the nodes that the run stops at."""
        return [node for path, node in nodes.items() if any(is_named_by(path, pattern) for pattern in self.stop)]

    def _needed_by(self, nodes: Iterable[Node]) -> list[Node]:
        """Return the missing nodes that these are, or wait for."""
        found: dict[Node, None] = {}
        seen: set[Node] = set()
        pending = list(nodes)
        while pending:
            node = pending.pop()
            if node in self._missing:
                found[node] = None
            elif node not in seen and (node.is_open or node.parts):
                seen.add(node)
                pending += node.parts
                if node.call is not None:
                    pending += _origins(node.call)
        return list(found)

    def _error_of(self, missing: Iterable[Node]) -> FinestflowError:
        paths = sorted(node.path for node in missing)
        names = ", ".join(map(repr, paths[:_NAMED])) + (
            f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        )
        places = "the cache" if self.run is None else f"run {self.run!r} and not in the cache"
        return NotFoundError(
            f"the run starts after outputs that are not in {places}: {names}",
            "start earlier, or name a run that has them: --from-run RUN, options(from_run=...)",
        )


def outputs_of(run: Run) -> dict[str, str]:
    """Return the digests of a recorded run's outputs by path of the node."""
    return {
        path: node.output.digest for path, node in run.nodes.items() if node.output is not None and node.output.digest
    }


def _names_any(pattern: str, paths: Iterable[str]) -> bool:
    return any(is_named_by(path, pattern) for path in paths)


def _unmatched(pattern: str, paths: Iterable[str]) -> UsageError:
    return UsageError(f"no node matches {pattern!r}", nearest_hint(pattern, paths, "nodes of this run"))


def _children(pipeline: Pipeline, prefix: str = "") -> Iterator[tuple[str, Task]]:
    """Yield the declared children with their paths, those of nested pipelines included."""
    for name, child in pipeline.children.items():
        yield prefix + name, child
        if isinstance(child, Pipeline):
            yield from _children(child, f"{prefix}{name}/")


def _is_foreseeable(task: Task) -> bool:
    """Whether no body of a pipeline reads the context or handles an error: what it calls then, nobody knows before it runs."""
    if not isinstance(task, Pipeline):
        return True
    code = getattr(inspect.unwrap(getattr(type(task), "__finestflow_body__", Pipeline.__call__)), "__code__", None)
    return (
        code is not None
        and "context" not in code.co_names
        and all(step.opname != "POP_EXCEPT" for step in dis.get_instructions(code))
    )


def _origins(call: Call) -> Iterator[Node]:
    """Yield the nodes that the inputs of a call come from, as far as that is known."""
    for output in iter_outputs((call.args, call.kwargs)):
        yield from _origins_of(output)


def _origins_of(output: Output) -> Iterable[Node]:
    handle: Node = handle_of(output)  # type: ignore[assignment]
    return handle.origins(part_of(output))


def _may_name_item(pattern: str, path: str) -> bool:
    return pattern.startswith(f"{path}/") or is_named_by(f"{path}/0", pattern)


def _lies_after(node: Node) -> bool:
    return bool(node.is_downstream) or any(map(_lies_after, node.parts))


def _matches(patterns: Iterable[str], node: Node | None) -> bool:
    """Whether a pattern names the node, or a pipeline or fan-out that it is in."""
    while node is not None:
        if any(is_named_by(node.path, pattern) for pattern in patterns):
            return True
        node = node.parent
    return False
