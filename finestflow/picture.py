"""Pictures as pixels: PNG by the standard library, everything else by Pillow where that is installed; and smaller copies of them.

Invariant: bytes that are no picture, or one of a kind that cannot be read here, give None and never an error. Called by ``excerpt``.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Picture", "is_picture", "read_picture", "shrink", "write_png"]

_PNG = b"\x89PNG\r\n\x1a\n"
_MAGICS = (_PNG, b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MOST_PIXELS = 64 << 20


class Picture(NamedTuple):
    """Rows of pixels, three bytes each: red, green, blue."""

    width: int
    height: int
    pixels: bytes


def is_picture(data: bytes) -> bool:
    """Say whether a file begins as pictures do."""
    return data.startswith(_MAGICS) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def read_picture(data: bytes, *, library: bool = True) -> Picture | None:
    """Return the pixels of a picture; what is transparent becomes white.

    Args:
        data: The file.
        library: Whether Pillow may be used.
    """
    try:
        if library:
            found = _read_by_library(data)
            if found is not None:
                return found
        return _read_png(data) if data.startswith(_PNG) else None
    except (ValueError, IndexError, KeyError, OSError, struct.error, zlib.error):
        return None


def _read_by_library(data: bytes) -> Picture | None:
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        with Image.open(BytesIO(data)) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            shown = image.convert("RGBA")
            below = Image.new("RGBA", shown.size, "white")
            below.alpha_composite(shown)
            return Picture(shown.width, shown.height, below.convert("RGB").tobytes())
    except (OSError, SyntaxError, Image.DecompressionBombError):  # what Pillow raises for bytes it does not know
        return None


# -- PNG, as https://www.w3.org/TR/png-3/ has it ---------------------------------------------------------------------------------------


def _read_png(data: bytes) -> Picture | None:
    """Return the pixels of a PNG that is not interlaced."""
    width, height, depth, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    if interlaced or not width or width * height > _MOST_PIXELS:
        return None
    chunks: dict[bytes, bytes] = {}
    at = len(_PNG)
    while at + 8 <= len(data):
        (length,), name = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        chunks[name] = chunks.get(name, b"") + data[at + 8 : at + 8 + length]
        at += 12 + length
    channels = _CHANNELS[kind]
    stride = (width * channels * depth + 7) // 8
    decoder = zlib.decompressobj()
    raw = decoder.decompress(chunks[b"IDAT"], (stride + 1) * height)
    step = max(1, channels * depth // 8)
    before = bytearray(stride)
    made = bytearray()
    for row in range(height):
        start = row * (stride + 1)
        line = bytearray(raw[start + 1 : start + 1 + stride])
        _unfilter(raw[start], line, before, step)
        made += _colors(line, width, depth, kind, chunks)
        before = line
    return Picture(width, height, bytes(made))


def _unfilter(kind: int, line: bytearray, above: bytearray, step: int) -> None:
    """Add to each byte what its filter predicts from the bytes beside and above it."""
    if kind == 0:
        return
    for at in range(len(line)):
        left = line[at - step] if at >= step else 0
        if kind == 1:
            predicted = left
        elif kind == 2:
            predicted = above[at]
        elif kind == 3:
            predicted = (left + above[at]) // 2
        else:
            corner = above[at - step] if at >= step else 0
            guess = left + above[at] - corner
            far = abs(guess - left), abs(guess - above[at]), abs(guess - corner)
            predicted = left if far[0] <= far[1] and far[0] <= far[2] else above[at] if far[1] <= far[2] else corner
        line[at] = (line[at] + predicted) & 255


def _colors(line: bytearray, width: int, depth: int, kind: int, chunks: dict[bytes, bytes]) -> bytes:
    """Return one row of samples as red, green and blue."""
    if depth == 16:
        line = line[::2]
    elif depth < 8:
        most = (1 << depth) - 1
        bits = [(line[at * depth // 8] >> (8 - depth - at * depth % 8)) & most for at in range(width)]
        line = bytearray(bits if kind == 3 else [each * 255 // most for each in bits])
    if kind == 3:
        colors, opaque = chunks[b"PLTE"], chunks.get(b"tRNS", b"")
        alphas = [*opaque, *[255] * (256 - len(opaque))]
        table = [
            _on_white(colors[at], colors[at + 1], colors[at + 2], alphas[at // 3]) for at in range(0, len(colors), 3)
        ]
        return b"".join(table[each] for each in line)
    if kind == 2:
        return bytes(line)
    if kind == 0:
        return bytes(each for value in line for each in (value, value, value))
    if kind == 4:
        return b"".join(_on_white(v, v, v, a) for v, a in zip(line[::2], line[1::2], strict=True))
    return b"".join(map(_on_white, line[::4], line[1::4], line[2::4], line[3::4]))


def _on_white(red: int, green: int, blue: int, alpha: int) -> bytes:
    if alpha == 255:
        return bytes((red, green, blue))
    return bytes((each * alpha + 255 * (255 - alpha)) // 255 for each in (red, green, blue))


def write_png(width: int, height: int, channels: int, pixels: bytes) -> bytes:
    """Return samples of eight bits, one, three or four a pixel, as a PNG."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    stride = width * channels
    rows = b"".join(b"\0" + pixels[at * stride : (at + 1) * stride] for at in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return _PNG + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")


# -- smaller copies --------------------------------------------------------------------------------------------------------------------


def shrink(picture: Picture, width: int, height: int) -> Picture:
    """Return a copy that fits into so many pixels, its shape kept, each pixel the mean of those it stands for.

    Args:
        picture: The pixels; one that fits is returned as it is.
        width: Most pixels in a row.
        height: Most rows.
    """
    scale = max(picture.width / width, picture.height / height)
    if scale <= 1:
        return picture
    columns, rows = max(1, int(picture.width / scale)), max(1, int(picture.height / scale))
    edges = [at * picture.width // columns * 3 for at in range(columns + 1)]
    stride = picture.width * 3
    made = bytearray()
    for row in range(rows):
        top, below = row * picture.height // rows, (row + 1) * picture.height // rows
        lines = [picture.pixels[at * stride : (at + 1) * stride] for at in range(top, max(top + 1, below))]
        for left, right in pairwise(edges):
            pieces = b"".join(line[left : max(left + 3, right)] for line in lines)
            count = len(pieces) // 3
            made += bytes((sum(pieces[0::3]) // count, sum(pieces[1::3]) // count, sum(pieces[2::3]) // count))
    return Picture(columns, rows, bytes(made))
