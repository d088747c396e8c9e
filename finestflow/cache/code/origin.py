"""Where code comes from: the project, Python itself, an installed distribution, or finestflow.

Owns the answer to "is this the user's own code?", by the file it was loaded from. Invariant: what is in
doubt is the project's, because only the project's code is read; anything else counts by its version.
Called by ``reach`` and ``fingerprint``.
"""

from __future__ import annotations

import enum
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from finestflow.cache.names import main_module

__all__ = ["Origin", "Origins", "shown_module"]

_OWN_FOLDER = str(Path(__file__).resolve().parents[2]) + os.sep
_OWN_PACKAGES = frozenset({"finestflow", "finestflow_tui"})
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# Of a virtual environment, all but these is what somebody put there: `src` holds editable checkouts.
_ENVIRONMENT_FOLDERS = frozenset({"lib", "lib64", "Lib", "bin", "Scripts", "include", "Include", "share"})


class Origin(enum.Enum):
    """Who wrote a piece of code."""

    PROJECT = enum.auto()
    PYTHON = enum.auto()
    DISTRIBUTION = enum.auto()
    FINESTFLOW = enum.auto()


class Origins:
    """Tells where code comes from.

    Args:
        roots: Folders of the project; a virtual environment inside one is not part of it.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(f"{root}{os.sep}" for path in roots for root in {str(path), str(path.resolve())})
        folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
        self._python = tuple(
            {f"{path}{os.sep}" for folder in folders if folder for path in (folder, os.path.realpath(folder))}
        )
        self._by_path: dict[str, Origin] = {}
        self._by_module: dict[str, Origin] = {}
        self._environments: dict[str, bool] = {}

    def of_function(self, function: FunctionType) -> Origin:
        """Return where a function written in Python comes from."""
        path = function.__code__.co_filename
        known = self._by_path.get(path)
        if known is not None:
            return known
        if path.startswith("<") and not path.startswith("<frozen "):
            return self.of_namespace(function.__globals__)
        return self.of_path(path)

    def of_class(self, cls: type) -> Origin:
        """Return where a class comes from."""
        return self.of_name(str(cls.__module__))

    def of_module(self, module: ModuleType) -> Origin:
        """Return where a module comes from."""
        return self.of_namespace(module.__dict__)

    def of_namespace(self, namespace: Mapping[str, Any]) -> Origin:
        """Return where the module with these globals comes from."""
        name = namespace.get("__name__")
        if not isinstance(name, str):
            return Origin.PROJECT
        known = self._by_module.get(name)
        if known is None:
            known = self._of_module(name, namespace)
            if name in sys.modules:
                self._by_module[name] = known
        return known

    def of_name(self, name: str) -> Origin:
        """Return where the module of a name comes from; one that is not loaded is the project's."""
        known = self._by_module.get(name)
        if known is not None:
            return known
        module = sys.modules.get(name)
        if module is None:
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names:
                return Origin.PYTHON
            return self.of_name(top) if top != name else Origin.PROJECT
        return self.of_namespace(getattr(module, "__dict__", {}))

    def _of_module(self, name: str, namespace: Mapping[str, Any]) -> Origin:
        top = name.partition(".")[0]
        path = namespace.get("__file__")
        if not isinstance(path, str):
            folders = getattr(namespace.get("__spec__"), "submodule_search_locations", None)
            path = next((f"{folder}{os.sep}" for folder in folders or ()), None)
        if path is not None:
            return self.of_path(path)
        if top in _OWN_PACKAGES:
            return Origin.FINESTFLOW
        if name in sys.builtin_module_names or top in sys.stdlib_module_names:
            return Origin.PYTHON
        if top.startswith("_cython_"):  # where compiled libraries share the classes of their functions
            return Origin.DISTRIBUTION
        return Origin.PROJECT

    def of_path(self, path: str) -> Origin:
        """Return where the code in a file comes from."""
        known = self._by_path.get(path)
        if known is None:
            known = self._by_path[path] = self._of_path(path)
        return known

    def _of_path(self, path: str) -> Origin:
        if path.startswith("<frozen "):
            return Origin.PYTHON
        path = os.path.normpath(path)
        for candidate in {path, os.path.realpath(path)}:
            if candidate.startswith(_OWN_FOLDER) or f"{os.sep}finestflow_tui{os.sep}" in candidate:
                return Origin.FINESTFLOW
        root = next((root for root in self._roots if path.startswith(root)), "")
        inside = os.sep + path[len(root) :]
        if any(folder in inside for folder in _INSTALLED):
            return Origin.DISTRIBUTION
        if path.startswith(self._python):
            return Origin.PYTHON
        if root and self._is_in_environment(Path(path).parent, Path(root)):
            return Origin.DISTRIBUTION
        return Origin.PROJECT

    def _is_in_environment(self, folder: Path, root: Path) -> bool:
        """Return whether a folder is the installed part of a virtual environment somewhere below the root."""
        if folder == root or root not in folder.parents:
            return False
        key = str(folder)
        if key not in self._environments:
            found = self._is_in_environment(folder.parent, root)
            is_installed = folder.name in _ENVIRONMENT_FOLDERS and folder.parent != root
            self._environments[key] = found or (is_installed and (folder.parent / "pyvenv.cfg").is_file())
        return self._environments[key]


def shown_module(name: str) -> str:
    """Return the name under which a module is known: ``__main__`` is what its file or ``-m`` name says."""
    return main_module() if name == "__main__" else name
