"""One line of text that shows a value, made when the value is made, so that nobody has to load it to see it.

Invariant: at most 200 characters, no control characters, bounded time whatever the value is, and no exception.
Called by :class:`finestflow.cache.store.Store`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

from finestflow.text import without_addresses

__all__ = ["MAX_LENGTH", "preview", "type_name"]

MAX_LENGTH = 200
_MAX_ITEMS = 8
_MAX_DEPTH = 3
_MAX_DIGITS = 60
_SMALL = 4096
"""The ``__repr__`` of a class is only called where the stored value is no larger than this: it may be slow otherwise."""


def type_name(value: object) -> str:
    """Return the name of a value's class, with its module unless that is built in."""
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def preview(value: object, size: int) -> str:
    """Return one line that shows a value.

    Args:
        value: Any value.
        size: How many bytes it takes when stored.
    """
    try:
        text = _show(value, _MAX_DEPTH, size <= _SMALL)
    except Exception:  # noqa: BLE001 - a preview is never worth an error
        text = f"<{type_name(value)}>"
    return text if text.isprintable() and len(text) <= MAX_LENGTH else _one_line(text)


def _one_line(text: str) -> str:
    """Escape what a terminal would obey, and cut the text to its length."""
    short = text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"
    if not short.isprintable():
        short = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in short)
    return short if len(short) <= MAX_LENGTH else short[: MAX_LENGTH - 1] + "…"


def _show(value: Any, depth: int, is_small: bool) -> str:
    kind = type(value)
    if kind is str or kind is bytes or kind is bytearray:
        return repr(value) if len(value) <= MAX_LENGTH else repr(value[:MAX_LENGTH])[:MAX_LENGTH] + "…"
    if kind is int:
        return _show_int(value)
    if kind in {float, bool, complex, type(None)}:
        return repr(value)
    if kind in _BRACKETS:
        return _show_container(value, depth, is_small)
    for show in (_show_array, _show_frame):
        text = show(value)
        if text:
            return text
    if isinstance(value, PurePath):
        return _show_path(value)
    if isinstance(value, type) or kind.__module__ in {"datetime", "decimal", "fractions", "uuid", "re"}:
        return value.__qualname__ if isinstance(value, type) else repr(value)
    if is_small and "__repr__" in {name for base in kind.__mro__[:-1] for name in base.__dict__}:
        return _cut(without_addresses(str(repr(value))))
    return _show_attributes(value, depth, is_small)


def _show_path(path: PurePath) -> str:
    """Show an artifact by its name: the folder that it was made in says nothing, and is another one each time."""
    if isinstance(path, Path) and path.is_file():
        return f"file {path.name}"
    if isinstance(path, Path) and path.is_dir():
        return f"folder {path.name}"
    return f"path {path}"


def _show_int(value: int) -> str:
    bits = value.bit_length()
    return repr(value) if bits < 3 * _MAX_DIGITS else f"an integer of {bits} bits"


_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    dict: ("{", "}"),
    frozenset: ("{", "}"),
}


def _show_container(value: Any, depth: int, is_small: bool) -> str:
    left, right = _BRACKETS[type(value)]
    if depth == 0:
        return f"{left}…{right}" if value else left + right
    if type(value) is dict:
        items: Iterable[str] = (
            f"{_show(key, depth - 1, is_small)}: {_show(item, depth - 1, is_small)}" for key, item in value.items()
        )
    else:
        items = (_show(item, depth - 1, is_small) for item in value)
    shown: list[str] = []
    length = 0
    for item in items:
        if len(shown) == _MAX_ITEMS or length > MAX_LENGTH:
            shown.append(f"… {len(value)} in all")
            break
        shown.append(item)
        length += len(item)
    if type(value) is tuple and len(shown) == 1:
        right = ",)"
    return f"{left}{', '.join(shown)}{right}"


def _show_array(value: Any) -> str:
    """Show dtype and shape of anything that has both, and the number of one that has no dimensions."""
    kind = type(value)
    shape, dtype = getattr(kind, "shape", None), getattr(kind, "dtype", None)
    if shape is None or dtype is None or hasattr(kind, "columns"):
        return ""
    if value.shape == () and kind.__module__ == "numpy":
        return repr(value.item()) if value.dtype.kind in "biufcSUmM" else str(value.dtype)
    return f"{kind.__qualname__} {value.dtype} {_show_shape(value.shape)}"


def _show_frame(value: Any) -> str:
    """Show shape and first columns of a table."""
    columns = getattr(value, "columns", None) if hasattr(type(value), "columns") else None
    shape = getattr(value, "shape", None)
    if columns is None or not isinstance(shape, tuple):
        return ""
    names = getattr(value, "column_names", columns)  # Arrow's columns are the data
    shown = ", ".join(str(name)[:40] for name in list(names[:_MAX_ITEMS]))
    return f"{type(value).__qualname__} {_show_shape(shape)}: {shown}{', …' if len(names) > _MAX_ITEMS else ''}"


def _show_shape(shape: Any) -> str:
    return " x ".join(map(str, shape)) if len(shape) else "()"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def _show_attributes(value: Any, depth: int, is_small: bool) -> str:
    attributes = getattr(value, "__dict__", None)
    name = type(value).__qualname__
    if not isinstance(attributes, dict) or depth == 0:
        return f"{name}(…)"
    shown = [
        f"{key}={_show(item, depth - 1, is_small)}"
        for key, item, _ in zip(attributes, attributes.values(), range(6), strict=False)
    ]
    return f"{name}({', '.join(shown)}{', …' if len(attributes) > len(shown) else ''})"
