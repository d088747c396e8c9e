"""What becomes of code that has travelled: the classes, functions and names that ``portable`` packed.

Invariant: what has a token is one object in this process, whichever message brought it. ``worker`` takes definitions; pickle calls the rest.
"""

from __future__ import annotations

import abc
import builtins
import functools
import importlib
import linecache
import marshal
import pickle
import sys
import types
import typing
import weakref
from collections.abc import Mapping
from typing import Any

from finestflow.executor.process.statement import Statement

__all__ = [
    "EMPTY",
    "MAIN",
    "by_token",
    "define",
    "fill_function",
    "find",
    "make_cached",
    "make_function",
    "make_type_var",
]

MAIN = "__main__"
EMPTY = "empty cell"
"""Stands for the content of a variable of a closure that has none yet."""
by_token: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
"""Classes and functions that have travelled, in the process that defined them and in those that received them."""
_namespaces: dict[str, dict[str, Any]] = {}
"""Globals of functions that belong to no module."""
_kept: dict[str, Any] = {}
"""What this process was sent, so that it stays."""


def define(token: str, head: bytes, body: bytes | None) -> None:
    """Take a definition: first all heads, then all bodies."""
    if body is None:
        if head:
            kind, metaclass, name, bases, names, members = pickle.loads(head)
            make = _make_enum if kind == "enum" else _make_class
            made = make(metaclass, name, bases, names, members)
            _take(token, made)
        return
    value = pickle.loads(body)
    if head:
        made = _kept[token]
        for name, member in value.items():
            type.__setattr__(made, name, member)
        abc.update_abstractmethods(made)
    elif token.startswith(f"{MAIN}::"):
        setattr(sys.modules[MAIN], *value)
    else:
        _take(token, value.make() if isinstance(value, Statement) else value)


def _make_class(
    metaclass: Any, name: str, bases: tuple[type, ...], names: Mapping[str, Any], _: Mapping[str, Any]
) -> Any:
    """Make a class without what its metaclass does with the members: they come as it left them."""
    plain: Any = abc.ABCMeta if issubclass(metaclass, abc.ABCMeta) else type
    return plain.__new__(metaclass, name, bases, dict(names))


def _make_enum(
    metaclass: Any, name: str, bases: tuple[type, ...], names: Mapping[str, Any], members: Mapping[str, Any]
) -> Any:
    space = metaclass.__prepare__(name, bases)
    for key, value in {**names, **members}.items():
        space[key] = value
    return metaclass.__new__(metaclass, name, bases, space)


def _take(token: str, thing: Any) -> None:
    _kept[token] = by_token[token] = thing
    if (
        thing.__module__ == MAIN
        and "." not in thing.__qualname__
        and not hasattr(sys.modules[MAIN], thing.__qualname__)
    ):
        setattr(sys.modules[MAIN], thing.__qualname__, thing)


# -- called by pickle


def find(token: str) -> Any:
    """Return the class or function of a token."""
    return by_token[token]


def make_function(
    code: bytes, module: str, modules: tuple[str, ...], cells: int, source: tuple[str, str]
) -> types.FunctionType:
    """Make a function; what it knows follows, as that may hold the function itself."""
    for name in modules:
        importlib.import_module(name)
    if source[0]:
        lines = source[1].splitlines(keepends=True)
        linecache.cache[source[0]] = (len(source[1]), None, lines, source[0])
    if module == MAIN:
        home = sys.modules[MAIN].__dict__
    elif "@" in module:
        home = _namespaces.setdefault(module, {"__name__": module.partition("@")[0], "__builtins__": builtins})
    else:
        home = importlib.import_module(module).__dict__
    empty = tuple([types.CellType() for _ in range(cells)])
    return types.FunctionType(marshal.loads(code), home, closure=empty or None)  # noqa: S302 - as trusted as a pickle


def make_type_var(name: str, constraints: tuple[Any, ...], bound: Any, covariant: bool, contravariant: bool) -> Any:
    """Make a type variable."""
    return typing.TypeVar(name, *constraints, bound=bound, covariant=covariant, contravariant=contravariant)


def make_cached(function: Any, parameters: dict[str, Any]) -> Any:
    """Make a function that remembers its results, and has none yet."""
    return functools.lru_cache(**parameters)(function)


def fill_function(function: types.FunctionType, state: tuple[Any, ...]) -> None:
    """Give a function what it knows."""
    function.__defaults__, function.__kwdefaults__, function.__annotations__, attributes, names, cells, named = state
    function.__name__, function.__qualname__, function.__module__, function.__doc__ = names
    function.__dict__.update(attributes)
    for cell, content in zip(function.__closure__ or (), cells, strict=True):
        if content != EMPTY:
            cell.cell_contents = content[0]
    function.__globals__.update(named)
