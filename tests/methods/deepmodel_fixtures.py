"""Crops whose labels are poses of one hand, and those poses as `handbench fit` leaves them."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from handbench.datasets.crops import build_crops
from handbench.fitting.pose_file import FittedPoses, save_poses
from handbench.hand.keypoints import Hand, keypoint_positions, scored_keypoints
from handbench.hand.skeleton import REFERENCE_SHAPE, vary_shape
from handbench.training.train import Job
from tests.datasets.crop_fixtures import make_listing

SIZE_PX = 40
HAND = Hand(vary_shape(REFERENCE_SHAPE, size=0.9), scored_keypoints("icvl"))
QUICK: dict[str, Any] = {"epochs": 3, "batch": 8}
VARIANTS = {
    "deepmodel": ("hand", {"palm_numbers": 6}),
    "three_angles": ("hand", {}),
    "without_physical": ("hand", {"physical_weight": 0.0}),
    "direct_joint": ("joint", {}),
    "direct_parameter": ("parameter", {}),
    "direct_parameter_physical": ("parameter", {"physical_weight": 1.0}),
}
"""The rows of Table 1 and its footnote, and the palm by its angles: the kind's part and its settings."""


def draw_poses(frames: int) -> Float32[np.ndarray, "frames 26"]:
    """Open hands about 400 mm before the camera, turned a little; each frame's is a function of its number."""
    random = np.random.default_rng(5)
    wrist_mm = random.normal(0, 5, (frames, 3)) + np.array([0, 50, 400])
    turns, fingers = random.normal(0, 0.2, (frames, 3)), random.uniform(0.0, 0.6, (frames, 20))
    return np.concatenate([wrist_mm, turns, fingers], axis=1).astype(np.float32)


def make_data(folder: Path, frames: int = 40, tested: int = 12) -> None:
    """`train` and `test` crops, and `fit` with the poses of the first."""
    for split, number in (("train", frames), ("test", tested)):
        pose = draw_poses(number)
        joints_mm = keypoint_positions(HAND.keypoints, HAND.shape, pose)
        listing = make_listing(number, split=split, joints_mm=joints_mm.astype(np.float32))
        build_crops(listing, centre="joint", size_px=SIZE_PX, out=folder / split)
    pose = draw_poses(frames)
    save_poses(folder / "fit", fitted(pose), {"dataset": "icvl", "split": "train", "source": "real"})


def fitted(pose: Float32[np.ndarray, "frames 26"]) -> FittedPoses:
    limits_rad = np.stack([pose[:, 6:].min(0), pose[:, 6:].max(0)], axis=1).astype(np.float64)
    scale, left_mm = np.ones(len(pose), np.float32), np.zeros(len(pose), np.float32)
    return FittedPoses(HAND, limits_rad, pose, np.arange(len(pose)), scale, left_mm, {})


def make_job(variant: str, folder: Path, **changes: Any) -> Job:
    part, settings = VARIANTS[variant]
    return Job(
        kind=f"deepmodel.{part}",
        module=variant,
        paper="deepmodel",
        settings=QUICK | settings | changes,
        seed=0,
        fold=None,
        poses=folder / "fit",
    )
