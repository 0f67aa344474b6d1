"""One table of numbers from a text, CSV, .npy or .npz file, with the frame names of its first column if it has them."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from handbench.datasets.array_file import parse_array, unpack_arrays
from handbench.datasets.files import read_file
from handbench.datasets.labels import check_end
from handbench.errors import BadInput
from handbench.evaluation.number_text import parse_number_text

_ARRAY_NAMES = ("joints_mm", "predictions", "joints", "xyz", "uvd", "arr_0")
"""Names under which an .npz file may hold the joints, tried in this order; a lone array may have any name."""
_HOLDS = "one frame a line (text or CSV), an .npy array or an .npz file"
_LARGEST = 1e7
"""No pixel and no millimetre is above it; what is comes from a damaged file and would overflow when squared."""
_MOST_BYTES = 2**30
_AGAIN = "save it again with numpy.save, or as text"


@dataclass(frozen=True)
class Table:
    """Rows of numbers, a frame each."""

    path: Path
    numbers: Float64[np.ndarray, "rows columns"]
    names: tuple[str, ...]
    """Frame names with forward slashes; empty where the file has none."""
    lines: tuple[int, ...]
    """Where each row stood in a text; empty for arrays."""

    def place(self, row: int) -> str:
        return f"{self.path}, line {self.lines[row]}" if self.lines else f"{self.path}, row {row}"


def read_table(path: Path) -> Table:
    """Read any of the formats; numbers that are not finite are an error that names the place."""
    content = read_file(path, holds=_HOLDS, fix="check the path")
    if content.startswith(b"\x93NUMPY"):
        return Table(path, _to_rows(path, _load_array(path, content)), (), ())
    if content.startswith(b"PK"):
        return _read_npz(path, content)
    return _read_text(path, content)


def check_finite(table: Table, *, nan_allowed: bool = False) -> None:
    """Refuse infinity and what no camera measures; NaN too, as predictions without a number cannot be measured."""
    if table.numbers.min() >= -_LARGEST and table.numbers.max() <= _LARGEST:  # neither is so with a NaN
        return
    bad = np.argwhere(np.abs(table.numbers) > _LARGEST if nan_allowed else ~(np.abs(table.numbers) <= _LARGEST))
    if len(bad):
        row, column = (int(index) for index in bad[0])
        raise BadInput(
            f"{table.place(row)}, column {column + 1 + bool(table.names)}",
            expected=f"a finite number, at most {_LARGEST:g}",
            found=f"{table.numbers[row, column]}",
            fix="give every joint a prediction, or leave the frame out of a file with frame names",
        )


def _read_text(path: Path, content: bytes) -> Table:
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    if b"\0" in content:
        raise BadInput(path, expected=_HOLDS, found="a binary file", fix=_AGAIN)
    if b'"' in content:  # some programs quote every field
        content = content.replace(b'"', b" ")
    if b";" in content:
        content = content.replace(b";", b",")
    if content[-1:] not in b" \t\r\n,":
        check_end(path, content.decode("latin-1"), fix="write the file again: it is cut short; if not, end that line")
    skipped, content = _skip_header(content)
    if _starts_with_word(content):
        return _read_named(path, content, skipped)
    text = parse_number_text(content, where=path, first_line=1 + skipped)
    return Table(path, text.rows, (), tuple(text.lines.tolist()))


def _skip_header(content: bytes) -> tuple[int, bytes]:
    """Lines before the first that holds a number (blank ones, comments, a CSV's column names), and what follows."""
    skipped = first = 0
    while first < len(content):
        end = content.find(b"\n", first) + 1 or len(content)
        line = content[first:end]
        tokens = line.replace(b",", b" ").split()
        if any(map(_is_number, tokens)) and not tokens[0].startswith(b"#"):
            break
        if tokens and len(tokens) < 3 and not tokens[0].startswith(b"#"):
            break  # a line of one or two words is no header: let the reader name it
        skipped, first = skipped + 1, end
    return skipped, content[first:]


def _starts_with_word(content: bytes) -> bool:
    tokens = content[:4096].replace(b",", b" ").split(maxsplit=1)
    return bool(tokens) and not _is_number(tokens[0])


def _read_named(path: Path, content: bytes, skipped: int) -> Table:
    """A frame name, then numbers, on every line."""
    names, rest = [], []
    for line in content.split(b"\n"):
        parts = line.replace(b",", b" ").split(maxsplit=1)
        if parts:
            names.append(parts[0].decode("utf-8", "replace").replace("\\", "/"))
        rest.append(parts[1] if len(parts) > 1 else b"")
    text = parse_number_text(b"\n".join(rest), where=path, first_line=1 + skipped, first_column=2)
    if len(text.rows) != len(names):
        raise BadInput(
            path,
            expected="a frame name and numbers on every line",
            found=f"{len(names)} names for {len(text.rows)} lines of numbers",
            fix="write the file again; it may have been cut short",
        )
    return Table(path, text.rows, tuple(names), tuple(text.lines.tolist()))


def _read_npz(path: Path, content: bytes) -> Table:
    try:
        # Compressed arrays may unpack to far more than they weigh; no prediction file is that large.
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            held = [member.removesuffix(".npy") for member in archive.namelist()]
        known = held if len(held) == 1 else (*_ARRAY_NAMES, "names")
        arrays = unpack_arrays(io.BytesIO(content), names=known, most_bytes=_MOST_BYTES)
    except Exception as error:  # a damaged archive fails in the reader in a dozen ways, all of which mean the same
        raise BadInput(path, expected="an .npz file of plain arrays", found=_first_line(error), fix=_AGAIN) from None
    found = [name for name in _ARRAY_NAMES if name in arrays] or (held if len(held) == 1 else [])
    if not found:
        raise BadInput(
            path,
            expected=f"an array named {', '.join(_ARRAY_NAMES[:-1])}",
            found=", ".join(held) or "no array",
            fix="save the joints under one of these names",
        )
    numbers = _to_rows(path, arrays[found[0]])
    names = tuple(str(name).replace("\\", "/") for name in arrays["names"].ravel()) if "names" in arrays else ()
    if names and len(names) != len(numbers):
        raise BadInput(path, expected=f"{len(numbers)} names, one a row", found=str(len(names)), fix=_AGAIN)
    return Table(path, numbers, names, ())


def _load_array(path: Path, content: bytes) -> np.ndarray:
    try:
        array = parse_array(content)
    except Exception as error:  # an untrusted header fails in the parser in a dozen ways, all of which mean the same
        raise BadInput(path, expected="an array of numbers", found=_first_line(error), fix=_AGAIN) from None
    return array


def _to_rows(path: Path, array: np.ndarray) -> Float64[np.ndarray, "rows columns"]:
    numeric = array.dtype.kind in "fiu"
    if not numeric or array.ndim not in (2, 3) or not array.size or (array.ndim == 3 and array.shape[2] not in (2, 3)):
        raise BadInput(
            path,
            expected="numbers of shape (frames, joints, 3) or (frames, 3 x joints)",
            found=f"{array.dtype} of shape {array.shape}",
            fix=_AGAIN,
        )
    if array.dtype.itemsize == 1:
        raise BadInput(
            path,
            expected="numbers that hold pixels and millimetres",
            found=f"{array.dtype}, which ends at {np.iinfo(array.dtype).max}: what lay beyond is lost",
            fix="save the joints as float32",
        )
    with np.errstate(invalid="ignore"):  # some bytes are a NaN that signals; it is refused later
        return array.reshape(len(array), -1).astype(np.float64)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _is_number(token: bytes) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True
