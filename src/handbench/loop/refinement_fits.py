"""Fits to a few test images, as a probe tells them: the pose by an overfitted network (RF3), the cloud alone (RF4).

Nothing of them is kept: a copy is fitted, and no prediction comes from it.
"""

from collections.abc import Callable
from dataclasses import replace
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
    CLOUD_STEPS,
    POSE_STEPS,
    Measure,
    PosedFrames,
    fit_cloud,
    fit_pose,
    measure_distance_mm,
)
from handbench.loop.refinement_training import Look
from handbench.networks.crop_view import CropView, draw_posed
from handbench.networks.posed_cloud import PosedCloud, Quaternions, sample_skin
from handbench.networks.refine import RefinedHand

ReadJoints = Callable[[Quaternions, CropBatch], Float[Tensor, "frames joints 3"]]
"""The joints that crops are labelled with, in half cube edges, of hands in these poses."""

POSE_IMAGES = 20
CLOUD_IMAGES = 12
"""To which a cloud is fitted, each by itself, and as many others on which it is held."""
POSE_RATE = 0.0003
"""Of the network's weights: ours."""
SURFACE_POINTS = 20_000
SHOWN = 6
"""Images that are kept for pictures."""


def choose_images(crops: CropDataset) -> CropBatch:
    """Test crops at even distances."""
    return take_images(crops, spread_evenly(len(crops), POSE_IMAGES))


def take_images(crops: CropDataset, places: Any) -> CropBatch:
    return as_batch(read_crops(CropDataset(crops.store, crops.places[np.asarray(places)], crops.store.scored)))


def fit_poses(
    hand: RefinedHand, images: CropBatch, look: Look, measure: Measure, read_joints: ReadJoints
) -> dict[str, Any]:
    """Each image by itself, from the same network, P fixed (Fig. 3); what joints gain is told where they are known."""
    fits = []
    for row in range(len(images.depth)):
        one = images.take(torch.tensor([row]))
        with torch.no_grad():
            view = look(one)
        fits.append(fit_pose(hand.network, hand.cloud, one.depth, view, measure, rate=POSE_RATE))
    losses = torch.stack([fit.losses for fit in fits])
    few = look(images.take(torch.arange(min(SHOWN, len(fits)))))
    poses = {end: torch.cat([getattr(fit, end) for fit in fits]) for end in ("first", "last")}
    with torch.no_grad():
        drawn = [draw_posed(hand.cloud, quaternions[:SHOWN], few) for quaternions in poses.values()]
    told: dict[str, Any] = {"steps": POSE_STEPS, "first": losses[:, 0].tolist(), "last": losses[:, -1].tolist()}
    if images.joints.isfinite().all():
        for end, quaternions in poses.items():
            off = (read_joints(quaternions, images) - images.joints).norm(dim=-1).mean(dim=1)
            told[f"joints_mm_{end}"] = (off * images.cube_mm / 2).tolist()
    return {
        "pose_fits": told,
        "arrays": {"pose_fits_losses": losses.numpy(), **name_pictures("pose_fits", few, *drawn)},
    }


def name_pictures(
    fit: str, view: CropView, first: Float[Tensor, "frames size size"], last: Float[Tensor, "frames size size"]
) -> dict[str, np.ndarray]:
    """Splatted images of a fit, nearness in [0, 1]: the camera's, and the cloud's before and after; and their cubes."""
    values = {"seen": view.image, "first": first, "last": last, "cube_mm": view.frame.cube_mm}
    return {f"{fit}_{name}": one.detach().numpy().astype(np.float32) for name, one in values.items()}


def fit_clouds(cloud: PosedCloud, crops: CropDataset, truth: Truth, look: Look, measure: Measure) -> dict[str, Any]:
    """P alone, to single images of the person with the smallest hand, in their true poses and places (Fig. 4).

    Each cloud is held against other images of that hand, of which it has seen none; what is told of one of those is the
    mean over all clouds.
    """
    take = truth.take[np.asarray(crops.store.row)[crops.places]]
    people = [int(one) for one in np.unique(take) if (take == one).sum() >= 2 * CLOUD_IMAGES]
    if not people:
        return {}
    person = min(people, key=lambda one: truth.lengths_mm[one].sum())
    mine = np.flatnonzero(take == person)
    places = mine[spread_evenly(len(mine), 2 * CLOUD_IMAGES)]
    held = pose_frames(crops, truth, places[1::2], look)
    single = [pose_frames(crops, truth, places[row : row + 1], look) for row in range(0, len(places), 2)]
    fits = [fit_cloud(cloud, one, held, measure) for one in single]
    losses = {
        "fitted": torch.cat([fit.fitted for fit in fits], dim=1).T,
        "held": torch.stack([fit.held for fit in fits]).mean(dim=0).T,
    }
    surface_mm, _ = sample_skin(make_skin(shape_of_take(truth, person)), SURFACE_POINTS, 0)
    off_mm = [
        measure_distance_mm(one.points_mm.detach().numpy(), surface_mm, aligned=True)
        for one in (cloud, *(fit.cloud for fit in fits))
    ]
    few = pose_frames(crops, truth, places[::2][:SHOWN], look)
    shown = list(zip(single, fits, strict=True))[:SHOWN]
    with torch.no_grad():
        last = torch.cat([draw_posed(fit.cloud, one.quaternions, one.view) for one, fit in shown])
        first = draw_posed(cloud, few.quaternions, few.view)
    told: dict[str, Any] = {"steps": CLOUD_STEPS, "surface_mm_first": off_mm[0]}
    told["surface_mm_last"] = float(np.mean(off_mm[1:]))
    for name, curves in losses.items():
        told |= {f"{name}_first": curves[:, 0].tolist(), f"{name}_last": curves[:, -1].tolist()}
    arrays = {"cloud_fits_losses": losses["fitted"].numpy(), "cloud_fits_held_losses": losses["held"].numpy()}
    return {"cloud_fits": told, "arrays": arrays | name_pictures("cloud_fits", few.view, first, last)}


def pose_frames(crops: CropDataset, truth: Truth, places: Any, look: Look) -> PosedFrames:
    """Some frames with their true poses, the wrist at its true place.

    That place is part of a pose. By the rules that stand for it P would have to make up for what they err, by 2 to 5 mm
    where a sensor leaves holes, and each image asks for another shift.
    """
    row = np.asarray(crops.store.row)[crops.places[places]]
    images = take_images(crops, places)
    wrist_mm = torch.from_numpy(truth.poses[row][:, :3]) - images.centre_mm
    with torch.no_grad():
        return PosedFrames(torch.from_numpy(truth.quaternions[row]), replace(look(images), wrist_mm=wrist_mm))
