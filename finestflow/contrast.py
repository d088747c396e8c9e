"""What differs between two values: numbers by their difference, text by word, arrays by statistics, tables by cell, files by content.

Owns the comparison as lines of text with the path of each part; libraries are not imported for it: a value brings its own. Invariant: values
are not changed, and of what is large only a sample is shown. Called by ``finestflow diff RUN:node``.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Contrast", "contrast"]

_MOST_PARTS = 50
_MOST_CELLS = 12
_MOST_TIMES = 10
"""A number that grew by more times itself is not told in percent."""
_CONTEXT_WORDS = 4
_FEW_BYTES = 12
_KEYS = frozenset({"id", "key", "name", "uuid", "label"})
_LONGEST = 200_000
_LONGEST_ALIGNED = 5_000
_WORDS = re.compile(r"\s+|[\w.+-]+|[^\w\s]")


@dataclasses.dataclass(frozen=True, slots=True)
class Contrast:
    """One part that differs.

    Attributes:
        path: Which part: ``['f1']``, ``.rows``, ``[3]``; empty for the whole.
        text: How, in one line.
    """

    path: str
    text: str


def contrast(before: Any, after: Any, path: str = "") -> Iterator[Contrast]:
    """Yield what differs, the first parts of large containers; nothing where both are equal.

    Args:
        before: The value to compare with.
        after: The one that is asked about.
        path: Where they are inside the outputs.
    """
    if type(before) is not type(after) and not (_is_number(before) and _is_number(after)):
        yield Contrast(path, f"{_named(before)} → {_named(after)}")
    elif _is_number(before):
        if not _is_same(before, after):
            yield Contrast(path, _of_numbers(before, after))
    elif isinstance(before, str):
        if before != after:
            yield Contrast(path, _of_texts(before, after))
    elif _is_from(before, "numpy", "ndarray") or _is_from(before, "torch", "Tensor"):
        yield from _of_arrays(before, after, path)
    elif _is_from(before, "pandas", "DataFrame"):
        yield from _of_frames(before, after, path)
    elif _is_from(before, "polars", "DataFrame"):
        yield from _of_polars(before, after, path)
    elif isinstance(before, (bytes, bytearray)):
        if before != after:
            yield Contrast(path, _of_bytes(bytes(before), bytes(after)))
    elif isinstance(before, Path):
        yield from _of_files(before, after, path)
    elif isinstance(before, Mapping):
        yield from _of_parts(
            {f"[{k!r}]": v for k, v in before.items()}, {f"[{k!r}]": v for k, v in after.items()}, path
        )
    elif isinstance(before, (list, tuple)):
        yield from _of_lists(before, after, path)
    elif dataclasses.is_dataclass(before) and not isinstance(before, type):
        yield from _of_parts(_fields(before), _fields(after), path)
    elif not _is_same(before, after):
        yield Contrast(path, f"{_short(before)} → {_short(after)}")


# -- plain values ----------------------------------------------------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - NaN is what differs from itself
    except Exception:  # noqa: BLE001 - whatever a class of the user does when it is compared
        return repr(one) == repr(other)


def _of_numbers(before: float, after: float) -> str:
    delta = after - before
    ratio = delta / abs(before) if before and math.isfinite(delta) else 0.0
    share = f", {100 * ratio:+.3g}%" if 0 < abs(ratio) < _MOST_TIMES else ""
    return f"{before!r} → {after!r}  ({delta:+.4g}{share})"


def _of_texts(before: str, after: str) -> str:
    """Return the words that differ, with a few around them: ``the [-old-]{+new+} words`` as git's word diff has it."""
    old, new = (_WORDS.findall(text[:_LONGEST]) for text in (before, after))
    pieces = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=len(old) > 2000).get_opcodes():
        if kind == "equal":
            words = old[a:b]
            is_long = len(words) > 2 * _CONTEXT_WORDS + 2
            kept = [*words[:_CONTEXT_WORDS], " … ", *words[-_CONTEXT_WORDS:]] if is_long else words
            pieces.append("".join(kept))
        else:
            gone, come = "".join(old[a:b]), "".join(new[c:d])
            pieces.append((f"[-{gone}-]" if gone else "") + (f"{{+{come}+}}" if come else ""))
    return " ".join("".join(pieces).split())


def _of_bytes(before: bytes, after: bytes) -> str:
    """Return both sizes, and the bytes from the first one that differs on."""
    shared = min(len(before), len(after))
    first = next((at for at in range(shared) if before[at] != after[at]), shared)
    old, new = (data[first : first + _FEW_BYTES].hex(" ") or "the end" for data in (before, after))
    return f"{len(before):,} → {len(after):,} bytes, from byte {first:,} on: {old} → {new}"


# -- containers ------------------------------------------------------------------------------------------------------------------------


def _of_lists(before: Any, after: Any, path: str) -> Iterator[Contrast]:
    key = _key_of(before, after)
    if key is not None:
        yield from _of_parts(
            {f"[{key}={line[key]!r}]": line for line in before},
            {f"[{key}={line[key]!r}]": line for line in after},
            path,
        )
        return
    if len(before) != len(after):
        yield Contrast(path, f"{len(before)} → {len(after)} items")
    pairs = _matched(before, after)
    partner, new = dict(pairs), sorted({*range(len(after))} - {j for _, j in pairs})
    ours = (
        _of_one(f"{path}[{i}]", [value], [after[partner[i]]] if i in partner else []) for i, value in enumerate(before)
    )
    theirs = (_of_one(f"{path}[{j}]", [], [after[j]]) for j in new)
    yield from _first(itertools.chain(ours, theirs), path)


def _key_of(before: Sequence[Any], after: Sequence[Any]) -> str | None:
    """Return the field by which rows of two tables belong together: one that is called so, and is there once for each row of both."""
    rows = [*before, *after]
    if not (before and after) or len(rows) > _LONGEST or not all(isinstance(row, Mapping) for row in rows):
        return None
    columns = {str(name): ([row.get(name) for row in before], [row.get(name) for row in after]) for name in before[0]}
    return next((name for name, own in columns.items() if name in before[0] and _is_key(name, *own)), None)


def _is_key(name: str, before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Say whether a column names the rows of both tables."""
    is_plain = name.lower() in _KEYS and all(isinstance(label, (int, str)) for label in (*before, *after))
    return is_plain and len(set(before)) == len(before) and len(set(after)) == len(after)


def _matched(before: Sequence[Any], after: Sequence[Any]) -> list[tuple[int, int]]:
    """Return which items belong together, by their places.

    Where items came or went, those that stayed are found again, so that one row less is one difference; of very long lists only the places count.
    """
    if len(before) == len(after) or max(len(before), len(after)) > _LONGEST_ALIGNED:
        return [(i, i) for i in range(min(len(before), len(after)))]
    names = [repr(value) for value in before], [repr(value) for value in after]
    blocks = difflib.SequenceMatcher(None, names[0], names[1]).get_opcodes()
    return [pair for _, a, b, c, d in blocks for pair in zip(range(a, b), range(c, d), strict=False)]


def _of_parts(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[Contrast]:
    yield from _first(
        (
            _of_one(path + name, [before[name]] if name in before else [], [after[name]] if name in after else [])
            for name in dict.fromkeys([*before, *after])
        ),
        path,
    )


def _of_one(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[Contrast]:
    """Compare one part, an empty sequence where it is not there."""
    if not after:
        yield Contrast(path, f"gone: {_short(before[0])}")
    elif not before:
        yield Contrast(path, f"new: {_short(after[0])}")
    else:
        yield from contrast(before[0], after[0], path)


def _first(parts: Iterable[Iterable[Contrast]], path: str) -> Iterator[Contrast]:
    """Yield what differs of the first parts that do."""
    shown = 0
    for part in parts:
        found = list(part)
        if found and shown >= _MOST_PARTS:
            yield Contrast(path, "… and more")
            return
        shown += len(found)
        yield from found


def _fields(value: Any) -> dict[str, Any]:
    return {f".{field.name}": getattr(value, field.name) for field in dataclasses.fields(value)}


# -- arrays and tables -----------------------------------------------------------------------------------------------------------------


def _is_from(value: Any, library: str, name: str) -> bool:
    module = sys.modules.get(library)
    kind = getattr(module, name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _of_arrays(before: Any, after: Any, path: str) -> Iterator[Contrast]:
    import numpy as np

    old, new = np.asarray(before), np.asarray(after)
    if old.shape != new.shape or old.dtype != new.dtype:
        yield Contrast(path, f"{old.dtype}{list(old.shape)} → {new.dtype}{list(new.shape)}")
        if old.shape != new.shape:
            if old.size and new.size and _is_numeric(old) and _is_numeric(new):
                yield Contrast(path, f"{_statistics(old)} → {_statistics(new)}")
            return
    differs = old != new
    if _is_numeric(old) and _is_numeric(new):
        differs &= ~(np.isnan(old.astype(complex)) & np.isnan(new.astype(complex)))
    count = int(np.count_nonzero(differs))
    if not count:
        return
    share = f"{count} of {old.size} elements differ ({100 * count / old.size:.3g}%)"
    if not (_is_numeric(old) and _is_numeric(new)):
        yield Contrast(path, share)
        return
    gap = np.abs(new[differs].astype(complex) - old[differs].astype(complex))
    place = np.unravel_index(
        np.flatnonzero(differs)[int(np.nanargmax(gap))] if not np.isnan(gap).all() else 0, old.shape
    )
    where = ", ".join(str(int(index)) for index in place)
    yield Contrast(path, f"{share}, at most by {np.nanmax(gap):.4g} at [{where}], on average by {np.nanmean(gap):.4g}")
    yield Contrast(path, f"{_statistics(old)} → {_statistics(new)}")


def _is_numeric(array: Any) -> bool:
    return array.dtype.kind in "biufc"


def _statistics(array: Any) -> str:
    import numpy as np

    numbers = np.abs(array) if array.dtype.kind == "c" else array.astype(float)
    return f"mean {np.nanmean(numbers):.4g} sd {np.nanstd(numbers):.4g} min {np.nanmin(numbers):.4g} max {np.nanmax(numbers):.4g}"


def _of_polars(before: Any, after: Any, path: str) -> Iterator[Contrast]:
    columns = [{name: frame[name].to_list() for name in frame.columns} for frame in (before, after)]
    yield from _of_columns(columns[0], columns[1], path, (range(before.height), range(after.height)))


def _of_frames(before: Any, after: Any, path: str) -> Iterator[Contrast]:
    columns = [
        {str(name): frame.iloc[:, i].tolist() for i, name in enumerate(frame.columns)} for frame in (before, after)
    ]
    numbers = type(before.index).__name__ == type(after.index).__name__ == "RangeIndex"
    labels = [range(len(frame)) if numbers else frame.index.tolist() for frame in (before, after)]
    yield from _of_columns(columns[0], columns[1], path, (labels[0], labels[1]))


def _of_columns(
    before: Mapping[str, list[Any]],
    after: Mapping[str, list[Any]],
    path: str,
    rows: tuple[Sequence[Any], Sequence[Any]],
) -> Iterator[Contrast]:
    """Compare tables cell by cell; rows are those with the same label, or where these are but numbers, those that are alike."""
    gone, come = [n for n in before if n not in after], [n for n in after if n not in before]
    if gone or come:
        yield Contrast(path, "columns: " + ", ".join([*(f"-{name}" for name in gone), *(f"+{name}" for name in come)]))
    shared = [name for name in before if name in after]
    named = next((name for name in shared if _is_key(name, before[name], after[name])), None)
    if isinstance(rows[0], range) and named is not None:
        rows = before[named], after[named]
    if isinstance(rows[0], range):
        pairs = _matched(*map(_rows_of, ([table[name] for name in shared] for table in (before, after)), rows))
    else:
        places = {_hashable(label): place for place, label in enumerate(rows[1])}
        pairs = [(i, places[key]) for i, label in enumerate(rows[0]) if (key := _hashable(label)) in places]
    lost, new = len(rows[0]) - len(pairs), len(rows[1]) - len(pairs)
    if lost or new:
        yield Contrast(path, f"{len(rows[0])} → {len(rows[1])} rows (-{lost} +{new})")
    cells = [
        (rows[0][i], name, before[name][i], after[name][j])
        for name in shared
        for i, j in pairs
        if not _is_same(before[name][i], after[name][j])
    ]
    if cells:
        columns = len({name for _, name, _, _ in cells})
        yield Contrast(
            path, f"{len(cells)} of {len(pairs) * len(shared)} cells differ, in {columns} of {len(shared)} columns"
        )
    for label, name, old, value in cells[:_MOST_CELLS]:
        yield Contrast(f"{path}[{label!r}, {name!r}]", f"{_short(old)} → {_short(value)}")


def _rows_of(columns: Sequence[Sequence[Any]], labels: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [tuple([cells[row] for cells in columns]) for row in labels]


def _hashable(label: Any) -> Any:
    try:
        hash(label)
    except TypeError:
        return repr(label)
    return label


# -- files -----------------------------------------------------------------------------------------------------------------------------


def _of_files(before: Path, after: Path, path: str) -> Iterator[Contrast]:
    if before.is_dir() and after.is_dir():
        old, new = _files_below(before), _files_below(after)
        for name in sorted({*old, *new}):
            if name not in new:
                yield Contrast(f"{path}/{name}", "gone")
            elif name not in old:
                yield Contrast(f"{path}/{name}", "new")
            else:
                yield from _of_files(old[name], new[name], f"{path}/{name}")
        return
    data, other = before.read_bytes(), after.read_bytes()
    if data == other:
        return
    texts = _as_text(data), _as_text(other)
    if texts[0] is not None and texts[1] is not None:
        yield Contrast(path, _of_texts(texts[0], texts[1]))
        return
    yield Contrast(path, f"{len(data):,} → {len(other):,} bytes")
    yield from _of_images(before, after, path)


def _files_below(folder: Path) -> dict[str, Path]:
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}


def _as_text(data: bytes) -> str | None:
    if b"\0" in data[:8192] or len(data) > _LONGEST:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _of_images(before: Path, after: Path, path: str) -> Iterator[Contrast]:
    """Compare pixels, where Pillow is installed and both are images."""
    try:
        from PIL import Image, ImageChops, ImageStat
    except ImportError:
        return
    try:
        with Image.open(before) as old, Image.open(after) as new:
            if old.size != new.size:
                yield Contrast(path, f"image {old.size[0]}x{old.size[1]} → {new.size[0]}x{new.size[1]}")
                return
            gap = ImageChops.difference(old.convert("RGB"), new.convert("RGB"))
            changed = sum(gap.convert("L").point(lambda value: 255 if value else 0).histogram()[255:])
            mean = sum(ImageStat.Stat(gap).mean) / 3
    except (OSError, ValueError):
        return
    pixels = gap.size[0] * gap.size[1]
    yield Contrast(
        path,
        f"image {gap.size[0]}x{gap.size[1]}: {100 * changed / pixels:.3g}% of pixels differ, on average by {mean:.3g} of 255",
    )


def _named(value: Any) -> str:
    return f"{type(value).__name__} {_short(value)}"


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."
