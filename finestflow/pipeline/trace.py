"""The graph of a pipeline before it runs: its body is called with values that nobody has computed yet.

Owns which ways through a body are followed: where the body asks for a truth, both, at most 64 ways altogether; where it iterates, one element
for all; where Python needs a number, the graph is known up to there and says so. Invariant: nothing of the user's tasks runs. Asked by
``graph``, ``plan`` and notebooks; takes 0.1 to 0.6 ms for a typical pipeline.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import functools
import inspect
import io
import sys
import textwrap
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from finestflow.graph import Edge, Graph, GraphNode, in_order
from finestflow.pipeline.call import FRAME, SCOPE
from finestflow.pipeline.context import Context
from finestflow.pipeline.each import Each
from finestflow.pipeline.output import Handle, Output, Part, handle_of, part_of, part_text, resolve
from finestflow.pipeline.parts import located, part_count
from finestflow.pipeline.paths import Paths
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.symbol import ITEM, Stop, Symbol, origins_in_text
from finestflow.pipeline.task import Task, signature_of

__all__ = ["trace"]

_MOST_WAYS = 64
_MOST_QUESTIONS = 200
"""In one way through a body; a loop that asks without calling a task would never end."""
_OWN_FOLDER = str(Path(__file__).parent)


def trace(
    pipeline: Pipeline,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    known: Mapping[str, Handle] | None = None,
) -> Graph:
    """Return the graph of a pipeline; nothing of its tasks runs.

    Args:
        pipeline: The pipeline.
        args: Positional inputs; required ones that are not given are values that nobody knows.
        kwargs: Inputs by name.
        known: Nodes whose value is known already, such as those that a plan finds to be hits.
    """
    open_ways: list[tuple[bool, ...]] = [()]
    ways: list[_Way] = []
    with contextlib.redirect_stdout(io.StringIO()):  # a body that prints does so in its run
        while open_ways and len(ways) < _MOST_WAYS:
            way = _Way(open_ways.pop(), known or {})
            way.follow(pipeline, args, dict(kwargs or {}))
            ways.append(way)
            open_ways.extend(way.other_ways())
    stopped = next((way.stopped for way in ways if way.stopped), "")
    if open_ways:
        stopped = stopped or f"the body branches in more than {_MOST_WAYS} ways: only the first ones are shown"
    return _merged(ways, stopped)


@dataclass(slots=True)
class _Question:
    """A place where the body asked for a truth, what was answered, and how many calls had been made."""

    answer: bool
    is_forced: bool
    sources: tuple[str, ...]
    calls: int


@dataclass(slots=True)
class _Way:
    """One way through a body: the answers given beforehand, then always yes."""

    answers: tuple[bool, ...]
    known: Mapping[str, Handle]
    nodes: dict[str, GraphNode] = field(default_factory=dict)
    edges: dict[Edge, None] = field(default_factory=dict)
    questions: list[_Question] = field(default_factory=list)
    texts: list[Symbol] = field(default_factory=list)
    stopped: str = ""
    _loops: int = 0
    _asked: dict[tuple[CodeType, Any], int] = field(default_factory=dict)

    def follow(self, pipeline: Pipeline, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Call the body."""
        frame_token, scope_token = FRAME.set(_TraceFrame(self, pipeline, "")), SCOPE.set(None)
        try:
            pipeline.body(*args, **self._completed(pipeline, args, kwargs))
        except Stop as stop:
            self.stopped = _where(stop, str(stop))
        except Exception as error:  # noqa: BLE001 - a body may raise anything when it is given no values
            self.stopped = _where(error, f"{type(error).__name__}: {error}")
        finally:
            SCOPE.reset(scope_token)
            FRAME.reset(frame_token)

    def _completed(self, pipeline: Pipeline, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the inputs by name, with a symbol for each that is required and not given."""
        signature = signature_of(pipeline)
        if signature is None:
            return kwargs
        given = {*signature.bind_partial(*args, **kwargs).arguments}
        missing = [
            parameter.name
            for parameter in signature.parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}
            and parameter.name not in given
        ]
        return {**kwargs, **{name: Symbol(self, []) for name in missing}}

    def other_ways(self) -> Iterator[tuple[bool, ...]]:
        """Yield the answers that lead elsewhere from the questions that this way was the first to reach; the nearest last."""
        answers = [question.answer for question in self.questions]
        for index in range(len(self.answers), len(answers)):
            if not self.questions[index].is_forced:
                yield (*answers[:index], not answers[index])

    # -- what frames and symbols tell --------------------------------------------------------------------------------------------------

    def decide(self, symbol: Symbol) -> bool:
        """Answer the body: as was said beforehand, or yes; a loop that asks again is left."""
        frame = _user_frame()
        place = (frame.f_code, _positions(frame.f_code)[frame.f_lasti // 2])
        before = self._asked.get(place)
        number = len(self.questions)
        if number >= _MOST_QUESTIONS:
            raise Stop(f"asks too often for the truth of {symbol!r}")
        if before is not None and _is_in_while(frame.f_code, frame.f_lineno):
            self._repeat_since(self.questions[before].calls)
            answer, is_forced = not self.questions[before].answer, True
        else:
            answer = self.answers[number] if number < len(self.answers) else True
            is_forced = False
        self._asked[place] = number
        sources = tuple(dict.fromkeys(path for path, _ in symbol.origins))
        self.questions.append(_Question(answer, is_forced, sources, len(self.nodes)))
        return answer

    def unpacked(self) -> int | None:
        """Return into how many names the body takes a value apart; None where it does something else."""
        frame = _user_frame()
        code = frame.f_code.co_code
        name, count = dis.opname[code[frame.f_lasti]], code[frame.f_lasti + 1]
        return count if name == "UNPACK_SEQUENCE" else None

    def begin_loop(self) -> None:
        """Take note that what is called now is called once for each element."""
        self._loops += 1

    def end_loop(self) -> None:
        """Take note that it is not any more."""
        self._loops -= 1

    def _repeat_since(self, calls: int) -> None:
        for path in list(self.nodes)[calls:]:
            self.nodes[path] = replace(self.nodes[path], count=0)

    def add(self, path: str, task: Task, kind: str) -> None:
        """Add a call."""
        identity = type(task).__finestflow_meta__.name or task.task_name
        self.nodes[path] = GraphNode(path=path, task=identity, kind=kind, count=0 if self._loops else 1)

    def set_count(self, path: str, count: int) -> None:
        """Take note of how many calls a node stands for."""
        if count and not self._loops:
            self.nodes[path] = replace(self.nodes[path], count=count)

    def join(self, target: str, name: str, value: Any, seen: frozenset[int] = frozenset()) -> None:
        """Add the edges from what is in an input."""
        kind = type(value)
        if kind is Output:
            self._join_output(target, name, value, seen)
        elif kind is Symbol:
            if value.output is not None:
                self._join_output(target, name, value.output, seen)
            else:
                self._join_texts(target, name, value.origins)
        elif kind is str:
            self._join_texts(target, name, origins_in_text(value, self))
        elif id(value) not in seen:
            inside = seen | {id(value)}
            if isinstance(value, (list, tuple)):
                for index, item in enumerate(value):
                    self.join(target, f"{name}[{index}]", item, inside)
            elif isinstance(value, dict):
                for key, item in value.items():
                    self.join(target, f"{name}[{key!r}]", item, inside)
            elif hasattr(kind, "__dataclass_fields__"):
                for attribute in kind.__dataclass_fields__:
                    self.join(target, f"{name}.{attribute}", getattr(value, attribute, None), inside)

    def _join_output(self, target: str, name: str, output: Output, seen: frozenset[int]) -> None:
        handle, part = handle_of(output), part_of(output)
        if isinstance(handle, _Inside):
            self.join(target, name, handle.take(part), seen)
        else:
            self.edges[Edge(handle.path, target, name, part_text(part))] = None

    def _join_texts(self, target: str, name: str, origins: Any) -> None:
        for path, part in origins:
            self.edges[Edge(path, target, name, part_text(part), "text")] = None


class _TraceFrame:
    """The body of one pipeline while it is traced."""

    def __init__(self, way: _Way, pipeline: Pipeline, prefix: str) -> None:
        self.context = Context({})
        self._way = way
        self._pipeline = pipeline
        self._paths = Paths(prefix)

    def is_running(self, pipeline: Pipeline) -> bool:
        """Whether this is the body of that object."""
        return pipeline is self._pipeline

    def look(self, path: str) -> None:
        """Symbols tell what is looked at."""

    def raised(self, error: BaseException) -> None:
        """No call fails in a trace."""

    def call(self, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any], name: str | None) -> Any:
        """Add the call to the graph and return an Output without a value."""
        if isinstance(task, Each):
            label = name or task.__dict__.get("_slot") or task.task_name
            return self.call_each(task.children["task"], args[0], args[1:], kwargs, name=label)
        way, path = self._way, self._paths.next_path(task, name)
        way.add(path, task, "pipeline" if isinstance(task, Pipeline) else "task")
        return self._made(path, task, args, kwargs)

    def _made(self, path: str, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the Output of a call that is in the graph, with the edges to it."""
        if isinstance(task, Pipeline):
            token = FRAME.set(_TraceFrame(self._way, task, path + "/"))
            try:
                return Output(_Inside(path, task, task.body(*args, **kwargs)))
            finally:
                FRAME.reset(token)
        for label, value in _labelled(task, args, kwargs):
            self._way.join(path, label, value)
        return Output(_Unknown(path, self._way, task))

    def call_each(
        self,
        task: Task,
        items: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        limit: int | None = None,
        name: str | None = None,
    ) -> Any:
        """Add a fan-out as one node, or as one pipeline, for all items; return an Output of a list."""
        way, path = self._way, self._paths.next_path(task, name)
        known = items if isinstance(items, (list, tuple)) else None
        item = items[ITEM] if type(items) in {Output, Symbol} else (known or [None])[0]
        way.begin_loop()
        try:
            way.add(path, task, "pipeline" if isinstance(task, Pipeline) else "map")
            made = self._made(path, task, (item, *args), kwargs)
        finally:
            way.end_loop()
        for other in (known or ())[1:]:
            way.join(path, next(iter(dict(_labelled(task, (None,), {}))), ""), other)
        if known is not None:
            way.set_count(path, len(known))
        return Output(_Listed(path, way, made))


def _labelled(task: Task, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the inputs of a call by the names of the parameters that receive them."""
    signature = signature_of(task)
    names: list[str] = []
    rest = "args"
    for parameter in signature.parameters.values() if signature is not None else ():
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            names.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            rest = parameter.name
    for index, value in enumerate(args):
        yield names[index] if index < len(names) else f"{rest}[{index - len(names)}]", value
    yield from kwargs.items()


class _Unknown:
    """The result of a call that nobody has made; a known one is looked up."""

    def __init__(self, path: str, way: _Way, task: Task) -> None:
        self.path = path
        self._way = way
        self._task = task

    def value(self, part: Part) -> Any:
        """Return the value where it is known, else a symbol."""
        known = self._way.known.get(self.path)
        if known is not None:
            return known.value(part)
        return Symbol(self._way, [(self.path, part)], Output(self, part))

    def children(self, part: Part) -> tuple[Any, ...] | None:
        """Return the indexes of a tuple whose length is known or declared."""
        known = self._way.known.get(self.path)
        if known is not None:
            return known.children(part)
        count = part_count(self._task)
        return tuple(range(count)) if count > 1 and not part else None

    def describe(self) -> str:
        """Return a few words on how it stands."""
        return "not known yet"


class _Inside:
    """The result of a nested pipeline: what its body returned, Outputs and all."""

    def __init__(self, path: str, task: Task, result: Any) -> None:
        self.path = path
        self._task = task
        self._result = result

    def take(self, part: Part) -> Any:
        """Return a part of the result."""
        value = self._result
        part = located(value, part, self._task)
        for index, (kind, key) in enumerate(part):
            if type(value) is Output:
                return Output(handle_of(value), (*part_of(value), *part[index:]))
            value = value[key] if kind == "item" else getattr(value, key)
        return value

    def value(self, part: Part) -> Any:
        """Return a part of the result, each Output in it looked at."""
        return resolve(self.take(part))

    def children(self, part: Part) -> tuple[Any, ...] | None:
        """Return the indexes of a tuple or list."""
        value = self.take(part)
        if type(value) is Output:
            return handle_of(value).children(part_of(value))
        return tuple(range(len(value))) if isinstance(value, (tuple, list)) else None

    def describe(self) -> str:
        """Return a few words on how it stands."""
        return "not known yet"


class _Listed:
    """The results of a fan-out: each item is what one call returns."""

    def __init__(self, path: str, way: _Way, item: Any) -> None:
        self.path = path
        self._way = way
        self._item = item

    def value(self, part: Part) -> Any:
        """Return a symbol: nobody knows the items."""
        known = self._way.known.get(self.path)
        if known is not None:
            return known.value(part)
        return Symbol(self._way, [(self.path, part)], Output(self, part))

    def children(self, part: Part) -> None:
        """Nobody knows how many there are."""

    def describe(self) -> str:
        """Return a few words on how it stands."""
        return "not known yet"


# -- places in the user's code ---------------------------------------------------------------------------------------------------------


def _user_frame() -> FrameType:
    """Return the frame of the body that asks."""
    frame = sys._getframe(1)  # noqa: SLF001 - there is no other way to know who asks
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN_FOLDER):
        frame = frame.f_back
    return frame


@functools.lru_cache(maxsize=256)
def _positions(code: CodeType) -> tuple[Any, ...]:
    """Return where in the source each instruction stands; the test of a loop is compiled twice, and stands in one place."""
    return tuple(code.co_positions())


def _where(error: BaseException, text: str) -> str:
    """Return the line of the user that an error came from, and what it says."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.startswith(_OWN_FOLDER):
            place = f"{Path(frame.f_code.co_filename).name}:{line}: "
    return place + text


@functools.lru_cache(maxsize=256)
def _while_lines(code: CodeType) -> frozenset[int]:
    """Return the lines of a function that are in a ``while``; empty where its source is not there."""
    try:
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, TypeError):
        return frozenset()
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.While)]
    return frozenset(
        line + first - 1 for loop in loops for line in range(loop.lineno, (loop.end_lineno or loop.lineno) + 1)
    )


def _is_in_while(code: CodeType, line: int) -> bool:
    return line in _while_lines(code)


# -- the ways together -----------------------------------------------------------------------------------------------------------------


def _merged(ways: list[_Way], stopped: str) -> Graph:
    """Put the ways together: what only some of them have is a maybe, and hangs on the question that leads to it."""
    nodes: dict[str, GraphNode] = {}
    edges: dict[Edge, None] = {}
    for way in ways:
        for path, node in way.nodes.items():
            known = nodes.get(path)
            nodes[path] = node if known is None or node.count == 0 else known
        edges.update(way.edges)
    for path, node in nodes.items():
        if any(path not in way.nodes for way in ways):
            nodes[path] = replace(node, is_maybe=True)
    edges.update(dict.fromkeys(_control_edges(ways, edges)))
    return Graph(nodes=tuple(in_order(nodes, edges)), edges=tuple(edges), stopped=stopped)


def _control_edges(ways: list[_Way], edges: Iterable[Edge]) -> list[Edge]:
    """Return an edge from each question to the first calls that follow one of its answers only."""
    asked: dict[tuple[bool, ...], _Question] = {}
    reached: dict[tuple[bool, ...], set[str]] = {}
    for way in ways:
        answers = tuple(question.answer for question in way.questions)
        for index, question in enumerate(way.questions):
            asked.setdefault(answers[:index], question)
            reached.setdefault(answers[: index + 1], set()).update(list(way.nodes)[question.calls :])
    joined = {(edge.source, edge.target) for edge in edges}
    found = []
    for answers, question in asked.items():
        yes, no = reached.get((*answers, True)), reached.get((*answers, False))
        if yes is None or no is None:
            continue
        hanging = yes ^ no
        later = {target for source, target in joined if source in hanging}
        found += [
            Edge(source, path, kind="control")
            for path in sorted(hanging - later)
            for source in question.sources
            if source != path and (source, path) not in joined
        ]
    return found
