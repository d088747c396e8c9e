"""Classes that travel as the statement that made them: those whose metaclass belongs to a library, which alone knows how to make one.

Invariant: only the class statement runs again, in the worker's main module. That it gave the same class is checked by its fingerprint, as for
all code. Called by ``portable`` and ``arrival``.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import sys
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Statement", "find_statement"]

_KNOWN = frozenset({"__main__", "abc", "builtins", "enum", "typing"})
"""Modules of metaclasses whose classes can be put together from their parts."""


class Statement(NamedTuple):
    """A class statement.

    Attributes:
        name: The class.
        text: The statement, decorators included.
        file: Where it stands, as tracebacks name it.
        line: Its first line there.
        flags: Compiler flags of the ``__future__`` features of its module.
    """

    name: str
    text: str
    file: str
    line: int
    flags: int

    def compile(self) -> types.CodeType:
        """Return its code, with the lines that it has in its file."""
        is_inner = self.text[:1].isspace()
        text = "\n" * (self.line - 2) + "if True:\n" + self.text if is_inner else "\n" * (self.line - 1) + self.text
        code: types.CodeType = compile(text, self.file, "exec", flags=self.flags, dont_inherit=True)
        return code

    def make(self) -> Any:
        """Run it in the main module; return the class."""
        home = vars(sys.modules["__main__"])
        exec(self.compile(), home)  # noqa: S102 - the user's own code
        return home[self.name]


def find_statement(cls: type) -> Statement | None:
    """Return the statement of a class of the main module that a library's metaclass has made; None for others, and where no source is left."""
    if type(cls).__module__ in _KNOWN or cls.__module__ != "__main__" or "." in cls.__qualname__:
        return None
    for file in dict.fromkeys(_files_of(cls)):
        text = "".join(linecache.getlines(file))
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        found = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == cls.__name__]
        if found:
            node = found[-1]
            line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            lines = text.splitlines(keepends=True)[line - 1 : node.end_lineno]
            return Statement(cls.__name__, "".join(lines), file, line, _flags_of(tree))
    return None


def _files_of(cls: type) -> Iterator[str]:
    """Yield the files that may hold a statement: those of its methods, the script, the cells of a notebook from the last one."""
    for member in vars(cls).values():
        code = getattr(getattr(member, "__func__", member), "__code__", None)
        if code is not None:
            yield code.co_filename
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is not None:
        yield file
    yield from [
        name for name in reversed(list(linecache.cache)) if name.startswith("<ipython-") or "ipykernel_" in name
    ]


def _flags_of(tree: ast.Module) -> int:
    names = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    flags = 0
    for name in names:
        flags |= getattr(__future__, name).compiler_flag
    return flags
