"""The walk over live objects: everything that a piece of code can reach, as a graph of nodes.

Owns the rules of what leads where: names through globals and closure cells, dotted chains through modules,
defaults, wrappers, classes and their bases, instances and their state. Invariant: walking changes nothing
that it hashes, and a thing that cannot be hashed is never left out; something coarser stands in for it.
A node is made when something leads to it and expanded when it is needed. Called by ``fingerprint``.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from finestflow.cache.code import classes, modules, values
from finestflow.cache.code.definitions import Definition, Definitions
from finestflow.cache.code.distributions import Distributions, python_version
from finestflow.cache.code.graph import ABSENT, Node
from finestflow.cache.code.origin import Origin, Origins, shown_module
from finestflow.cache.code.scopes import ESCAPES, Chain, ImportRef
from finestflow.cache.code.values import Constants

__all__ = ["Walk"]

# Code that uses these can reach what no reader of the code can know.
_COMPUTED = frozenset({"eval", "exec", "globals", "compile"})
# What is read through these does not count, and differs from what counts elsewhere.
_UNSEEN = {
    "__doc__": "docstrings do not count",
    "__annotations__": "annotations do not count",
    "__subclasses__": "classes that are only found that way do not count",
    "getdoc": "docstrings do not count",
    "getsource": "comments and layout do not count",
    "environ": "environment variables do not count: pass what they hold as a param",
    "getenv": "environment variables do not count: pass what they hold as a param",
    "expandvars": "environment variables do not count: pass what they hold as a param",
    "resolve_name": "what it names cannot be seen",
    "spec_from_file_location": "the code in that file cannot be seen",
}
_RENAMED = {
    **{id(each): ("environ", _UNSEEN["environ"]) for each in (os.environ, os.getenv, os.path.expandvars)},
    id(importlib.import_module): ("import_module", "what it imports under another name than its own cannot be seen"),
}
"""What is known by itself, where it was imported under another name."""
_CONSTRUCTORS = frozenset({"__init__", "__new__", "__post_init__"})
_BUILTINS: Mapping[str, object] = vars(builtins)
_Namespace = Mapping[str, Any]


class Walk:
    """Makes and expands the nodes of one state of the process.

    Args:
        origins: Says which code is the project's.
        definitions: Finds the source of live code.
        distributions: Finds versions of what is not the project's.
        constants: Digests values.
        started: When the process began, in seconds since the epoch; source files that were changed later
            are not taken for what was imported.
    """

    def __init__(
        self,
        origins: Origins,
        definitions: Definitions,
        distributions: Distributions,
        constants: Constants,
        started: float | None = None,
    ) -> None:
        self.origins = origins
        self.definitions = definitions
        self.distributions = distributions
        self.constants = constants
        self.started = started
        self._nodes: dict[tuple[str, int, int], tuple[Node, object, object]] = {}

    # What a value leads to

    def target(self, value: object, home: _Namespace, via: type | None = None) -> Node:
        """Return the node of a value.

        Args:
            value: Any object that code can name.
            home: Globals of the module that names it: what stands in when the value cannot be digested.
            via: The class through which a method was reached; what its ``self`` is.
        """
        kind = type(value)
        if kind is FunctionType:
            return self.function(value, via)  # type: ignore[arg-type]
        if kind in values.SCALARS:
            return self.constants.leaf(value, lambda: self.literals(home))
        if isinstance(value, type):
            return self.cls(value)
        if isinstance(value, ModuleType):
            return self.module(value)
        # Kept apart by module, because what stands in for the value is that module.
        return self._node(f"value {id(home)}", value, via, "", self._expand_value, value, home, via)

    def _node(
        self, kind: str, key: object, via: type | None, name: str, expand: Callable[..., None], *arguments: object
    ) -> Node:
        place = (kind, id(key), id(via))
        known = self._nodes.get(place)
        if known is None:
            # The objects are kept alive, so that their ids stay theirs.
            known = self._nodes[place] = (Node(name, expand, *arguments), key, via)
        return known[0]

    def _expand_value(self, node: Node, value: Any, home: _Namespace, via: type | None) -> None:
        """Fill the node of a value that is neither scalar, function, class nor module."""
        if isinstance(value, MethodType):
            self._expand_method(node, value, home)
        elif isinstance(value, functools.partial | functools.partialmethod):
            parts = {"func": value.func, "args": value.args, "keywords": value.keywords}
            self.expand_parts(node, "partial", parts, home, via)
        elif isinstance(value, staticmethod):
            self.expand_parts(node, "static", {"func": value.__func__}, home)
        elif isinstance(value, classmethod):
            self.expand_parts(node, "class", {"func": value.__func__}, home, via)
        elif isinstance(value, property):
            parts = {part: function for part in ("fget", "fset", "fdel") if (function := getattr(value, part))}
            self.expand_parts(node, "property", parts, home, via)
        elif isinstance(value, functools.cached_property):
            self.expand_parts(node, "cached", {"func": value.func}, home, via)
        elif isinstance(value, types.GenericAlias | types.UnionType) or type(value).__module__ == "typing":
            parts = {part: getattr(value, part, None) for part in ("__origin__", "__args__", "__name__", "__bound__")}
            self.expand_parts(node, "alias", parts, home)
        elif isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType | types.WrapperDescriptorType):
            self._expand_builtin(node, value, home)
        else:
            values.expand(self, node, value, home)

    def expand_parts(
        self, node: Node, own: str, parts: Mapping[str, Any], home: _Namespace, via: type | None = None
    ) -> None:
        """Fill a node that is nothing but its parts."""
        node.own = own
        for label, part in parts.items():
            node.link(label, self.target(part, home, via), "" if label in ("func", "fget") else f".{label}")

    def _expand_method(self, node: Node, method: MethodType, home: _Namespace) -> None:
        owner = method.__self__
        cls = owner if isinstance(owner, type) else type(owner)
        node.own = "method"
        node.link("func", self.target(method.__func__, home, cls))
        node.link("self", self.target(owner, home), ".__self__")

    def _expand_builtin(self, node: Node, value: Any, home: _Namespace) -> None:
        owner = getattr(value, "__self__", None)
        if owner is None or isinstance(owner, ModuleType):
            self.foreign(node, value)
            return
        node.own = f"builtin {value.__name__}"
        node.link("self", self.target(owner, home), ".__self__")

    # Functions

    def function(self, function: FunctionType, via: type | None = None) -> Node:
        """Return the node of a function that is written in Python."""
        if self.origins.of_function(function) is not Origin.PROJECT:
            return self._node("foreign", function, via, "", self._expand_foreign, function, via)
        return self._node("function", function, via, _shown_function(function), self._expand_function, function, via)

    def _expand_function(self, node: Node, function: FunctionType, via: type | None) -> None:
        code, home = function.__code__, function.__globals__
        definition = self.definitions.of_code(code, home)
        node.own = definition.hash
        node.hold(function, "__code__", code)
        if not definition.from_source:
            node.note(
                "the source of `{name}` is not what runs (edited since its import, or made at run time):"
                " its bytecode counts"
            )
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=False))
        for chain in definition.chains:
            self._follow_name(node, chain, home, cells, via)
        for chain in definition.decorators:
            self._decorator(node, chain, home, cells, definition)
        for imported in definition.imports:
            self._follow_import(node, imported, home)
        if definition.computed:
            node.note("`{name}` imports a module whose name is computed: it cannot be seen")
        if "__wrapped__" in function.__dict__:
            node.link("(wrapped)", self.target(function.__dict__["__wrapped__"], home, via))
        self._defaults(node, function, home)
        if via is not None:
            self._follow_self(node, definition, via, function.__name__)

    def _defaults(self, node: Node, function: FunctionType, home: _Namespace) -> None:
        code, defaults, keywords = function.__code__, function.__defaults__, function.__kwdefaults__
        node.hold(function, "__defaults__", defaults)
        node.hold(function, "__kwdefaults__", keywords)
        found: dict[str, object] = dict(keywords or {})
        if defaults:
            found.update(zip(code.co_varnames[: code.co_argcount][-len(defaults) :], defaults, strict=False))
        for name, value in found.items():
            node.link(f"default {name}", self.target(value, home), f".{name}")

    def _expand_foreign(self, node: Node, function: FunctionType, via: type | None) -> None:
        """Fill the node of a function of a library: its version, and the project's code that it wraps."""
        self.foreign(node, function)
        if self._is_bound_in_library(node, function):
            return
        home = self._home_of(function)
        wrapped = function.__dict__.get("__wrapped__")
        if wrapped is not None:
            node.link("(wrapped)", self.target(wrapped, home, via))
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            value = _cell(cell)
            if value is ABSENT:
                continue
            node.hold(cell, "cell_contents", value)
            if values.is_harmless(value, wrapped is not None, self.origins):
                continue
            node.link(f"cell {variable}", self.target(value, home, via), f".{variable}")

    def _is_bound_in_library(self, node: Node, function: FunctionType) -> bool:
        """Whether a library's module has a function under its own name: then it holds nothing of the project's."""
        module = sys.modules.get(function.__module__)
        if module is None or self.origins.of_module(module) is Origin.PROJECT:
            return False
        bound = module.__dict__.get(function.__qualname__, ABSENT)
        node.seen += (module.__dict__, function.__qualname__, bound)
        return bound is function

    def _home_of(self, function: FunctionType) -> _Namespace:
        """Return the globals of the innermost wrapped function, or of the function itself."""
        inner: Any = function
        for _ in range(20):
            wrapped = getattr(inner, "__wrapped__", None)
            if wrapped is None:
                break
            inner = wrapped
        home: _Namespace = getattr(inner, "__globals__", function.__globals__)
        return home

    # Names

    def _follow_name(
        self, node: Node, chain: Chain, home: _Namespace, cells: Mapping[str, CellType], via: type | None = None
    ) -> None:
        root = chain[0]
        cell = cells.get(root)
        if cell is not None:
            value = _cell(cell)
            node.hold(cell, "cell_contents", value)
            if value is not ABSENT and root != "__class__":
                self.follow(node, chain, value, f".{root}", home, via)
            return
        value = home.get(root, ABSENT)
        node.seen += (home, root, value)
        for part in chain:
            if part in _UNSEEN:
                node.note(f"`{{name}}` reads {part}: {_UNSEEN[part]}")
        if id(value) in _RENAMED and root not in {*_UNSEEN, "import_module"}:
            what, why = _RENAMED[id(value)]
            node.note(f"`{{name}}` reads {what}: {why}")
        if chain[:2] == ("sys", "modules"):
            node.note("`{name}` uses sys.modules: what it names that way cannot be seen")
        if value is not ABSENT:
            self.follow(node, chain, value, f"{shown_module(home.get('__name__', ''))}.{root}", home, None)
        elif root in _COMPUTED and root in _BUILTINS:
            node.note(f"`{{name}}` uses {root}: what it names that way cannot be seen")

    def follow(
        self, node: Node, chain: Chain, value: object, call: str, home: _Namespace, via: type | None = None
    ) -> None:
        """Add what a dotted chain leads to, whose first name is bound to a value, and which is called so."""
        step = 1
        while isinstance(value, ModuleType):
            if self.origins.of_module(value) is not Origin.PROJECT:
                node.link(".".join(chain[:step]), self.module(value))
                value = modules.inside(value, chain[step:])
                if not (isinstance(value, FunctionType) and self.origins.of_function(value) is Origin.PROJECT):
                    return
                step = len(chain)
                break
            if step == len(chain) or chain[step] == "__dict__":
                break
            value, call, home = self._attribute_of_module(node, value, chain[step])
            step += 1
            if value is ABSENT:
                return
        label = ".".join(chain[:step])
        if label not in node.edges:
            node.link(label, self.target(value, home, via), call)
        if step < len(chain) and isinstance(value, FunctionType) and chain[step] in value.__dict__:
            attribute = value.__dict__[chain[step]]
            node.seen += (value.__dict__, chain[step], attribute)
            node.link(f"{label}.{chain[step]}", self.target(attribute, home), f"{call}.{chain[step]}")

    def _attribute_of_module(self, node: Node, module: ModuleType, attribute: str) -> tuple[object, str, _Namespace]:
        namespace = module.__dict__
        value = namespace.get(attribute, ABSENT)
        node.seen += (namespace, attribute, value)
        name = shown_module(module.__name__)
        # Also where it is bound: `__getattr__` may be what bound it, and an import binds a sub-module.
        if isinstance(function := namespace.get("__getattr__"), FunctionType):
            node.link(f"{name}.__getattr__", self.function(function))
        if value is ABSENT:
            value = modules.find_attribute(module, attribute)
        return value, f"{name}.{attribute}", namespace

    def _decorator(
        self, node: Node, chain: Chain, home: _Namespace, cells: Mapping[str, CellType], definition: Definition
    ) -> None:
        """Add a decorator. Its arguments stand in the function's source, so of a library's object only the version."""
        cell = cells.get(chain[0])
        value = _cell(cell) if cell is not None else home.get(chain[0], ABSENT)
        value = modules.inside(value, chain[1:])
        if value is ABSENT:
            return
        owner = value if isinstance(value, type | ModuleType | FunctionType) else type(value)
        origin = self.origin(owner)
        if origin is Origin.PYTHON:
            return
        node.own += " " + definition.annotations  # a decorator may read them
        if origin is Origin.PROJECT:
            self._follow_name(node, chain, home, cells)
        else:
            node.belong(self.versions(owner))

    def _follow_import(self, node: Node, imported: ImportRef, home: _Namespace) -> None:
        module_name, level, is_from, chain = imported
        package = home.get("__package__") or (home.get("__name__", "").rpartition(".")[0])
        try:
            full = importlib.util.resolve_name("." * level + module_name, package) if level else module_name
        except ImportError:
            return
        module = modules.load(self, node, full)
        if module is None:
            return
        if not is_from:
            module = sys.modules.get(full.partition(".")[0], module)
        if self.origins.of_module(module) is Origin.PROJECT:
            self.follow(node, (f"import {full}", *chain), module, full, home)
            return
        # The import itself stands in the source; of what only this process has loaded, only the project's own counts.
        node.belong(self.versions(module))
        value = modules.inside(module, chain)
        if isinstance(value, FunctionType) and self.origins.of_function(value) is Origin.PROJECT:
            node.link(".".join((f"import {full}", *chain)), self.target(value, home), full)

    # Attributes of self

    def _follow_self(self, node: Node, definition: Definition, cls: type, method: str) -> None:
        node.reads = definition.attributes
        if method not in _CONSTRUCTORS:
            node.stores = definition.stored
        for attribute in definition.attributes:
            if attribute == ESCAPES:
                node.link("(self)", self.cls(cls))
            else:
                self.attribute(node, cls, attribute)
        for attribute in definition.parents:
            if attribute == ESCAPES:
                node.link("(self)", self.cls(cls))
                continue
            for index, owner in enumerate(cls.__mro__):
                value = vars(owner).get(attribute, ABSENT)
                node.seen += (vars(owner), attribute, value)
                if value is not ABSENT and self.origins.of_class(owner) is Origin.PROJECT:
                    self.member(node, f"super {attribute} {index}", owner, attribute, value, cls)

    def attribute(self, node: Node, cls: type, attribute: str) -> None:
        """Add what an attribute of an instance of a class leads to, where the class says so."""
        if attribute in classes.params(cls):
            return
        for owner in cls.__mro__:
            value = vars(owner).get(attribute, ABSENT)
            node.seen += (vars(owner), attribute, value)
            if value is not ABSENT:
                if self.origins.of_class(owner) is Origin.PROJECT:
                    self.member(node, f"(self).{attribute}", owner, attribute, value, cls)
                    if classes.may_hold_method(value):
                        node.link("(self)", self.cls(cls))
                return

    def member(
        self, node: Node, label: str, owner: type, attribute: str, value: object, via: type | None = None
    ) -> None:
        """Add an entry of a class body."""
        target = self.target(value, classes.namespace(owner), via)
        node.link(label, target, f"{classes.shown_class(owner)}.{attribute}")

    # Classes and modules

    def cls(self, cls: type) -> Node:
        """Return the node of a class with all its methods."""
        if self.origins.of_class(cls) is not Origin.PROJECT:
            return self._node("foreign", cls, None, cls.__name__, self.foreign, cls)
        return self._node("class", cls, None, classes.shown_class(cls), classes.expand, self, cls)

    def task(self, cls: type) -> Node:
        """Return the node of a task class: what `run` and `initialize` reach, and no other method."""
        return self._node("task", cls, None, classes.shown_class(cls), classes.expand_task, self, cls)

    def module(self, module: ModuleType) -> Node:
        """Return the node of a whole module, for code that uses it in a way that cannot be followed."""
        if self.origins.of_module(module) is not Origin.PROJECT:
            return self._node("foreign", module, None, module.__name__, self.foreign, module)
        return self.whole(module.__dict__)

    def whole(self, namespace: _Namespace) -> Node:
        """Return the node of all that a module of the project is."""
        name = shown_module(str(namespace.get("__name__", "")))
        return self._node("module", namespace, None, name, modules.expand, self, namespace)

    # What is not the project's

    def origin(self, value: object) -> Origin:
        """Return where a function, class, module or compiled callable comes from."""
        if isinstance(value, FunctionType):
            return self.origins.of_function(value)
        if isinstance(value, ModuleType):
            return self.origins.of_module(value)
        name = getattr(value, "__module__", None)
        return self.origins.of_name(name) if isinstance(name, str) else Origin.PYTHON

    def foreign(self, node: Node, value: Any) -> None:
        """Fill the node of something of a library: which thing it is, and the version of the library."""
        module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
        node.own = f"foreign {module} {name}"
        node.is_shown = False
        node.belong(self.versions(value))
        if self.origin(value) is Origin.PROJECT:  # a compiled extension of the project
            path = getattr(value, "__file__", None) or getattr(sys.modules.get(str(module)), "__file__", None)
            node.is_shown = True
            node.own += " " + (modules.file(self, node, path) if path else "")

    def versions(self, value: object) -> tuple[tuple[str, str], ...]:
        """Return the distributions that something outside the project belongs to."""
        origin = self.origin(value)
        if origin is Origin.PYTHON:
            return () if getattr(value, "__module__", "") == "builtins" else (python_version(),)
        if origin is not Origin.DISTRIBUTION:
            return ()
        module = value if isinstance(value, ModuleType) else sys.modules.get(str(getattr(value, "__module__", "")))
        path = getattr(module, "__file__", None)
        if path is None:
            path = next((str(Path(folder) / "_") for folder in getattr(module, "__path__", ())), None)
        return self.distributions.of_file(path) if path else ()

    def literals(self, home: _Namespace) -> frozenset[str]:
        """Return the short texts that stand in the source of a module."""
        path = home.get("__file__")
        source = self.definitions.of_file(path, home) if isinstance(path, str) else None
        return source.literals if source is not None else frozenset()


def _shown_function(function: FunctionType) -> str:
    """Return the name of a function: that of its code, because a wrapper calls itself like what it wraps."""
    code_name = function.__code__.co_qualname.replace(".<locals>", "")
    if code_name.endswith("<lambda>"):
        return ""
    return f"{shown_module(str(function.__globals__.get('__name__', '')))}.{code_name}"


def _cell(cell: CellType | None) -> Any:
    try:
        return ABSENT if cell is None else cell.cell_contents
    except ValueError:
        return ABSENT
