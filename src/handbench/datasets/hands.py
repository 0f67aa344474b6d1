"""Rendered hands alone on disk: 21 joints a frame, all of one set and one hand, and the turns of its bones beside them.

A set's truth.npz holds `poses` (frames, 26) and `quaternions` (frames, 16, 4), (w, x, y, z) with w >= 0 in camera axes,
in list order. The importer never reads it; refine's base network learns from nothing else.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from handbench.conventions import HANDS
from handbench.datasets.array_file import read_arrays
from handbench.datasets.rendered_files import RenderedFiles
from handbench.errors import BadInput

SET = "hands"
"""Its word among the sets of `handbench render`."""
SEQUENCE = "alone"
FILES = RenderedFiles(HANDS, (SEQUENCE,))


def read_quaternions(path: Path, frames: int) -> Float32[np.ndarray, "frames 16 4"]:
    """The turns of all bones in every frame of a set that has so many."""
    try:
        quaternions = read_arrays(path)["quaternions"]
        found = f"quaternions of shape {quaternions.shape}"
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        quaternions, found = np.empty(0), f"{type(error).__name__}: {error}"
    if quaternions.shape != (frames, 16, 4) or not np.isfinite(quaternions).all():
        raise BadInput(
            path,
            expected=f"the truth.npz of the rendered set {SET!r} with {frames:,} frames",
            found=found,
            fix="name the one that `handbench render hands` left beside these frames",
        )
    return quaternions.astype(np.float32)
