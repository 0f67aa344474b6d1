"""Any prediction file, those in pixels included: the one way in for the command line."""

from pathlib import Path

import numpy as np

from handbench.conventions import DATASETS
from handbench.errors import BadInput
from handbench.evaluation.predictions import GroundTruth, Predictions, read_predictions
from handbench.geometry.camera import back_project_points


def read_any(path: Path, truth: GroundTruth, *, layout: str, order: str, frames: Path | None) -> Predictions:
    """Read joints with depth as they are, NYU's test_predictions.mat with the depth images of `frames`."""
    if lacks_depth(path, truth.dataset):
        return _lift(path, truth, frames)
    return read_predictions(path, truth, layout=layout, order=order)


def lacks_depth(path: Path, dataset: str) -> bool:
    """Whether it is a file that takes the depth images besides."""
    return path.suffix == ".mat" and dataset == "nyu"


def _lift(path: Path, truth: GroundTruth, frames: Path | None) -> Predictions:
    """Pixels without depth: looked up in the images, and said so."""
    if frames is None:
        raise BadInput(
            path,
            expected="the depth images beside predictions in pixels",
            found="no folder of them",
            fix="give --frames DIR, the folder of the NYU download",
        )
    from handbench.datasets.importers import list_frames
    from handbench.evaluation.depth_lookup import lift_predictions, read_pixel_predictions

    lifted = lift_predictions(read_pixel_predictions(path), list_frames("nyu", frames, "test"))
    if len(lifted.uvd) != len(truth.joints_mm):
        raise BadInput(
            path, expected=f"{len(truth.joints_mm):,} frames", found=f"{len(lifted.uvd):,}", fix="give matching labels"
        )
    share = 100 * lifted.from_labels.mean()
    note = f"depth looked up at each joint's pixel; {share:.1f} % lay outside the cube and took the label's depth"
    joints_mm = back_project_points(lifted.uvd, DATASETS["nyu"].camera)
    return Predictions(joints_mm, np.arange(len(joints_mm)), "uv + depth image", (note,))
