"""Outputs: what a task call returns inside the body of a pipeline.

An ``Output`` stands for a value. Passed to another task it goes by reference: nothing waits and nothing is loaded. Looked at (truth,
comparison, arithmetic, ``len``, iteration, formatting, numpy protocols, ``os.fspath``, ``with``) it waits and is the value. ``y[i]`` and
``y.name`` are Outputs too; ``y.value`` is the plain value. Invariant: ``repr`` never waits, writing is refused, and ``__class__`` is never
faked. The runner supplies the ``Handle`` that knows the node.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import operator
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, final

from finestflow.errors import UsageError

__all__ = [
    "Handle",
    "Output",
    "Part",
    "handle_of",
    "holds_output",
    "iter_outputs",
    "part_of",
    "part_text",
    "resolve",
    "take_part",
]

Part = tuple[tuple[str, Any], ...]
"""Path inside a value: ``("item", key)`` and ``("attribute", name)``, outermost first."""


class Handle(Protocol):
    """A result that exists, or will."""

    path: str

    def value(self, part: Part) -> Any:
        """Wait, and return the value; raise the error of the call when it failed."""

    def children(self, part: Part) -> tuple[Any, ...] | None:
        """Return the keys of a tuple or list whose length is known without loading it; else None."""

    def describe(self) -> str:
        """Return a few words on how it stands; never wait."""


@final
class Output:
    """The value that a task will return, or has returned.

    Pass it on, look at it, or take ``.value``.
    """

    __slots__ = ("_finestflow_handle", "_finestflow_part")

    _finestflow_handle: Handle
    _finestflow_part: Part

    def __init__(self, handle: Handle, part: Part = ()) -> None:
        _set_handle(self, handle)
        _set_part(self, part)

    @property
    def value(self) -> Any:
        """The plain value; waits for it, and raises the task's error when there is one."""
        return self._finestflow_handle.value(self._finestflow_part)

    def __repr__(self) -> str:
        handle = self._finestflow_handle
        return f"<Output {handle.path}{part_text(self._finestflow_part)}: {handle.describe()}>"

    # -- parts are Outputs too -------------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Output:
        if type(key) is slice:
            key = slice(resolve(key.start), resolve(key.stop), resolve(key.step))
        return Output(self._finestflow_handle, (*self._finestflow_part, ("item", resolve(key))))

    def __getattr__(self, name: str) -> Output:
        if name.startswith("_"):  # protocols ask for private names; they must not be fooled
            raise AttributeError(f"an Output has no {name!r}: take it from the value, y.value.{name}")
        if name == "value":  # the property raised an AttributeError: the task's own
            return self._finestflow_handle.value(self._finestflow_part)  # type: ignore[no-any-return]
        return Output(self._finestflow_handle, (*self._finestflow_part, ("attribute", name)))

    def __iter__(self) -> Iterator[Any]:
        keys = self._finestflow_handle.children(self._finestflow_part)
        if keys is None:
            return iter(self.value)
        return iter([self[key] for key in keys])

    # -- writing is refused ----------------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        raise self._refusal(f".{name} = ...")

    def __delattr__(self, name: str) -> None:
        raise self._refusal(f"del .{name}")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise self._refusal(f"[{key!r}] = ...")

    def __delitem__(self, key: Any) -> None:
        raise self._refusal(f"del [{key!r}]")

    def _refusal(self, what: str) -> UsageError:
        message = f"the output of {self._finestflow_handle.path!r} cannot be changed in the body of a pipeline: {what}"
        return UsageError(
            message, "other tasks have the same output; change a copy: x = y.value, or do it inside a task"
        )

    def __reduce__(self) -> Any:
        raise TypeError(f"an Output cannot be pickled or copied: {self!r}; use y.value")

    # -- looks -----------------------------------------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        keys = self._finestflow_handle.children(self._finestflow_part)
        return len(self.value) if keys is None else len(keys)

    def __contains__(self, item: Any) -> bool:
        return resolve(item) in self.value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the value; a method that would change what it belongs to is refused."""
        part = self._finestflow_part
        if part and part[-1][0] == "attribute":
            owner = type(self._finestflow_handle.value(part[:-1]))
            if part[-1][1] in _WRITING.get(owner.__name__, ()):
                raise self._refusal(f".{part[-1][1]}(...)")
        return self.value(*resolve(args), **resolve(kwargs))

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    def __bytes__(self) -> bytes:
        return bytes(self.value)

    def __hash__(self) -> int:
        return hash(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __complex__(self) -> complex:
        return complex(self.value)

    def __index__(self) -> int:
        return operator.index(self.value)

    def __fspath__(self) -> str | bytes:
        path: str | bytes = os.fspath(self.value)
        return path

    def __enter__(self) -> Any:
        return self.value.__enter__()

    def __exit__(self, *error: object) -> Any:
        return self.value.__exit__(*error)

    def __reversed__(self) -> Iterator[Any]:
        items: Iterator[Any] = reversed(self.value)
        return items

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.value, resolve(digits)) if digits is not None else round(self.value)

    def __trunc__(self) -> Any:
        return math.trunc(self.value)

    def __floor__(self) -> Any:
        return math.floor(self.value)

    def __ceil__(self) -> Any:
        return math.ceil(self.value)

    def __pow__(self, other: Any, modulo: Any = None) -> Any:
        return pow(self.value, resolve(other), resolve(modulo))

    # -- numpy -----------------------------------------------------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Return the value as an array."""
        import numpy as np  # only when numpy itself asks

        return np.array(self.value, dtype=dtype, copy=copy)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Apply a ufunc to the values, whichever side the Output is on; the class of the value decides, as for pandas."""
        if any(type(target) is Output for target in options.get("out", ())):
            raise self._refusal(f"numpy.{function.__name__}(..., out=...)")
        return getattr(function, method)(*resolve(inputs), **resolve(options))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Apply any other function of numpy to the values."""
        return function(*resolve(args), **resolve(kwargs))


_set_handle = Output.__dict__["_finestflow_handle"].__set__
_set_part = Output.__dict__["_finestflow_part"].__set__
_LIST = frozenset({"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"})
_WRITING = {
    "list": _LIST,
    "bytearray": _LIST,
    "deque": _LIST | {"appendleft", "extendleft", "popleft", "rotate"},
    "dict": frozenset({"clear", "pop", "popitem", "setdefault", "update"}),
    "set": frozenset(
        {
            "add",
            "clear",
            "difference_update",
            "discard",
            "intersection_update",
            "pop",
            "remove",
            "symmetric_difference_update",
            "update",
        }
    ),
    "ndarray": frozenset({"fill", "itemset", "partition", "put", "resize", "setfield", "setflags", "sort"}),
}
"""Methods that change the object itself, by the name of its class: nobody else would see the change."""


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def look(self: Output, other: Any) -> Any:
        return function(self.value, resolve(other))

    return look


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def look(self: Output, other: Any) -> Any:
        return function(resolve(other), self.value)

    return look


def _unary(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def look(self: Output) -> Any:
        return function(self.value)

    return look


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "matmul", "and", "or", "xor", "lshift", "rshift"):
    _function = getattr(operator, f"{_name}_" if _name in {"and", "or"} else _name)
    setattr(Output, f"__{_name}__", _binary(_function))
    setattr(Output, f"__r{_name}__", _reflected(_function))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Output, f"__{_name}__", _binary(getattr(operator, _name)))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Output, f"__{_name}__", _unary(getattr(operator, _name)))
setattr(Output, "__rpow__", _reflected(pow))  # noqa: B010 - as the others
setattr(Output, "__divmod__", _binary(divmod))  # noqa: B010
setattr(Output, "__rdivmod__", _reflected(divmod))  # noqa: B010


def handle_of(output: Output) -> Handle:
    """Return the handle behind an Output."""
    return output._finestflow_handle  # noqa: SLF001 - an Output has no public names but ``value``


def part_of(output: Output) -> Part:
    """Return which part of its node's value an Output stands for."""
    return output._finestflow_part  # noqa: SLF001 - see above


def part_text(part: Part) -> str:
    """Return the part as Python writes it, such as ``[0].model``."""
    return "".join(f"[{key!r}]" if kind == "item" else f".{key}" for kind, key in part)


def take_part(value: Any, part: Part) -> Any:
    """Return that part of a plain value."""
    for kind, key in part:
        value = value[key] if kind == "item" else getattr(value, key)
    return value


_PLAIN = frozenset({int, float, str, bool, bytes, type(None), complex})


def holds_output(value: Any) -> bool:
    """Whether the value is an Output, or a list, tuple, dict or dataclass with one inside.

    Raises:
        UsageError: A set or the keys of a dict hold one: there it was looked at, and stands for a value that should be there itself.
    """
    kind = type(value)
    if kind is Output:
        return True
    return kind not in _PLAIN and _holds_output(value, set())


def _holds_output(value: Any, seen: set[int]) -> bool:
    """Look inside a container once; a million plain items cost 20 ms."""
    kinds = set(map(type, _items(value)))
    if Output in kinds:
        return True
    if kinds <= _PLAIN or id(value) in seen:
        return False
    seen.add(id(value))
    return any(type(item) not in _PLAIN and _holds_output(item, seen) for item in _items(value))


def _items(value: Any) -> Iterable[Any]:
    """Return what a container holds; nothing for any other value."""
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, dict):
        _refuse_outputs(value)
        return value.values()
    if isinstance(value, (set, frozenset)):
        _refuse_outputs(value)
        return ()
    if hasattr(type(value), "__dataclass_fields__"):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return ()


def iter_outputs(value: Any) -> Iterator[Output]:
    """Yield each Output in a value: itself, or those in lists, tuples, dicts and dataclasses."""
    if type(value) is Output:
        yield value
    elif holds_output(value):
        for item in _items(value):
            yield from iter_outputs(item)


def _refuse_outputs(keys: Iterable[Any]) -> None:
    if Output in set(map(type, keys)):
        raise UsageError("an Output is in a set or a key of a dict", "put its value there: y.value")


def resolve(value: Any, load: Callable[[Output], Any] | None = None) -> Any:
    """Return the value with every Output in it replaced by what it stands for.

    Args:
        value: Anything; only lists, tuples, dicts and dataclasses that hold Outputs are copied.
        load: How an Output becomes a value; looking at it when not given.
    """
    if type(value) is Output:
        return value.value if load is None else load(value)
    if type(value) in _PLAIN or not holds_output(value):
        return value
    if isinstance(value, tuple):
        items = [resolve(item, load) for item in value]
        return value._make(items) if hasattr(value, "_make") else type(value)(items)
    twin = copy.copy(value)  # keeps the class, and what else the object knows
    if isinstance(value, list):
        twin[:] = [resolve(item, load) for item in value]
    elif isinstance(value, dict):
        for key, item in value.items():
            twin[key] = resolve(item, load)
    else:
        for field in dataclasses.fields(value):
            if hasattr(value, field.name):
                object.__setattr__(twin, field.name, resolve(getattr(value, field.name), load))  # frozen ones as well
    return twin
