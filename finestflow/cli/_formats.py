"""Outputs as files that other programs read: text, JSON, npy, csv, parquet, png; and pickle for the rest.

The suffix of the file decides; without one, the kind of value does. Libraries are not imported for it: a value brings its own.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from finestflow.cache.copying import copy_file
from finestflow.errors import UsageError

__all__ = ["dump_value", "natural_suffix", "write_value"]


def dump_value(value: Any, suffix: str = "") -> tuple[bytes, str]:
    """Return a value as bytes, and the suffix that names their form.

    Args:
        value: Any output but a file or folder.
        suffix: The form that is wanted, such as ``.csv``; empty takes the natural one.

    Raises:
        UsageError: when the value has no such form.
    """
    suffix = suffix or natural_suffix(value)
    write = _WRITERS.get(suffix)
    if write is None:
        raise UsageError(f"unknown form {suffix!r}", f"known: {', '.join(sorted(_WRITERS))}")
    try:
        return write(value), suffix
    except (AttributeError, TypeError, ValueError) as error:
        wanted = f"a value of type {type(value).__name__!r} cannot be written as {suffix!r}: {error}"
        raise UsageError(wanted, f'its natural form is "{natural_suffix(value)}"; ".pkl" takes everything') from error


def write_value(value: Any, path: Path) -> Path:
    """Write an output to a file, or into a folder when that is what it is, and return where it is now; a private copy of a path is moved.

    Raises:
        UsageError: when something is there already that would be lost, or the value has no such form.
    """
    if isinstance(value, Path):
        target = path / value.name if path.is_dir() else path
        if target.exists():
            raise UsageError(f"{str(target)!r} is there already", "name another path with -o")
        return Path(shutil.move(value, target, copy_function=copy_file))  # it is a private copy already
    data, _ = dump_value(value, path.suffix)
    path.write_bytes(data)
    return path


def natural_suffix(value: Any) -> str:
    """Return the suffix of the form in which a value is best read by others."""
    if isinstance(value, str):
        return ".txt"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ".bin"
    root = type(value).__module__.split(".")[0]
    if root == "numpy" and hasattr(value, "dtype") and len(getattr(value, "shape", ())):
        return ".pkl" if getattr(value.dtype, "hasobject", False) else ".npy"
    if root in {"pandas", "polars"} and hasattr(value, "columns"):
        return ".parquet"
    if hasattr(value, "savefig") or root == "PIL":
        return ".png"
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return ".json" if root == "numpy" and hasattr(value, "item") else ".pkl"
    return ".json"


def _text(value: Any) -> bytes:
    return (value if isinstance(value, str) else str(value)).encode()


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, default=_number) + "\n").encode()


def _number(value: Any) -> Any:
    """Return the plain form of numbers and arrays of libraries."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _npy(value: Any) -> bytes:
    import numpy as np

    buffer = BytesIO()
    np.save(buffer, np.asarray(value), allow_pickle=False)
    return buffer.getvalue()


def _csv(value: Any) -> bytes:
    if hasattr(value, "write_csv"):
        written = value.write_csv()
    elif hasattr(value, "to_csv"):
        written = value.to_csv(index=False)
    else:
        import csv
        from io import StringIO

        rows = value if isinstance(value, (list, tuple)) else list(value)
        text = StringIO()
        csv.writer(text).writerows(row if isinstance(row, (list, tuple)) else [row] for row in rows)
        written = text.getvalue()
    return bytes(written.encode())


def _parquet(value: Any) -> bytes:
    buffer = BytesIO()
    write = value.write_parquet if hasattr(value, "write_parquet") else value.to_parquet
    write(buffer)
    return buffer.getvalue()


def _png(value: Any) -> bytes:
    buffer = BytesIO()
    if hasattr(value, "savefig"):
        value.savefig(buffer, format="png")
    else:
        value.save(buffer, format="PNG")
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[Any], bytes]] = {
    ".txt": _text,
    ".bin": bytes,
    ".json": _json,
    ".npy": _npy,
    ".csv": _csv,
    ".parquet": _parquet,
    ".png": _png,
    ".pkl": lambda value: pickle.dumps(value, protocol=5),
}
