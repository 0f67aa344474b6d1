"""The boxes that embedded hands hold, from truth.npz: they say which corners are labelled, which no label file does."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from handbench.geometry.box import Box, box_corners


def read_true_corners(path: Path, split: str) -> Float64[np.ndarray, "frames 8 3"]:
    """Corners in the axes of the labels, in list order of a split; NaN where nothing is held.

    Of left hands the truth is told as it was drawn, before the mirror: so are its corners turned, and counted, here.
    """
    # It knows the hand model, which a command that reads two files need not wait for.
    from handbench.datasets.truth import OBJECT_LAYOUT, read_truth_arrays

    arrays = read_truth_arrays(path, OBJECT_LAYOUT)
    mine, mirrored = arrays["split"] == split, bool(arrays["mirrored"])
    centres, rotations, sizes = (arrays[f"object_{name}"][mine] for name in ("centre_mm", "rotation", "size_mm"))
    boxes = zip(*(one.astype(np.float64) for one in (centres, rotations, sizes)), strict=True)
    corners = np.array([box_corners(Box(*box)) for box in boxes]).reshape(-1, 8, 3)
    return corners * np.array([-1.0 if mirrored else 1.0, 1.0, 1.0])
