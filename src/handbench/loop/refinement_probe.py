"""What is told of a refined hand beside its joints.

How like the images its poses look and how it trembles (RF5), the bias of its skeleton (RF6), and how long an update
takes (RF7).
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Integer
from torch import Tensor, nn

from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import AT_ONCE, device_of
from handbench.loop.refinement_training import Look, Measure
from handbench.loop.timing import describe_device, time_call
from handbench.networks.crop_view import draw_posed
from handbench.networks.posed_cloud import PosedCloud
from handbench.networks.refine import RefinedHand

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
        drawn = draw_posed(cloud, quaternions[rows], view)
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


def find_smallest_mm(
    joints: Float[Tensor, "frames joints 3"], labels: Float[Tensor, "frames joints 3"], cube_mm: Float[Tensor, "frames"]
) -> list[float]:
    """The smallest error of every joint over frames that are labelled (Sec. 4.5); NaN where none is."""
    errors_mm = (joints - labels).norm(dim=-1) * (cube_mm / 2)[:, None]
    smallest_mm = errors_mm.nan_to_num(nan=torch.inf).amin(dim=0)
    return torch.where(smallest_mm.isinf(), torch.nan, smallest_mm).tolist()


def time_update(hand: nn.Module, measure: Measure, crops: CropBatch) -> dict[str, Any]:
    """Milliseconds of one step on a batch: forward, backward, and Adam on weights and P of a copy (RF7).

    It is made where the network is, as training makes it; that is told as well.
    """
    assert isinstance(hand, RefinedHand)
    hand, device = deepcopy(hand).train(), device_of(hand)
    crops = crops.to(device)
    optimizer = torch.optim.Adam(hand.parameters())

    def update() -> None:
        optimizer.zero_grad()
        measure(hand, crops)["loss"].backward()
        optimizer.step()

    with torch.enable_grad():
        timed = time_call(update, device)
    return {"milliseconds": 1000 * timed.median_s, "batch": len(crops.depth), "device": describe_device(device)}
