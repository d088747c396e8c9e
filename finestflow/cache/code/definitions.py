"""Definitions: what each function of a source file is, looked up by the code object that lives in this process.

Owns the link from a live function to its source. Invariant: a definition is only given for code whose
bytecode is what its source compiles to, so a file that was edited since it was imported is never taken for
what runs. Definitions depend on the content of a file alone and are kept by it, in memory and in a
`DefinitionCache`. Called by ``reach``.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import linecache
import marshal
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import NamedTuple, Protocol, TypeVar

from finestflow.cache.code.bytecode import code_digest, code_names, iter_codes
from finestflow.cache.code.canonical import Canonical, FunctionNode, Hash
from finestflow.cache.code.scopes import Chain, ImportRef, Names, find_names
from finestflow.given import is_secret

__all__ = ["ClassSource", "Definition", "DefinitionCache", "Definitions", "FolderDefinitionCache", "Source"]

_FORMAT = 2
_SHORT = 60
_Item = TypeVar("_Item")


class DefinitionCache(Protocol):
    """Keeps small pieces of bytes between processes; it may forget any of them at any time."""

    def get(self, key: str) -> bytes | None:
        """Return what was kept under a key, or None."""

    def put(self, key: str, data: bytes) -> None:
        """Keep data under a key; failing to is no error."""


class FolderDefinitionCache:
    """Keeps definitions as one file each below a folder; writers of several processes do not disturb each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> bytes | None:
        """Return what was kept under a key, or None."""
        try:
            with open(f"{self._folder}/{key}", "rb") as file:
                return file.read()
        except OSError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep data under a key; failing to is no error."""
        path = self._folder / key
        temporary = path.with_name(f"{key}.{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()


class Definition(NamedTuple):
    """What a function is and names, inner functions included.

    A named tuple: a package has thousands, and one is made in a fifth of the time of a frozen dataclass.

    Attributes:
        hash: Digest of its canonical form, or of its bytecode where ``from_source`` is false.
        annotations: Digest of its annotations.
        chains: Dotted names that are global or free in it.
        imports: What is imported in its body.
        attributes: What it reads from its first argument.
        stored: What it sets on its first argument.
        parents: What it reads through ``super()``.
        decorators: Dotted names in its decorators.
        computed: Whether it imports a module whose name is computed.
        from_source: Whether its source was found and is what runs.
    """

    hash: str
    annotations: str
    chains: tuple[Chain, ...]
    imports: tuple[ImportRef, ...]
    attributes: tuple[str, ...]
    stored: tuple[str, ...]
    parents: tuple[str, ...]
    decorators: tuple[Chain, ...]
    computed: bool
    from_source: bool = True


@dataclass(frozen=True, slots=True)
class ClassSource:
    """A class statement: digest of all of it, annotations included, and the dotted names in its head."""

    hash: str
    head: tuple[Chain, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What one content of a source file defines.

    Attributes:
        module: Digest of the whole module.
        chains: Dotted names at the module's own level.
        literals: Short texts that stand in the source at that level, so that showing them tells nothing new.
        functions: For each qualified name: line, bytecode digest and definition.
        classes: For each qualified name, the class statements of that name.
    """

    module: str
    chains: tuple[Chain, ...]
    functions: Mapping[str, list[tuple[int, str, tuple[object, ...]]]]
    classes: Mapping[str, ClassSource]
    literals: frozenset[str]


class Definitions:
    """Finds the definition of live code.

    Args:
        hash_: Digest of bytes, as text.
        cache: Where definitions are kept between processes.
    """

    def __init__(self, hash_: Hash, cache: DefinitionCache | None = None) -> None:
        self._hash = hash_
        self._cache = cache
        self._by_code: dict[int, tuple[CodeType, Definition]] = {}
        self._by_stat: dict[str, tuple[tuple[int, ...], Source | None]] = {}
        self._first_stat: dict[str, tuple[int, ...]] = {}
        self._checked: set[str] = set()

    def refresh(self) -> None:
        """Look at the files again when they are next asked for; what is known of live code stays."""
        self._checked.clear()

    def of_code(self, code: CodeType, namespace: Mapping[str, object]) -> Definition:
        """Return the definition of a function's code.

        Args:
            code: The code that runs.
            namespace: The globals it runs in; says how to find its source when it is in no file.
        """
        known = self._by_code.get(id(code))
        if known is not None:
            return known[1]
        source = self.of_file(code.co_filename, namespace)
        found = None if source is None else self._match(source, code)
        definition = found if found is not None else self._of_bytecode(code)
        self._by_code[id(code)] = (code, definition)
        return definition

    def of_file(self, path: str, namespace: Mapping[str, object]) -> Source | None:
        """Return what a source file defines as it is now; None when there is no source that parses."""
        known = self._by_stat.get(path)
        if known is not None and path in self._checked:
            return known[1]
        self._checked.add(path)
        stat = _stat(path)
        if known is not None and stat == known[0] and stat:
            return known[1]
        self._first_stat.setdefault(path, stat)
        text = _read_source(path, namespace)
        source = None if text is None else self.of_text(text)
        self._by_stat[path] = (stat, source)
        return source

    def is_as_first_seen(self, path: str) -> bool:
        """Return whether a file is what it was when this process first looked at it."""
        return self._first_stat.get(path, ()) == _stat(path)

    def of_text(self, text: bytes) -> Source | None:
        """Return what a source text defines; None when it does not parse."""
        key = self._hash(b"\0".join([_version(), text]))
        data = None if self._cache is None else self._cache.get(key)
        if data is not None and (source := _load(data, self._hash)) is not None:
            return source
        source = _define(text, self._hash)
        if source is not None and self._cache is not None:
            self._cache.put(key, _dump(source, self._hash))
        return source

    def _match(self, source: Source, code: CodeType) -> Definition | None:
        candidates = source.functions.get(code.co_qualname)
        if not candidates:
            return None
        digest = code_digest(code, self._hash)
        equal = [candidate for candidate in candidates if candidate[1] == digest]
        if not equal:
            return None
        # Lines may have moved since the import; the nearest one tells equal bodies apart.
        nearest = min(equal, key=lambda candidate: abs(candidate[0] - code.co_firstlineno))
        return Definition._make(nearest[2])

    def _of_bytecode(self, code: CodeType) -> Definition:
        digest = self._hash(b"bytecode" + _version() + code_digest(code, self._hash).encode())
        return _definition(digest, "", code_names(code), from_source=False)


def _stat(path: str) -> tuple[int, ...]:
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return ()
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _read_source(path: str, namespace: Mapping[str, object]) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError):
        # At a prompt, in a notebook and in a zip file the source is known to linecache.
        lines = linecache.getlines(path, dict(namespace))
        return "".join(lines).encode("utf-8", "surrogatepass") if lines else None


def _version() -> bytes:
    # Bytecode digests are kept beside the definitions, so they hold for one bytecode and level of optimisation.
    return b"%d %d %s" % (_FORMAT, sys.flags.optimize, importlib.util.MAGIC_NUMBER)


@lru_cache(maxsize=64)  # a notebook or a test makes runs in many projects, of the same modules
def _define(text: bytes, hash_: Hash) -> Source | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
            code = compile(tree, "<source>", "exec", dont_inherit=True)
        canonical = Canonical(hash_)
        module = canonical.module(tree)
        names = find_names(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    nodes: dict[tuple[str, int], list[FunctionNode]] = {}
    for node in canonical.digests:
        nodes.setdefault(_place(node), []).append(node)
    functions: dict[str, list[tuple[int, str, tuple[object, ...]]]] = {}
    for inner in iter_codes(code):
        found = nodes.get((inner.co_name, inner.co_firstlineno))
        if found:
            definition = _define_function(found, inner, canonical, names.functions, hash_)
            entry = (inner.co_firstlineno, code_digest(inner, hash_), tuple(definition))
            functions.setdefault(inner.co_qualname, []).append(entry)
    classes: dict[str, ClassSource] = {}
    for class_, (name, head) in names.classes.items():
        digest = canonical.classes[class_]
        if name in classes:  # defined twice, as in `if` and `else`: both count
            digest = hash_((classes[name].hash + digest).encode())
            classes[name] = ClassSource(digest, _sorted(head.union(classes[name].head)))
        else:
            classes[name] = ClassSource(digest, _sorted(head))
    return Source(module, _sorted(names.own.chains), functions, classes, frozenset(_iter_literals(tree)))


def _iter_literals(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and len(node.value) <= _SHORT:
                yield node.value
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not _gives_secret(node):
            yield from _iter_literals(node)


def _gives_secret(node: ast.AST) -> bool:
    """Whether a value is given to a name of a secret: it stands in the source, but that need not be kept, such as a notebook's."""
    if isinstance(node, ast.keyword):
        return node.arg is not None and is_secret(node.arg)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    names = (
        target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
        for target in targets
    )
    return any(map(is_secret, names))


def _place(node: FunctionNode) -> tuple[str, int]:
    """Return the name and first line that the code object of a function has."""
    if isinstance(node, ast.Lambda):
        return ("<lambda>", node.lineno)
    return (node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]))


def _define_function(
    nodes: list[FunctionNode], code: CodeType, canonical: Canonical, names: Mapping[FunctionNode, Names], hash_: Hash
) -> Definition:
    """Return the definition of a code object that is one of the functions of one name in one line."""
    if len(nodes) > 1:
        positions = set(code.co_positions())
        nodes = [node for node in nodes if isinstance(node, ast.Lambda) and _span(node.body) in positions] or nodes
    if len(nodes) == 1:
        node = nodes[0]
        return _definition(canonical.digests[node], canonical.annotations(node), names[node])
    # Without columns (-X no_debug_ranges) lambdas of a line are told apart by their bytecode, and take each
    # other's names.
    together = Names()
    for node in nodes:
        together.add(names[node])
    return _definition(hash_(f"{code_digest(code, hash_)} {_version()!r}".encode()), "", together)


def _span(node: ast.expr) -> tuple[int, int | None, int, int | None]:
    return (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)


def _definition(digest: str, annotations: str, names: Names, *, from_source: bool = True) -> Definition:
    return Definition(
        digest,
        annotations,
        _sorted(names.chains),
        _sorted(names.imports),
        tuple(sorted(names.attributes)),
        tuple(sorted(names.stored)),
        tuple(sorted(names.parents)),
        _sorted(names.decorators),
        names.computed,
        from_source,
    )


def _sorted(values: Iterable[_Item]) -> tuple[_Item, ...]:
    return tuple(sorted(values))  # type: ignore[type-var]


def _dump(source: Source, hash_: Hash) -> bytes:
    classes = {name: (value.hash, value.head) for name, value in source.classes.items()}
    data = marshal.dumps((source.module, source.chains, dict(source.functions), classes, sorted(source.literals)))
    return hash_(data).encode() + data


def _load(data: bytes, hash_: Hash) -> Source | None:
    """Return what `_dump` wrote; None when it is damaged (marshal must not be given anything else)."""
    checksum, data = data[:64], data[64:]
    if hash_(data).encode() != checksum:
        return None
    module, chains, functions, classes, literals = marshal.loads(data)  # noqa: S302  the checksum was just compared
    statements = {name: ClassSource(*value) for name, value in classes.items()}
    return Source(module, chains, functions, statements, frozenset(literals))
