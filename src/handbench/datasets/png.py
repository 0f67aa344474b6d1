"""Depth in PNG files: 16 bits in two channels of a colour picture (NYU) or in one channel (ICVL, Dexter+Object).

Either way a pixel is a high byte and a low byte, so one reader undoes the row filters of just those two bytes and
writes millimetres, faster than a general decoder that returns colours first. Every checksum is verified:
a damaged file is refused by name and never half decoded, and a file cannot claim to be larger than its sensor's image.
Reading inflates with zlib-ng, about three times as fast; writing keeps to zlib, whose bytes are the same everywhere.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit
from zlib_ng import zlib_ng

from handbench.datasets.files import read_file, replace_file
from handbench.datasets.layout import FIX_FRAME
from handbench.errors import BadInput

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}
_STRIPE_ROWS = 60
_FIX_CONVERTED = "keep the files as downloaded: a converted picture has lost its depth"
# zlib-ng's type stub calls this class an instance.
_INFLATE_ERROR: type[Exception] = zlib_ng.error  # type: ignore[assignment]


@dataclass(frozen=True)
class Packing:
    """Where in a pixel's bytes the high and the low byte of its depth lie."""

    bits: int
    colour: int
    pixel_bytes: int
    high: int
    low: int
    zero: int | None = None
    """A byte that holds nothing; a picture with something in it is packed otherwise."""


GREEN_BLUE = Packing(bits=8, colour=2, pixel_bytes=3, high=1, low=2, zero=0)
GREY_16 = Packing(bits=16, colour=0, pixel_bytes=2, high=0, low=1)

Depth = Float32[np.ndarray, "height width"]


def read_depth_png(path: Path, packing: Packing, *, width: int, height: int, farthest_mm: int) -> Depth:
    """Millimetres; everything beyond `farthest_mm` is a code for "not measured" and becomes 0."""
    body = _join_chunks(path, read_file(path, holds="a depth PNG"), packing, width, height)
    depth_mm = np.empty((height, width), np.float32)
    high, low = np.zeros(width, np.int32), np.zeros(width, np.int32)
    top = 0
    for rows in _inflate(path, body, height, 1 + width * packing.pixel_bytes):
        # Every row filter of a channel of zeros leaves zeros, and nothing else does: no need to undo it.
        if packing.zero is not None and np.bitwise_or.reduce(rows)[1 + packing.zero :: packing.pixel_bytes].any():
            raise BadInput(path, expected="depth in green and blue alone", found="values in red", fix=_FIX_CONVERTED)
        stripe_mm = depth_mm[top : top + len(rows)]
        if not _undo_filters(rows, packing.pixel_bytes, packing.high, packing.low, high, low, farthest_mm, stripe_mm):
            raise BadInput(path, expected="rows filtered as PNG allows", found="an unknown row filter", fix=FIX_FRAME)
        top += len(rows)
    return depth_mm


def write_depth_png(path: Path, depth_mm: Depth, packing: Packing, *, unmeasured: int) -> None:
    """Rounded to whole millimetres; pixels without a measurement get the code `unmeasured`."""
    if not (depth_mm.min() >= 0 and depth_mm.max() < 0xFFFF):  # also false for NaN
        raise BadInput(path, expected="depth of 0 to 65,534 mm to write", found="other values", fix="clip it first")
    height, width = depth_mm.shape
    values = np.rint(depth_mm).astype(np.uint16)
    values[values == 0] = unmeasured
    pixels = np.zeros((height, width, packing.pixel_bytes), np.uint8)
    pixels[..., packing.high] = values >> 8
    pixels[..., packing.low] = values & 0xFF
    flat = pixels.reshape(height, -1)
    rows = np.empty((height, 1 + flat.shape[1]), np.uint8)
    # Filter 2 (difference to the row above): cheap here, cheap to undo, and flat backgrounds become zeros.
    rows[:, 0] = 2
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, packing.bits, packing.colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.data, 1)), (b"IEND", b""))
    replace_file(path, _SIGNATURE + b"".join(_pack_chunk(kind, content) for kind, content in chunks))


def _pack_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def _join_chunks(path: Path, content: bytes, packing: Packing, width: int, height: int) -> bytes:
    """The compressed picture, once the header and all checksums are as they must be."""
    if not content.startswith(_SIGNATURE):
        found = "an empty file" if not content else "a file that is not a PNG"
        raise BadInput(path, expected="a depth PNG", found=found, fix=FIX_FRAME)
    parts: list[bytes] = []
    view, at, kind = memoryview(content), len(_SIGNATURE), b""
    while kind != b"IEND":
        length = int.from_bytes(view[at : at + 4])
        kind, body = bytes(view[at + 4 : at + 8]), view[at + 8 : at + 8 + length]
        checksum = view[at + 8 + length : at + 12 + length]
        if len(checksum) < 4:
            found = f"a file cut off after {len(content)} bytes"
            raise BadInput(path, expected="a whole PNG", found=found, fix=FIX_FRAME)
        if zlib_ng.crc32(view[at + 4 : at + 8 + length]) != int.from_bytes(checksum):
            raise BadInput(path, expected="an undamaged PNG", found="a wrong checksum", fix=FIX_FRAME)
        if at == len(_SIGNATURE):
            _check_header(path, kind, bytes(body), packing, width, height)
        if kind == b"IDAT":
            parts.append(bytes(body))
        at += 12 + length
    return b"".join(parts)


def _check_header(path: Path, kind: bytes, body: bytes, packing: Packing, width: int, height: int) -> None:
    if kind != b"IHDR" or len(body) != 13:
        raise BadInput(path, expected="a PNG header", found=f"{kind!r} of {len(body)} bytes", fix=FIX_FRAME)
    expected = (width, height, packing.bits, packing.colour, 0, 0, 0)
    found = struct.unpack(">IIBBBBB", body)
    if found != expected:
        raise BadInput(
            path,
            expected=_describe(expected),
            found=_describe(found),
            fix=_FIX_CONVERTED,
        )


def _describe(header: tuple[int, ...]) -> str:
    width, height, bits, colour, _, _, interlaced = header
    kind = f"{width}x{height} PNG, {bits}-bit {_COLOURS.get(colour, f'colour type {colour}')}"
    return kind + (", interlaced" if interlaced else "")


def _inflate(path: Path, body: bytes, height: int, row_bytes: int) -> Iterator[UInt8[np.ndarray, "rows row_bytes"]]:
    """Filtered rows in stripes that stay in the processor's cache; never more than the picture can hold."""
    inflater = zlib_ng.decompressobj()
    try:
        for top in range(0, height, _STRIPE_ROWS):
            count = min(_STRIPE_ROWS, height - top)
            stripe = inflater.decompress(body, count * row_bytes)
            body = inflater.unconsumed_tail
            if len(stripe) < count * row_bytes:
                raise BadInput(path, expected=f"{height} rows of pixels", found="fewer", fix=FIX_FRAME)
            yield np.frombuffer(stripe, np.uint8).reshape(count, row_bytes)
        if inflater.decompress(body, 1):
            raise BadInput(path, expected=f"{height} rows of pixels", found="more", fix=FIX_FRAME)
    except _INFLATE_ERROR as error:
        raise BadInput(path, expected="a PNG that decompresses", found=str(error), fix=FIX_FRAME) from None


# The kernels carry @no_type_check because the tests' shape checker would wrap them before numba can compile them.
# Each takes the high and the low byte of a pixel in one pass: two independent chains keep the processor busy.


@njit(nogil=True, cache=True)
@no_type_check
def _undo_filters(rows, pixel_bytes, high_at, low_at, high, low, farthest_mm, depth_mm):
    """Fill depth_mm from filtered rows (PNG specification, section 9); False at an unknown filter.

    `high` and `low` hold the bytes of the row above, and of the last row in the end.
    """
    height, width = depth_mm.shape
    for y in range(height):
        kind = np.int32(rows[y, 0])
        pixels = rows[y, 1:]
        if kind > 4:
            return False
        if kind == 4:
            _add_paeth(pixels, pixel_bytes, high_at, low_at, high, low)
        elif kind == 1 or kind == 3:
            _add_left(pixels, pixel_bytes, high_at, low_at, high, low, kind >> 1)
        else:
            _add_above(pixels, pixel_bytes, high_at, low_at, high, low, kind >> 1)
        for x in range(width):
            value = (high[x] << 8) | low[x]
            depth_mm[y, x] = value if value <= farthest_mm else 0
    return True


@njit(nogil=True, cache=True)
@no_type_check
def _add_above(pixels, step, high_at, low_at, high, low, above):
    """Filter 2, the difference to the pixel above; or filter 0, nothing, with `above` = 0."""
    at = 0
    for x in range(high.size):
        high[x] = (pixels[at + high_at] + above * high[x]) & 255
        low[x] = (pixels[at + low_at] + above * low[x]) & 255
        at += step


@njit(nogil=True, cache=True)
@no_type_check
def _add_left(pixels, step, high_at, low_at, high, low, halve):
    """Filter 1, the difference to the left; or filter 3, to the mean of left and above, with `halve` = 1."""
    left_high = left_low = np.int32(0)
    at = 0
    for x in range(high.size):
        left_high = np.int32((pixels[at + high_at] + ((left_high + halve * high[x]) >> halve)) & 255)
        left_low = np.int32((pixels[at + low_at] + ((left_low + halve * low[x]) >> halve)) & 255)
        high[x], low[x] = left_high, left_low
        at += step


@njit(nogil=True, cache=True)
@no_type_check
def _add_paeth(pixels, step, high_at, low_at, high, low):
    """Filter 4, the difference to one of the three neighbours."""
    left_high = left_low = corner_high = corner_low = np.int32(0)
    at = 0
    for x in range(high.size):
        above_high, above_low = high[x], low[x]
        left_high = np.int32((pixels[at + high_at] + _predict_paeth(left_high, above_high, corner_high)) & 255)
        left_low = np.int32((pixels[at + low_at] + _predict_paeth(left_low, above_low, corner_low)) & 255)
        corner_high, corner_low = above_high, above_low
        high[x], low[x] = left_high, left_low
        at += step


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def _predict_paeth(left, above, corner):
    """The neighbour nearest to left + above - corner."""
    to_left, to_above, to_corner = abs(above - corner), abs(left - corner), abs(left + above - corner - corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner
