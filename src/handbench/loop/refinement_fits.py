"""Fits to a few test images, as a probe tells them: the pose by an overfitted network (RF3), the cloud alone (RF4).

Nothing of them is kept: a copy is fitted, and no prediction comes from it.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handbench.datasets.evenly import spread_evenly
from handbench.datasets.torch_dataset import CropDataset
from handbench.datasets.true_labels import shape_of_take
from handbench.datasets.truth import Truth
from handbench.hand.skinning import make_skin
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import as_batch, read_crops
from handbench.loop.overfitting import (
    POSE_STEPS,
    Measure,
    PosedFrames,
    fit_cloud,
    fit_pose,
    measure_distance_mm,
)
from handbench.loop.refinement_training import Look
from handbench.networks.crop_view import draw_posed
from handbench.networks.posed_cloud import PosedCloud, sample_skin
from handbench.networks.refine import RefinedHand

POSE_IMAGES, CLOUD_IMAGES = 20, 8
POSE_RATE = 0.0003
"""Of the network's weights: ours."""
SURFACE_POINTS = 20_000
LOSSES = ("fitted_first", "fitted_last", "held_first", "held_last")
"""Of a fit of the cloud, image by image."""
SHOWN = 6
"""Images that are kept for pictures."""


def choose_images(crops: CropDataset) -> CropBatch:
    """Test crops at even distances."""
    return take_images(crops, spread_evenly(len(crops), POSE_IMAGES))


def take_images(crops: CropDataset, places: Any) -> CropBatch:
    return as_batch(read_crops(CropDataset(crops.store, crops.places[np.asarray(places)], range(0))))


def fit_poses(hand: RefinedHand, images: CropBatch, look: Look, measure: Measure) -> dict[str, Any]:
    """Each image by itself, from the same network, P fixed (Fig. 3)."""
    fits = []
    for row in range(len(images.depth)):
        one = images.take(torch.tensor([row]))
        with torch.no_grad():
            view = look(one)
        fits.append(fit_pose(hand.network, hand.cloud, one.depth, view, measure, rate=POSE_RATE))
    losses = torch.stack([fit.losses for fit in fits])
    few = look(images.take(torch.arange(min(SHOWN, len(fits)))))
    first, last = (torch.cat([getattr(fit, end) for fit in fits[:SHOWN]]) for end in ("first", "last"))
    with torch.no_grad():
        drawn = [draw_posed(hand.cloud, quaternions, few) for quaternions in (first, last)]
    return {
        "pose_fits": {"steps": POSE_STEPS, "first": losses[:, 0].tolist(), "last": losses[:, -1].tolist()},
        "arrays": {"pose_fits_losses": losses.numpy(), **name_pictures("pose_fits", few.image, *drawn)},
    }


def name_pictures(
    fit: str,
    seen: Float[Tensor, "frames size size"],
    first: Float[Tensor, "frames size size"],
    last: Float[Tensor, "frames size size"],
) -> dict[str, np.ndarray]:
    """Splatted images of a fit, nearness in [0, 1]: the camera's, and the cloud's before and after."""
    images = {"seen": seen, "first": first, "last": last}
    return {f"{fit}_{name}": one.detach().numpy().astype(np.float32) for name, one in images.items()}


def fit_clouds(cloud: PosedCloud, crops: CropDataset, truth: Truth, look: Look, measure: Measure) -> dict[str, Any]:
    """P alone, to images of the person with the smallest hand, in their true poses (Fig. 4); P's is a large one."""
    take = truth.take[np.asarray(crops.store.row)[crops.places]]
    people = [int(one) for one in np.unique(take) if (take == one).sum() >= 2 * CLOUD_IMAGES]
    if not people:
        return {}
    person = min(people, key=lambda one: truth.lengths_mm[one].sum())
    mine = np.flatnonzero(take == person)
    places = mine[spread_evenly(len(mine), 2 * CLOUD_IMAGES)]
    fitted, held = (pose_frames(crops, truth, part, look) for part in (places[::2], places[1::2]))
    fit = fit_cloud(cloud, fitted, held, measure)
    few = pose_frames(crops, truth, places[::2][:SHOWN], look)
    surface_mm, _ = sample_skin(make_skin(shape_of_take(truth, person)), SURFACE_POINTS, 0)
    before, after = (one.points_mm.detach().numpy() for one in (cloud, fit.cloud))
    with torch.no_grad():
        drawn = [draw_posed(one, fitted.quaternions[:SHOWN], few.view) for one in (cloud, fit.cloud)]
    return {
        "cloud_fits": {
            **{name: getattr(fit, name).tolist() for name in LOSSES},
            "surface_mm_first": measure_distance_mm(before, surface_mm, aligned=True),
            "surface_mm_last": measure_distance_mm(after, surface_mm, aligned=True),
        },
        "arrays": name_pictures("cloud_fits", few.view.image, *drawn),
    }


def pose_frames(crops: CropDataset, truth: Truth, places: Any, look: Look) -> PosedFrames:
    """Some frames with their true poses."""
    row = np.asarray(crops.store.row)[crops.places[places]]
    with torch.no_grad():
        return PosedFrames(torch.from_numpy(truth.quaternions[row]), look(take_images(crops, places)))
