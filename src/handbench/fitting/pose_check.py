"""Whether fitted poses are those of the frames, and of the hand, that they are put beside.

Frames are known by their number alone, and another seed, stride or size of an embedded recording has frames of the same
numbers. So the fitted hand is placed again: it lies as near to the labels of its own frames as the fit says.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from handbench.datasets.evenly import spread_evenly
from handbench.errors import BadInput
from handbench.fitting.pose_file import FittedPoses
from handbench.fitting.pose_fit import measure_left_mm
from handbench.hand.keypoints import Hand
from handbench.hand.skeleton import SHAPE_FIELDS

ORIGIN = ("source", "dataset", "split")
PLACED = 5000
"""Frames, evenly spaced, that the hand is placed in."""
FURTHER_MM = 5.0
"""The same label may be said with two cameras; hands of other frames lie centimetres away."""
SAME_NUMBER = 1e-6
"""Cards hold decimal numbers."""


def check_origin(folder: Path, poses: FittedPoses, told: Mapping[str, Any]) -> None:
    """`told` has the source, dataset and split of the frames."""
    ours, theirs = (" ".join(str(one.get(key)) for key in ORIGIN) for one in (told, poses.card))
    if theirs != ours:
        raise BadInput(folder, expected=f"poses of {ours}", found=theirs, fix="name the fit of these frames")


def check_frames(
    folder: Path,
    poses: FittedPoses,
    rows: Int[np.ndarray, "frames"],
    joints_mm: Float[np.ndarray, "frames joints 3"],
    where: Path,
) -> None:
    """`joints_mm` are the scored labels of the frames with these places in the list, as they lie at `where`."""
    places = poses.locate(rows)
    both = np.flatnonzero((places >= 0) & np.isfinite(joints_mm).all(axis=(1, 2)))
    if not len(both):
        return
    both = both[spread_evenly(len(both), PLACED)]
    # A pose that is NaN is one that was not found, which is for the reader of the poses to say.
    further_mm = np.nan_to_num(
        _measure_further_mm(poses, places[both], joints_mm[both].astype(np.float64)), nan=0.0
    ).max()
    if further_mm > FURTHER_MM:
        raise BadInput(
            folder,
            expected=f"poses of the frames of {where}",
            found=f"those of others: hands up to {further_mm:,.0f} mm further from the labels than the fit left them",
            fix="run `handbench fit` on the labels of these frames",
        )


def check_hand(folder: Path, poses: FittedPoses, told: Mapping[str, Any]) -> None:
    """Angles of two hands, or within other bounds, cannot be compared; `told` is a card with those of the training."""
    ours = {name: getattr(poses.hand.shape, name) for name in SHAPE_FIELDS} | {"limits_rad": poses.limits_rad}
    theirs = {**told["hand"], "limits_rad": told["limits_rad"]}
    wrong = [name for name, value in ours.items() if not np.allclose(value, theirs[name], rtol=0, atol=SAME_NUMBER)]
    if wrong:
        raise BadInput(
            folder,
            expected="poses fitted with the hand and the bounds of the training",
            found=f"other {wrong[0]} than the predictions' card has",
            fix="fit with `handbench fit --hand` and the fit of the training split",
        )


def _measure_further_mm(
    poses: FittedPoses, places: Int[np.ndarray, "frames"], joints_mm: Float[np.ndarray, "frames joints 3"]
) -> Float[np.ndarray, "frames"]:
    """How much further from the labels the hands lie than the fit left them, as they were fitted: at full size."""
    scored = Hand(poses.hand.shape, poses.hand.keypoints.take(range(joints_mm.shape[1])))
    scale, pose = poses.hand_scale[places].astype(np.float64), poses.pose[places].astype(np.float64)
    pose[:, :3] /= scale[:, None]
    return measure_left_mm(scored, pose, joints_mm / scale[:, None, None]) * scale - poses.left_mm[places]
