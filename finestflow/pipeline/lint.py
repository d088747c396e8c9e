"""Uses of an Output that would be silently wrong, found when a pipeline class is defined.

``y is None``, ``type(y)``, ``callable(y)``, ``hasattr(y, ...)``, ``isinstance(y, ...)`` and ``match y`` see the handle, not its value, and Python gives no way to
change that. Owns which names of a body surely are Outputs: those that are bound to nothing but task calls and parts of them. Invariant: it
never raises, and never speaks of a plain name. Called once a class by ``pipeline``.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import warnings
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

from finestflow.errors import describe_error

__all__ = ["child_of_call", "explained", "warn_of_handles"]

_SUSPECT = re.compile(r"\b(is|type|callable|hasattr|isinstance|match)\b")
_BLIND_CALLS = frozenset({"callable", "hasattr", "isinstance", "type"})


def warn_of_handles(body: Callable[..., Any], children: Collection[str]) -> None:
    """Warn of each use of an Output in the body of a pipeline that compares the handle.

    Args:
        body: The user's ``__call__``.
        children: Names of the pipeline's children.
    """
    try:
        lines, first = inspect.getsourcelines(body)
        source = "".join(lines)
        if not _SUSPECT.search(source):
            return
        file = inspect.getsourcefile(body) or "?"
        function = ast.parse(textwrap.dedent(source)).body[0]
        found = sorted(_iter_findings(function, children, _fan_outs(body)))
    except Exception:  # noqa: BLE001 - no source, or a kind of it that is not known: then there is nothing to say
        return
    for line, text in found:
        at = first + line - 1
        warnings.warn_explicit(f"{Path(file).name}:{at}: {text}", UserWarning, file, at, module=body.__module__)


Raised = TypeVar("Raised", bound=BaseException)


def explained(error: Raised) -> Raised:
    """Return an error of a body, with a note where foreign code was given an Output in place of a value."""
    if isinstance(error, (TypeError, AttributeError)) and re.search(r"\bOutput\b", describe_error(error)):
        error.add_note("finestflow: an Output stands for a value; give that code the value itself: y.value")
    return error


def _fan_outs(body: Callable[..., Any]) -> frozenset[str]:
    """Return the names by which a body calls ``each``: it gives an Output as well."""
    names = getattr(body, "__globals__", {}).items()
    return frozenset(name for name, value in names if getattr(value, "__module__", "") == "finestflow.pipeline.each")


def _iter_findings(
    function: ast.AST, children: Collection[str], fan_outs: Collection[str]
) -> Iterator[tuple[int, str]]:
    if not isinstance(function, ast.FunctionDef) or not function.args.args:
        return
    known = _Known(function.args.args[0].arg, children, fan_outs)
    known.learn(function)
    for node in ast.walk(function):
        if isinstance(node, ast.Compare):
            yield from _compared(node, known)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BLIND_CALLS:
            if len(node.args) in {1, 2} and known.is_output(node.args[0]) and "Output" not in _text(node):
                fixed = ast.Call(node.func, [_value_of(node.args[0]), *node.args[1:]], [])
                yield node.lineno, f'"{_text(node)}" sees the handle, not its value: write {_text(fixed)}'
        elif isinstance(node, ast.Match) and known.is_output(node.subject) and any(map(_sees_class, node.cases)):
            subject = _text(node.subject)
            yield node.lineno, f'"match {subject}" matches the handle, not its value: write match {subject}.value'


def _compared(node: ast.Compare, known: _Known) -> Iterator[tuple[int, str]]:
    sides = [node.left, *node.comparators]
    for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
        if isinstance(operator, (ast.Is, ast.IsNot)) and (known.is_output(left) or known.is_output(right)):
            fixed_left, fixed_right = (_value_of(side) if known.is_output(side) else side for side in (left, right))
            wrong, fixed = ast.Compare(left, [operator], [right]), ast.Compare(fixed_left, [operator], [fixed_right])
            yield node.lineno, f'"{_text(wrong)}" compares the handle, not its value: write {_text(fixed)}'


def _sees_class(case: ast.match_case) -> bool:
    """Whether a pattern asks for more than equality, which Outputs answer as their values do."""
    blind = (ast.MatchClass, ast.MatchMapping, ast.MatchSequence, ast.MatchSingleton)
    return any(isinstance(node, blind) for node in ast.walk(case.pattern))


def _text(node: ast.AST) -> str:
    return ast.unparse(node)


def _value_of(node: ast.expr) -> ast.expr:
    return ast.Attribute(node, "value", ast.Load())


class _Known:
    """Which expressions of a body surely are Outputs."""

    def __init__(self, myself: str, children: Collection[str], fan_outs: Collection[str]) -> None:
        self._myself = myself
        self._children = children
        self._fan_outs = fan_outs
        self._names: set[str] = set()

    def learn(self, function: ast.FunctionDef) -> None:
        """Find the names whose every binding is an Output: start with all, drop what is bound to anything else until nothing changes."""
        bindings: list[tuple[str, ast.expr]] = []
        seen: set[ast.AST] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    _bind(target, node.value, bindings, seen)
            elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
                _bind(node.target, node.value, bindings, seen)
        self._names = {name for name, _ in bindings} - _other_names(function, seen)
        while dropped := {name for name, value in bindings if name in self._names and not self.is_output(value)}:
            self._names -= dropped

    def is_output(self, node: ast.expr) -> bool:
        """Whether an expression surely is an Output."""
        match node:
            case ast.Name(id=name):
                return name in self._names
            case ast.Call(func=ast.Name(id=name)):
                return name in self._fan_outs
            case ast.Call(func=function):
                return child_of_call(function, self._myself) in self._children
            case ast.Attribute(value=inner, attr=name):
                return name != "value" and not name.startswith("_") and self.is_output(inner)
            case ast.Subscript(value=inner) | ast.NamedExpr(value=inner):
                return self.is_output(inner)
            case ast.IfExp(body=one, orelse=other):
                return self.is_output(one) and self.is_output(other)
        return False


def child_of_call(function: ast.expr, myself: str) -> str | None:
    """Return the name of the child that ``self.child(...)`` or ``self.child.named(...)(...)`` calls."""
    match function:
        case ast.Call(func=ast.Attribute(value=inner, attr="named")):
            return child_of_call(inner, myself)
        case ast.Attribute(value=ast.Name(id=name), attr=child) if name == myself:
            return child
    return None


def _bind(target: ast.expr, value: ast.expr, bindings: list[tuple[str, ast.expr]], seen: set[ast.AST]) -> None:
    """Note the names that an assignment binds; the parts of an Output are Outputs."""
    if isinstance(target, ast.Name):
        bindings.append((target.id, value))
        seen.add(target)
    elif isinstance(target, (ast.Tuple, ast.List)):
        values = (
            value.elts
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts)
            else [value] * len(target.elts)
        )
        if not any(isinstance(item, ast.Starred) for item in [*target.elts, *values]):
            for part, item in zip(target.elts, values, strict=True):
                _bind(part, item, bindings, seen)


def _other_names(function: ast.FunctionDef, seen: set[ast.AST]) -> set[str]:
    """Return the names that anything else binds: loops, arguments, imports, captures, here or in a function inside."""
    found: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if node not in seen:
                found.add(name)
            case ast.arg(arg=name) | ast.MatchMapping(rest=str(name)) | ast.AugAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=alias):
                found.add(alias or name.partition(".")[0])
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found.update(names)
    return found
