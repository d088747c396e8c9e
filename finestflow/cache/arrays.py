"""Digests of arrays: numpy, scipy.sparse, torch. Imports none of them: it works on the objects that are handed over.

What counts is dtype, shape and elements. What does not: order, strides, byte order, padding inside structured and long double
elements, the payload of NaN.

Called by :mod:`finestflow.cache.digest`, which finds these adapters by the qualified name of a class.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from finestflow.cache.refusal import Refusal
from finestflow.cache.stream import FOLD, head, new_hasher, sealed

if TYPE_CHECKING:
    from finestflow.cache.digest import Walk

__all__ = ["encode_array", "encode_number", "encode_sparse", "encode_tensor"]

_CHUNK = 16 << 20
"""Arrays that must be copied to be read in order are copied in pieces of this size."""
_SUMMED = 4096
"""NaN in more elements than this are looked for by their sum, which needs no memory."""
_FLAT_KINDS = "biufcmMSU"
_LONG_DOUBLE_BYTES = 10
"""Of 16 bytes of an x86 long double, the rest is padding."""


def encode_array(walk: Walk, array: Any) -> bytes:
    """Encode a numpy array."""
    return sealed(b"A" + _encode_shape(array.shape) + _encode_elements(walk, array))


def encode_number(walk: Walk, value: Any) -> bytes:
    """Encode a numpy scalar, which differs from an array without dimensions."""
    return sealed(b"Z" + _encode_elements(walk, _numpy().asarray(value)))


def _numpy() -> Any:
    return sys.modules["numpy"]


def _encode_shape(shape: tuple[int, ...]) -> bytes:
    return head(b"d", len(shape)) + b"".join(head(b"d", length) for length in shape)


def _encode_elements(walk: Walk, array: Any) -> bytes:
    """Encode dtype and elements; fields one by one, since what lies between them is anything."""
    dtype = array.dtype
    if dtype.names is not None:
        fields = b"".join(walk.encode(name) + _encode_elements(walk, array[name]) for name in dtype.names)
        return head(b"R", len(dtype.names)) + sealed(fields)
    if dtype.subdtype is not None:
        msg = "its dtype has a shape"
        raise Refusal(array, msg)
    if dtype.hasobject or (dtype.kind not in _FLAT_KINDS and dtype.kind != "V"):
        return walk.encode(str(dtype)) + walk.encode(array.ravel().tolist())
    start = walk.encode(dtype.newbyteorder("<").str if dtype.str[0] in "<>|" else str(dtype))
    if dtype.itemsize == 0 or array.size == 0:
        return start
    return start + _encode_buffers(dtype, array)


def _encode_buffers(dtype: Any, array: Any) -> bytes:
    chunks = _iter_chunks(dtype, array)
    if array.nbytes <= FOLD:
        return sealed(head(b"r", array.nbytes), *chunks)
    hasher = new_hasher(head(b"r", array.nbytes), array.nbytes)
    for chunk in chunks:
        hasher.update(chunk)
    return b"H" + hasher.digest()


def _iter_chunks(dtype: Any, array: Any) -> Iterator[memoryview]:
    """Iterate over the elements in C order as little-endian bytes, without a copy of the whole."""
    numpy = _numpy()
    is_native = dtype.isnative and sys.byteorder == "little"
    if array.ndim == 0:
        array = array.reshape(1)
    if array.flags.c_contiguous and is_native:
        pieces: Iterable[Any] = (array,)
    else:
        step = max(1, _CHUNK * len(array) // max(1, array.nbytes))
        pieces = (array[i : i + step] for i in range(0, len(array), step))
    for piece in pieces:
        flat = numpy.ascontiguousarray(piece, dtype=None if is_native else dtype.newbyteorder("<"))
        flat = _one_nan(numpy, dtype, flat)
        if dtype.kind in "fc" and dtype.itemsize in {16, 32} and dtype.char in "gG":
            data = flat.reshape(-1).view(numpy.uint8).reshape(-1, 16)
            flat = numpy.ascontiguousarray(data[:, :_LONG_DOUBLE_BYTES])
        yield memoryview(flat.reshape(-1).view(numpy.uint8))


def _one_nan(numpy: Any, dtype: Any, flat: Any) -> Any:
    """Return the array, or a copy in which all NaN have the same bits; finding out costs a tenth of hashing."""
    if dtype.kind not in "fc":
        return flat
    if flat.size > _SUMMED:
        with numpy.errstate(all="ignore"):
            total = flat.sum()
        if total == total:  # noqa: PLR0124 - neither NaN nor inf - inf
            return flat
    parts = flat.reshape(-1).view(flat.real.dtype) if dtype.kind == "c" else flat
    is_nan = numpy.isnan(parts)
    if not is_nan.any():
        return flat
    parts = parts.copy()
    parts[is_nan] = numpy.nan
    return parts


def encode_sparse(walk: Walk, matrix: Any) -> bytes:
    """Encode a scipy sparse array or matrix by its format's arrays, not by what it has found out about itself."""
    names = {
        "csr": ("data", "indices", "indptr"),
        "csc": ("data", "indices", "indptr"),
        "bsr": ("data", "indices", "indptr"),
        "coo": ("data", "coords"),
        "dia": ("data", "offsets"),
        "lil": ("data", "rows"),
    }.get(matrix.format)
    content: Any = dict(matrix.items()) if names is None else tuple(getattr(matrix, name) for name in names)
    return sealed(b"Y" + walk.name(type(matrix)) + walk.encode((tuple(matrix.shape), matrix.dtype.str, content)))


def encode_tensor(walk: Walk, tensor: Any) -> bytes:
    """Encode a dense torch tensor; the device counts, since arithmetic on it may differ."""
    if str(tensor.layout) != "torch.strided" or tensor.is_quantized:
        raise Refusal(tensor, "only dense tensors have a digest", "pass tensor.to_dense()")
    torch = sys.modules["torch"]
    about = (str(tensor.dtype), tuple(tensor.shape), str(tensor.device.type), bool(tensor.requires_grad))
    flat = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    data = flat.view(torch.uint8).numpy() if flat.numel() else b""
    return sealed(b"X" + walk.name(type(tensor)) + walk.encode(about) + sealed(b"", memoryview(data)))
