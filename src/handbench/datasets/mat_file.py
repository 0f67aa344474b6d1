"""Numeric arrays of a MATLAB 5 file, by a reader that checks every length before it follows it.

The general reader crashes on some damaged files; files here come from anywhere. Variables that nobody asked for (cells,
structs, objects) are stepped over unread.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from zlib_ng import zlib_ng

from handbench.datasets.files import read_file
from handbench.errors import BadInput

_HEADER_BYTES = 128
_HEAD_BYTES = 4096  # of an inflated variable: flags, dimensions and name lie far within
_MOST_DIMENSIONS = 8
_MATRIX, _COMPRESSED = 14, 15
_OPAQUE = 17
_STORED = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
"""Element types to what one number looks like in the file."""

_NUMERIC = dict(zip(range(6, 16), ("<f8", "<f4", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"), strict=True))
"""Array classes to what one number means; whole numbers are often stored in a smaller type."""

_OTHER_CLASSES = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 16: "function", _OPAQUE: "object"}
# zlib-ng's type stub calls this class an instance.
_INFLATE_ERROR: type[Exception] = zlib_ng.error  # type: ignore[assignment]


class _Damage(Exception):
    """What was found where the format demands something else; becomes the error that names the file."""


@dataclass(frozen=True)
class _Head:
    """What a variable says about itself, and where in its body the numbers begin."""

    name: str
    shape: tuple[int, ...]
    kind: int
    is_complex: bool
    data_at: int


def read_arrays(
    path: Path, names: Sequence[str], *, most_bytes: int, holds: str = "a MATLAB 5 file"
) -> dict[str, np.ndarray]:
    """The named variables, as many as are there, none larger than `most_bytes`; arrays may be read-only views."""
    content = read_file(path, holds=holds)
    arrays: dict[str, np.ndarray] = {}
    try:
        _check_header(content)
        for kind, body in _split_elements(memoryview(content)[_HEADER_BYTES:]):
            head = _read_head(_open_matrix(kind, body, None))
            if head.name not in names:
                continue
            if head.name in arrays:
                raise _Damage(f"two variables named {head.name}")
            _check_head(head, most_bytes)
            arrays[head.name] = _read_numbers(_open_matrix(kind, body, head), head)
    except _Damage as damage:
        raise BadInput(
            path,
            expected="a MATLAB 5 file (as save -v7 and -v6 write)",
            found=str(damage),
            fix="extract or download it again; a MATLAB 7.3 file can be saved anew with -v7",
        ) from None
    return arrays


def _check_header(content: bytes) -> None:
    if content.startswith((b"\x89HDF", b"MATLAB 7.3")) or content[512:516] == b"\x89HDF":
        raise _Damage("a MATLAB 7.3 file (HDF5)")
    if len(content) < _HEADER_BYTES:
        raise _Damage(f"a file that is not one ({len(content)} bytes)")
    if content[126:128] == b"MI":
        raise _Damage("a file with the most significant byte first, which is not supported")
    if content[126:128] != b"IM" or content[125] != 1:
        raise _Damage("a file that is not one (no such header)")


def _split_elements(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Type and body of everything at the top of the file; compressed bodies are not padded, others are as written."""
    at = 0
    while at < len(view):
        if len(view) - at < 8:
            raise _Damage(f"{len(view) - at} stray bytes at its end")
        kind, length = _read_tag(view, at)
        if kind not in (_MATRIX, _COMPRESSED):
            raise _Damage(f"a damaged one (element of type {kind} at byte {_HEADER_BYTES + at})")
        if length > len(view) - at - 8:
            raise _Damage("a file that is cut short")
        yield kind, view[at + 8 : at + 8 + length]
        at += 8 + length


def _read_tag(view: memoryview, at: int) -> tuple[int, int]:
    return int.from_bytes(view[at : at + 4], "little"), int.from_bytes(view[at + 4 : at + 8], "little")


def _open_matrix(kind: int, body: memoryview, head: _Head | None) -> memoryview:
    """The inside of a variable: its beginning while its head is not known, then all, inflated as far as that allows."""
    if kind == _MATRIX:
        return body
    inflater = zlib_ng.decompressobj()
    try:
        if head is None:
            # A slice of the input is enough for the head: what is left of it would be copied.
            inflated = memoryview(inflater.decompress(body[: 4 * _HEAD_BYTES], _HEAD_BYTES))
            length = len(inflated)
        else:
            inflated = memoryview(inflater.decompress(body, 8 * math.prod(head.shape) + _HEAD_BYTES))
            length = _read_tag(inflated, 0)[1] + 8
            if not inflater.eof or len(inflated) != length or inflater.unused_data:
                raise _Damage("a damaged one (a compressed variable that is shorter or longer than it says)")
    except _INFLATE_ERROR as error:
        raise _Damage(f"a damaged one ({error})") from None
    if length < 8 or _read_tag(inflated, 0)[0] != _MATRIX:
        raise _Damage("a damaged one (something compressed that is no variable)")
    return inflated[8:]


def _take(view: memoryview, at: int) -> tuple[int, memoryview, int]:
    """Type and bytes of the data element at `at`, and where the next one begins."""
    if len(view) - at < 8:
        raise _Damage("a damaged one (a variable that ends too early)")
    kind, length = _read_tag(view, at)
    if kind >> 16:  # up to four bytes share the tag's eight
        kind, length, begin, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if length > 4:
            raise _Damage("a damaged one (a small element of more than four bytes)")
    else:
        begin, after = at + 8, at + 8 + -(-length // 8) * 8
    if length > len(view) - begin:
        raise _Damage("a damaged one (an element longer than its variable)")
    return kind, view[begin : begin + length], after


def _read_head(view: memoryview) -> _Head:
    kind, flags, at = _take(view, 0)
    if kind != 6 or len(flags) != 8:
        raise _Damage("a damaged one (a variable without flags)")
    if flags[0] == _OPAQUE:
        # These have no dimensions, and names of another kind; they hold no numbers that anybody asks for.
        return _Head("", (), _OPAQUE, False, at)
    kind, dimensions, at = _take(view, at)
    if kind != 5 or len(dimensions) % 4:
        raise _Damage("a damaged one (a variable without dimensions)")
    kind, name, at = _take(view, at)
    if kind != 1:
        raise _Damage("a damaged one (a variable without a name)")
    shape = tuple(np.frombuffer(dimensions, "<i4").tolist())
    return _Head(bytes(name).decode("latin-1"), shape, flags[0], bool(flags[1] & 8), at)


def _check_head(head: _Head, most_bytes: int) -> None:
    """Only plain numbers of a bearable size are read any further."""
    size = "x".join(map(str, head.shape[:_MOST_DIMENSIONS]))
    if head.kind not in _NUMERIC:
        raise _Damage(f"{head.name} of {size} {_OTHER_CLASSES.get(head.kind, f'class {head.kind}')}")
    if head.is_complex:
        raise _Damage(f"{head.name} of complex numbers")
    if not 2 <= len(head.shape) <= _MOST_DIMENSIONS or min(head.shape) < 0:
        raise _Damage(f"{head.name} of {len(head.shape)} dimensions ({size})")
    if math.prod(max(length, 1) for length in head.shape) * 8 > most_bytes:
        raise _Damage(f"{head.name} of {size}, more than {most_bytes // 8:,} numbers")


def _read_numbers(view: memoryview, head: _Head) -> np.ndarray:
    """Columns first, as in the file; a copy only where the numbers are stored in another type than they have."""
    kind, numbers, after = _take(view, head.data_at)
    if kind not in _STORED:
        raise _Damage(f"a damaged one ({head.name} with numbers of type {kind})")
    stored, meant = np.dtype(_STORED[kind]), np.dtype(_NUMERIC[head.kind])
    if not (np.can_cast(stored, meant, "safe") or (meant.kind == "f" and stored.kind in "iu")):
        raise _Damage(f"a damaged one ({head.name}: {stored} where {meant} belongs)")
    count = math.prod(head.shape)
    if len(numbers) != count * stored.itemsize:
        size = "x".join(map(str, head.shape))
        raise _Damage(f"a damaged one ({head.name} of {size} with {len(numbers)} bytes of {stored})")
    if after < len(view):
        raise _Damage(f"a damaged one ({head.name} followed by {len(view) - after} bytes)")
    array = np.ndarray(head.shape, stored, buffer=numbers if count else bytes(8), order="F")
    return array.astype(meant, order="F", copy=False)
