"""Poses of a solid that no picture tells apart, and the loss of its corners that treats them alike (Eq. 20).

A cuboid with three different edges looks the same after the identity and three half turns, a prism with two equal
edges after 8 turns, a cube after 24: each turn is another order of the same eight corners. A sphere looks the same
after every turn and a cylinder after every turn about its axis and after one that swaps its ends: their corners, which
no picture shows, then lie in other places. Mirror images are no turns and do not count.

The target of a prediction is, of all corners that mean the same picture, those that lie nearest to it. Trained on
the labelled order alone, a network would be asked for one of several answers without a way to know which, and learn
their mean, which is no box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from handbench.errors import BadInput
from handbench.geometry.alignment import find_rotation, multiply
from handbench.geometry.box import Box, box_corners

KINDS = ("cuboid", "sphere", "cylinder", "composed")
SAME_EDGE = 1e-3
"""Edges that differ by less than this share are equal."""

Corners = Float[Tensor, "batch 8 3"]


@dataclass(frozen=True)
class Symmetry:
    """The turns of a solid about its own middle that leave its picture as it is."""

    orders: Int64[np.ndarray, "orders 8"]
    """Corner n of the solid after a turn lies where corner orders[turn, n] was; the first turn is none."""
    axis: int | None = None
    """The object axis about which every turn is allowed, on top of those that swap its ends."""
    all_turns: bool = False


def find_symmetry(kind: str, size_mm: Sequence[float], axis: int = 1) -> Symmetry:
    """That of a solid by its word and the edges of its bounding box; `axis` is a cylinder's own, y by default.

    A cylinder or a sphere with unequal diameters has the turns of its box. Of a composed solid none is assumed.
    """
    if kind not in KINDS:
        raise BadInput("solid", expected=" | ".join(KINDS), found=repr(kind), fix="name one of these")
    if kind == "composed":
        return Symmetry(equivalent_orders(size_mm)[:1])
    if kind == "cylinder":
        edges = list(size_mm)
        # As long as it is wide a cylinder has the box of a cube, but not its turns.
        edges[axis] = 2 * max(size_mm)
        is_round = _are_equal(*(edge for place, edge in enumerate(edges) if place != axis))
        return Symmetry(equivalent_orders(edges), axis=axis if is_round else None)
    orders = equivalent_orders(size_mm)
    return Symmetry(orders, all_turns=kind == "sphere" and len(orders) == 24)


def equivalent_orders(size_mm: Sequence[float]) -> Int64[np.ndarray, "orders 8"]:
    """The orders of a cuboid's corners that are its own after a proper rotation: 4, 8 or 24 of them."""
    unit = np.rint(box_corners(Box(np.zeros(3), np.eye(3), np.full(3, 2.0))))
    orders = []
    for places in permutations(range(3)):
        if not all(_are_equal(size_mm[place], size_mm[to]) for to, place in enumerate(places)):
            continue
        for signs in product((1.0, -1.0), repeat=3):
            turn = np.diag(signs)[:, places]
            if np.linalg.det(turn) > 0:
                # Of each turned corner, the one that was there.
                orders.append((unit @ turn.T @ unit.T).argmax(axis=1))
    return np.stack(orders).astype(np.int64)


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
    if symmetry.all_turns:
        turn = find_rotation(multiply((predicted - middle).transpose(1, 2), truth - middle).detach())
        return multiply(truth - middle, turn.transpose(1, 2)) + middle
    orders = torch.as_tensor(symmetry.orders, device=truth.device)
    candidates = truth[:, orders]
    if symmetry.axis is not None:
        turned = [_turn_about(candidates[:, order], predicted, middle, symmetry.axis) for order in range(len(orders))]
        candidates = torch.stack(turned, dim=1)
    distance = (candidates - predicted[:, None]).square().sum(dim=(2, 3))
    return candidates[torch.arange(len(truth), device=truth.device), distance.argmin(dim=1)]


def _turn_about(corners: Corners, predicted: Corners, middle: Float[Tensor, "batch 1 3"], axis: int) -> Corners:
    """The corners turned about the solid's own axis to where they lie nearest to the predicted ones."""
    # Corners number 4 i + 2 j + k: this far apart lie the two ends of an edge along the axis.
    step = 4 >> axis
    along = torch.nn.functional.normalize(corners[:, step] - corners[:, 0], dim=1)[:, None].expand_as(corners)
    arms = corners - middle
    beside = torch.cross(along, arms, dim=2)
    on_axis = (arms * along).sum(dim=2, keepdim=True) * along
    wanted = predicted - middle
    cosine, sine = ((wanted * part).detach().sum(dim=(1, 2), keepdim=True) for part in (arms - on_axis, beside))
    # No turn is nearer than another where the predicted corners all lie on the axis.
    length = torch.hypot(cosine, sine)
    cosine, sine = torch.where(length > 0, cosine / length, 1.0), torch.where(length > 0, sine / length, 0.0)
    return middle + on_axis + cosine * (arms - on_axis) + sine * beside


def _are_equal(first: float, second: float) -> bool:
    return abs(first - second) <= SAME_EDGE * max(abs(first), abs(second))
