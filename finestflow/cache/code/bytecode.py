"""Code objects: a digest of what one does, and what it names.

Owns the reading of bytecode. It decides whether a function that lives in this process is the one in the
source file, and stands in for the source where it is not. Invariant: where a function stands in its file
and what its docstring says leave no trace; anything else that tells two code objects apart does.
Digests hold for one Python version. Called by ``definitions`` and ``reach``.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from types import CodeType

from finestflow.cache.code.canonical import Hash
from finestflow.cache.code.scopes import ESCAPES, Chain, ImportRef, Names

__all__ = ["code_digest", "code_names", "iter_codes"]

# 3.14 marks a docstring; before, the first constant of a function is its docstring or None.
_HAS_DOCSTRING = 0x4000000
_MARKS_DOCSTRINGS = sys.version_info >= (3, 14)
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})


def code_digest(code: CodeType, hash_: Hash) -> str:
    """Return a digest of what a code object does, the same in every process of one Python version."""
    return hash_(_form(code))


def iter_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code objects inside one, at any depth."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from iter_codes(constant)


def _form(code: CodeType) -> bytes:
    constants = code.co_consts
    has_docstring = type(constants[0]) is str if constants and not code.co_name.startswith("<") else False
    if has_docstring and (not _MARKS_DOCSTRINGS or code.co_flags & _HAS_DOCSTRING):
        constants = (None, *constants[1:])
    head = (
        code.co_qualname,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & ~_HAS_DOCSTRING,
        len(code.co_code),
        len(code.co_exceptiontable),
    )
    values = [value if type(value) in _PLAIN else _constant(value) for value in constants]
    return b"".join((code.co_code, code.co_exceptiontable, ascii((head, values)).encode()))


def _constant(value: object) -> object:
    if isinstance(value, CodeType):
        return _form(value)
    if isinstance(value, frozenset):
        return ("set", sorted(map(repr, value)))
    if isinstance(value, tuple):
        return tuple(map(_constant, value))
    return value


def code_names(code: CodeType) -> Names:
    """Return what a code object names, for one whose source is not known.

    Coarser than the names of a source: ``self`` counts as handed on, an import counts as its whole module.
    """
    names = Names(attributes={ESCAPES})
    for inner in (code, *iter_codes(code)):
        _read(inner, names)
    return names


def _read(code: CodeType, names: Names) -> None:
    chain: Chain = ()
    constants: list[object] = []
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if chain and name in ("LOAD_ATTR", "LOAD_METHOD"):
            chain = (*chain, _attribute(instruction.argval))
            continue
        if chain:
            names.chains.add(chain)
        chain = ()
        if name in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_GLOBALS"):
            chain = (instruction.argval,)
        elif name == "LOAD_CONST":
            constants.append(instruction.argval)
        elif name == "IMPORT_NAME":
            names.imports.add(_import(instruction.argval, constants))
    if chain:
        names.chains.add(chain)


def _attribute(argument: object) -> str:
    return str(argument).removesuffix(" + NULL|self")


def _import(module: str, constants: list[object]) -> ImportRef:
    level = constants[-2] if len(constants) > 1 and isinstance(constants[-2], int) else 0
    return (module, level, True, ())
