"""How code and values are packed for a worker, and for the way back.

What a module has under its name goes by that name. What ``__main__`` defines (a script, a notebook, a prompt, stdin), and what is defined
inside functions, cannot be imported: it travels as a ``Definition``, once a worker. Functions are sent as their code, with what they name;
classes as their parts, or as their statement, so that nothing else of the user's module runs again. Invariant: within a process each class and named function is one
object, whichever message brought it. Called by ``executor`` and ``worker``;
``arrival`` is the other side.
"""

from __future__ import annotations

import builtins
import dataclasses
import enum
import functools
import importlib
import io
import linecache
import marshal
import os
import pickle
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from finestflow.cache.code.definitions import Definitions
from finestflow.cache.names import find_named
from finestflow.executor.process.arrival import (
    EMPTY,
    MAIN,
    by_token,
    fill_function,
    find,
    make_cached,
    make_function,
    make_type_var,
)
from finestflow.executor.process.statement import Statement, find_statement
from finestflow.executor.protocol import NotPortableError, Reference

__all__ = ["Definition", "Portable"]

_LOCAL = "<locals>"
_DERIVED = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__abstractmethods__",
        "_abc_impl",
        "__doc__",
        "__module__",
        "__qualname__",
        "__slots__",
    }
)
_OF_MODULES = frozenset({"__file__", "__name__", "__builtins__"})
"""Names that each module has of its own."""
_MEMBERS = (types.MemberDescriptorType, types.GetSetDescriptorType)


class Definition(NamedTuple):
    """Something that has to be in a worker before what uses it is unpickled.

    Attributes:
        token: Its name between the processes.
        head: What makes the class, still empty; nothing for other things.
        body: The members of the class; the function; the value.
        needs: Tokens of what its head and body refer to.
    """

    token: str
    head: bytes
    body: bytes
    needs: frozenset[str]


class Portable:
    """Pickles for another process.

    Args:
        sources: Knows what stands in the source of a main module besides its code: the names of decorators, which fingerprints follow.
    """

    def __init__(self, sources: Definitions | None = None) -> None:
        self._sources = sources
        self._definitions: dict[str, Definition] = {}
        self._broken: dict[str, NotPortableError] = {}
        self._tokens: dict[int, str] = {}
        self._alive: list[Any] = []

    def dump(
        self, value: Any, *, has_references: bool = False, keep: Callable[[pickle.PickleBuffer], bool] | None = None
    ) -> tuple[bytes, frozenset[str]]:
        """Return the pickle of a value, and the tokens of what has to be defined before.

        Args:
            value: Any value.
            has_references: Whether there are references in it, each of which is to be loaded on its own.
            keep: Takes large buffers; returns whether one stays in the pickle.

        Raises:
            NotPortableError: Something in it cannot travel.
        """
        stream = io.BytesIO()
        pickler = (_ReferencePickler if has_references else _Pickler)(stream, self, keep)
        try:
            pickler.dump(value)
        except NotPortableError:
            raise
        except RecursionError:
            raise NotPortableError("it is nested too deeply") from None
        except Exception as error:
            raise NotPortableError(f"{type(error).__name__}: {error}") from error
        return stream.getvalue(), frozenset(pickler.needs)

    def definitions(self, needs: Iterable[str]) -> list[Definition]:
        """Return what has to be defined for some tokens, in an order in which it can be."""
        found: dict[str, Definition] = {}
        seen: set[str] = set()

        def visit(token: str) -> None:
            if token not in seen:
                seen.add(token)
                if token in self._broken:
                    raise self._broken[token]
                definition = self._definitions[token]
                for need in sorted(definition.needs):
                    visit(need)
                found[token] = definition

        for need in sorted(needs):
            visit(need)
        return list(found.values())

    def name_class(self, name: str) -> str | None:
        """Return the token of a class that is stored as ``module:qualname``; None where a worker finds it by itself."""
        found = find_named(name)
        if isinstance(found, type) and found.__module__ == MAIN:
            return self.token_of(found)
        return None

    # -- called while pickling ---------------------------------------------------------------------------------------------------------

    def token_of(self, thing: Any) -> str:
        """Return the token of a class or function, defining it first."""
        token = self._tokens.get(id(thing))
        if token is None:
            token = f"{thing.__module__}:{thing.__qualname__}"
            if _LOCAL in token:
                token += f"@{id(thing)}"
            self._tokens[id(thing)] = token
            self._alive.append(thing)
            by_token[token] = thing
            statement = find_statement(thing) if isinstance(thing, type) else None
            if statement is not None:
                self._define_statement(token, statement)
            elif isinstance(thing, type):
                self._define(token, _head_of, _members_of, thing)
            else:
                self._define(token, None, _ByCode, thing)
        return token

    def token_of_global(self, name: str, value: Any) -> str:
        """Return the token of a name in ``__main__``, defining it first."""
        token = f"{MAIN}::{name}"
        if token not in self._definitions:
            self._define(token, None, lambda found: (name, found), value)
        return token

    def _define(
        self, token: str, head_of: Callable[[Any], Any] | None, body_of: Callable[[Any], Any], thing: Any
    ) -> None:
        self._definitions[token] = Definition(token, b"", b"", frozenset())  # it may refer to itself
        head, needs = b"", frozenset[str]()
        try:
            if head_of is not None:
                head, needs = self.dump(head_of(thing))
            body, more = self.dump(body_of(thing))
        except NotPortableError as error:
            self._broken[token] = error
            raise
        if head:
            more |= set(self._tokens_in_head(thing))
        self._definitions[token] = Definition(token, head, body, (needs | more) - {token})

    def _define_statement(self, token: str, statement: Statement) -> None:
        self._definitions[token] = Definition(token, b"", b"", frozenset())
        home = vars(sys.modules[MAIN])
        names = {name for name in _names_in(statement.compile()) if name in home} - {statement.name}
        try:
            needs = frozenset([self.token_of_global(name, home[name]) for name in sorted(names - _OF_MODULES)])
        except NotPortableError as error:
            self._broken[token] = error
            raise
        self._definitions[token] = Definition(token, b"", pickle.dumps(statement), needs)

    def names_in_source(self, code: types.CodeType, home: Mapping[str, Any]) -> list[str]:
        """Return the names that stand in the source of a function and not in its code."""
        return [] if self._sources is None else [chain[0] for chain in self._sources.of_code(code, home).decorators]

    def _tokens_in_head(self, cls: type) -> Iterator[str]:
        """Yield the tokens of what a class statement of the main module names besides its bases."""
        home = vars(sys.modules[MAIN])
        path = home.get("__file__")
        if self._sources is None or cls.__module__ != MAIN or not isinstance(path, str):
            return
        source = self._sources.of_file(path, home)
        statement = source.classes.get(cls.__qualname__) if source is not None else None
        for chain in statement.head if statement is not None else ():
            value = home.get(chain[0])
            if isinstance(value, type | types.FunctionType | types.ModuleType):
                yield self.token_of_global(chain[0], value)


class _ByCode:
    """A function that is to be pickled itself, not by its name."""

    def __init__(self, function: Any) -> None:
        self.function = function


class _Pickler(pickle.Pickler):
    """Pickles by name what has one, and notes what has to be defined for the rest."""

    def __init__(self, stream: io.BytesIO, portable: Portable, keep: Any = None) -> None:
        super().__init__(stream, 5, buffer_callback=keep)
        self._portable = portable
        self.needs: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        reduce = _REDUCERS.get(kind)
        if reduce is not None:
            return reduce(self, obj)
        if isinstance(obj, type):
            return self.reduce_class(obj)
        return NotImplemented

    def reduce_function(self, function: Any) -> Any:
        if function.__module__ != MAIN:
            if _is_importable(function):
                return NotImplemented
        elif _LOCAL not in function.__qualname__ and find_named(f"{MAIN}:{function.__qualname__}") is function:
            return self._refer(function)
        return self.reduce_code(function)

    def reduce_cached(self, function: Any) -> Any:
        """Reduce a function of ``functools.cache``, whose memory stays here."""
        if function.__module__ != MAIN and _is_importable(function):
            return NotImplemented
        return make_cached, (function.__wrapped__, function.cache_parameters())

    def reduce_class(self, cls: type) -> Any:
        if cls.__module__ == "builtins":
            return NotImplemented if hasattr(builtins, cls.__name__) else (getattr, (types, _names_of_types()[cls]))
        if cls.__module__ != MAIN and _is_importable(cls):
            return NotImplemented
        return self._refer(cls)

    def _refer(self, thing: Any) -> Any:
        token = self._portable.token_of(thing)
        self.needs.add(token)
        return find, (token,)

    def reduce_code(self, function: Any) -> Any:
        """Reduce a function to its code and what the code names."""
        code, home = function.__code__, function.__globals__
        module, modules, named = self._globals(code, home)
        cells = tuple([_content(cell) for cell in function.__closure__ or ()])
        state = (
            function.__defaults__,
            function.__kwdefaults__,
            function.__annotations__,
            function.__dict__,
            (function.__name__, function.__qualname__, function.__module__, function.__doc__),
            cells,
            named,
        )
        source = _source_of(code)
        return (
            make_function,
            (marshal.dumps(code), module, modules, len(cells), source),
            state,
            None,
            None,
            fill_function,
        )

    def _globals(self, code: types.CodeType, home: dict[str, Any]) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        """Return the module whose name space a function has, which modules it wants loaded, and what else it names in a space of no module."""
        name = home.get("__name__", "")
        owner = sys.modules.get(name)
        names = {*_names_in(code), *(self._portable.names_in_source(code, home) if name == MAIN else ())}
        modules = tuple(sorted(_modules_named(names, home)))
        if name != MAIN and owner is not None and getattr(owner, "__dict__", None) is home and _has_source(owner):
            return name, (), {}
        chosen = {key: home[key] for key in names if key in home and key not in _OF_MODULES}
        if name == MAIN and owner is not None and owner.__dict__ is home:
            for key, value in chosen.items():
                self.needs.add(self._portable.token_of_global(key, value))
            return MAIN, modules, {}
        return f"{name}@{id(home)}", modules, chosen


class _ReferencePickler(_Pickler):
    """Pickles references so that two of the same value become two copies."""

    def persistent_id(self, obj: Any) -> Any:
        """Return what a reference is made of."""
        return (tuple(obj.value), obj.part, obj.store) if type(obj) is Reference else None


def _reduce_module(_: _Pickler, module: types.ModuleType) -> Any:
    if sys.modules.get(module.__name__) is not module:
        raise NotPortableError(f"the module {module.__name__!r} cannot be imported")
    return importlib.import_module, (module.__name__,)


def _reduce_field_kind(_: _Pickler, kind: Any) -> Any:
    return getattr, (dataclasses, kind.name)


def _reduce_type_var(_: _Pickler, var: Any) -> Any:
    if var.__module__ != MAIN:
        return NotImplemented
    return make_type_var, (var.__name__, var.__constraints__, var.__bound__, var.__covariant__, var.__contravariant__)


_REDUCERS: Mapping[type, Callable[[_Pickler, Any], Any]] = {
    types.FunctionType: _Pickler.reduce_function,
    _ByCode: lambda pickler, wrapped: pickler.reduce_code(wrapped.function),
    type(functools.cache(len)): _Pickler.reduce_cached,
    types.ModuleType: _reduce_module,
    types.MappingProxyType: lambda _, proxy: (types.MappingProxyType, (dict(proxy),)),
    staticmethod: lambda _, method: (staticmethod, (method.__func__,)),
    classmethod: lambda _, method: (classmethod, (method.__func__,)),
    property: lambda _, found: (property, (found.fget, found.fset, found.fdel, found.__doc__)),
    typing.TypeVar: _reduce_type_var,
    type(dataclasses.MISSING): lambda *_: (getattr, (dataclasses, "MISSING")),
    type(dataclasses.KW_ONLY): lambda *_: (getattr, (dataclasses, "KW_ONLY")),
    type(dataclasses._FIELD): _reduce_field_kind,  # type: ignore[attr-defined]  # noqa: SLF001 - compared by identity, so it must stay itself
}


def _is_importable(thing: Any) -> bool:
    """Return whether a worker finds a class or function by its name."""
    module = sys.modules.get(thing.__module__)
    if module is None or not _has_source(module):
        return False
    return _LOCAL not in thing.__qualname__ and find_named(f"{thing.__module__}:{thing.__qualname__}") is thing


def _has_source(module: Any) -> bool:
    return getattr(module, "__spec__", None) is not None or getattr(module, "__file__", None) is not None


@functools.cache
def _names_of_types() -> dict[type, str]:
    """Return the names in ``types`` of classes that ``builtins`` says it has, and has not."""
    return {cls: name for name, cls in vars(types).items() if isinstance(cls, type)}


def _names_in(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


def _modules_named(names: set[str], home: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sub-modules that code reaches through the packages it names: they are loaded here, and must be there."""
    queue = [home[name] for name in names if isinstance(home.get(name), types.ModuleType)]
    for module in queue:
        for name in names:
            inner = sys.modules.get(f"{module.__name__}.{name}")
            if inner is not None and inner not in queue:
                queue.append(inner)
                yield inner.__name__


def _content(cell: types.CellType) -> Any:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return EMPTY


def _source_of(code: types.CodeType) -> tuple[str, str]:
    """Return name and text of a source that is in no file: tracebacks, fingerprints and ``inspect`` ask for it."""
    name = code.co_filename
    if os.path.exists(name):
        return "", ""
    return name, "".join(linecache.getlines(name))


# -- classes ---------------------------------------------------------------------------------------------------------------------------


def _head_of(cls: type) -> tuple[Any, ...]:
    """Return what is needed to make an empty class."""
    own = vars(cls)
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    names.update((name, own[name]) for name in ("__slots__", "__orig_bases__") if name in own)
    kind = type(cls)
    if issubclass(kind, enum.EnumMeta):
        members: Any = {name: member._value_ for name, member in cls.__members__.items()}  # type: ignore[attr-defined]
        return "enum", kind, cls.__name__, cls.__bases__, names, members
    return "class", kind, cls.__name__, cls.__bases__, names, {}


def _members_of(cls: type) -> dict[str, Any]:
    """Return what is in a class besides what comes with making it."""
    own = dict(vars(cls))
    if isinstance(cls, enum.EnumMeta):
        made = {
            "_member_map_",
            "_member_names_",
            "_value2member_map_",
            "_member_type_",
            "_new_member_",
            "_use_args_",
            "_unhashable_values_",
        }
        own = {
            name: value
            for name, value in own.items()
            if isinstance(value, _METHODS) and not name.startswith("__") and name not in made
        }
    return {name: value for name, value in own.items() if name not in _DERIVED and not isinstance(value, _MEMBERS)}


_METHODS = (types.FunctionType, staticmethod, classmethod, property)
