"""Values that nobody has computed yet, for the body of a pipeline that is traced.

Owns what a ``Symbol`` does with operators: comparison, arithmetic, parts, calls and formatting give symbols again, truth asks the tracer which
way to go, iteration follows one element. Invariant: a symbol knows which outputs it was made of. Where Python itself needs a number, the trace
stops. ``trace`` makes symbols; bodies see them through Outputs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, Self

from finestflow.pipeline.output import Output, Part, handle_of, part_of

__all__ = ["ITEM", "Origin", "Stop", "Symbol", "Tracer", "has_symbol", "origins_in_text"]


class _Item:
    """Stands for the index of any item."""

    def __repr__(self) -> str:
        return "*"


ITEM = _Item()
Origin = tuple[str, Part]
"""A node's path, and the part of its output."""


class Stop(BaseException):
    """The trace cannot go on: the body needs a value."""


class Tracer(Protocol):
    """Whom symbols ask."""

    texts: list[Symbol]

    def decide(self, symbol: Symbol) -> bool:
        """Say which way the body goes where it asks for the truth of a symbol."""

    def unpacked(self) -> int | None:
        """Return into how many names the body takes a value apart; None where it does something else."""

    def begin_loop(self) -> None:
        """Take note that what follows happens once for each element."""

    def end_loop(self) -> None:
        """Take note that the loop has ended."""


_OPENED, _CLOSED = "\ue000", "\ue001"
_TEXT = re.compile(f"{_OPENED}(\\d+){_CLOSED}")


class Symbol:
    """A value that nobody knows.

    Attributes:
        tracer: Who decides.
        origins: The outputs that it is made of.
        output: The Output that it is the very value of; None for what the body made.
    """

    __slots__ = ("origins", "output", "tracer")

    def __init__(self, tracer: Tracer, origins: Iterable[Origin], output: Output | None = None) -> None:
        self.tracer = tracer
        self.origins = tuple(dict.fromkeys(origins))
        self.output = output

    def _derived(self, *others: Any) -> Symbol:
        more = [origin for other in others for origin in _origins(other, self.tracer)]
        return Symbol(self.tracer, [*self.origins, *more])

    def __repr__(self) -> str:
        return " and ".join(dict.fromkeys(repr(path) for path, _ in self.origins)) or "an input"

    # -- goes on symbolically ------------------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._part("attribute", name)

    def __getitem__(self, key: Any) -> Any:
        return self._part("item", key)

    def _part(self, kind: str, key: Any) -> Symbol:
        if self.output is None:
            return self._derived(key)
        handle, part = handle_of(self.output), (*part_of(self.output), (kind, key))
        return Symbol(self.tracer, [(handle.path, part)], Output(handle, part))

    def __call__(self, *args: Any, **kwargs: Any) -> Symbol:
        """Stand for what the value returns."""
        return self._derived(*args, *kwargs.values())

    def __str__(self) -> str:
        self.tracer.texts.append(self)
        return f"{_OPENED}{len(self.tracer.texts) - 1}{_CLOSED}"

    def __format__(self, spec: str) -> str:
        return str(self)

    def __fspath__(self) -> str:
        return str(self)

    def __hash__(self) -> int:
        return id(self)

    def __round__(self, digits: int | None = None) -> Symbol:
        return self._derived()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise Stop(f"needs an array of {self!r}")

    # -- asks the tracer -----------------------------------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return self.tracer.decide(self)

    def __contains__(self, item: Any) -> bool:
        return self.tracer.decide(self._derived(item))

    def __iter__(self) -> Iterator[Any]:
        count = self.tracer.unpacked()
        if count is not None:  # a, b = y
            return iter([self._element(index) for index in range(count)])
        return self._elements()

    def __reversed__(self) -> Iterator[Any]:
        return self._elements()

    def _elements(self) -> Iterator[Any]:
        """Yield one element for all."""
        self.tracer.begin_loop()
        try:
            yield self._element(ITEM)
        finally:
            self.tracer.end_loop()

    def _element(self, key: Any) -> Any:
        item = self._part("item", key)
        return item if item.output is None else item.output

    # -- needs a value -------------------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        raise TypeError(f"needs the length of {self!r}")  # list() asks too, and can do without

    def __int__(self) -> int:
        raise Stop(f"needs a whole number of {self!r}")

    def __index__(self) -> int:
        raise Stop(f"needs a whole number of {self!r}")

    def __float__(self) -> float:
        raise Stop(f"needs a number of {self!r}")

    def __complex__(self) -> complex:
        raise Stop(f"needs a number of {self!r}")

    def __bytes__(self) -> bytes:
        raise Stop(f"needs the bytes of {self!r}")


def _operation(self: Symbol, *others: Any) -> Symbol:
    """Stand for what any operator gives."""
    return self._derived(*others)


_BINARY = (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
    "pow",
    "divmod",
)
_OTHERS = ("eq", "ne", "lt", "le", "gt", "ge", "neg", "pos", "abs", "invert", "trunc", "floor", "ceil")
for _name in (*_BINARY, *(f"r{name}" for name in _BINARY), *_OTHERS):
    setattr(Symbol, f"__{_name}__", _operation)


def _origins(value: Any, tracer: Tracer) -> Iterator[Origin]:
    """Yield the outputs that go into a symbol with a value."""
    if type(value) is Symbol:
        yield from value.origins
    elif type(value) is Output:
        yield handle_of(value).path, part_of(value)
    elif type(value) is str:
        yield from origins_in_text(value, tracer)


def has_symbol(text: str) -> bool:
    """Whether a text was made of a value that nobody knows."""
    return _OPENED in text


def origins_in_text(text: str, tracer: Tracer) -> Iterator[Origin]:
    """Yield the outputs that a text was made of."""
    if _OPENED in text:
        for match in _TEXT.finditer(text):
            yield from tracer.texts[int(match[1])].origins
