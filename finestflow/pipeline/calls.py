"""The calls that a pipeline's body surely makes, checked before anything runs.

A call with an input that the task does not have would else fail when it is its turn, hours later perhaps. Owns which calls are sure: those in
no branch, read from the source of the body; one whose source is not there tells nothing. Invariant: nothing of the user runs.
``workspace`` asks once a run.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from finestflow.errors import GraphError, nearest_hint
from finestflow.pipeline.lint import child_of_call
from finestflow.pipeline.pipeline import Pipeline
from finestflow.pipeline.task import Task, signature_of

__all__ = ["check_calls"]


@dataclass(frozen=True, slots=True)
class _Sure:
    """A call of a child: how many inputs it gives by position, which by name, and whether there are more behind stars."""

    child: str
    count: int
    names: tuple[str, ...]
    is_open: bool
    place: str


def check_calls(pipeline: Pipeline) -> None:
    """Check the calls that the bodies of a pipeline and of those inside it surely make against the tasks that are there now.

    Raises:
        GraphError: A call cannot be; the message names the line, the hint the nearest input.
    """
    children = pipeline.children
    body = getattr(type(pipeline), "__finestflow_body__", None)
    for call in _sure_calls(body) if body is not None else ():
        if call.child in children:
            _check(call, children[call.child])
    for child in children.values():
        if isinstance(child, Pipeline):
            check_calls(child)


def _check(call: _Sure, task: Task) -> None:
    signature = signature_of(task)
    if signature is None:
        return
    parameters = signature.parameters
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in call.names:
            if name not in parameters:
                hint = nearest_hint(name, parameters, f"inputs of {call.child!r}")
                raise GraphError(f"{call.place}: {call.child!r} has no input {name!r}", hint)
    try:
        bind = signature.bind_partial if call.is_open else signature.bind
        bind(*[None] * call.count, **dict.fromkeys(call.names))
    except TypeError as error:
        message = f"{call.place}: {call.child!r} cannot be called like that: {error}"
        raise GraphError(message, f"it is {task.task_name}{signature}") from None


@functools.lru_cache(maxsize=256)
def _sure_calls(body: Callable[..., object]) -> tuple[_Sure, ...]:
    """Return the calls of children that a body makes in no branch."""
    try:
        lines, first = inspect.getsourcelines(body)
        function = ast.parse(textwrap.dedent("".join(lines))).body[0]
        place = Path(inspect.getsourcefile(body) or "?").name
    except (OSError, TypeError, SyntaxError, IndexError):  # no source, or none that stands alone
        return ()
    if not isinstance(function, ast.FunctionDef) or not function.args.args:
        return ()
    myself = function.args.args[0].arg
    return tuple(_iter_sure(function.body, myself, f"{place}:{{}}", first - 1))


def _iter_sure(statements: Iterable[ast.stmt], myself: str, place: str, above: int) -> Iterator[_Sure]:
    for node in _iter_certain(statements):
        name = child_of_call(node.func, myself)
        if name is not None:
            yield _Sure(
                name,
                sum(not isinstance(argument, ast.Starred) for argument in node.args),
                tuple(keyword.arg for keyword in node.keywords if keyword.arg is not None),
                any(isinstance(argument, ast.Starred) for argument in node.args)
                or any(keyword.arg is None for keyword in node.keywords),
                place.format(above + node.lineno),
            )


def _iter_certain(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """Yield the calls that are made whenever these nodes are reached; none after a branch that may leave."""
    for node in nodes:
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield from _iter_certain([test])
            case ast.Match(subject=subject):
                yield from _iter_certain([subject])
            case ast.BoolOp(values=[first, *_]):
                yield from _iter_certain([first])
            case ast.Try() | ast.Lambda() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass
            case _:
                yield from _iter_certain(ast.iter_child_nodes(node))
                if isinstance(node, ast.Call):
                    yield node
        if isinstance(node, (ast.If, ast.While, ast.Match, ast.Try)) and _may_leave(node):
            return


def _may_leave(node: ast.AST) -> bool:
    return any(isinstance(inner, (ast.Return, ast.Raise, ast.Break, ast.Continue)) for inner in ast.walk(node))
