"""Named arrays in one .npz, whole or not there at all.

An archive's own sums find flipped bits, not an archive that somebody wrote otherwise. So every array's header is held
to the bytes that follow before memory is asked for, and the arrays to the layout that their reader knows.
"""

import io
import math
import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handbench.datasets.files import open_replacement
from handbench.errors import BadInput
from handbench.plain_file import check_plain

MOST_BYTES = 1 << 36
"""Of all arrays unpacked; the largest truth of a set has a few gigabytes."""
Layout = Mapping[str, tuple[str, tuple[int | str, ...]]]
"""Name to kinds of numbers (numpy's letters: `f` float, `iu` whole, `b` bool, `U` text) and shape: lengths, or words
for lengths that arrays share."""
_ENDING = ".npy"


@dataclass(frozen=True)
class Pieces:
    """An array that is too large to be in memory whole: its rows, piece by piece, each taken when it is written."""

    rows: int
    """Of all pieces: the header, which comes first, has to say it."""
    arrays: Iterable[np.ndarray]


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray | Pieces]) -> None:
    """Compressed, without anything that reading would have to run: the bytes of numpy.savez_compressed."""
    with open_replacement(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            # As numpy does, whose sizes may not be known before an array is written.
            with archive.open(name + _ENDING, "w", force_zip64=True) as member:
                if isinstance(array, Pieces):
                    _write_pieces(member, array)
                else:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def _write_pieces(member: Any, pieces: Pieces) -> None:
    like, written = None, 0
    for piece in pieces.arrays:
        if like is None:
            like = piece[:0].copy()  # a view would keep the first piece in memory
            header = np.lib.format.header_data_from_array_1_0(like)
            header |= {"shape": (pieces.rows, *like.shape[1:]), "fortran_order": False}
            np.lib.format.write_array_header_1_0(member, header)
        if (piece.dtype, piece.shape[1:]) != (like.dtype, like.shape[1:]):
            raise ValueError(
                f"a piece of {piece.dtype} {piece.shape[1:]} after others of {like.dtype} {like.shape[1:]}"
            )
        member.write(piece.tobytes())
        written += len(piece)
    if written != pieces.rows:
        raise ValueError(f"{written:,} rows in pieces of {pieces.rows:,}")


def read_arrays(
    path: Path,
    *,
    holds: str = "the arrays that an earlier step left",
    fix: str = "run that step again",
    names: Collection[str] | None = None,
) -> dict[str, np.ndarray]:
    """All arrays, or as many of `names` as are there; `holds` and `fix` are for the error."""
    check_plain(path, holds=holds, fix=fix)
    try:
        return unpack_arrays(path, names=names, most_bytes=MOST_BYTES)
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive fails in a dozen ways, all of which mean the same
        found = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise BadInput(path, expected=holds, found=f"a damaged one ({found})", fix=fix) from None


def unpack_arrays(
    source: Path | io.BytesIO, *, names: Collection[str] | None, most_bytes: int
) -> dict[str, np.ndarray]:
    """The same of an open archive; whatever is wrong with it is an exception of some kind."""
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > most_bytes:
            raise ValueError(f"arrays of more than {most_bytes / (1 << 30):g} GiB")
        if len({member.filename for member in members}) < len(members):
            raise ValueError("two arrays of one name")
        for member in members:
            name = member.filename.removesuffix(_ENDING)
            if names is None or name in names:
                if not member.filename.endswith(_ENDING):
                    raise ValueError(f"{member.filename!r}, which is no array")
                arrays[name] = _read_member(archive, member)
    return arrays


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:
        array_bytes = claim_bytes(stream)
        if array_bytes != member.file_size:
            raise ValueError(f"{member.filename} of {member.file_size:,} bytes that claims {array_bytes:,}")
    with archive.open(member) as stream:
        array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # only at its end is the sum compared
            raise ValueError(f"{member.filename}, which goes on behind its array")
    return array


def parse_array(content: bytes) -> np.ndarray:
    """The array of a .npy file; whatever is wrong with it is an exception of some kind."""
    claimed = claim_bytes(io.BytesIO(content))
    if claimed != len(content):
        raise ValueError(f"{len(content):,} bytes where its header claims {claimed:,}")
    array: np.ndarray = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array


def claim_bytes(stream: Any) -> int:
    """How long an array's header says that header and numbers are, before memory is claimed for them."""
    version = np.lib.format.read_magic(stream)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        raise ValueError(f"version {version} of the array format")
    shape, _, dtype = read_header[version](stream)
    if dtype.hasobject or dtype.kind not in "fiubcSU" or not dtype.itemsize:
        raise ValueError(f"an array of {dtype}")
    if min(shape, default=0) < 0:
        raise ValueError(f"an array of shape {shape}")
    return int(stream.tell()) + math.prod(shape) * dtype.itemsize


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    """A word that stands for no length yet fits any."""
    return len(shape) == len(wanted) and all(isinstance(w, str) or w == n for w, n in zip(wanted, shape, strict=True))


def check_layout(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    layout: Layout,
    *,
    holds: str,
    fix: str,
    finite: Collection[str] | None = (),
) -> None:
    """Refuse arrays that are not those of the layout; `finite` names those without NaN and infinity, None means all."""
    lengths: dict[str, int] = {}
    for name, (kinds, shape) in layout.items():
        if name not in arrays:
            raise BadInput(path, expected=holds, found=f"no {name} in it", fix=fix)
        array = arrays[name]
        wanted = tuple(lengths.get(one, one) if isinstance(one, str) else one for one in shape)
        if array.dtype.kind not in kinds or not _fits(array.shape, wanted):
            expected = f"{holds}, with {name} of shape ({', '.join(map(str, wanted))})"
            raise BadInput(path, expected=expected, found=f"{array.dtype} of shape {array.shape}", fix=fix)
        lengths |= {word: n for word, n in zip(shape, array.shape, strict=True) if isinstance(word, str)}
        if array.dtype.kind == "f" and (finite is None or name in finite) and not np.isfinite(array).all():
            raise BadInput(path, expected=f"{holds}, with finite {name}", found="NaN or infinity", fix=fix)
