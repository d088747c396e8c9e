"""Params: the declared settings of a task, their types and conversions.

Owns what ``kind: str = "svm"`` and ``C: float = Param(1.0)`` mean. Invariant: a value that was accepted is of the declared type, so that
equal settings give equal fingerprints (``C=1`` and ``C=1.0`` are one value for a ``float``). Called by ``task`` and by the command line.
"""

from __future__ import annotations

import enum
import json
import numbers
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finestflow.errors import ParamError

__all__ = ["MISSING", "Param", "ParamSpec", "convert", "parse_text", "type_name"]


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
        type: Declared type; ``Any`` where it could not be resolved.
        default: Value used when none is given, or ``MISSING``.
        help: One line for people.
        secret: Its value enters no record, log or fingerprint.
        digest: Whether a change of it makes the task run again.
        choices: Allowed values; empty allows all.
    """

    __slots__ = ("choices", "default", "digest", "help", "name", "secret", "type")

    def __init__(
        self,
        default: Any = MISSING,
        *,
        help: str = "",  # noqa: A002 - the word that click and argparse use for this
        secret: bool = False,
        digest: bool = True,
        choices: Sequence[Any] = (),
    ) -> None:
        self.name = ""
        self.type: Any = Any
        self.default = default
        self.help = help
        self.secret = secret
        self.digest = digest and not secret
        self.choices = tuple(choices)

    def __repr__(self) -> str:
        return f"Param({self.name}: {type_name(self.type)} = {self.default!r})"

    def check(self, value: Any, owner: str) -> Any:
        """Return the value as the declared type, or raise a ``ParamError`` that names task, param and expectation."""
        try:
            converted = convert(value, self.type)
        except (TypeError, ValueError):
            shown = "a secret value" if self.secret else f"{value!r:.80}"
            message = f"{owner!r} takes no {shown} for param {self.name!r}: expected {type_name(self.type)}"
            raise ParamError(message, f'pass a value of type {type_name(self.type)}, such as {self.name}={self._example()}') from None
        if self.choices and converted not in self.choices:
            allowed = ", ".join(map(repr, self.choices))
            raise ParamError(f"{owner!r} takes no {converted!r:.80} for param {self.name!r}", f"choose one of {allowed}")
        return converted

    def _example(self) -> str:
        if self.default is not MISSING and not self.secret:
            return repr(self.default)
        return {int: "3", float: "0.5", str: "'text'", bool: "True"}.get(self.type, "...")


def Param(  # noqa: N802 - reads as a declaration, as Field and field do elsewhere
    default: Any = MISSING,
    *,
    help: str = "",  # noqa: A002
    secret: bool = False,
    digest: bool = True,
    choices: Sequence[Any] = (),
) -> Any:
    """Declare a param of a task with more than a default.

    Args:
        default: The value when none is given; without it the param is required.
        help: One line for people, shown by the command line.
        secret: Keep the value out of every record and log; implies ``digest=False``.
        digest: False when a change of the value must not make the task run again (a number of threads, a device).
        choices: The allowed values.
    """
    return ParamSpec(default, help=help, secret=secret, digest=digest, choices=choices)


def type_name(kind: Any) -> str:
    """Return the type as a person writes it."""
    if kind is Any:
        return "any value"
    if kind is None or kind is type(None):
        return "None"
    if typing.get_origin(kind) is None and isinstance(kind, type):
        return kind.__name__
    return str(kind).replace("typing.", "")


def convert(value: Any, kind: Any) -> Any:  # noqa: PLR0911 - one return a kind of type
    """Return ``value`` as ``kind``; only conversions that lose nothing are made.

    Raises:
        TypeError, ValueError: The value cannot be of that type.
    """
    if kind is Any or isinstance(kind, (str, typing.TypeVar)):
        return value
    if kind is None or kind is type(None):
        if value is None:
            return None
        raise TypeError(value)
    origin = typing.get_origin(kind)
    if origin is not None:
        return _convert_generic(value, kind, origin)
    if kind is bool:
        if isinstance(value, bool) or type(value).__name__ in {"bool_", "bool"}:
            return bool(value)
        raise TypeError(value)
    if kind is float:
        return _convert_float(value)
    if kind is int:
        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            return int(value)
        raise TypeError(value)
    if not isinstance(kind, type):
        return value
    if issubclass(kind, enum.Enum) and not isinstance(value, kind):
        return _convert_enum(value, kind)
    if issubclass(kind, Path) and isinstance(value, str):
        return kind(value)
    if isinstance(value, kind):
        return value
    raise TypeError(value)


def _convert_float(value: Any) -> float:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return float(value)
    raise TypeError(value)


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
    if origin is typing.Annotated:
        return convert(value, arguments[0])
    if origin is tuple:
        return _convert_tuple(value, arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise TypeError(value)
        key_type, item_type = arguments
        return {convert(key, key_type): convert(item, item_type) for key, item in value.items()}
    if origin in {list, set, frozenset}:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, (list, tuple, set, frozenset)):
            raise TypeError(value)
        return origin(convert(item, arguments[0]) for item in value)
    if isinstance(origin, type) and not isinstance(value, origin):
        raise TypeError(value)
    return value


def _convert_union(value: Any, arguments: tuple[Any, ...]) -> Any:
    for option in arguments:  # an exact type first: 1 stays an int for `int | float`
        if option is type(value) or (option is None and value is None):
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
    if len(arguments) == 2 and arguments[1] is Ellipsis:  # noqa: PLR2004 - tuple[X, ...]
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
    if kind is str or (isinstance(kind, type) and issubclass(kind, (Path, enum.Enum))):
        return convert(text, kind)
    if kind is bool:
        words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
        return words[text.lower()] if text.lower() in words else convert(text, bool)
    try:
        value = json.loads(text)
    except ValueError:
        value = {"None": None, "True": True, "False": False}.get(text, text)
    try:
        return convert(value, kind)
    except (TypeError, ValueError):
        return convert(text, kind)
