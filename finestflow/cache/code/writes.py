"""Whether code changes what lies in modules while it runs: ``cfg.RATE = rate``, ``SETTINGS["rate"] = rate``, ``global RATE``.

The tasks that are called next may read it, so what was known of their code before is known no longer. Looks at the source of a function, and of those of
the project that it calls by name. Invariant: it never raises, and runs nothing. Not seen: what is changed under a local name, and by libraries.
Called by the runner, once for each pipeline of a run.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

__all__ = ["changes_modules"]

_CHANGING = frozenset(
    {
        "__setattr__",
        "__setitem__",
        "add",
        "append",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "remove",
        "setdefault",
        "update",
    }
)


def changes_modules(function: Callable[..., Any], cls: type, is_project: Callable[[Any], bool]) -> bool:
    """Return whether a method, or what it calls, changes something that a module holds.

    Args:
        function: The method.
        cls: The class that it is called on.
        is_project: Whether a function belongs to the project.
    """
    seen: set[object] = set()
    queue: list[Any] = [function]
    for each in queue:
        if not isinstance(each, FunctionType) or each in seen or not is_project(each):
            continue
        seen.add(each)
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(each)))
        except (OSError, TypeError, SyntaxError, ValueError):  # no source, or one that does not stand alone
            continue
        body = _Body(tree)
        if body.changes:
            return True
        queue += [_find(chain, each.__globals__, cls) for chain in body.calls]
    return False


class _Body:
    """What the source of one function names that is not its own."""

    def __init__(self, tree: ast.AST) -> None:
        nodes = list(ast.walk(tree))
        declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
        bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        self._own = bound - declared
        self.changes = bool(bound & declared) or any(self._is_outside(target) for target in _iter_changed(nodes))
        self.calls = [chain for node in nodes if isinstance(node, ast.Call) and (chain := _chain(node.func))]

    def _is_outside(self, target: ast.AST) -> bool:
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
        return isinstance(target, ast.Name) and target.id not in self._own


def _iter_changed(nodes: list[ast.AST]) -> Iterator[ast.AST]:
    """Yield what is changed: whose attribute or item is set, or a method called that changes it."""
    for node in nodes:
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            yield node.func.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"setattr", "delattr"}:
            yield from node.args[:1]


def _chain(node: ast.AST) -> tuple[str, ...]:
    """Return the names of ``a.b.c``; empty for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def _find(chain: tuple[str, ...], home: dict[str, Any], cls: type) -> Any:
    """Return the function that a chain of names stands for, or None; of objects only what lies in them is asked."""
    if chain[0] == "self" and len(chain) == 2:
        return next((vars(base)[chain[1]] for base in cls.__mro__ if chain[1] in vars(base)), None)
    found = home.get(chain[0])
    for name in chain[1:]:
        found = getattr(found, "__dict__", {}).get(name)
    return found
