"""A .npy file that grows a chunk of rows at a time and can be cut back to any row after a crash."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np

PIECE_BYTES = 1 << 20


class RowFile:
    """Rows of one shape and type appended to `path`; the header is written last, so only a finished file loads.

    The bytes depend on the rows alone, not on where a build was interrupted.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        self.path = path
        self.row_shape = row_shape
        self.dtype = np.dtype(dtype).newbyteorder("<")
        self._row_bytes = self.dtype.itemsize * int(np.prod(row_shape, dtype=np.int64))
        self._header_bytes = len(self._header(0))
        self._written = hashlib.sha256()

    def digest(self) -> str:
        """sha256 of all rows so far, the header left out."""
        return self._written.hexdigest()

    def can_resume(self, rows: int, digest: str) -> bool:
        """Whether the first `rows` are on the disk as they were written."""
        if not self.path.is_file() or self.path.stat().st_size < self._end_of(rows):
            return False
        return self._hash_rows(rows).hexdigest() == digest

    def cut(self, rows: int) -> None:
        """Keep the first `rows`; whatever a killed build wrote after them goes."""
        with self.path.open("ab") as file:
            file.truncate(self._end_of(rows))
        self._written = self._hash_rows(rows)

    def append(self, rows: np.ndarray) -> None:
        """Write rows through to the disk."""
        content = np.ascontiguousarray(rows, self.dtype).tobytes()
        with self.path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._written.update(content)

    def finish(self, rows: int) -> None:
        with self.path.open("r+b") as file:
            file.write(self._header(rows))
            os.fsync(file.fileno())

    def _hash_rows(self, rows: int) -> "hashlib._Hash":
        digest, left = hashlib.sha256(), rows * self._row_bytes
        with self.path.open("rb") as file:
            file.seek(self._header_bytes)
            while left and (piece := file.read(min(left, PIECE_BYTES))):
                digest.update(piece)
                left -= len(piece)
        return digest

    def _end_of(self, rows: int) -> int:
        return self._header_bytes + rows * self._row_bytes

    def _header(self, rows: int) -> bytes:
        # numpy pads the header so that the first axis may grow to 21 digits: its length does not depend on `rows`.
        buffer = io.BytesIO()
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (rows, *self.row_shape),
        }
        np.lib.format.write_array_header_1_0(buffer, header)
        return buffer.getvalue()
