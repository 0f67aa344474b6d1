"""A .npy file that grows a chunk of rows at a time and can be cut back to any row after a crash."""

import io
import os
from pathlib import Path

import numpy as np


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

    def can_resume(self, rows: int) -> bool:
        return self.path.is_file() and self.path.stat().st_size >= self._end_of(rows)

    def cut(self, rows: int) -> None:
        """Keep the first `rows`; whatever a killed build wrote after them goes."""
        with self.path.open("ab") as file:
            file.truncate(self._end_of(rows))

    def append(self, rows: np.ndarray) -> None:
        """Write rows through to the disk."""
        with self.path.open("ab") as file:
            file.write(np.ascontiguousarray(rows, self.dtype).tobytes())
            file.flush()
            os.fsync(file.fileno())

    def finish(self, rows: int) -> None:
        with self.path.open("r+b") as file:
            file.write(self._header(rows))
            os.fsync(file.fileno())

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
