"""Cheap looks into a file: enough to tell a whole depth file from a cut, converted or foreign one."""

import os
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handbench.datasets.listing import Listing
from handbench.errors import BadInput

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}
SAMPLE = 16
"""Pictures of a split that are unpacked whole even in a quick examination."""


@dataclass(frozen=True)
class Picture:
    """The PNG header a dataset's depth must have."""

    width: int
    height: int
    bits: int
    colour: int


def find_faults(folder: Path, names: Iterable[str], look: Callable[[Path], str]) -> dict[str, list[str]]:
    """Fault -> names; a file that cannot be opened is a fault like any other."""
    faults: dict[str, list[str]] = {}
    for name in names:
        try:
            fault = look(folder / name)
        except OSError as error:
            fault = f"unreadable ({error.strerror or error})"
        if fault:
            faults.setdefault(fault, []).append(name)
    return faults


def spread(names: Sequence[str], most: int = SAMPLE) -> list[str]:
    """Evenly spaced ones, first and last included."""
    if len(names) <= most:
        return list(names)
    return [names[round(i * (len(names) - 1) / (most - 1))] for i in range(most)]


def look_at_picture(path: Path, wanted: Picture) -> str:
    """Signature, header and end mark, without decoding."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size_bytes = os.fstat(descriptor).st_size
        head = os.pread(descriptor, 33, 0)
        tail = os.pread(descriptor, len(_PNG_END), max(size_bytes - len(_PNG_END), 0))
    finally:
        os.close(descriptor)
    if not size_bytes:
        return "empty files"
    if not head.startswith(_PNG) or len(head) < 33:
        return "files that are not PNG"
    width, height, bits, colour = struct.unpack_from(">IIBB", head, 16)
    if Picture(width, height, bits, colour) != wanted:
        return f"PNGs of {_describe(Picture(width, height, bits, colour))} instead of {_describe(wanted)}"
    return "" if tail == _PNG_END else "PNGs cut short"


def unpack_picture(path: Path) -> str:
    """Every checksum of a PNG and the whole of its pixels, which `look_at_picture` passes over."""
    content = path.read_bytes()
    at, packed = len(_PNG), b""
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4])
        body, checksum = content[at + 4 : at + 8 + length], content[at + 8 + length : at + 12 + length]
        if zlib.crc32(body) != int.from_bytes(checksum) or len(checksum) < 4:
            return "PNGs with a wrong checksum"
        if body.startswith(b"IDAT"):
            packed += body[4:]
        at += 12 + length
    width, height, bits, colour = struct.unpack_from(">IIBB", content, 16)
    wanted = height * (1 + width * bits // 8 * {0: 1, 2: 3, 4: 2, 6: 4}.get(colour, 1))
    try:
        found = len(zlib.decompressobj().decompress(packed, wanted + 1))
    except zlib.error:
        found = -1
    return "" if found == wanted else "PNGs whose pixels do not unpack"


def read_all(read_depth: Callable[[Path], object]) -> Callable[[Path], str]:
    """A look that decodes the whole file as an importer does."""

    def look(path: Path) -> str:
        try:
            read_depth(path)
        except BadInput as fault:
            return f"depth files with {fault.found} where {fault.expected} belongs"
        return ""

    return look


def ask_importer(dataset: str, root: Path, split: str) -> tuple[Listing | None, str]:
    """The labels as the pipeline will read them, or else what the importer has against them; no picture is opened."""
    from handbench.datasets.importers import list_frames  # not needed to recognise a dataset, and slow to import

    try:
        listing = list_frames(dataset, root, split)
        return listing, _find_hands_outside(listing)
    except BadInput as fault:
        return None, _shorten(str(fault))
    except (ValueError, ArithmeticError, MemoryError, OSError) as fault:
        return None, _shorten(f"labels that cannot be read ({type(fault).__name__}: {fault})")


def _find_hands_outside(listing: Listing) -> str:
    rows = np.nonzero(~listing.in_image())[0]
    if not len(rows):
        return ""
    count = f"{len(rows):,} frames whose labelled hand lies outside the image, the first {listing.names[rows[0]]}"
    return f"{count}; mend their labels or {advise_skips(len(rows))}"


def _shorten(text: str, most: int = 400) -> str:
    """A fault may quote what it found, whose length nothing bounds."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


def advise_skips(frames: int) -> str:
    return (
        f"let it leave out {frames} counted: `crop --allow-skips {frames}`, or allow_skips: {frames} in the "
        "configuration; no other row moves"
    )


def number_gaps(numbers: set[int], first: int, count: int) -> list[int]:
    """Numbers missing from first, first + 1, ... (count of them)."""
    return [number for number in range(first, first + count) if number not in numbers]


def read_text(path: Path) -> bytes:
    """A label file's bytes; b"" for one that cannot be read or is not text, which its reader then reports."""
    try:
        content = path.read_bytes()
    except OSError:
        return b""
    return b"" if b"\0" in content else content


def _describe(picture: Picture) -> str:
    kind = _COLOURS.get(picture.colour, f"colour type {picture.colour}")
    return f"{picture.width}x{picture.height} {picture.bits}-bit {kind}"
