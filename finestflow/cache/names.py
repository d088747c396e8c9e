"""Names of classes and functions that mean the same in every process.

Owns the mapping of ``__main__`` to the module that its file would be: ``python x.py``, ``finestflow run x.py:P`` and a worker
agree. Called by the digest (names are part of it) and by the codec (pickles must load in another process).
"""

from __future__ import annotations

import importlib
import sys
from pathlib import PurePath
from typing import Any

__all__ = ["find_named", "load_named", "main_module", "qualified_name"]


def main_module() -> str:
    """Return the importable name of ``__main__``, or ``__main__`` at a prompt or in a notebook."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return PurePath(file).stem if file else "__main__"


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
