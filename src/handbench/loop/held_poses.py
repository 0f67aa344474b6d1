"""T_H and T_O of feedback19 (Sec. 4.5): the poses of hand and object that updaters see in training.

Poses are in half edges of D's cube, as labels are, so that they move with an augmented crop. A box is kept in the order
of its corners that is nearest to the true one, so that errors of one frame can be made in another; whoever draws a pose
of a box settles it (loop/held_object.py).
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from handbench.geometry.corner_loss import nearest_corners
from handbench.loop.crop_data import Data
from handbench.loop.held_data import CORNER_POINTS, HAND_POINTS, Target, held_of, list_symmetries
from handbench.loop.held_model import Poses
from handbench.loop.held_object import Held
from handbench.loop.pose_set import PoseSet, Shares

OTHER = Shares(truth=0.3, errors=0.3, noise=0.5, noise_size=0.0)
"""Of the side that is not trained: around the truth, and predictions (Sec. 4.5); how many of each is ours. Errors of
the frames held back are drawn as well, since those of frames learned from are too small."""

Points = Float[Tensor, "frames points 3"]


class PosesOfSide:
    """One side's pose set: drawn from, added to where it is the side that learns."""

    def __init__(
        self,
        target: Target,
        kind: str,
        seen: Data,
        held_back: Data,
        predicted: tuple[Poses, Poses],
        shares: Shares,
        *,
        turn_rad: float,
        rounds: int,
    ) -> None:
        """`predicted` of the frames seen and of those held back; `turn_rad` is the noise of a box's rotation."""
        self.target, self.kind, self.shares, self.turn_rad = target, kind, shares, turn_rad
        self.seen, self.held_back = seen, held_back
        start, start_held_back = (
            self.to_units(pick_points(poses, target)[0], data)
            for poses, data in zip(predicted, (seen, held_back), strict=True)
        )
        errors = start_held_back - pick_truth(held_back, target)
        self.poses = PoseSet(pick_truth(seen, target), start, errors, rounds)

    def to_units(self, points_mm: Points, data: Data) -> Points:
        """Half edges of D's cube; a box in the order nearest to the true one."""
        points = (points_mm - data["centre_mm"][:, None]) / (data["cube_mm"] / 2)[:, None, None]
        if self.target == "hand":
            return points
        return nearest_corners(pick_truth(data, self.target), points, list_symmetries(self.kind), held_of(data).which)

    def draw(self, rows: Int64[Tensor, "batch"]) -> Float[Tensor, "batch points 3"]:
        """A pose for each frame seen."""
        if self.target == "hand":
            return self.poses.draw(rows, self.shares)
        # A box is shaken as a whole: noise of single corners would mostly vanish in Procrustes.
        boxes = self.poses.draw(rows, replace(self.shares, noise=0.0))
        noisy = torch.rand(len(boxes), device=boxes.device) < self.shares.noise
        return torch.where(noisy[:, None, None], shake(boxes, self.turn_rad, self.shares.noise_size), boxes)

    def add(self, outputs_mm: Points, held_back_mm: Float[Tensor, "others points 3"]) -> None:
        """A round of the updater (Eq. 10)."""
        errors = self.to_units(held_back_mm, self.held_back) - pick_truth(self.held_back, self.target)
        self.poses.add(self.to_units(outputs_mm, self.seen), errors)


def pick_points(poses: Poses, target: Target) -> Float[Tensor, "steps frames points 3"]:
    return poses.hand_mm if target == "hand" else poses.corners_mm


def pick_truth(data: Data, target: Target) -> Points:
    """Labels in half edges of D's cube."""
    return data["joints"][:, HAND_POINTS if target == "hand" else CORNER_POINTS]


def measure_steps_mm(poses: Poses, data: Data, target: Target, kind: str) -> Float[Tensor, "steps frames"]:
    """Mean distance of one side's points after every step; of boxes in the nearest order."""
    truth_mm = pick_truth(data, target) * (data["cube_mm"] / 2)[:, None, None] + data["centre_mm"][:, None]
    held: Held = held_of(data)
    errors = []
    for points_mm in pick_points(poses, target):
        alike_mm = truth_mm
        if target == "object":
            alike_mm = nearest_corners(points_mm, truth_mm, list_symmetries(kind), held.which)
        errors.append((points_mm - alike_mm).norm(dim=2).mean(dim=1))
    return torch.stack(errors)


def shake(boxes: Float[Tensor, "batch 8 3"], turn_rad: float, shift: float) -> Float[Tensor, "batch 8 3"]:
    """Boxes turned about their middles by normal deviates about each axis, and shifted by others."""
    middle = boxes.mean(dim=1, keepdim=True)
    x, y, z = (turn_rad * torch.randn(len(boxes), 3, device=boxes.device)).unbind(dim=1)
    none = torch.zeros_like(x)
    skew = torch.stack([none, -z, y, z, none, -x, -y, x, none], dim=1).unflatten(1, (3, 3))
    turned = (boxes - middle) @ torch.linalg.matrix_exp(skew).transpose(1, 2)
    return turned + middle + shift * torch.randn(len(boxes), 1, 3, device=boxes.device)
