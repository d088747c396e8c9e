"""What the code of a pipeline imports that is installed: a fork server may load it before the runner has, and workers then have it from birth.

Invariant: nothing is imported to find out, and nothing of the project is named: that may change between two runs. Nor is a library that must not
be forked once it is loaded, as far as it is known by name; what comes with another one the server finds out itself. Called by ``workspace``.
"""

from __future__ import annotations

import ast
import importlib.util
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from finestflow.cache.code.origin import Origin, Origins

__all__ = ["BARRED", "Import", "Imports", "find_imports"]

Import = tuple[str, tuple[str, ...]]
"""A module, and the names that are taken from it: some of them may be modules too."""

BARRED = frozenset(
    {"cudf", "cuml", "cupy", "grpc", "jax", "jaxlib", "mxnet", "paddle", "polars", "pycuda", "pyopencl", "pyspark"}
    | {"ray", "tensorflow", "torch"}
)
"""Libraries that talk to a device or have threads once they are loaded."""

_FILES = 64
"""Files of the project that are read at most: it is about time."""


@dataclass(frozen=True, slots=True)
class Imports:
    """What code imports.

    Attributes:
        modules: The modules that are installed.
        path: Where they were found.
        files: The files of the project that were read.
    """

    modules: Sequence[Import] = ()
    path: Sequence[str] = ()
    files: Sequence[str] = ()


def find_imports(place: str, path: Iterable[str], root: Path) -> Imports:
    """Find out what a file, and the project's modules that it imports, import at their top level from what is installed.

    Args:
        place: The path of a Python file, or the name of a module.
        path: Where modules are found; the folder of a file comes before.
        root: Top of the project.
    """
    folders = [os.path.abspath(folder) for folder in path]
    if place.endswith(".py"):
        folders.insert(0, os.path.dirname(place))
    scan = _Scan(folders, root)
    if place.endswith(".py"):
        scan.read(place, "")
    else:
        scan.follow(place, ())
    return Imports([(name, tuple(sorted(names))) for name, names in scan.found.items()], folders, list(scan.files))


class _Scan:
    """A walk over the files of a project.

    Args:
        path: Where modules are found.
        root: Top of the project.
    """

    def __init__(self, path: list[str], root: Path) -> None:
        self._path = path
        self._origins = Origins([root])
        self.files: dict[str, None] = {}
        self.found: dict[str, set[str]] = {}

    def read(self, file: str, package: str) -> None:
        """Take the imports of a file of the project."""
        if file in self.files or len(self.files) >= _FILES:
            return
        self.files[file] = None
        try:
            with open(file, "rb") as source:
                tree = ast.parse(source.read())
        except (OSError, SyntaxError, ValueError):  # whoever imports it says so
            return
        for name, names in _imports(tree, package):
            self.follow(name, names)

    def follow(self, name: str, names: Sequence[str]) -> None:
        """Take a module that is installed; of one of the project its imports."""
        top, *parts = name.split(".")
        found = PathFinder.find_spec(top, self._path)
        where = _place_of(found)
        if found is None or where is None or top in BARRED:
            return
        origin = self._origins.of_path(where)
        if origin in {Origin.DISTRIBUTION, Origin.PYTHON}:
            self.found.setdefault(name, set()).update(names)
        elif origin is Origin.PROJECT:
            for part in (*parts, None):
                self._read_module(found)
                if part is not None and (found := _inside(found, part)) is None:
                    return
            for part in names:
                self._read_module(_inside(found, part))

    def _read_module(self, spec: ModuleSpec | None) -> None:
        if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            self.read(spec.origin, spec.name if spec.submodule_search_locations else spec.parent or "")


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, list[str]]]:
    """Yield what a file imports whenever it is run: neither what is conditional nor what waits for a call."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, []
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            try:
                yield importlib.util.resolve_name(name, package), [alias.name for alias in node.names]
            except ImportError:  # it goes up too far: whoever imports it says so
                continue


def _inside(spec: ModuleSpec, name: str) -> ModuleSpec | None:
    """Find a module of a package, which is not imported for that."""
    folders = spec.submodule_search_locations
    return PathFinder.find_spec(f"{spec.name}.{name}", list(folders)) if folders else None


def _place_of(spec: ModuleSpec | None) -> str | None:
    if spec is None or spec.origin is not None:
        return spec.origin if spec is not None else None
    return next((f"{folder}{os.sep}" for folder in spec.submodule_search_locations or ()), None)
