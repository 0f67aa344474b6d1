"""Predictions in pixels made three-dimensional by the depth image, as the papers did for Tompson et al. on NYU.

Each joint takes the depth measured at its pixel. Where that leaves the cube around the hand (background, a hole, a
pixel beside the image) it takes the label's depth instead, which favours the method: so does feedback15, section 4.4.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float64

from handbench.conventions import NYU, NYU_SCORED
from handbench.datasets.files import read_file
from handbench.datasets.listing import Listing
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points, project_points

_FIELD = "pred_joint_uvconf"
_HOLDS = f"NYU's test_predictions.mat with {_FIELD} of shape (1, frames, 36, 3)"


@dataclass(frozen=True)
class Lifted:
    """Predictions with depth."""

    uvd: Float64[np.ndarray, "frames joints 3"]
    from_labels: Bool[np.ndarray, "frames joints"]
    """Joints whose depth is the label's, not the sensor's."""


def read_tompson(path: Path) -> Float64[np.ndarray, "frames 14 2"]:
    """The scored joints' pixels of NYU's own test_predictions.mat, which has confidences but no depth."""
    from scipy.io import loadmat

    content = read_file(path, holds=_HOLDS)
    try:
        array = loadmat(io.BytesIO(content), variable_names=[_FIELD]).get(_FIELD)
    except Exception as error:  # scipy's reader raises whatever a damaged file makes it trip over
        raise BadInput(path, expected=_HOLDS, found=f"{type(error).__name__}: {error}", fix="get it again") from None
    shape = getattr(array, "shape", None)
    if array is None or array.dtype.kind not in "fiu" or len(shape or ()) != 4 or shape[0] != 1 or shape[2:] != (36, 3):
        raise BadInput(path, expected=_HOLDS, found=f"shape {shape}" if shape else "no such field", fix="get it again")
    return np.asarray(array[0][:, list(NYU_SCORED), :2], np.float64)


def lift_predictions(uv: Float64[np.ndarray, "frames joints 2"], listing: Listing) -> Lifted:
    """Look the depth of every joint up in the listing's frames, one frame at a time.

    The cube is the dataset's for that person, around its centre joint.
    """
    convention = listing.convention
    if len(uv) != len(listing):
        raise BadInput(
            listing.root, expected=f"{len(uv):,} frames, one a row", found=f"{len(listing):,}", fix="give the test split"
        )
    centre_joint = convention.joints.index(convention.centre_joint)
    uvd, from_labels = np.empty((*uv.shape[:2], 3)), np.empty(uv.shape[:2], bool)
    for row in range(len(listing)):
        frame = listing.frame(row)
        joints_mm = frame.joints_mm.astype(np.float64)
        label_depth = joints_mm[list(convention.scored), 2]
        point, outside = lift_frame(
            uv[row],
            frame.depth_mm,
            label_depth,
            centre_mm=joints_mm[centre_joint],
            cube_mm=convention.cube_of(frame.subject),
        )
        uvd[row], from_labels[row] = point, outside
    return Lifted(uvd, from_labels)


def lift_frame(
    uv: Float64[np.ndarray, "joints 2"],
    depth_mm: Float[np.ndarray, "height width"],
    label_depth_mm: Float64[np.ndarray, "joints"],
    *,
    centre_mm: Float64[np.ndarray, "3"],
    cube_mm: float,
) -> tuple[Float64[np.ndarray, "joints 3"], Bool[np.ndarray, "joints"]]:
    """(u, v, depth) of each joint, and which took the label's depth because the measured one left the cube."""
    height, width = depth_mm.shape
    column, row = np.floor(uv + 0.5).astype(np.int64).T
    seen = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    measured = np.where(seen, depth_mm[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)], 0.0)
    points_mm = back_project_points(np.column_stack([uv, measured]), NYU.camera)
    inside = seen & (measured > 0) & (np.abs(points_mm[:, 2] - centre_mm[2]) <= cube_mm / 2)
    depth = np.where(inside, measured, label_depth_mm)
    return np.column_stack([uv, depth]), ~inside


def project_centre(centre_mm: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    return project_points(centre_mm, NYU.camera)
