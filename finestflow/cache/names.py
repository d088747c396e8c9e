"""Names of classes and functions that mean the same in every process.

Owns which module a file is, a file of a package by its dotted name, and so the mapping of ``__main__`` to the module that its file would be:
``python x.py``, ``python -m x``, ``finestflow run x.py:P`` and a worker agree. Called by the digest (names are part of it), by the codec
(pickles must load in another process) and by what imports a user's file.
"""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from typing import Any

__all__ = ["find_named", "load_named", "main_module", "module_of_file", "qualified_name"]


@functools.lru_cache
def module_of_file(file: str) -> tuple[str, str]:
    """Return under which name a file is imported, and the folder that has to be on ``sys.path`` for it.

    A folder with an ``__init__.py`` is a package, up to the top of the work tree: what that folder is called differs between clones.
    """
    path = Path(file)
    name, folder = path.stem, path.parent
    while (folder / "__init__.py").is_file() and not (folder / ".git").exists() and folder.name.isidentifier():
        name, folder = f"{folder.name}.{name}", folder.parent
    return name, str(folder)


def main_module() -> str:
    """Return the importable name of ``__main__``, or ``__main__`` at a prompt or in a notebook."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return module_of_file(file)[0] if file else "__main__"


def qualified_name(obj: Any) -> str:
    """Return ``module:qualname`` of a class or function."""
    module = getattr(obj, "__module__", None) or obj.__objclass__.__module__  # methods of builtins have their class's
    if module == "__main__":
        module = main_module()
    return f"{module}:{getattr(obj, '__qualname__', obj.__name__)}"


def find_named(name: str) -> object | None:
    """Return what a qualified name stands for among the loaded modules, or None."""
    module, _, path = name.partition(":")
    found: object | None = sys.modules.get(module)
    if module == main_module() and module != "__main__":
        found = sys.modules.get("__main__")
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def load_named(name: str) -> object:
    """Return what a qualified name stands for, importing its module where needed; pickles of ``__main__`` call it.

    Raises:
        ImportError: There is no such module.
        AttributeError: The module has no such thing.
    """
    found = find_named(name)
    module = name.partition(":")[0]
    if found is None and module != main_module():  # which would run again
        importlib.import_module(module)
        found = find_named(name)
    if found is None:
        msg = f"no {name!r}"
        raise AttributeError(msg)
    return found
