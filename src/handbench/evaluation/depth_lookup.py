"""Predictions in pixels made three-dimensional by the depth image, as the papers did for Tompson et al. on NYU.

Each joint takes the depth measured at its pixel. Where that lies outside the cube around the hand (background, a
hole, a pixel beside the image) it takes the label's depth, which favours the method: feedback15, section 4.4.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float64

from handbench.conventions import NYU_SCORED
from handbench.datasets.listing import Listing
from handbench.datasets.mat_file import read_arrays
from handbench.errors import BadInput

_FIELD = "pred_joint_uvconf"
_MOST_FRAMES = 100_000
_HOLDS = f"a MATLAB 5 file with {_FIELD} of 1 x frames x 36 x 3 numbers (NYU's test_predictions.mat)"


@dataclass(frozen=True)
class Lifted:
    """Predictions with depth."""

    uvd: Float64[np.ndarray, "frames joints 3"]
    from_labels: Bool[np.ndarray, "frames joints"]
    """Joints whose depth is the label's, not the sensor's."""


def read_pixel_predictions(path: Path) -> Float64[np.ndarray, "frames 14 2"]:
    """The scored joints' pixels of NYU's own test_predictions.mat, which has confidences but no depth."""
    arrays = read_arrays(path, [_FIELD], most_bytes=_MOST_FRAMES * 36 * 3 * 8, holds=_HOLDS)
    if _FIELD not in arrays:
        raise _refuse(path, "no such field")
    array = arrays[_FIELD]
    if array.ndim != 4 or array.shape[0] != 1 or array.shape[1] == 0 or array.shape[2:] != (36, 3):
        raise _refuse(path, "x".join(map(str, array.shape)))
    pixels = array[0][:, list(NYU_SCORED), :2]
    if not np.isfinite(pixels).all():
        raise _refuse(path, "numbers that are not finite")
    return pixels.astype(np.float64)


def lift_predictions(uv: Float64[np.ndarray, "frames joints 2"], listing: Listing) -> Lifted:
    """Look the depth of every joint up in the listing's images, one frame at a time.

    The cube is the dataset's for that person, around its centre joint.
    """
    convention = listing.convention
    if len(uv) != len(listing):
        raise BadInput(
            listing.root,
            expected=f"{len(uv):,} frames, one a row",
            found=f"{len(listing):,}",
            fix="give the test split",
        )
    centre = convention.joints.index(convention.centre_joint)
    uvd, from_labels = np.empty((*uv.shape[:2], 3)), np.empty(uv.shape[:2], bool)
    for row in range(len(listing)):
        frame = listing.frame(row)
        label_depth_mm = frame.joints_mm[:, 2].astype(np.float64)
        uvd[row], from_labels[row] = lift_frame(
            uv[row],
            frame.depth_mm,
            label_depth_mm[list(convention.scored)],
            centre_depth_mm=float(label_depth_mm[centre]),
            cube_mm=convention.cube_of(frame.subject),
        )
    return Lifted(uvd, from_labels)


def lift_frame(
    uv: Float64[np.ndarray, "joints 2"],
    depth_mm: Float[np.ndarray, "height width"],
    label_depth_mm: Float64[np.ndarray, "joints"],
    *,
    centre_depth_mm: float,
    cube_mm: float,
) -> tuple[Float64[np.ndarray, "joints 3"], Bool[np.ndarray, "joints"]]:
    """(u, v, depth) of each joint, and which of them took the label's depth."""
    height, width = depth_mm.shape
    column, row = np.floor(uv + 0.5).astype(np.int64).T
    seen = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    measured = np.where(seen, depth_mm[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)], 0.0)
    inside = (measured > 0) & (np.abs(measured - centre_depth_mm) <= cube_mm / 2)
    return np.column_stack([uv, np.where(inside, measured, label_depth_mm)]), ~inside


def _refuse(path: Path, found: str) -> BadInput:
    return BadInput(path, expected=_HOLDS, found=found, fix="take it from the dataset's test folder again")
