"""Params: the declared settings of a task, their types and conversions.

Owns what ``kind: str = "svm"`` and ``C: float = Param(1.0)`` mean. Invariant: a value that was accepted is of the declared type, so that
equal settings give equal fingerprints (``C=1`` and ``C=1.0`` are one value for a ``float``). Called by ``task`` and by the command line.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import json
import numbers
import os
import types
import typing
from collections import abc
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from finestflow.errors import ParamError
from finestflow.pipeline.output import resolve

__all__ = ["MISSING", "Param", "ParamSpec", "convert", "own_copy", "parse_text", "type_name"]


class _Missing(enum.Enum):
    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing.MISSING
"""Marks a param without a default."""


class ParamSpec:
    """One declared param of a task class.

    Attributes:
        name: Attribute name, filled when the class is read.
        type: Declared type; a text where it could not be resolved, then every value is taken.
        default: Value used when none is given, or ``MISSING``.
        help: One line for people.
        secret: Its value enters no record, log or fingerprint.
        is_open: It was said that it is none, whatever it is called.
        digest: Whether a change of it makes the task run again.
        choices: Allowed values; empty allows all.
    """

    __slots__ = ("choices", "default", "digest", "help", "is_open", "name", "secret", "type")

    def __init__(
        self,
        default: Any = MISSING,
        *,
        help: str = "",  # noqa: A002 - the word that click and argparse use for this
        secret: bool | None = None,
        digest: bool = True,
        choices: Sequence[Any] = (),
    ) -> None:
        self.name = ""
        self.type: Any = Any
        self.default = default
        self.help = help
        self.secret = bool(secret)
        self.is_open = secret is False
        self.digest = digest and not secret
        self.choices = tuple(choices)

    def __repr__(self) -> str:
        default = "***" if self.secret and self.default is not MISSING else repr(self.default)
        return f"Param({self.name}: {type_name(self.type)} = {default})"

    def changed(self, owner: str, **changes: Any) -> ParamSpec:
        """Return a spec with other attributes, its default checked; one declaration may serve several params and classes."""
        spec = copy.copy(self)
        for name, value in changes.items():
            setattr(spec, name, value)
        if spec.default is not MISSING and spec.default is not None:
            spec.default = spec.check(spec.default, owner)
        return spec

    def check(self, value: Any, owner: str) -> Any:
        """Return the value as the declared type, or raise a ``ParamError`` that names task, param and expectation.

        A default of None is always allowed, whatever the declared type and choices are.
        """
        if value is None and self.default is None:
            return None
        value = resolve(value)
        try:
            converted = convert(value, self.type)
        except (TypeError, ValueError):
            wanted = type_name(self.type)
            hint = f"pass a value of type {wanted}, such as {self.name}={self._example()}"
            raise ParamError(f"{self._refusal(value, owner)}: expected {wanted}", hint) from None
        if self.choices and converted not in self.choices:
            allowed = ", ".join(map(repr, self.choices))
            raise ParamError(self._refusal(value, owner), f"choose one of {allowed}")
        return converted

    def _refusal(self, value: Any, owner: str) -> str:
        shown = "that value" if self.secret else f"{value!r:.80}"
        return f"{owner!r} takes no {shown} for param {self.name!r}"

    def _example(self) -> str:
        if self.default is not MISSING and not self.secret:
            return f"{self.default!r:.80}"
        return {int: "3", float: "0.5", str: "'text'", bool: "True"}.get(self.type, "...")


def Param(  # noqa: N802 - reads as a declaration, as Field and field do elsewhere
    default: Any = MISSING,
    *,
    help: str = "",  # noqa: A002 - see ParamSpec
    secret: bool | None = None,
    digest: bool = True,
    choices: Sequence[Any] = (),
) -> Any:
    """Declare a param of a task with more than a default.

    Args:
        default: The value when none is given; without it the param is required.
        help: One line for people, shown by the command line.
        secret: Keep the value out of every record and log; implies ``digest=False``. False says that a param is none although it is called
            like one (``token``): ``finestflow run -p`` else refuses it.
        digest: False when a change of the value must not make the task run again (a number of threads, a device).
        choices: The allowed values.
    """
    return ParamSpec(default, help=help, secret=secret, digest=digest, choices=choices)


_IMMUTABLE = frozenset({int, float, str, bool, bytes, complex, type(None)})


def own_copy(value: Any) -> Any:
    """Return a value of a param for one more task: containers and dataclasses are copied, so that no two tasks share them.

    Anything else (a model, an array, a connection) may be large or have an identity, and goes on as it is.
    """
    kind = type(value)
    if kind in _IMMUTABLE or not (
        isinstance(value, (list, dict, set, bytearray, tuple)) or dataclasses.is_dataclass(kind)
    ):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - whatever a copy of the user's objects raises, they are then shared
        return value


def type_name(kind: Any) -> str:
    """Return the type as a person writes it."""
    if kind is Any:
        return "any value"
    if kind is None or kind is type(None):
        return "None"
    if typing.get_origin(kind) is None and hasattr(kind, "__name__"):
        name: str = kind.__name__
        return name
    return str(kind).replace("typing.", "")


# -- conversions -----------------------------------------------------------------------------------------------------------------------


def convert(value: Any, kind: Any) -> Any:
    """Return ``value`` as ``kind``; only conversions that lose nothing are made.

    Raises:
        TypeError, ValueError: The value cannot be of that type.
    """
    kind = _plain_kind(kind)
    if kind is Any or isinstance(kind, (str, typing.TypeVar)):
        return value
    if kind is None or kind is type(None):
        if value is None:
            return None
        raise TypeError(value)
    if typing.get_origin(kind) is not None:
        return _convert_generic(value, kind, typing.get_origin(kind))
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if not isinstance(kind, type):
        return value
    if issubclass(kind, enum.Enum) and not isinstance(value, kind):
        return _convert_enum(value, kind)
    if issubclass(kind, PurePath) and not isinstance(value, kind) and isinstance(value, (str, os.PathLike)):
        return kind(value)
    if _is_instance(value, kind):
        return value
    raise TypeError(value)


def _plain_kind(kind: Any) -> Any:
    """Return what an annotation says of values: without ``Annotated`` and ``Final``, aliases and new types followed."""
    while True:
        if typing.get_origin(kind) in {typing.Annotated, typing.Final}:
            kind = typing.get_args(kind)[0]
        elif hasattr(kind, "__supertype__"):  # NewType
            kind = kind.__supertype__
        elif type(kind).__name__ == "TypeAliasType":  # `type Size = int` of Python 3.12
            kind = kind.__value__
        else:
            return kind


def _is_instance(value: Any, kind: type) -> bool:
    try:
        return isinstance(value, kind)
    except TypeError:  # protocols and typed dicts do not tell
        return isinstance(value, Mapping) if typing.is_typeddict(kind) else True


def _convert_bool(value: Any) -> bool:
    if isinstance(value, bool) or (type(value).__module__ == "numpy" and type(value).__name__ in {"bool", "bool_"}):
        return bool(value)
    raise TypeError(value)


def _convert_int(value: Any) -> int:
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    raise TypeError(value)


def _convert_float(value: Any) -> float:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(value)
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(value) from None
    if number != value and value == value:  # noqa: PLR0124 - not a number is unequal to itself
        raise ValueError(value)
    return number


def _convert_complex(value: Any) -> complex:
    if isinstance(value, numbers.Complex) and not isinstance(value, bool):
        return complex(value)
    raise TypeError(value)


def _convert_str(value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # of exactly that type: numpy has texts of its own
    raise TypeError(value)


_SCALARS: Mapping[Any, abc.Callable[[Any], Any]] = {
    bool: _convert_bool,
    int: _convert_int,
    float: _convert_float,
    complex: _convert_complex,
    str: _convert_str,
}


def _convert_enum(value: Any, kind: type[enum.Enum]) -> enum.Enum:
    if isinstance(value, str) and value in kind.__members__:
        return kind[value]
    return kind(value)


def _convert_generic(value: Any, kind: Any, origin: Any) -> Any:
    arguments = typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return _convert_union(value, arguments)
    if origin is typing.Literal:
        if any(value == option and type(value) is type(option) for option in arguments):
            return value
        raise ValueError(value)
    if origin is tuple:
        return _convert_tuple(value, arguments)
    if origin in {dict, abc.Mapping, abc.MutableMapping}:
        if not isinstance(value, Mapping):
            raise TypeError(value)
        key_type, item_type = arguments or (Any, Any)
        return {convert(key, key_type): convert(item, item_type) for key, item in value.items()}
    if origin in {list, set, frozenset, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable}:
        return _convert_items(value, arguments[0] if arguments else Any, origin)
    if isinstance(origin, type) and not _is_instance(value, origin):
        raise TypeError(value)
    return value


def _convert_items(value: Any, kind: Any, origin: Any) -> Any:
    """Return a list, set or other collection; the order of a set is an accident, so no list is made of it."""
    if not isinstance(value, (list, tuple) if origin is list else (list, tuple, set, frozenset)):
        raise TypeError(value)
    make: Any = origin if origin in {list, set, frozenset} else type(value)
    return make(convert(item, kind) for item in value)


def _convert_union(value: Any, arguments: tuple[Any, ...]) -> Any:
    for option in arguments:  # an exact type first: 1 stays an int for `int | float`
        if option is type(value):
            return value
    for option in arguments:
        try:
            return convert(value, option)
        except (TypeError, ValueError):
            continue
    raise TypeError(value)


def _convert_tuple(value: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(value)
    if not arguments:
        return tuple(value)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(convert(item, arguments[0]) for item in value)
    if len(arguments) != len(value):
        raise ValueError(value)
    return tuple(convert(item, kind) for item, kind in zip(value, arguments, strict=True))


def parse_text(text: str, kind: Any) -> Any:
    """Return the value that ``text`` of a command line means for a param of this type.

    A ``str`` param takes the text as it is; every other type takes JSON, with ``true``/``yes``/``on`` for a bool.

    Raises:
        TypeError, ValueError: The text cannot be of that type.
    """
    kind = _plain_kind(kind)
    if kind is str or (isinstance(kind, type) and issubclass(kind, (PurePath, enum.Enum))):
        return _parse_whole(text, kind)
    if kind is bool:
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        return words[text.lower()] if text.lower() in words else convert(text, bool)
    if kind is float:
        return float(text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = {"None": None, "True": True, "False": False}.get(text, text)
    try:
        return convert(value, kind)
    except (TypeError, ValueError):
        return convert(text, kind)


def _parse_whole(text: str, kind: Any) -> Any:
    """Return a text, path or enum member; an enum with numbers as values takes those, too."""
    try:
        return convert(text, kind)
    except ValueError:
        return convert(json.loads(text), kind)
