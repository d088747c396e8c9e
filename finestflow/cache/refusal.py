"""Why a value cannot be digested or stored, where inside it the culprit is, and what to pass instead.

Called by the digest and the codec, which raise :class:`Refusal` at the culprit; the path to it is searched only then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from finestflow.errors import ValueNotStorableError

__all__ = ["Refusal", "as_error", "iter_inside", "locate"]

_MAX_SEARCHED = 100_000
"""Objects looked at in search of the culprit."""

_HINTS = {
    "builtins.generator": "pass a list: list(...)",
    "builtins.async_generator": "pass a list of its items",
    "builtins.coroutine": "await it, and pass the result",
    "builtins.dict_keys": "pass a list: list(...)",
    "builtins.dict_values": "pass a list: list(...)",
    "builtins.dict_items": "pass a list: list(...)",
    "builtins.mappingproxy": "pass a dict: dict(...)",
    "builtins.memoryview": "pass bytes: bytes(...)",
    "builtins.frame": "pass text: traceback.format_exc()",
    "builtins.traceback": "pass text: traceback.format_exc()",
    "builtins.code": "pass the function",
    "_io.TextIOWrapper": "pass its path, and open it inside the task",
    "_io.BufferedReader": "pass its path, and open it inside the task",
    "_io.BufferedWriter": "pass its path, and open it inside the task",
    "_io.BufferedRandom": "pass its path, and open it inside the task",
    "_io.FileIO": "pass its path, and open it inside the task",
    "_thread.lock": "make it in initialize",
    "_thread.RLock": "make it in initialize",
    "sqlite3.Connection": "pass the path of the database, and connect in initialize",
    "sqlite3.Cursor": "pass the rows: fetchall()",
    "socket.socket": "pass host and port, and connect in initialize",
    "weakref.ReferenceType": "pass the object itself",
    "subprocess.Popen": "pass its command or its output",
}
_ANY_HINT = "pass the data it is made from, or give its class __reduce__ or __finestflow_digest__"


class Refusal(Exception):  # noqa: N818 - a message between modules of the cache, turned into an error at its edge
    """Something inside a value that cannot be digested or stored."""

    def __init__(self, culprit: object, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.culprit = culprit
        self.reason = reason
        self.hint = hint


def as_error(refusal: Refusal, value: object) -> ValueNotStorableError:
    """Return the error that says what cannot be stored, where it is and what to pass instead."""
    where = locate(value, refusal.culprit)
    cls = type(refusal.culprit)
    name = f"{cls.__module__}.{cls.__qualname__}"
    at = f" at '{where}'" if where else ""
    message = f"a value of type '{name.removeprefix('builtins.')}'{at} cannot be kept: {refusal.reason}"
    return ValueNotStorableError(message, refusal.hint or _HINTS.get(name, _ANY_HINT), where)


def locate(value: object, culprit: object) -> str:
    """Return the path from a value to an object inside it, such as ``[0].model``; empty for itself or where it is hidden."""
    queue: list[tuple[str, object]] = [("", value)]
    seen: set[int] = set()
    for where, item in queue:
        if item is culprit:
            return where
        if id(item) in seen:
            continue
        seen.add(id(item))
        if len(queue) < _MAX_SEARCHED:
            queue.extend((where + label, part) for label, part in iter_inside(item))
    return ""


def iter_inside(value: Any) -> Iterator[tuple[str, Any]]:
    """Iterate over what a value holds, each with its label; without running any code of the value."""
    if isinstance(value, list | tuple):
        names = getattr(value, "_fields", None)
        for i, item in enumerate(value):
            yield (f"[{i}]" if names is None else f".{names[i]}"), item
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"[{key!r}]" if type(key) in {str, int} else "[...]", item
            if type(key) is not str:
                yield "<key>", key
    elif isinstance(value, set | frozenset):
        for item in value:
            yield "{...}", item
    if type(value).__module__ == "numpy" and str(getattr(value, "dtype", "")) == "object":
        for i, item in enumerate(value.ravel().tolist()):
            yield f"[{i}]", item
    if not isinstance(value, type):
        yield from _iter_attributes(value)


def _iter_attributes(value: Any) -> Iterator[tuple[str, Any]]:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        attributes = {}
    if isinstance(attributes, dict):
        for name, item in attributes.items():
            yield f".{name}", item
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            try:
                yield f".{name}", object.__getattribute__(value, name)
            except AttributeError:
                continue
    for name in ("__self__", "func", "args", "keywords"):  # bound methods and partials keep theirs in C
        if type(value).__module__ in {"builtins", "functools"} and hasattr(value, name):
            yield f".{name}", getattr(value, name)
