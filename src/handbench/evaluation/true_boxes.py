"""The boxes that embedded hands hold, from truth.npz: they say which corners are labelled, which no label file does."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from handbench.errors import BadInput
from handbench.geometry.box import Box, box_corners


def read_true_corners(path: Path, split: str) -> Float64[np.ndarray, "frames 8 3"]:
    """Corners in the axes of the labels, in list order of a split; NaN where nothing is held.

    Of left hands the truth is told as it was drawn, before the mirror: so are its corners turned, and counted, here.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            mine = content["split"] == split
            centres, rotations, sizes = (
                content[f"object_{name}"][mine] for name in ("centre_mm", "rotation", "size_mm")
            )
            mirrored = bool(content["mirrored"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(
            path,
            expected="the truth.npz of an embedded dataset with objects",
            found=f"{type(error).__name__}: {error}",
            fix="run handbench synthesize again; real datasets have no such file",
        ) from None
    boxes = zip(*(one.astype(np.float64) for one in (centres, rotations, sizes)), strict=True)
    corners = np.array([box_corners(Box(*box)) for box in boxes]).reshape(-1, 8, 3)
    return corners * np.array([-1.0 if mirrored else 1.0, 1.0, 1.0])
