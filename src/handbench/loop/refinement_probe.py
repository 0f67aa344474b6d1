"""What is told of a refined hand beside its joints: how like the images its poses look, and how it trembles (RF5)."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Integer
from torch import Tensor

from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import AT_ONCE
from handbench.loop.refinement_training import Look
from handbench.networks.crop_view import draw_cloud, pose_in_crop
from handbench.networks.posed_cloud import PosedCloud

Quaternions = Float[Tensor, "frames 16 4"]


@torch.no_grad()
def measure_depth_errors(
    cloud: PosedCloud, quaternions: Quaternions, crops: CropBatch, look: Look
) -> Float[Tensor, "frames"]:
    """Mean squared difference of the two splatted images of every frame (Fig. 7), nearness from 0 to 1."""
    errors = []
    for rows in torch.arange(len(quaternions)).split(AT_ONCE):
        part = crops.take(rows)
        view = look(part)
        drawn = draw_cloud(pose_in_crop(cloud, quaternions[rows], view).points_mm, view)
        errors.append((drawn - view.image).square().mean(dim=(1, 2)))
    return torch.cat(errors)


def measure_jitter_mm(
    joints_mm: Float[np.ndarray, "frames joints 3"], row: Integer[np.ndarray, "frames"], sequences: Sequence[str]
) -> Float64[np.ndarray, "frames_with_neighbours"]:
    """Second difference of joints on average over them, of every frame that has both neighbours of its sequence."""
    names = np.asarray(sequences)
    follows = (np.diff(row) == 1) & (names[1:] == names[:-1])
    second = np.linalg.norm(joints_mm[2:].astype(np.float64) - 2 * joints_mm[1:-1] + joints_mm[:-2], axis=-1)
    jitter_mm: np.ndarray = second.mean(axis=1)[follows[1:] & follows[:-1]]
    return jitter_mm
