"""The beginning of a value, for people: rows of a table with statistics, lines of text, a small picture, the first bytes of the rest.

Owns what is shown of a value, as data that JSON can hold; commands and screens lay it out. Invariant: the value is not changed, and what is
large is read at its beginning only. Libraries are not imported for it: a value brings its own. Called by ``finestflow show --value``.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from finestflow.cache.preview import preview, type_name
from finestflow.picture import is_picture, read_picture, shrink, write_png

__all__ = ["Excerpt", "excerpt_of"]

_ROWS, _COLUMNS, _LINES = 40, 40, 400
_LONGEST = 2000
_HEAD = 1024
_READ = 200_000
_WHOLE = 4 << 20
_SIDE = 200
_STATISTICS = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """What is shown of a value.

    Attributes:
        kind: ``table``, ``text``, ``picture`` or ``bytes``: which of the fields below are filled in.
        type: Its class.
        facts: What is known of the whole, such as shape and mean, by name.
        columns: Names of the columns of a table.
        rows: Cells of its first rows.
        text: The first lines of a text.
        width: Pixels in a row of the small picture.
        height: Its rows.
        pixels: Its pixels, three bytes each.
        data: A picture as it is, when it is not huge; else the first bytes.
        more: What was left out, in words; empty when nothing was.
    """

    kind: str
    type: str
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    width: int = 0
    height: int = 0
    pixels: bytes = b""
    data: bytes = b""
    more: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it; bytes are in base64."""
        told = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {name: b64encode(value).decode() if isinstance(value, bytes) else value for name, value in told.items()}


def excerpt_of(value: Any) -> Excerpt:
    """Return what is shown of a value."""
    kind, root = type_name(value), type(value).__module__.partition(".")[0]
    if isinstance(value, Path) and value.exists():
        return _of_folder(value) if value.is_dir() else _of_file(value)
    if isinstance(value, str):
        return _of_text(value, kind)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _of_bytes(bytes(value[:_WHOLE]), len(value), kind, {})
    if hasattr(value, "savefig") or root == "PIL":
        return _of_drawing(value, kind)
    if root == "torch" and hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "to_frame") and not hasattr(value, "columns"):
        value = value.to_frame()
    if root in {"pandas", "polars"} and hasattr(value, "columns"):
        return _of_frame(value, kind)
    if type(value).__module__.partition(".")[0] == "numpy" and getattr(value, "ndim", False):
        return _of_array(value, kind)
    return _of_parts(value, kind)


# -- files and bytes -------------------------------------------------------------------------------------------------------------------


def _of_file(path: Path) -> Excerpt:
    size = path.stat().st_size
    with path.open("rb") as file:
        data = file.read(_WHOLE)
    facts = {"file": path.name}
    if path.suffix.lower() in {".csv", ".tsv"} and b"\0" not in data:
        return _of_csv(path, facts, size)
    return _of_bytes(data, size, "file", facts)


def _of_bytes(data: bytes, size: int, kind: str, facts: Mapping[str, str]) -> Excerpt:
    told = {**facts, "bytes": f"{size:,}"}
    if is_picture(data):
        picture = read_picture(data) if len(data) == size else None
        if picture is not None:
            small = shrink(picture, _SIDE, _SIDE)
            told["pixels"] = f"{picture.width} x {picture.height}"
            return Excerpt(
                kind="picture",
                type=kind,
                facts=told,
                width=small.width,
                height=small.height,
                pixels=small.pixels,
                data=data,
            )
    try:
        text = data[:_READ].decode()
    except UnicodeDecodeError as error:
        text = data[: error.start].decode() if size > _READ and error.start > _READ - 4 else "\0"
    if "\0" not in text:
        return _of_text(text, kind, told, size > _READ)
    more = f"{size - _HEAD:,} more bytes" if size > _HEAD else ""
    return Excerpt(kind="bytes", type=kind, facts=told, data=data[:_HEAD], more=more)


def _of_text(text: str, kind: str, facts: Mapping[str, str] | None = None, is_cut: bool = False) -> Excerpt:
    lines = text[:_READ].split("\n")
    shown = [line[:_LONGEST] for line in lines[:_LINES]]
    told = dict(facts or {"characters": f"{len(text):,}", "lines": f"{text.count(chr(10)) + 1:,}"})
    left_out = is_cut or len(lines) > _LINES or len(text) > _READ or any(len(line) > _LONGEST for line in lines)
    return Excerpt(
        kind="text", type=kind, facts=told, text="\n".join(shown), more="the text goes on" if left_out else ""
    )


def _of_csv(path: Path, facts: Mapping[str, str], size: int) -> Excerpt:
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        found = list(islice(csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","), _ROWS + 2))
    head, rows = (found[0], found[1 : _ROWS + 1]) if found else ([], [])
    more = "more rows" if len(found) > _ROWS + 1 else ""
    told = {**facts, "bytes": f"{size:,}", "columns": str(len(head))}
    return _table("file", told, head, rows, more)


def _of_folder(path: Path) -> Excerpt:
    files = sorted(each for each in islice(path.rglob("*"), 10_000) if each.is_file())
    sizes = [each.stat().st_size for each in files]
    facts = {"folder": path.name, "files": f"{len(files):,}", "bytes": f"{sum(sizes):,}"}
    rows = [(str(each.relative_to(path)), f"{size:,}") for each, size in zip(files, sizes, strict=True)]
    return _table("folder", facts, ("file", "bytes"), rows[:_ROWS], _more(len(rows), "file"))


def _of_drawing(value: Any, kind: str) -> Excerpt:
    from io import BytesIO

    stream = BytesIO()
    if hasattr(value, "savefig"):
        value.savefig(stream, format="png")
    else:
        value.save(stream, format="PNG")
    return _of_bytes(stream.getvalue(), stream.tell(), kind, {})


# -- arrays and tables -----------------------------------------------------------------------------------------------------------------


def _of_array(value: Any, kind: str) -> Excerpt:
    shape = " x ".join(map(str, value.shape))
    facts = {"shape": shape, "dtype": str(value.dtype), "bytes": f"{value.nbytes:,}", **_statistics(value)}
    if value.dtype.kind == "u" and value.dtype.itemsize == 1 and value.ndim == 3 and value.shape[2] in {3, 4}:
        height, width, channels = value.shape
        if 0 < height * width <= _WHOLE:
            drawn = _of_bytes(png := write_png(width, height, channels, value.tobytes()), len(png), kind, {})
            return dataclasses.replace(drawn, facts=facts)
    if value.dtype.names:
        rows = [[_cell(row[name]) for name in value.dtype.names] for row in value.reshape(-1)[:_ROWS]]
        return _table(kind, facts, value.dtype.names, rows, _more(value.size, "row"))
    flat = value.reshape(value.shape[0], -1) if value.size else value.reshape(len(value), 0)
    columns = [str(at) for at in range(min(_COLUMNS, flat.shape[1]))] if value.ndim > 1 else ["value"]
    rows = [[str(at), *map(_cell, row[:_COLUMNS])] for at, row in enumerate(flat[:_ROWS])]
    more = [_more(len(flat), "row"), _more(flat.shape[1], "column", _COLUMNS)]
    return _table(kind, facts, ["", *columns], rows, ", ".join(filter(None, more)))


def _statistics(values: Any) -> dict[str, str]:
    """Return least, mean, deviation and most of the numbers of an array, and how many are none."""
    if values.dtype.kind not in "biuf" or not values.size:
        return {}
    import numpy as np

    sample = values.reshape(-1)[:_STATISTICS].astype(float)
    finite = sample[np.isfinite(sample)]
    told = {}
    if finite.size:
        told = {
            "min": _cell(finite.min()),
            "mean": _cell(finite.mean()),
            "std": _cell(finite.std()),
            "max": _cell(finite.max()),
        }
    if finite.size < sample.size:
        told["not finite"] = f"{sample.size - finite.size:,}"
    return told


def _of_frame(value: Any, kind: str) -> Excerpt:
    """Show the first rows; the first line below the head has the type of each column, and the facts its statistics."""
    names = [str(name) for name in islice(value.columns, _COLUMNS)]
    facts = {"shape": " x ".join(map(str, value.shape))}
    first = value.head(_ROWS)
    if hasattr(first, "iter_rows"):
        rows = [list(map(_cell, islice(row, _COLUMNS))) for row in first.iter_rows()]
        series = [value[name] for name in names]
        missing = [int(each.null_count()) for each in series]
    else:
        rows = [list(map(_cell, islice(row, _COLUMNS))) for row in first.itertuples(index=False)]
        series = [value.iloc[:, at] for at in range(len(names))]
        missing = [int(each.isna().sum()) for each in series]
    for name, each, gone in zip(names, series, missing, strict=True):
        facts[name] = _column_text(each, gone)
    more = [_more(len(value), "row"), _more(value.shape[1], "column", _COLUMNS)]
    return _table(kind, facts, names, rows, ", ".join(filter(None, more)))


def _column_text(series: Any, missing: int) -> str:
    told = [str(series.dtype)]
    try:
        told.append(f"{_cell(series.min())} to {_cell(series.max())}, mean {_cell(series.mean())}")
    except Exception:  # noqa: BLE001 - what has no order or mean says so by any error
        told.append(f"{series.nunique() if hasattr(series, 'nunique') else series.n_unique():,} values")
    if missing:
        told.append(f"{missing:,} missing")
    return ", ".join(told)


# -- containers ------------------------------------------------------------------------------------------------------------------------


def _of_parts(value: Any, kind: str) -> Excerpt:
    if isinstance(value, Mapping):
        pairs: list[tuple[str, Any]] = [(str(name), each) for name, each in islice(value.items(), _ROWS)]
        return _of_pairs(kind, {"items": f"{len(value):,}"}, pairs, len(value))
    if isinstance(value, (list, tuple)):
        return _of_list(value, kind)
    if isinstance(value, (set, frozenset)):
        return _of_list(sorted(value, key=repr), kind)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in dataclasses.fields(value)]
        return _of_pairs(kind, {}, [(name, getattr(value, name, None)) for name in names[:_ROWS]], len(names))
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict) and attributes and not isinstance(value, type):
        return _of_pairs(kind, {}, list(islice(attributes.items(), _ROWS)), len(attributes))
    return Excerpt(kind="text", type=kind, text=preview(value, 0))


def _of_pairs(kind: str, facts: Mapping[str, str], pairs: Sequence[tuple[str, Any]], count: int) -> Excerpt:
    rows = [(name, type_name(each), _cell(each)) for name, each in pairs]
    return _table(kind, facts, ("name", "type", "value"), rows, _more(count, "part"))


def _of_list(value: Sequence[Any], kind: str) -> Excerpt:
    facts = {"items": f"{len(value):,}"}
    numbers = [float(each) for each in value[:_STATISTICS] if isinstance(each, (int, float)) and math.isfinite(each)]
    if numbers and len(numbers) == len(value):
        facts |= {"min": _cell(min(numbers)), "mean": _cell(sum(numbers) / len(numbers)), "max": _cell(max(numbers))}
    first, more = value[:_ROWS], _more(len(value), "item")
    if first and all(isinstance(each, Mapping) for each in first):
        names = [str(name) for name in islice(dict.fromkeys(name for each in first for name in each), _COLUMNS)]
        return _table(kind, facts, names, [[_cell(each.get(name, "")) for name in names] for each in first], more)
    if first and all(isinstance(each, (list, tuple)) for each in first):
        wide = min(_COLUMNS, max(map(len, first)))
        return _table(kind, facts, list(map(str, range(wide))), [list(map(_cell, each[:wide])) for each in first], more)
    return _table(kind, facts, ("", "value"), [(str(at), _cell(each)) for at, each in enumerate(first)], more)


def _table(
    kind: str, facts: Mapping[str, str], columns: Iterable[str], rows: Iterable[Iterable[str]], more: str
) -> Excerpt:
    head = tuple(columns)
    filled = tuple((*cells, *[""] * (len(head) - len(cells)))[: len(head)] for cells in map(tuple, rows))
    return Excerpt(kind="table", type=kind, facts=facts, columns=head, rows=filled, more=more)


def _more(count: int, word: str, shown: int = _ROWS) -> str:
    left = count - shown
    return f"{left:,} more {word}{'s' * (left > 1)}" if left > 0 else ""


def _cell(value: Any) -> str:
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        value = value.item()
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return value[:_LONGEST] if isinstance(value, str) else preview(value, 0)
