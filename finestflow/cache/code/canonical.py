"""The canonical form of Python code: what of a source text can make a difference when it runs.

Owns one text per function, lambda, class and module, and its digest. Positions, comments, docstrings, bare
constants, ``pass`` and annotations leave no trace in it; everything else does, names of local variables
included. Invariant: the form of a source is the same on every Python that can parse it (checked on 3.11 to
3.13), so results that were stored under one Python are found under the next.
Called by ``definitions``, once for each content of a file.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import TypeAlias

__all__ = ["Canonical", "FunctionNode", "Hash"]

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Hash: TypeAlias = Callable[[bytes], str]

# Load or store follows from where an expression stands; the rest is for type checkers or for repr.
_SKIPPED = frozenset({"ctx", "type_comment", "type_ignores", "kind"})


class Canonical:
    """Forms of the nodes of one syntax tree.

    A function stands in the form of what surrounds it by its digest, so each node is written once however
    deep functions are nested.

    Args:
        hash_: Digest of bytes, as text.

    Attributes:
        digests: Digest of every function and lambda met so far.
        classes: Digest of every class met so far: its statement and body, with annotations.
    """

    def __init__(self, hash_: Hash) -> None:
        self._hash = hash_
        self.digests: dict[FunctionNode, str] = {}
        self.classes: dict[ast.ClassDef, str] = {}
        self._writers: dict[type[ast.AST], Callable[[ast.AST], str]] = {
            ast.Name: self._name,  # type: ignore[dict-item]
            ast.Attribute: self._attribute,  # type: ignore[dict-item]
            ast.Constant: self._constant,  # type: ignore[dict-item]
            ast.JoinedStr: self._joined,  # type: ignore[dict-item]
            ast.FunctionDef: self._function,  # type: ignore[dict-item]
            ast.AsyncFunctionDef: self._function,  # type: ignore[dict-item]
            ast.Lambda: self._lambda,  # type: ignore[dict-item]
            ast.ClassDef: self._class,  # type: ignore[dict-item]
            ast.AnnAssign: self._annotated,  # type: ignore[dict-item]
            ast.arg: self._arg,  # type: ignore[dict-item]
        }

    def module(self, tree: ast.Module) -> str:
        """Return the digest of a whole module."""
        return self._digest(self._body(tree.body))

    def annotations(self, node: FunctionNode) -> str:
        """Return the digest of a function's annotations, for where a decorator may read them."""
        found = [arg.annotation for arg in ast.walk(node.args) if isinstance(arg, ast.arg)]
        found.append(getattr(node, "returns", None))
        return self._digest(" ".join("-" if note is None else self.form(note) for note in found))

    def form(self, node: ast.AST) -> str:
        """Return the canonical text of a node; equal texts mean equal behaviour."""
        cls = node.__class__
        writer = self._writers.get(cls)
        if writer is not None:
            return writer(node)
        parts = [cls.__name__]
        for field in cls._fields:
            if field in _SKIPPED:
                continue
            value = getattr(node, field, None)
            if value is None:
                parts.append("-")
            elif value.__class__ is list:
                if value and isinstance(value[0], ast.stmt):
                    parts.append(self._body(value))
                elif value or field != "type_params":
                    parts.append("[" + " ".join([self._item(item) for item in value]) + "]")
            else:
                parts.append(self._item(value))
        return "(" + " ".join(parts) + ")"

    def _item(self, value: object) -> str:
        if isinstance(value, ast.AST):
            return self.form(value)
        return "-" if value is None else str(value)

    def _body(self, statements: Iterable[ast.stmt]) -> str:
        kept = []
        for statement in statements:
            cls = statement.__class__
            if cls is ast.Pass or (cls is ast.Expr and statement.value.__class__ is ast.Constant):  # type: ignore[attr-defined]
                continue
            kept.append(self.form(statement))
        return "[" + " ".join(kept) + "]"

    @staticmethod
    def _name(node: ast.Name) -> str:
        return "(" + node.id + ")"

    def _attribute(self, node: ast.Attribute) -> str:
        return "(. " + self.form(node.value) + " " + node.attr + ")"

    @staticmethod
    def _constant(node: ast.Constant) -> str:
        value = node.value
        # ascii(): what repr() escapes depends on the Unicode tables of the interpreter.
        # hex(): a long literal in decimal runs into the limit of int to str conversion.
        text = hex(value) if type(value) is int else ascii(value)
        return f"({type(value).__name__} {text})"

    def _joined(self, node: ast.JoinedStr) -> str:
        # Pythons differ in how they cut the literal parts of an f-string and whether empty ones are kept.
        parts: list[str] = []
        literal = ""
        for value in node.values:
            if isinstance(value, ast.Constant):
                literal += str(value.value)
                continue
            if literal:
                parts.append(ascii(literal))
                literal = ""
            parts.append(self.form(value))
        if literal:
            parts.append(ascii(literal))
        return "(f " + " ".join(parts) + ")"

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        parts = [
            type(node).__name__,
            node.name,
            self.form(node.args),
            self._body(node.body),
            "[" + " ".join([self.form(decorator) for decorator in node.decorator_list]) + "]",
            *(parameter.name for parameter in getattr(node, "type_params", ())),
        ]
        digest = self.digests[node] = self._digest(" ".join(parts))
        return "#" + digest

    def _lambda(self, node: ast.Lambda) -> str:
        digest = self.digests[node] = self._digest("Lambda " + self.form(node.args) + " " + self.form(node.body))
        return "#" + digest

    def _class(self, node: ast.ClassDef) -> str:
        parts = [
            node.name,
            "[" + " ".join([self.form(value) for value in node.bases]) + "]",
            "[" + " ".join([self.form(value) for value in node.keywords]) + "]",
            "[" + " ".join([self.form(value) for value in node.decorator_list]) + "]",
            self._body(node.body),
        ]
        text = "(class " + " ".join(parts) + ")"
        notes = [
            self.form(statement.target) + self.form(statement.annotation)
            for statement in node.body
            if isinstance(statement, ast.AnnAssign)
        ]
        self.classes[node] = self._digest(text + " ".join(notes))
        return text

    def _annotated(self, node: ast.AnnAssign) -> str:
        # Without a value it still makes the name local.
        if node.value is None:
            return "(declare " + self.form(node.target) + ")"
        return "(Assign [" + self.form(node.target) + "] " + self.form(node.value) + ")"

    @staticmethod
    def _arg(node: ast.arg) -> str:
        return node.arg

    def _digest(self, text: str) -> str:
        return self._hash(text.encode("utf-8", "surrogatepass"))
