"""The loss of a solid's corners that treats poses alike which no picture tells apart (Eq. 20 of feedback19).

The target of a prediction is, of all corners that mean the same picture, those that lie nearest to it. Each turn that
leaves a cuboid as it is is another order of the same eight corners; a sphere's corners lie anywhere, those of a
cylinder anywhere about its axis. Trained on the labelled order alone, a network would be asked for one of several
answers without a way to know which, and learn their mean, which is no box.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from handbench.geometry.alignment import find_rotation, multiply
from handbench.geometry.symmetry import AXIS, Symmetry

Corners = Float[Tensor, "batch 8 3"]
_STEP = 4 >> AXIS
"""Corners number 4 i + 2 j + k: this far apart lie the two ends of an edge along a cylinder's axis."""


def nearest_corners(
    predicted: Corners, truth: Corners, symmetries: Sequence[Symmetry], which: Int64[Tensor, "batch"]
) -> Corners:
    """Of all corners that mean the same picture as the true ones, those nearest to the predicted.

    `which` names for each frame the one of the symmetries that its solid has. The choice has no gradient; what is
    chosen moves with the true corners.
    """
    predicted, nearest = predicted.detach(), truth
    for number, symmetry in enumerate(symmetries):
        nearest = torch.where((which == number)[:, None, None], _find_nearest(predicted, truth, symmetry), nearest)
    return nearest


def nearest_corner_loss(
    predicted: Corners, truth: Corners, symmetries: Sequence[Symmetry], which: Int64[Tensor, "batch"]
) -> Float[Tensor, ""]:
    """|pred(c) - pi(p)|^2 on average over the batch, pi(p) the nearest of what looks the same (Eq. 20)."""
    nearest = nearest_corners(predicted, truth, symmetries, which)
    return (predicted - nearest).square().sum(dim=(1, 2)).mean()


def _find_nearest(predicted: Corners, truth: Corners, symmetry: Symmetry) -> Corners:
    middle = truth.mean(dim=1, keepdim=True)
    if symmetry.free == "all":
        turn = find_rotation(multiply((predicted - middle).transpose(1, 2), truth - middle).detach())
        return multiply(truth - middle, turn.transpose(1, 2)) + middle
    orders = torch.as_tensor(symmetry.orders, device=truth.device)
    candidates = truth[:, orders]
    if symmetry.free == "axis":
        turned = [_turn_about_axis(candidates[:, order], predicted, middle) for order in range(len(orders))]
        candidates = torch.stack(turned, dim=1)
    distance = (candidates - predicted[:, None]).square().sum(dim=(2, 3))
    return candidates[torch.arange(len(truth), device=truth.device), distance.argmin(dim=1)]


def _turn_about_axis(corners: Corners, predicted: Corners, middle: Float[Tensor, "batch 1 3"]) -> Corners:
    """The corners turned about the solid's own axis to where they lie nearest to the predicted ones."""
    along = torch.nn.functional.normalize(corners[:, _STEP] - corners[:, 0], dim=1)[:, None].expand_as(corners)
    arms = corners - middle
    beside = torch.cross(along, arms, dim=2)
    on_axis = (arms * along).sum(dim=2, keepdim=True) * along
    wanted = predicted - middle
    cosine, sine = ((wanted * part).detach().sum(dim=(1, 2), keepdim=True) for part in (arms - on_axis, beside))
    # No turn is nearer than another where the predicted corners all lie on the axis.
    length = torch.hypot(cosine, sine)
    cosine, sine = torch.where(length > 0, cosine / length, 1.0), torch.where(length > 0, sine / length, 0.0)
    return middle + on_axis + cosine * (arms - on_axis) + sine * beside
