"""Digest of a value: blake3 of a canonical, type-tagged stream that depends on the value alone.

What counts: type and content. `1`, `1.0`, `True` and `"1"` differ, list and tuple differ, `-0.0` is not `0.0`. What does not
count: identity, order of dicts and sets, memory layout of arrays, the process, the hash seed. All NaN are one.

Invariant: no part of a value is ever dropped. What cannot be digested raises :class:`ValueNotStorableError`, which says where
inside the value it is and what to pass instead.

Objects are walked through what pickle would keep of them (``__reduce_ex__``), canonically. Large leaves of well-known
libraries have adapters, found by qualified class name, so nothing is imported. The classes of the project that are met are
collected: an equal value of a class that was edited since must not be a hit.

Called by the runner for the inputs of a call, and by :class:`finestflow.cache.store.Store` for outputs.
"""

from __future__ import annotations

import copyreg
import enum
import pathlib
import pickle
import threading
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from blake3 import blake3

from finestflow.cache import stream
from finestflow.cache.adapters import find_adapter
from finestflow.cache.names import find_named, qualified_name
from finestflow.cache.refusal import Refusal, as_error
from finestflow.cache.stream import COLUMN, FOLD, column, head, hexadecimal
from finestflow.model import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from finestflow.cache.files import Artifact, FileDigests

__all__ = ["Digested", "Walk", "digest_scalar", "digest_simple", "digest_value", "iter_parts"]

_MAX_SIMPLE = 64
"""Longer containers are not tried the quick way: it would often have to be given up near the end."""
MAX_PARTS = 256
"""Values with more parts than this have no digests of their parts."""

Encoder = Callable[["Walk", Any], bytes]
_ALONE: dict[type, Callable[[Any, Any], bytes]] = {
    kind: stream.SCALARS[kind] for kind in (type(None), bool, int, float, complex, str, bytes)
}

_NEW: Any = copyreg.__newobj__  # type: ignore[attr-defined]
_NEW_WITH_KEYWORDS: Any = copyreg.__newobj_ex__  # type: ignore[attr-defined]


class Digested(NamedTuple):
    """What a walk over a value found.

    A named tuple, since one is made for each input of each call: 0.3 us where a frozen dataclass takes 1.5.

    Attributes:
        digest: blake3 of the value's canonical stream.
        classes: ``module:qualname`` of the project's classes inside the value, sorted.
        parts: Digests of the elements of a tuple, list (``[0]``), dict with text keys (``['a']``), dataclass or named tuple
            (``.x``), each equal to the digest of that element alone; None where there are none or more than 256.
    """

    digest: Digest
    classes: tuple[str, ...]
    parts: dict[str, Digest] | None


def digest_simple(value: object) -> Digest:
    """Return the digest of a value, quickly where it is small and plain (numbers, texts, and containers of them).

    Equal to ``digest_value(value).digest``; functions and files are not understood in any other way than there.
    """
    if not isinstance(value, list | tuple | dict) or len(value) <= _MAX_SIMPLE:
        try:
            return Digest(hexadecimal(PLAIN[type(value)](_SIMPLE, value)))
        except (KeyError, _NotSimpleError, RecursionError):
            pass
    return digest_value(value, parts=False).digest


def digest_value(
    value: object,
    *,
    root: Path | None = None,
    of_code: Callable[[Any], str] | None = None,
    is_project: Callable[[Any], bool] | None = None,
    files: FileDigests | None = None,
    parts: bool = True,
) -> Digested:
    """Digest an input: a path in it that names a file or folder counts with its content.

    Args:
        value: Any value.
        root: Top of the repository; paths below it count relative to it, others by name.
        of_code: Fingerprint of a function or class that is itself (part of) the value.
        is_project: Whether a class or function is defined in the project.
        files: Digests of files that are known already.
        parts: Whether to digest the parts too.

    Raises:
        ValueNotStorableError: Something in the value cannot be digested.
    """
    return Walk(root=root, of_code=of_code, is_project=is_project, files=files).digest(value, parts=parts)


def digest_scalar(value: object) -> Digested | None:
    """Return the digest of a value that has nothing inside, without a walk; None for every other value."""
    encode = _ALONE.get(type(value))
    return None if encode is None else Digested(Digest(hexadecimal(encode(None, value))), (), None)


class Walk:
    """One walk over one value.

    Attributes:
        artifacts: None for an input. For an output, the files and folders that paths in it name, by the path's text.
        opaque: Whether the value holds anything but plain values: then its pickle has to be proved.
        in_main: Whether a class or function of ``__main__`` was met, or might be out of sight.
        open: Containers being encoded, by id, in a value with cycles (:mod:`finestflow.cache.cycles`).
    """

    def __init__(
        self,
        *,
        root: Path | None = None,
        of_code: Callable[[Any], str] | None = None,
        is_project: Callable[[Any], bool] | None = None,
        files: FileDigests | None = None,
        output: bool = False,
    ) -> None:
        self.root = root
        self.of_code = of_code
        self.is_project = is_project
        self.files = files
        self.artifacts: dict[str, Artifact] | None = {} if output else None
        self.opaque = False
        self.in_main = False
        self.classes: set[str] = set()
        self.memo: dict[int, bytes] = {}
        self.alive: list[object] = []
        self.kinds: dict[type, Encoder] = _Kinds(self)
        self.names: dict[type, bytes] = {}
        self.paths: dict[str, bytes | None] = {}

    def digest(self, value: object, *, parts: bool = True) -> Digested:
        """Walk over the value and, where wanted, digest its parts."""
        try:
            encoding = self.encode_deep(value)
            found: dict[str, Digest] | None = None
            if parts and type(value) not in stream.SCALARS:
                found = {
                    label: Digest(hexadecimal(self.encode_deep(part))) for label, part in iter_parts(value)
                } or None
        except Refusal as refusal:
            raise as_error(refusal, value) from refusal.__cause__
        return Digested(Digest(hexadecimal(encoding)), tuple(sorted(self.classes)) if self.classes else (), found)

    def encode(self, value: object) -> bytes:
        """Return the encoding of a value, folded when it is long."""
        return self.kinds[type(value)](self, value)

    def encode_deep(self, value: object) -> bytes:
        """Encode a value that may be nested without end: deeper than Python's stack, or in cycles."""
        try:
            return self.kinds[type(value)](self, value)
        except RecursionError:
            pass
        from finestflow.cache.cycles import encode_unbounded

        return encode_unbounded(self, value)

    def fold(self, value: object, encoding: bytes) -> bytes:
        """Fold the long encoding of a container, and keep it for the next time that this very object is met."""
        folded = b"H" + blake3(encoding).digest()
        return self.keep(value, folded)

    def keep(self, value: object, encoding: bytes) -> bytes:
        """Keep the encoding of an object for the rest of this walk."""
        self.memo[id(value)] = encoding
        self.alive.append(value)
        return encoding

    def name(self, cls: type) -> bytes:
        """Return the encoding of a class's name."""
        encoding = self.names.get(cls)
        if encoding is None:
            encoding = self.names[cls] = self.encode(qualified_name(cls))
        return encoding

    def meet(self, obj: Any) -> str:
        """Return the qualified name of a class or function, collecting classes of the project."""
        self.opaque = True
        name = qualified_name(obj)
        if obj.__module__ == "__main__":
            self.in_main = True
        if isinstance(obj, type) and self.is_project is not None and self.is_project(obj):
            self.classes.add(name)
        return name


class _Kinds(dict[type, Encoder]):
    """The encoder of each type, resolved when the type is first met in a walk."""

    def __init__(self, walk: Walk) -> None:
        super().__init__(PLAIN)
        self._walk = weakref.ref(walk)  # no cycle: a walk holds the values that it has met, and they may be large

    def __missing__(self, cls: type) -> Encoder:
        encoder = _find_encoder(cls)
        walk = self._walk()
        if cls.__module__ != "builtins" and walk is not None:
            walk.meet(cls)
        self[cls] = encoder
        return encoder


class _NotSimpleError(Exception):
    """A plain value is too large for the fast path."""


class _SimpleWalk:
    """The walk of :func:`digest_simple`: without memory, so it gives up on what is long (and might be shared)."""

    memo: dict[int, bytes] = {}  # noqa: RUF012 - always empty
    kinds: dict[type, Encoder]

    def fold(self, value: object, encoding: bytes) -> bytes:
        raise _NotSimpleError


# -- plain containers ---------------------------------------------------------------------------------------------------


def _sequence(walk: Walk, value: Any) -> bytes:
    if walk.memo and (known := walk.memo.get(id(value))) is not None:
        return known
    tag = b"[" if type(value) is list else b"("
    if len(value) >= COLUMN and (packed := column(tag, value)) is not None:
        return packed
    kinds = walk.kinds
    encoding = head(tag, len(value)) + b"".join([kinds[type(item)](walk, item) for item in value])
    return encoding if len(encoding) <= FOLD else walk.fold(value, encoding)


def _mapping(walk: Walk, value: dict[Any, Any]) -> bytes:
    if walk.memo and (known := walk.memo.get(id(value))) is not None:
        return known
    kinds, names = walk.kinds, _NAMES
    pairs = [
        (names[key] if type(key) is str else kinds[type(key)](walk, key)) + kinds[type(item)](walk, item)
        for key, item in value.items()
    ]
    pairs.sort()
    encoding = head(b"{", len(pairs)) + b"".join(pairs)
    return encoding if len(encoding) <= FOLD else walk.fold(value, encoding)


class _Names(dict[str, bytes]):
    """Encodings of texts that are keys of dicts: the same few, again and again."""

    def __missing__(self, name: str) -> bytes:
        encoding = stream.scalar_str(None, name)
        if len(encoding) <= 64 and len(self) < 10_000:
            self[name] = encoding
        return encoding


_NAMES = _Names()


def _set(walk: Walk, value: Any) -> bytes:
    if walk.memo and (known := walk.memo.get(id(value))) is not None:
        return known
    kinds = walk.kinds
    items = sorted([kinds[type(item)](walk, item) for item in value])
    encoding = head(b"<" if type(value) is set else b">", len(items)) + b"".join(items)
    return encoding if len(encoding) <= FOLD else walk.fold(value, encoding)


PLAIN: dict[type, Encoder] = {
    **stream.SCALARS,
    list: _sequence,
    tuple: _sequence,
    dict: _mapping,
    set: _set,
    frozenset: _set,
}
"""Encoders of the types whose values are nothing but their content."""

_SIMPLE: Any = _SimpleWalk()
_SIMPLE.kinds = PLAIN


# -- objects ------------------------------------------------------------------------------------------------------------


def _find_encoder(cls: type) -> Encoder:
    """Choose how the values of a class are encoded."""
    if hasattr(cls, "__finestflow_digest__"):
        return _declared
    adapter = find_adapter(cls)
    if adapter is not None:
        return adapter
    for kind, encoder in _FAMILIES:
        if issubclass(cls, kind):
            return encoder
    return _reduced


def _declared(walk: Walk, value: Any) -> bytes:
    """Encode an object by the simple value that it names as its stand-in."""
    walk.in_main = True  # what lies behind the stand-in is not seen
    stand_in = value.__finestflow_digest__()
    return stream.sealed(b"D" + walk.name(type(value)) + walk.encode(stand_in))


def _enum_member(walk: Walk, value: enum.Enum) -> bytes:
    return stream.sealed(b"E" + walk.name(type(value)) + walk.encode(value.name) + walk.encode(value.value))


def _code(walk: Walk, value: Any) -> bytes:
    """Encode a function or class: its name, and its code where that is the project's or has no name to find it by."""
    name = walk.meet(value)
    encoding = b"F" + walk.encode(name)
    is_named = find_named(name) is value
    if walk.of_code is not None and (not is_named or walk.is_project is None or walk.is_project(value)):
        return stream.sealed(encoding + walk.encode(walk.of_code(value)))
    if not is_named:
        raise Refusal(value, "it cannot be found again by its name", "define it at the top level of a module")
    return stream.sealed(encoding)


def _method(walk: Walk, value: Any) -> bytes:
    return stream.sealed(b"M" + walk.encode(value.__self__) + walk.encode(value.__func__))


def _builtin(walk: Walk, value: Any) -> bytes:
    """Encode a function of C by its name, a method of C by its object and name."""
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return stream.sealed(b"F" + walk.encode(qualified_name(value)))
    return stream.sealed(b"M" + walk.encode(owner) + walk.encode(value.__name__))


def _path(walk: Walk, value: pathlib.PurePath) -> bytes:
    """Encode a path: as text where nothing is there, else with the content of the file or folder."""
    if isinstance(value, pathlib.Path):
        from finestflow.cache.files import encode_path

        content = encode_path(walk, value)
        if content is not None:
            return content
    return stream.sealed(b"P" + walk.encode(str(value)))


def _set_subclass(walk: Walk, value: Any) -> bytes:
    """Encode an object of a subclass of set: pickle would list its elements in the order of their hashes."""
    state = getattr(value, "__dict__", None) or None
    items = _set(walk, frozenset(value))
    return stream.sealed(b"S" + walk.name(type(value)) + items + walk.encode(state))


def _refuse_module(_walk: Walk, value: Any) -> bytes:
    raise Refusal(value, "a module is no value", f"pass its name, {value.__name__!r}")


def _refuse_thread(_walk: Walk, value: Any) -> bytes:
    raise Refusal(value, "a thread is no value", "start it inside the task")


def _reduced(walk: Walk, value: Any) -> bytes:
    """Encode any other object through what pickle would keep of it."""
    known = walk.memo.get(id(value))
    if known is not None:
        return known
    cls = type(value)
    reduced = _reduce(value, cls)
    if isinstance(reduced, str):
        return _global(walk, value, reduced)
    make, args, state, items, pairs, *rest = (*reduced, None, None, None)[:6]
    encoding = b"O" + walk.name(cls) + _encode_maker(walk, cls, make, args) + walk.encode(state)
    if items is not None:
        encoding += _sequence(walk, list(items))
    if pairs is not None:
        listed = list(pairs)
        encoding += _sequence(walk, listed) if isinstance(value, OrderedDict) else _pairs(walk, listed)
    if rest and rest[0] is not None:
        encoding += walk.encode(rest[0])
    if _is_ordinary(cls) and hasattr(value, "__dict__") and (make, args, items, pairs) == (_NEW, (cls,), None, None):
        walk.kinds[cls] = _ordinary
    return encoding if len(encoding) <= FOLD else walk.fold(value, encoding)


def _global(walk: Walk, value: Any, name: str) -> bytes:
    """Encode what pickles as a global by its name, with the code that it wraps (`lru_cache`) where that is the project's."""
    encoding = b"G" + walk.encode(f"{getattr(value, '__module__', None)}:{name}")
    wrapped = getattr(value, "__wrapped__", None)
    if wrapped is None and find_named(f"{pickle.whichmodule(value, name)}:{name}") is not value:  # type: ignore[attr-defined]
        raise Refusal(
            value,
            f"it says that its name is {name!r}, which names something else, or nothing",
            "pass what it is made of",
        )
    if wrapped is not None and walk.of_code is not None and (walk.is_project is None or walk.is_project(wrapped)):
        encoding += walk.encode(walk.of_code(wrapped))
    return stream.sealed(encoding)


def _reduce(value: Any, cls: type) -> Any:
    """Return what pickle would keep, leaving no trace in the class (copyreg caches the slots there)."""
    had_slots = "__slotnames__" in cls.__dict__
    try:
        reducer = copyreg.dispatch_table.get(cls)
        return reducer(value) if reducer is not None else value.__reduce_ex__(4)
    except RecursionError:
        raise
    except Exception as error:
        raise Refusal(value, str(error) or type(error).__name__) from error
    finally:
        if not had_slots and "__slotnames__" in cls.__dict__:
            del cls.__slotnames__  # type: ignore[attr-defined]


def _encode_maker(walk: Walk, cls: type, make: Any, args: Any) -> bytes:
    """Encode the call that makes an object; its own class enters by name, its code through ``Walk.classes``."""
    if make is _NEW or make is _NEW_WITH_KEYWORDS:
        maker = b"n" if make is _NEW else b"x"
        if args[0] is not cls:
            maker += b"m" + walk.encode(args[0])
        return maker + _sequence(walk, tuple(args[1:]))
    return (b"c" if make is cls else b"m" + walk.encode(make)) + _sequence(walk, tuple(args))


def _pairs(walk: Walk, pairs: list[tuple[Any, Any]]) -> bytes:
    encodings = sorted(walk.encode(key) + walk.encode(item) for key, item in pairs)
    return head(b"{", len(pairs)) + b"".join(encodings)


def _is_ordinary(cls: type) -> bool:
    """Return whether objects of a class are nothing but their ``__dict__``: then `_ordinary` saves the reduction."""
    ways = ("__reduce_ex__", "__reduce__", "__getstate__")
    return all(getattr(cls, way) is getattr(object, way) for way in ways) and not any(
        base.__dict__.get("__slots__") for base in cls.__mro__
    )


def _ordinary(walk: Walk, value: Any) -> bytes:
    """Encode an object that is nothing but its ``__dict__``, exactly as `_reduced` would."""
    known = walk.memo.get(id(value))
    if known is not None:
        return known
    cls = type(value)
    encoding = b"O" + walk.name(cls) + b"n" + _EMPTY + walk.encode(value.__dict__ or None)
    return encoding if len(encoding) <= FOLD else walk.fold(value, encoding)


_EMPTY = head(b"(", 0)


def iter_parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Iterate over the labelled parts of a value: elements, items under text keys, fields; none if more than 256."""
    cls = type(value)
    found: list[tuple[str, Any]] = []
    if cls is list or cls is tuple:
        found = [(f"[{i}]", item) for i, item in enumerate(value)] if len(value) <= MAX_PARTS else []
    elif cls is dict:
        if len(value) <= MAX_PARTS and all(type(key) is str for key in value):
            found = [(f"[{key!r}]", item) for key, item in value.items()]
    elif issubclass(cls, tuple) and hasattr(cls, "_fields"):
        found = [(f".{name}", getattr(value, name)) for name in cls._fields]
    elif is_dataclass(cls):
        found = [(f".{field.name}", getattr(value, field.name)) for field in fields(cls) if hasattr(value, field.name)]
    return iter(found if len(found) <= MAX_PARTS else ())


# -- which class goes where ---------------------------------------------------------------------------------------------

_FAMILIES: tuple[tuple[type, Encoder], ...] = (
    (type, _code),
    (types.FunctionType, _code),
    (types.MethodType, _method),
    (types.BuiltinFunctionType, _builtin),
    (types.ModuleType, _refuse_module),
    (threading.Thread, _refuse_thread),
    (enum.Enum, _enum_member),
    (pathlib.PurePath, _path),
    (set, _set_subclass),
    (frozenset, _set_subclass),
)
