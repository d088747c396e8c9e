"""Digests of tables and columns: pandas, Arrow, polars. Imports none of them: it works on the objects that are handed over.

What counts is the names, order and types of columns, the index, the elements, and which of them are missing. What does not: blocks,
chunks, slices, what lies under a missing element, and whether a bitmap of missing elements is there when none is.

Called by :mod:`finestflow.cache.digest`, which finds these adapters by the qualified name of a class.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from finestflow.cache.arrays import encode_array
from finestflow.cache.stream import head, sealed

if TYPE_CHECKING:
    from finestflow.cache.digest import Walk

__all__ = [
    "encode_arrow_column",
    "encode_arrow_table",
    "encode_frame",
    "encode_index",
    "encode_polars_frame",
    "encode_polars_series",
    "encode_series",
]

# -- pandas ---------------------------------------------------------------------------------------------------------------


def encode_frame(walk: Walk, frame: Any) -> bytes:
    """Encode a DataFrame: columns, index, attributes, and the elements by column, or at once where all are of one numpy type."""
    dtypes = list(frame.dtypes)
    start = b"df" + _encode_labels(walk, frame) + walk.encode(frame.columns)
    if dtypes and _is_numeric(dtypes[0]) and all(dtype == dtypes[0] for dtype in dtypes):
        return sealed(start + b"1" + encode_array(walk, frame.to_numpy().T))
    columns = b"".join(_encode_values(walk, frame.iloc[:, i].array) for i in range(len(dtypes)))
    return sealed(start + head(b"*", len(dtypes)) + columns)


def _is_numeric(dtype: Any) -> bool:
    return type(dtype).__module__.startswith("numpy") and dtype.kind in "biufc"


def _encode_labels(walk: Walk, table: Any) -> bytes:
    """Encode what a frame and a series have besides their elements."""
    about = table.index, dict(table.attrs) or None, table.flags.allows_duplicate_labels
    return b"".join(walk.encode(item) for item in about)


def encode_series(walk: Walk, series: Any) -> bytes:
    """Encode a Series: name, index, attributes, elements."""
    return sealed(b"ds" + _encode_labels(walk, series) + walk.encode(series.name) + _encode_values(walk, series.array))


def encode_index(walk: Walk, index: Any) -> bytes:
    """Encode an Index: class, names, elements; a RangeIndex by its bounds, a MultiIndex by level."""
    start = b"di" + walk.name(type(index)) + walk.encode(list(index.names))
    kind = type(index).__name__
    if kind == "RangeIndex":
        return sealed(start + walk.encode((index.start, index.stop, index.step)))
    if kind == "MultiIndex":
        levels = [index.get_level_values(i) for i in range(index.nlevels)]
        return sealed(start + b"".join(encode_index(walk, level) for level in levels))
    frequency = getattr(index, "freqstr", None) if kind in {"DatetimeIndex", "TimedeltaIndex"} else None
    return sealed(start + walk.encode(frequency) + _encode_values(walk, index.array))


def _encode_values(walk: Walk, values: Any) -> bytes:
    """Encode the elements of a column by its kind of array."""
    kind = type(values).__name__
    start = walk.encode(f"{kind}:{values.dtype}")
    if kind in {"NumpyExtensionArray", "PandasArray"}:
        return sealed(start + encode_array(walk, values.to_numpy()))
    if kind in {"DatetimeArray", "TimedeltaArray", "PeriodArray"}:
        return sealed(start + encode_array(walk, values.asi8))
    if kind == "Categorical":
        about = encode_index(walk, values.categories) + walk.encode(values.ordered)
        return sealed(start + encode_array(walk, values.codes) + about)
    if hasattr(values, "_pa_array"):
        return sealed(start + encode_arrow_column(walk, values._pa_array))  # noqa: SLF001 - the public way makes a copy
    if hasattr(values, "_mask") and hasattr(values, "_data"):
        is_missing = values.isna()
        filled = values._data.copy()  # noqa: SLF001 - the public ways give objects
        filled[is_missing] = 0
        return sealed(start + encode_array(walk, filled) + encode_array(walk, is_missing))
    return sealed(start + walk.encode(list(values)))


# -- Arrow ----------------------------------------------------------------------------------------------------------------


def encode_arrow_table(walk: Walk, table: Any) -> bytes:
    """Encode a Table or RecordBatch: schema with its metadata, and the columns."""
    start = b"at" + walk.name(type(table)) + walk.encode(table.num_rows) + walk.encode(_plain(table.schema.metadata))
    for i, field in enumerate(table.schema):
        start += walk.encode((field.name, str(field.type), field.nullable, _plain(field.metadata)))
        start += encode_arrow_column(walk, table.column(i))
    return sealed(start)


def _plain(metadata: Any) -> Any:
    return None if metadata is None else dict(metadata)


def encode_arrow_column(walk: Walk, column: Any) -> bytes:
    """Encode an Array or ChunkedArray; how it is cut into chunks does not count."""
    arrow = sys.modules["pyarrow"]
    whole = column
    if type(column).__name__ == "ChunkedArray":
        column = column.unify_dictionaries()
        whole = arrow.concat_arrays(column.chunks) if column.num_chunks else arrow.array([], type=column.type)
    return sealed(b"ac" + walk.encode(str(column.type)) + _encode_arrow(walk, arrow, whole))


def _encode_arrow(walk: Walk, arrow: Any, array: Any) -> bytes:
    """Encode length, missing elements, and those that are there by type."""
    from pyarrow import compute

    types = arrow.types
    if types.is_string_view(array.type) or types.is_binary_view(array.type):
        array = array.cast(arrow.large_string() if types.is_string_view(array.type) else arrow.large_binary())
    kind = array.type
    start = head(b"a", len(array))
    if array.null_count and not types.is_null(kind):
        start += _encode_arrow_bytes(array.is_null().cast(arrow.uint8()))
        array = array.drop_null()
    if types.is_boolean(kind):
        return start + _encode_arrow_bytes(array.cast(arrow.uint8()))
    if types.is_floating(kind):
        is_nan = compute.is_nan(array)
        if compute.any(is_nan).as_py():
            array = compute.if_else(is_nan, arrow.scalar(float("nan"), kind), array)
        return start + _encode_arrow_bytes(array)
    if types.is_primitive(kind) or types.is_decimal(kind) or types.is_fixed_size_binary(kind):
        return start + _encode_arrow_bytes(array)
    if any(
        is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    ):
        lengths = compute.binary_length(array)
        return start + _encode_arrow_bytes(lengths.cast(arrow.int64())) + _encode_arrow_texts(array, lengths)
    inner = _inside_arrow(types, compute, array)
    if inner is None:
        return start + walk.encode(array.to_pylist())
    return start + b"".join(_encode_arrow(walk, arrow, part) for part in inner)


def _inside_arrow(types: Any, compute: Any, array: Any) -> list[Any] | None:
    """Return the arrays that a nested array is made of, None for the rare kinds."""
    kind = array.type
    if types.is_dictionary(kind):
        return [array.indices, array.dictionary]
    if types.is_struct(kind):
        return list(array.flatten())
    if types.is_list(kind) or types.is_large_list(kind):
        return [compute.list_value_length(array), array.flatten()]
    if types.is_fixed_size_list(kind):
        return [array.flatten()]
    return None


def _encode_arrow_bytes(array: Any) -> bytes:
    """Encode elements of fixed width, none of them missing."""
    width = array.type.bit_width // 8
    data = array.buffers()[1]
    view = memoryview(data if data is not None else b"")[array.offset * width : (array.offset + len(array)) * width]
    return sealed(head(b"r", len(view)), view)


def _encode_arrow_texts(array: Any, lengths: Any) -> bytes:
    """Encode the bytes of texts, none of them missing, one after the other."""
    _, offsets, data = array.buffers()
    if data is None or len(array) == 0:
        return sealed(head(b"r", 0))
    width = 8 if str(array.type).startswith("large") else 4
    first = int.from_bytes(memoryview(offsets)[array.offset * width : (array.offset + 1) * width], sys.byteorder)
    size = lengths.sum().as_py()
    view = memoryview(data)[first : first + size]
    return sealed(head(b"r", size), view)


# -- polars ---------------------------------------------------------------------------------------------------------------


def encode_polars_frame(walk: Walk, frame: Any) -> bytes:
    """Encode a DataFrame: the columns in their order."""
    columns = b"".join(encode_polars_series(walk, series) for series in frame.get_columns())
    return sealed(b"pf" + head(b"*", frame.width) + walk.encode(frame.height) + columns)


def encode_polars_series(walk: Walk, series: Any) -> bytes:
    """Encode a Series: name, type, missing elements, and those that are there."""
    dtype = series.dtype
    start = b"ps" + walk.encode((series.name, str(dtype), len(series)))
    if series.null_count():
        start += encode_array(walk, series.is_null().to_numpy())
        series = series.drop_nulls()
    if dtype.is_integer() or dtype.is_float() or dtype.is_temporal() or str(dtype) == "Boolean":
        return sealed(start + encode_array(walk, series.to_physical().to_numpy()))
    return sealed(start + walk.encode(series.to_list()))
