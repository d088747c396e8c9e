"""Which classes of well-known libraries have an encoding of their own, by qualified name: nothing is imported to find out.

To add one: write its encoder (walk, value) -> bytes in a module beside this one, and name it here. It must depend on the content
alone, leave nothing out, and be given pairs of equal and unequal values in ``tests/unit/cache/test_digest_libraries.py``.
Called by :mod:`finestflow.cache.digest`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finestflow.cache.digest import Walk

__all__ = ["ADAPTED_FAMILIES", "ADAPTERS", "find_adapter"]

ADAPTERS: dict[str, str] = {
    "numpy.ndarray": "arrays:encode_array",
    "numpy.memmap": "arrays:encode_array",
    "torch.Tensor": "arrays:encode_tensor",
    "torch.nn.parameter.Parameter": "arrays:encode_tensor",
    "pandas.DataFrame": "tables:encode_frame",
    "pandas.Series": "tables:encode_series",
    "pandas.core.frame.DataFrame": "tables:encode_frame",
    "pandas.core.series.Series": "tables:encode_series",
    "polars.dataframe.frame.DataFrame": "tables:encode_polars_frame",
    "polars.series.series.Series": "tables:encode_polars_series",
    "pyarrow.lib.Table": "tables:encode_arrow_table",
    "pyarrow.lib.RecordBatch": "tables:encode_arrow_table",
    "pyarrow.lib.ChunkedArray": "tables:encode_arrow_column",
}
"""Adapters by the qualified name of exactly one class; a class derived from it is walked as any object."""

ADAPTED_FAMILIES: dict[str, str] = {
    "numpy.generic": "arrays:encode_number",
    "scipy.sparse._base._spbase": "arrays:encode_sparse",
    "pandas.Index": "tables:encode_index",
    "pandas.core.indexes.base.Index": "tables:encode_index",
    "pyarrow.lib.Array": "tables:encode_arrow_column",
}
"""Adapters by the qualified name of a base class, for all that derive from it."""

_FOUND: dict[type, Callable[[Walk, Any], bytes]] = {}


def find_adapter(cls: type) -> Callable[[Walk, Any], bytes] | None:
    """Return the encoder of a class: by its own name, or by that of a base where all that derive from it follow."""
    known = _FOUND.get(cls)
    if known is not None:
        return known
    place = ADAPTERS.get(f"{cls.__module__}.{cls.__qualname__}")
    if place is None:
        names = [f"{base.__module__}.{base.__qualname__}" for base in cls.__mro__[1:-1]]
        place = next((ADAPTED_FAMILIES[name] for name in names if name in ADAPTED_FAMILIES), None)
    if place is None:
        return None
    module, _, name = place.partition(":")
    adapt: Callable[[Walk, Any], bytes] = getattr(importlib.import_module(f"finestflow.cache.{module}"), name)

    def encode(walk: Walk, value: Any) -> bytes:
        known = walk.memo.get(id(value))
        return known if known is not None else walk.keep(value, adapt(walk, value))

    _FOUND[cls] = encode
    return encode
