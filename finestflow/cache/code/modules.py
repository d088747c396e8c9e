"""Modules of the project: as a whole, where code uses one in a way that cannot be followed, and as files.

Owns what of a module's file counts, and when the file may be taken for what this process has loaded from it.
Invariant: where only the source can tell what a module is, a source that was edited since counts as new in
every process. Called by ``reach`` and ``classes``.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from finestflow.cache.code.distributions import python_version
from finestflow.cache.code.graph import ABSENT, Node
from finestflow.cache.code.origin import Origin

if TYPE_CHECKING:
    from finestflow.cache.code.reach import Walk

__all__ = ["expand", "file", "find_attribute", "inside", "is_what_was_imported", "load"]


def expand(node: Node, walk: Walk, namespace: Mapping[str, Any]) -> None:
    """Fill the node of a whole module: its source, and all that its functions and classes reach."""
    path = namespace.get("__file__")
    node.own = " ".join(["module", *_file_hashes(walk, node, path, namespace)])
    name = namespace.get("__name__")
    for key in sorted(namespace):
        value = namespace[key]
        node.seen += (namespace, key, value)
        if isinstance(value, FunctionType | type) and getattr(value, "__module__", None) == name:
            node.link(key, walk.target(value, namespace), f".{key}")
    source = walk.definitions.of_file(path, namespace) if isinstance(path, str) else None
    for chain in source.chains if source is not None else ():
        value = namespace.get(chain[0], ABSENT)
        if isinstance(value, FunctionType | type) or (isinstance(value, ModuleType) and len(chain) > 1):
            walk.follow(node, chain, value, f".{chain[0]}", namespace)


def _file_hashes(walk: Walk, node: Node, path: object, namespace: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(path, str):
        node.note(f"the source of `{node.name}` is not in a file: this counts as new in each process")
        yield walk.constants.salt
        return
    paths = [Path(path)]
    if paths[0].stem == "__init__":  # a name that is computed may be that of a sub-module
        paths = sorted(paths[0].parent.rglob("*.py"))
    for file in paths:
        yield _file_hash(walk, node, str(file), namespace)


def _file_hash(walk: Walk, node: Node, path: str, namespace: Mapping[str, Any]) -> str:
    if not path.endswith(".py"):
        return file(walk, node, path)
    source = walk.definitions.of_file(path, namespace)
    node.check(lambda: walk.definitions.of_file(path, namespace) is source)
    if not is_what_was_imported(walk, path):
        node.note(f"`{node.name}` was edited since its import: this counts as new in each process")
        return walk.constants.salt
    return source.module if source is not None else file(walk, node, path)


def file(walk: Walk, node: Node, path: str) -> str:
    """Return the digest of a file, such as a compiled extension."""
    digest = walk.constants.file_digest(path)
    node.check(lambda: walk.constants.file_digest(path) == digest)
    return digest


def is_what_was_imported(walk: Walk, path: str) -> bool:
    """Return whether a source file may be taken for what this process has loaded from it."""
    if not walk.definitions.is_as_first_seen(path):
        return False
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (walk.started is None or status.st_mtime <= walk.started) and not _has_old_bytecode(path, status)


def _has_old_bytecode(path: str, status: os.stat_result) -> bool:
    """Return whether Python may have loaded bytecode of an earlier text.

    It compares the size and the whole second of the source alone (PEP 3147), so it does not see an edit of the same length within a second.
    """
    try:
        cached = importlib.util.cache_from_source(path)
        if os.stat(cached).st_mtime_ns >= status.st_mtime_ns:
            return False
        with open(cached, "rb") as file:
            head = file.read(16)
    except (OSError, NotImplementedError):
        return False
    flags, second, size = (int.from_bytes(head[at : at + 4], "little") for at in (4, 8, 12))
    return flags == 0 and second == int(status.st_mtime) & 0xFFFFFFFF and size == status.st_size & 0xFFFFFFFF


def load(walk: Walk, node: Node, name: str) -> ModuleType | None:
    """Return a module that a function imports, importing it only when it is the project's.

    One of a library counts by its version, the same whether something in this process has loaded it or not.
    """
    try:
        found = _find(walk, name)
        if found is None:
            return sys.modules.get(name)
        where, path = found
        if where is Origin.PROJECT:
            return sys.modules.get(name) or importlib.import_module(name)
    except Exception as error:  # noqa: BLE001  the project's own import may raise anything
        node.note(f"`{node.name}` imports `{name}`, which cannot be imported here: {error}")
        return None
    if where is Origin.DISTRIBUTION:
        node.belong(walk.distributions.of_file(path) if path else ())
    elif where is Origin.PYTHON:
        node.belong([python_version()])
    return sys.modules.get(name)


def _find(walk: Walk, name: str) -> tuple[Origin, str | None] | None:
    """Return where a module comes from: by its top package, or by the first one below mere namespaces."""
    found = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        package = ".".join(parts[:end])
        module = sys.modules.get(package)
        spec = importlib.util.find_spec(package) if module is None else getattr(module, "__spec__", None)
        if module is None and spec is None:
            break
        path = getattr(module, "__file__", None) or (spec.origin if spec is not None else None)
        if path is None and spec is not None and spec.submodule_search_locations:
            folder = next(iter(spec.submodule_search_locations))
            found = walk.origins.of_path(f"{folder}{os.sep}"), f"{folder}{os.sep}_"
            continue
        if path is not None and os.sep in path:
            return walk.origins.of_path(path), path
        return (walk.origins.of_name(package) if module is None else walk.origins.of_module(module)), None
    return found


def find_attribute(module: ModuleType, attribute: str) -> Any:
    """Return a sub-module that is not bound yet, or what the module's own ``__getattr__`` gives."""
    found = sys.modules.get(f"{module.__name__}.{attribute}")
    if found is not None:
        return found
    try:
        return getattr(module, attribute)
    except Exception:  # noqa: BLE001  the project's own `__getattr__` may raise anything
        pass
    if getattr(module, "__path__", None) is None:
        return ABSENT
    try:
        return importlib.import_module(f"{module.__name__}.{attribute}")
    except Exception:  # noqa: BLE001  the project's own import may raise anything
        return ABSENT


def inside(value: Any, attributes: Sequence[str]) -> Any:
    """Return what attributes of modules lead to, without running any code to find it."""
    for attribute in attributes:
        if not isinstance(value, ModuleType):
            break
        value = value.__dict__.get(attribute, ABSENT)
    return value
