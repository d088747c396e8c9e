"""One version of the code: what workers import is what the runner has loaded.

The runner notes which source of each project module it has, and keeps the texts in a file of the pool. A worker that imports a module whose
file has changed since takes the text from there. Invariant: a worker never runs a text that the runner has not; where it cannot be had, the
import fails and the job goes back to the runner. Importing never starts a run: a script without a guard is read up to its first call of a
pipeline, as ``target`` does it.
"""

from __future__ import annotations

import importlib.machinery
import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from finestflow.cache.code.origin import Origin, Origins
from finestflow.cache.names import main_module
from finestflow.pipeline.call import get_launcher, set_launcher

__all__ = ["ProjectImports", "Signature", "Sources", "StaleSourceError"]

Signature = tuple[int, int]
"""Time of the last change in ns, and size."""


class StaleSourceError(ImportError):
    """The source of a module is not what the runner has loaded, and that is nowhere else."""


class Loaded(NamedTuple):
    """The source of a module in the runner; without a signature nobody knows its text."""

    path: str
    signature: Signature | None


class Sources:
    """The runner's side: the sources of the project's loaded modules.

    Args:
        root: Top of the project.
    """

    def __init__(self, root: Path) -> None:
        self._origins = Origins([root])
        self._known: dict[str, tuple[Any, Loaded]] = {}
        self._texts: dict[str, bytes] = {}
        self._is_written = False

    def look(self) -> dict[str, Loaded]:
        """Return what is loaded now; modules that were reloaded are read again."""
        for name, module in list(sys.modules.items()):
            spec = getattr(module, "__spec__", None)
            path = getattr(module, "__file__", None)
            known = self._known.get(name)
            if (
                name == "__main__"
                or not isinstance(path, str)
                or not path.endswith(".py")
                or (known is not None and known[0] is spec)
            ):
                continue
            if self._origins.of_path(path) is Origin.PROJECT:
                self._known[name] = spec, self._read(path)
                self._is_written = False
        return {name: loaded for name, (_, loaded) in self._known.items()}

    def _read(self, path: str) -> Loaded:
        try:
            signature = _signature(path)
            with open(path, "rb") as file:
                self._texts[path] = file.read()
        except OSError:
            return Loaded(path, None)
        return Loaded(path, signature)

    def write(self, path: str) -> None:
        """Write the texts to a file, from which workers take those that have changed on disk."""
        if self._is_written:
            return
        self._is_written = True
        temporary = f"{path}.new"
        with open(temporary, "wb") as file:
            pickle.dump(self._texts, file)
        os.replace(temporary, path)


class ProjectImports:
    """The worker's side: finds the project's modules as Python does, and loads what the runner has.

    Args:
        root: Top of the project.
    """

    def __init__(self, root: Path) -> None:
        self._origins = Origins([root])
        self._loaded: Mapping[str, Loaded] = {}
        self._texts = ""
        self._began = 0.0
        self.notes: list[str] = []

    def install(self) -> None:
        """Come before Python's own finders."""
        sys.meta_path.insert(0, self)

    def tell(self, loaded: Mapping[str, Loaded], texts: str, began: float) -> None:
        """Take what the runner has loaded, the file with the texts, and when its run began."""
        self._loaded, self._texts, self._began = loaded, texts, began

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """Find a module of the project; everything else is left to the next finder."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader = getattr(spec, "loader", None)
        if (
            type(loader) is not importlib.machinery.SourceFileLoader
            or self._origins.of_path(loader.path) is not Origin.PROJECT
        ):
            return None
        if name == main_module():
            raise StaleSourceError(f"{name!r} is the script that is running")
        assert spec is not None
        spec.loader = _Loader(name, loader.path, self)
        return spec

    def text_of(self, name: str, path: str) -> bytes | None:
        """Return the text that a module has in the runner; None when that is what its file holds.

        Raises:
            StaleSourceError: Nobody knows it.
        """
        known = self._loaded.get(name)
        now = _signature(path)
        if known is None or known.path != path:
            if now[0] > self._began * 1e9:
                self.notes.append(f"imported {name!r}, which changed after the run began")
            return None
        if known.signature == now:
            return None
        try:
            with open(self._texts, "rb") as file:
                return pickle.load(file)[path]  # type: ignore[no-any-return]
        except (OSError, KeyError, EOFError) as error:
            raise StaleSourceError(f"{name!r} has changed on disk since the run began") from error


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads the runner's version of a source, and starts no run."""

    def __init__(self, name: str, path: str, imports: ProjectImports) -> None:
        super().__init__(name, path)
        self._imports = imports

    def get_code(self, fullname: str) -> Any:
        text = self._imports.text_of(fullname, self.path)
        return super().get_code(fullname) if text is None else self.source_to_code(text, self.path)

    def exec_module(self, module: ModuleType) -> None:
        launcher = get_launcher()
        set_launcher(_end_import)
        try:
            super().exec_module(module)
        except _ImportEnds:
            pass
        finally:
            set_launcher(launcher)


class _ImportEnds(BaseException):
    """A module that is being imported calls a pipeline."""


def _end_import(*_: Any) -> Any:
    raise _ImportEnds


def _signature(path: str) -> Signature:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size
