"""Classes of the project: what of a class makes a difference, and what of it a task reaches.

Owns the reading of class bodies as they are at run time: methods, constants, fields of dataclasses, members
of enums, params of tasks. Invariant: what Python itself derives (slots, caches, generated methods) leaves no
trace, what it was derived from does. Called by ``reach`` and ``values``.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import linecache
import sys
import types
from collections.abc import Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any

from finestflow.cache.code import modules
from finestflow.cache.code.graph import ABSENT, Node
from finestflow.cache.code.origin import Origin, shown_module
from finestflow.text import without_addresses

if TYPE_CHECKING:
    from finestflow.cache.code.reach import Walk

__all__ = ["expand", "expand_task", "is_data_of_library", "may_hold_method", "namespace", "params", "shown_class"]

_ROOTS = (
    "run", "initialize", "__init__", "__new__", "__post_init__", "__init_subclass__", "__call__",
    "__getattr__", "__getattribute__", "__setattr__",
)  # fmt: skip
_DERIVED = (
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.MethodDescriptorType,
)


def params(cls: type) -> Mapping[str, Any]:
    """Return the declared params of a task class; empty for any other."""
    found = getattr(cls, "__finestflow_params__", None)
    return found if isinstance(found, Mapping) else {}


def counted_params(cls: type) -> Mapping[str, Any]:
    """Return the params whose values count, and may be shown: none that are secret or declared not to."""
    return {name: param for name, param in params(cls).items() if getattr(param, "digest", True)}


def namespace(cls: type) -> Mapping[str, Any]:
    """Return the globals of the module that a class belongs to."""
    return getattr(sys.modules.get(cls.__module__), "__dict__", {"__name__": cls.__module__})


def shown_class(cls: type) -> str:
    """Return the readable name of a class."""
    return f"{shown_module(cls.__module__)}.{cls.__qualname__.replace('.<locals>', '')}"


def is_data_of_library(walk: Walk, cls: type) -> bool:
    """Return whether instances may hold state that Python cannot list: a class with a base written elsewhere."""
    return any(
        walk.origins.of_class(base) is not Origin.PROJECT
        and base.__module__ not in ("abc", "typing", "enum")
        and walk.origins.of_class(base) is not Origin.FINESTFLOW
        for base in cls.__mro__
        if base is not object
    )


def expand(node: Node, walk: Walk, cls: type) -> None:
    """Fill the node of a class: all its entries, its bases and its metaclass."""
    entries = vars(cls)
    size = len(entries)
    node.own = f"class {cls.__qualname__}"
    node.check(lambda: len(entries) == size)
    node.hold(cls, "__bases__", cls.__bases__)
    for index, base in enumerate(cls.__bases__):
        if base is not object:
            node.edges[f"base {index}"] = walk.cls(base)
    if type(cls) is not type:
        node.edges["metaclass"] = walk.cls(type(cls))
    for name in sorted(entries):
        value = entries[name]
        node.seen += (entries, name, value)
        if not _is_derived(cls, name, value):
            walk.member(node, name, cls, name, value)
    for index, (name, member) in enumerate(_members(cls).items()):
        node.own += f" {name}"
        node.link(f"member {index}", walk.target(member.value, namespace(cls)), f".{name}")
    for name, param in counted_params(cls).items():
        default = getattr(param, "default", ABSENT)
        node.own += f" {name}"
        node.link(f"param {name}", walk.target(default, namespace(cls)), f".{name}")
    _fields(walk, node, cls)
    _head(walk, node, cls)


def _is_derived(cls: type, name: str, value: object) -> bool:
    """Return whether an entry follows from the others, or is no part of what the class does."""
    entries = vars(cls)
    function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
    if isinstance(function, FunctionType):
        return _is_generated(entries, function)
    if isinstance(value, _DERIVED) or type(value).__name__ == "_tuplegetter":
        return True
    if isinstance(value, classmethod | staticmethod | property):
        return False
    if name.startswith("__") and name.endswith("__"):
        return name != "__match_args__" or bool({"__dataclass_fields__", "_fields"} & entries.keys())
    if issubclass(cls, enum.Enum) and (name in _members(cls) or (name[:1] == "_" == name[-1:])):
        return True
    return name.startswith("_abc_") or name in params(cls) or (name == "Meta" and hasattr(cls, "__finestflow_params__"))


def _is_generated(entries: Mapping[str, object], function: FunctionType) -> bool:
    """Return whether a method was made of the fields, as dataclass, namedtuple and attrs do."""
    path = getattr(function.__dict__.get("__wrapped__", function), "__code__", function.__code__).co_filename
    if not path.startswith("<") or not {"__dataclass_fields__", "__attrs_attrs__", "_fields"} & entries.keys():
        return False
    return path.startswith("<attrs ") or not linecache.getlines(path)


def may_hold_method(value: object) -> bool:
    """Return whether an entry of a class may be a method in a wrapper that hides what its ``self`` is."""
    if isinstance(value, FunctionType | type | property | classmethod | staticmethod | functools.cached_property):
        return False
    return callable(value) or hasattr(type(value), "__get__")


def _members(cls: type) -> Mapping[str, enum.Enum]:
    return cls.__members__ if issubclass(cls, enum.Enum) else {}


def _fields(walk: Walk, node: Node, cls: type) -> None:
    """Add the fields of a dataclass: names, order and defaults count, annotations do not."""
    fields = vars(cls).get("__dataclass_fields__")
    if not isinstance(fields, dict):
        return
    options = vars(cls).get("__dataclass_params__")
    node.own += " dataclass " + " ".join(
        f"{name}={getattr(options, name)}" for name in ("init", "eq", "order", "unsafe_hash", "frozen")
    )
    home = namespace(cls)
    for name, field in fields.items():
        marks = "".join("01"[bool(mark)] for mark in (field.init, field.repr, field.hash, field.compare, field.kw_only))
        node.own += f" {name}:{marks}:{getattr(field, '_field_type', '')}"
        for part in ("default", "default_factory", "metadata"):
            value = getattr(field, part)
            if value is not dataclasses.MISSING and not (part == "metadata" and not value):
                node.link(f"field {name} {part}", walk.target(value, home), f".{name}")


def _head(walk: Walk, node: Node, cls: type) -> None:
    """Add what the class statement itself says: its decorators, and, where a library reads them, its annotations."""
    home = namespace(cls)
    path = home.get("__file__")
    source = walk.definitions.of_file(path, home) if isinstance(path, str) else None
    statement = source.classes.get(cls.__qualname__) if source is not None else None
    is_read = _reads_annotations(walk, cls)
    for chain in statement.head if statement is not None else ():
        value = home.get(chain[0], ABSENT)
        node.seen += (home, chain[0], value)
        if isinstance(value, type | FunctionType | types.ModuleType):
            named = modules.inside(value, chain[1:])
            is_read = is_read or (walk.origin(named) is not Origin.PYTHON and named not in cls.__bases__)
            walk.follow(node, (f"(head) {chain[0]}", *chain[1:]), value, f".{chain[0]}", home)
    if not is_read:
        return
    annotations = vars(cls).get("__annotations__")
    if not isinstance(annotations, dict):  # a descriptor, in classes of libraries
        annotations = {}
    node.own += " " + ascii({name: without_addresses(repr(note)) for name, note in annotations.items()})
    if statement is not None and isinstance(path, str) and modules.is_what_was_imported(walk, path):
        node.own += " " + statement.hash
    else:
        node.own += " " + walk.constants.salt
        node.note(f"the source of `{node.name}` is not what was imported: it counts as new in each process")


def _reads_annotations(walk: Walk, cls: type) -> bool:
    """Return whether code that makes a class may read its annotations: a library's, or a hook of the project's."""
    if any(walk.origins.of_class(base) is Origin.DISTRIBUTION for base in (*cls.__mro__, type(cls))):
        return True
    if walk.origins.of_class(type(cls)) is Origin.PROJECT or "__dataclass_fields__" in vars(cls):
        return True  # what parses settings into a dataclass reads the types of its fields
    hooks = (base for base in cls.__mro__[1:] if "__init_subclass__" in vars(base))
    return any(walk.origins.of_class(base) is Origin.PROJECT for base in hooks)


def expand_task(node: Node, walk: Walk, cls: type) -> None:
    """Fill the node of a task class as a root: what its run reaches, through this class."""
    node.own = "task"
    node.is_shown = False
    for name in _ROOTS:
        walk.attribute(node, cls, name)
    foreign = [base for base in cls.__mro__ if walk.origins.of_class(base) is Origin.DISTRIBUTION]
    if foreign:  # the library may call any method
        node.edges["class"] = walk.cls(cls)
    meta = type(cls)
    if walk.origins.of_class(meta) is Origin.PROJECT:
        node.edges["metaclass"] = walk.cls(meta)
