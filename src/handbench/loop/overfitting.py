"""Fits to single images, which show what the depth loss can find: the pose (refine Fig. 3), the shape (Fig. 4).

Nothing here asks for a label. `Measure` is the loss of a batch, as `loss`, with its parts beside it; the frames' own
depth losses are what is told.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.networks.crop_view import CropView, draw_posed
from handbench.networks.posed_cloud import PosedCloud, Quaternions

Measure = Callable[[Quaternions, PosedCloud, CropView], dict[str, Tensor]]
Surface = Float[np.ndarray, "_ 3"]

POSE_STEPS = 70
"""Sec. 4.3."""
CLOUD_STEPS = 200
"""Ours: the paper's converge slowly, and it does not say when they end."""
CLOUD_RATE_MM = 0.2
"""Ours, of the first step; it falls to nothing over the fit."""
LOOK_EVERY = 10
"""Steps of the cloud's fit between two looks at the losses of all images."""
ALIGNMENTS = 30
"""Of two surfaces; after 20 nothing moves any more."""


@torch.no_grad()
def measure_depth(cloud: PosedCloud, quaternions: Quaternions, view: CropView) -> Float[Tensor, "frames"]:
    """The depth loss of every frame (Eq. 6)."""
    return (draw_posed(cloud, quaternions, view) - view.image).abs().sum(dim=(1, 2))


@dataclass(frozen=True)
class PoseFit:
    """A network overfitted to one image."""

    losses: Float[Tensor, "steps_and_one"]
    """The depth loss before every step and after the last."""
    first: Quaternions
    last: Quaternions


def fit_pose(
    network: nn.Module,
    cloud: PosedCloud,
    depth: Float[Tensor, "1 1 size size"],
    view: CropView,
    measure: Measure,
    *,
    rate: float,
    steps: int = POSE_STEPS,
) -> PoseFit:
    """Overfit the network to one image, P fixed.

    The network itself stays as it is: a copy is trained, without dropout.
    """
    own = deepcopy(network).eval()
    losses: list[Tensor] = []
    poses: list[Tensor] = []

    def loss() -> Tensor:
        pose = own(depth)
        poses.append(pose.detach().clone())
        told = measure(pose, cloud, view)
        losses.append(told["depth_loss"].detach())
        return told["loss"]

    descend(own.parameters(), loss, steps, lambda step: rate)
    with torch.no_grad():
        loss()
    return PoseFit(torch.stack(losses), poses[0], poses[-1])


@dataclass(frozen=True)
class PosedFrames:
    """Images, and the poses that hands in them are taken to have."""

    quaternions: Quaternions
    view: CropView


@dataclass(frozen=True)
class CloudFit:
    """P fitted to some images, and the depth losses of these and of others, image by image."""

    cloud: PosedCloud
    """What became of it."""
    fitted: Float[Tensor, "looks fitted"]
    """Before the first step, every LOOK_EVERY steps, and after the last."""
    held: Float[Tensor, "looks held"]


def fit_cloud(
    cloud: PosedCloud,
    fitted: PosedFrames,
    held: PosedFrames,
    measure: Measure,
    *,
    rate_mm: float = CLOUD_RATE_MM,
    steps: int = CLOUD_STEPS,
) -> CloudFit:
    """Move P alone until it looks like the images, all at once, in poses that stay; a copy of the cloud is moved.

    Of one image it is the paper's Fig. 4.
    """
    own = deepcopy(cloud)
    looks: list[list[Tensor]] = []
    step = count()

    def look() -> None:
        looks.append([measure_depth(own, frames.quaternions, frames.view) for frames in (fitted, held)])

    def loss() -> Tensor:
        if next(step) % LOOK_EVERY == 0:
            look()
        return measure(fitted.quaternions, own, fitted.view)["loss"]

    descend([own.points_mm], loss, steps, lambda step: rate_mm * (1 - step / steps))
    look()
    of_fitted, of_held = (torch.stack(losses) for losses in zip(*looks, strict=True))
    return CloudFit(own, of_fitted, of_held)


def descend(
    parameters: Iterable[nn.Parameter], loss: Callable[[], Tensor], steps: int, rate: Callable[[int], float]
) -> None:
    """Adam at a rate that may change with the step."""
    optimizer = torch.optim.Adam(parameters)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def measure_distance_mm(points_mm: Surface, surface_mm: Surface, *, aligned: bool = False) -> float:
    """Mean distance of points to the nearest of many on a surface.

    `aligned`: after the shift that brings them nearest. A pose has no translation, so where P as a whole lies in the
    bind pose says nothing of its shape.
    """
    from scipy.spatial import KDTree

    tree, moved = KDTree(surface_mm), points_mm.astype(np.float64)
    for _ in range(ALIGNMENTS if aligned else 0):
        _, nearest = tree.query(moved)
        moved = moved + (surface_mm[nearest] - moved).mean(axis=0)
    return float(tree.query(moved)[0].mean())
