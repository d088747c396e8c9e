"""What a piece of code names: the globals, attributes of ``self`` and imports that it could look up.

Owns the scope rules of Python as far as they decide where a name leads. Invariant: errs on the side of
naming too much; a name that may be global on one path is global. Annotations are not looked at.
Called by ``definitions``, once for each content of a file.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from finestflow.cache.code.canonical import FunctionNode

__all__ = ["ESCAPES", "Chain", "ImportRef", "ModuleNames", "Names", "find_names"]

Chain: TypeAlias = tuple[str, ...]
ImportRef: TypeAlias = tuple[str, int, bool, Chain]
"""Module, level, whether the chain starts in that module (``from``) or at its top package, and the chain."""

ESCAPES = ""
"""Stands among the attributes of ``self`` where ``self`` itself is handed on."""


@dataclass(slots=True)
class Names:
    """What one scope names, inner scopes included.

    Attributes:
        chains: Dotted names that are not bound in it, such as ``("data", "clean")``.
        imports: What is imported in it and used, or only imported.
        attributes: Attributes read from the first argument.
        stored: Attributes set on the first argument.
        parents: Attributes read through ``super()``.
        decorators: Dotted names in the function's own decorators.
        computed: Whether it imports a module whose name is computed.
    """

    chains: set[Chain] = field(default_factory=set)
    imports: set[ImportRef] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    parents: set[str] = field(default_factory=set)
    decorators: set[Chain] = field(default_factory=set)
    computed: bool = False

    def add(self, other: Names) -> None:
        """Add all that other code names."""
        self.chains |= other.chains
        self.imports |= other.imports
        self.attributes |= other.attributes
        self.parents |= other.parents
        self.decorators |= other.decorators
        self.computed = self.computed or other.computed


@dataclass(frozen=True, slots=True)
class ModuleNames:
    """What a module names.

    Attributes:
        own: At its own level, class bodies included and functions left out.
        functions: In each function and lambda.
        classes: Qualified name of each class, and the dotted names in its decorators, bases and keywords.
    """

    own: Names
    functions: dict[FunctionNode, Names]
    classes: dict[ast.ClassDef, tuple[str, frozenset[Chain]]]


@dataclass(slots=True)
class _Scope:
    """A scope while it is read; what is bound is only known at its end."""

    names: Names
    is_inside_function: bool = False
    is_function: bool = False
    bound: set[str] = field(default_factory=set)
    declared_global: set[str] = field(default_factory=set)
    globals: set[Chain] = field(default_factory=set)
    imports: dict[str, list[ImportRef]] = field(default_factory=dict)
    first: str | None = None
    mangle: str = ""


def find_names(tree: ast.Module) -> ModuleNames:
    """Return what a module names, level by level."""
    reader = _Reader()
    reader.read_all(tree.body)
    return ModuleNames(reader.scope.names, reader.functions, reader.classes)


class _Reader:
    """Reads a tree once, scope by scope."""

    def __init__(self) -> None:
        self.scope = _Scope(Names())
        self.functions: dict[FunctionNode, Names] = {}
        self.classes: dict[ast.ClassDef, tuple[str, frozenset[Chain]]] = {}
        self._path: list[str] = []
        self._handlers: dict[type[ast.AST], Callable[[Any], None]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Constant: _nothing,
            ast.Call: self._call,
            ast.AnnAssign: self._annotated,
            ast.AugAssign: self._augmented,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Lambda: self._lambda,
            ast.ClassDef: self._class,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.Global: self._global,
            ast.Nonlocal: _nothing,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.ExceptHandler: self._binder,
            ast.MatchAs: self._binder,
            ast.MatchStar: self._binder,
            ast.MatchMapping: self._mapping,
        }

    def read_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.read(node)

    def read(self, node: ast.AST) -> None:
        handler = self._handlers.get(node.__class__)
        if handler is not None:
            handler(node)
        else:
            self._children(node)

    def _children(self, node: ast.AST) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                for item in value:
                    if isinstance(item, ast.AST):
                        self.read(item)
            elif isinstance(value, ast.AST):
                self.read(value)

    # Names and attributes

    def _mangled(self, name: str) -> str:
        if self.scope.mangle and name.startswith("__") and not name.endswith("__"):
            return "_" + self.scope.mangle + name
        return name

    def _name(self, node: ast.Name) -> None:
        name = self._mangled(node.id)
        if node.ctx.__class__ is ast.Load:
            self.scope.names.chains.add((name,))
        else:
            self.scope.bound.add(name)

    def _attribute(self, node: ast.Attribute) -> None:
        attributes = [self._mangled(node.attr)]
        inner = node.value
        while isinstance(inner, ast.Attribute):
            attributes.append(self._mangled(inner.attr))
            inner = inner.value
        if isinstance(inner, ast.Name):
            root = self._mangled(inner.id)
            is_load = node.ctx.__class__ is ast.Load
            if len(attributes) == 1 and not is_load and root == self.scope.first:
                self.scope.names.stored.add(attributes[0])
                return
            self.scope.names.chains.add((root, *reversed(attributes)))
        elif isinstance(inner, ast.Call) and _dotted(inner.func) == ("super",):
            self.scope.names.parents.add(attributes[-1])
        else:
            self.read(inner)

    def _call(self, node: ast.Call) -> None:
        called = _dotted(node.func)
        names = self.scope.names
        if called[-1:] == ("import_module",) or called == ("__import__",):
            literal = _literal(node.args, 0)
            if literal is None or literal.startswith("."):
                names.computed = True
            else:
                names.imports.add((literal, 0, True, ()))
        elif called == ("getattr",) and (attribute := _literal(node.args, 1)) and (target := _dotted(node.args[0])):
            names.chains.update([("getattr",), (*target, attribute)])
            self.read_all(node.args[2:])
            return
        elif called == ("super",):
            names.parents.add(ESCAPES)
        self._children(node)

    # Statements that bind

    def _annotated(self, node: ast.AnnAssign) -> None:
        self.read(node.target)
        if node.value is not None:
            self.read(node.value)

    def _augmented(self, node: ast.AugAssign) -> None:
        self._children(node)
        if chain := _dotted(node.target):
            self.scope.names.chains.add(tuple(map(self._mangled, chain)))

    def _binder(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar) -> None:
        if node.name is not None:
            self.scope.bound.add(self._mangled(node.name))
        self._children(node)

    def _mapping(self, node: ast.MatchMapping) -> None:
        if node.rest is not None:
            self.scope.bound.add(self._mangled(node.rest))
        self._children(node)

    def _global(self, node: ast.Global) -> None:
        self.scope.declared_global.update(map(self._mangled, node.names))

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self.scope.bound.add(name)
            self.scope.imports.setdefault(name, []).append((alias.name, 0, alias.asname is not None, ()))

    def _import_from(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            name = alias.asname or alias.name
            self.scope.bound.add(name)
            chain = () if alias.name == "*" else (alias.name,)
            self.scope.imports.setdefault(name, []).append((node.module or "", node.level, True, chain))

    # Scopes

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.scope.bound.add(self._mangled(node.name))
        decorators = self._chains_of(node.decorator_list)
        names = self._read_function(node, node.name, node.body)
        names.decorators = decorators

    def _lambda(self, node: ast.Lambda) -> None:
        self._read_function(node, "<lambda>", [node.body])

    def _chains_of(self, nodes: Iterable[ast.AST]) -> set[Chain]:
        """Read nodes of this scope and return what they alone name."""
        before = self.scope.names.chains
        found: set[Chain] = set()
        self.scope.names.chains = found
        self.read_all(nodes)
        self.scope.names.chains = before | found
        return found

    def _read_function(self, node: FunctionNode, name: str, body: Sequence[ast.AST]) -> Names:
        arguments = node.args
        self.read_all([*arguments.defaults, *(value for value in arguments.kw_defaults if value is not None)])
        positional = [*arguments.posonlyargs, *arguments.args]
        every = [*positional, *arguments.kwonlyargs, *filter(None, [arguments.vararg, arguments.kwarg])]
        outer = self.scope
        inner = self.scope = _Scope(Names(), is_inside_function=True, is_function=True, mangle=outer.mangle)
        inner.bound.update(self._mangled(argument.arg) for argument in every)
        inner.bound.update(parameter.name for parameter in getattr(node, "type_params", ()))
        inner.first = positional[0].arg if positional else None
        self._path += [name, "<locals>"]
        self.read_all(body)
        del self._path[-2:]
        self.scope = outer
        _close(inner)
        self.functions[node] = inner.names
        if outer.is_inside_function:
            _merge(inner, outer)
        return inner.names

    def _class(self, node: ast.ClassDef) -> None:
        self.scope.bound.add(self._mangled(node.name))
        head = self._chains_of([*node.decorator_list, *node.bases, *node.keywords])
        self._path.append(node.name)
        self.classes[node] = (".".join(self._path), frozenset(head))
        outer = self.scope
        inner = self.scope = _Scope(Names(), is_inside_function=outer.is_inside_function, mangle=node.name.lstrip("_"))
        self.read_all(node.body)
        self._path.pop()
        self.scope = outer
        # A name that is bound in a class body may be read from outside before that, so all of them go up.
        _merge(inner, outer)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self.read(node.generators[0].iter)
        outer = self.scope
        kept = outer.names.chains
        inner = self.scope = _Scope(outer.names, outer.is_inside_function, mangle=outer.mangle, first=outer.first)
        inner.names.chains = set()
        for index, generator in enumerate(node.generators):
            self.read(generator.target)
            if index:
                self.read(generator.iter)
            self.read_all(generator.ifs)
        self.read_all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        targets = {
            name.id
            for generator in node.generators
            for name in ast.walk(generator.target)
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
        }
        outer.bound |= inner.bound - targets  # the walrus binds outside
        outer.globals |= inner.globals
        outer.names.chains = kept | {chain for chain in inner.names.chains if chain[0] not in targets}
        self.scope = outer


def _nothing(_: ast.AST) -> None:
    pass


def _close(scope: _Scope) -> None:
    """Sort what a function names by where it leads, now that all it binds is known."""
    names = scope.names
    local = scope.bound - scope.declared_global
    left: set[Chain] = set()
    used: set[str] = set()
    for chain in names.chains:
        root = chain[0]
        if root in scope.declared_global:
            scope.globals.add(chain)
        elif root not in local:
            left.add(chain)
        elif root == scope.first:
            names.attributes.add(chain[1] if len(chain) > 1 and chain[1] != "__class__" else ESCAPES)
        else:
            used.add(root)
            for module, level, is_from, start in scope.imports.get(root, ()):
                names.imports.add((module, level, is_from, start + chain[1:]))
    for root, imports in scope.imports.items():
        if root not in used:
            names.imports.update(imports)
    names.chains = left | scope.globals


def _merge(inner: _Scope, outer: _Scope) -> None:
    """Add what an inner scope could not settle to the scope around it."""
    # What the inner one declares global leads past the names that the outer one binds.
    outer.globals |= inner.globals
    outer.names.chains |= inner.names.chains - inner.globals
    outer.names.imports |= inner.names.imports
    outer.names.parents |= inner.names.parents
    outer.names.computed = outer.names.computed or inner.names.computed
    if not inner.is_function and outer.is_inside_function:
        for name, imports in inner.imports.items():
            outer.imports.setdefault(name, []).extend(imports)


def _dotted(node: ast.AST) -> Chain:
    """Return ``a.b.c`` as a chain, and an empty one for anything else."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else ()


def _literal(arguments: Sequence[ast.expr], index: int) -> str | None:
    if len(arguments) > index:
        argument = arguments[index]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            return argument.value
    return None
