"""Dexter+Object's crops with the labels of rendered hands, of embedded frames alone: 21 joints and eight corners.

The dataset labels fingertips and three corners. Where a localizer's point is, and how large the object is, only
truth.npz tells.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from handbench.conventions import DEXTER, HANDOBJECT
from handbench.datasets.mirror import mirror_corners, mirror_points
from handbench.datasets.store import CropStore
from handbench.datasets.truth import Truth, read_truth
from handbench.errors import BadInput
from handbench.geometry.box import Box, box_corners
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions
from handbench.hand.skeleton import REFERENCE_SHAPE, HandShape


def label_by_truth(store: CropStore, path: Path) -> CropStore:
    """The store of an embedded set with joints and corners of every frame; NaN where nothing is held."""
    protocol = store.card["protocol"]
    if protocol["dataset"] != DEXTER.name:
        raise BadInput(
            path, expected=f"crops of {DEXTER.name}", found=protocol["dataset"], fix="leave --truth out with others"
        )
    truth, rows = read_truth(path, protocol["split"]), np.asarray(store.row)
    if len(rows) and rows.max() >= len(truth.poses):
        raise BadInput(
            path,
            expected=f"the truth of at least {rows.max() + 1:,} frames",
            found=f"{len(truth.poses):,}",
            fix="name the truth.npz beside the files that were cropped",
        )
    labels_mm = np.concatenate([place_joints(truth), place_corners(truth)], axis=1)[rows].astype(np.float32)
    _check_tips(path, store, labels_mm)
    names = list(HANDOBJECT.joints.names)
    known = {**store.card, "protocol": {**protocol, "joints": names, "scored": list(range(len(names)))}}
    return replace(store, card=known, joints_mm=labels_mm)


def place_joints(truth: Truth) -> Float[np.ndarray, "frames 21 3"]:
    """The hand's joints in the axes of the images."""
    joints_mm = np.empty((len(truth.poses), 21, 3))
    for take in np.unique(truth.take).tolist():
        shape, mine = shape_of_take(truth, take), truth.take == take
        joints_mm[mine] = keypoint_positions(KEYPOINTS[HANDOBJECT.name], shape, truth.poses[mine].astype(np.float64))
    return mirror_points(joints_mm) if truth.mirrored else joints_mm


def shape_of_take(truth: Truth, take: int) -> HandShape:
    """The hand of the person that a take shows."""
    names = ("bases_mm", "lengths_mm", "girths", "palm_stretch")
    # How bones stand at rest is the same for all people.
    return replace(REFERENCE_SHAPE, **{name: getattr(truth, name)[take].astype(np.float64) for name in names})


def place_corners(truth: Truth) -> Float[np.ndarray, "frames 8 3"]:
    """The object's corners in the same axes."""
    boxes = zip(
        *(one.astype(np.float64) for one in (truth.object_centre_mm, truth.object_rotation, truth.object_size_mm)),
        strict=True,
    )
    corners_mm = np.array([box_corners(Box(*box)) for box in boxes]).reshape(-1, 8, 3)
    return mirror_corners(corners_mm) if truth.mirrored else corners_mm


def _check_tips(path: Path, store: CropStore, labels_mm: Float[np.ndarray, "frames 29 3"]) -> None:
    """A truth of other frames is told by the fingertips, which both know."""
    tips = [(store.joint_names.index(n), HANDOBJECT.joints.index(n)) for n in DEXTER.joints.names if n.endswith("_tip")]
    here, there = zip(*tips, strict=True)
    off_mm = np.linalg.norm(np.asarray(store.joints_mm)[:, list(here)] - labels_mm[:, list(there)], axis=2)
    labelled = off_mm[np.isfinite(off_mm)]
    if len(labelled) and not np.median(labelled) < 1.0:
        raise BadInput(
            path,
            expected="the truth of these frames",
            found=f"fingertips {np.median(labelled):.0f} mm beside the labels",
            fix="name the truth.npz beside the files that were cropped",
        )
