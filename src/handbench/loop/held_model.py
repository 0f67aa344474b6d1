"""Hand and object of the frames D: every method that gives both poses, under one roof.

    HandObjectLoop    Algorithm 1                                     loop/hand_object_iteration.py
    Started           its start with another predictor of the object  GF9's rival
    Single            one network for both                            Sec. 6.3

Each takes crops D and what is held and gives both poses after every step. Where the object is known, its corners pass
through Procrustes to those of a box of its size, whoever has predicted them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.geometry.alignment import RigidPose
from handbench.geometry.patch_frame import points_to_mm
from handbench.geometry.spatial_transformer import resample_depth
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import AT_ONCE, Data, as_batch, device_of
from handbench.loop.hand_object_iteration import HandObjectLoop, ObjectSide, Placed, Side, Step
from handbench.loop.held_data import (
    BOX_CORNERS,
    CORNER_POINTS,
    HAND_POINTS,
    JOINTS,
    Target,
    held_of,
)
from handbench.loop.held_object import Held, straighten
from handbench.loop.localization import place_centres

POINTS_OF: dict[Target, int] = {"hand": JOINTS, "object": BOX_CORNERS}


class Still(nn.Module):
    """An updater that leaves a pose as it is."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.points = points

    def forward(self, observed: Tensor, drawn: Tensor) -> Tensor:
        return observed.new_zeros(len(observed), self.points, 3)


class RotationSide(ObjectSide):
    """The start of an object whose predictor says place and rotation."""

    def start(self, crops: CropBatch, held: Held) -> Placed:
        frame = self.frame_at(place_centres(self.localizer(crops.depth), crops).centre_mm)
        middle, rotation = self.predictor(resample_depth(crops.depth, crops.frame, frame))
        middle_mm = points_to_mm(middle[:, None], frame)[:, 0]
        corners_mm = RigidPose(rotation, middle_mm).place(held.corners_mm)
        return Placed(self.settle(corners_mm, held), frame)


class Started(nn.Module):
    """Both sides' first poses."""

    def __init__(self, hand: Side, object: Side) -> None:
        super().__init__()
        self.hand, self.object = hand, object

    def forward(self, crops: CropBatch, held: Held) -> list[Step]:
        return [Step(self.hand.start(crops, held), self.object.start(crops, held))]


class Single(nn.Module):
    """29 points of D at once."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: CropBatch, held: Held) -> list[Step]:
        points_mm = points_to_mm(self.network(crops.depth), crops.frame)
        corners_mm = straighten(points_mm[:, CORNER_POINTS], held)
        return [Step(Placed(points_mm[:, HAND_POINTS], crops.frame), Placed(corners_mm, crops.frame))]


HeldModel = HandObjectLoop | Started | Single


@dataclass(frozen=True)
class Poses:
    """Both poses of many frames at the start and after every iteration, camera axes, on the CPU."""

    hand_mm: Float[Tensor, "steps frames 21 3"]
    corners_mm: Float[Tensor, "steps frames 8 3"]


@torch.no_grad()
def find_poses(model: nn.Module, data: Data) -> Poses:
    """A part of the frames at a time, in eval mode, where the networks are."""
    model.eval()
    device, hands, corners = device_of(model), [], []
    for rows in torch.arange(len(data["depth"])).split(AT_ONCE):
        part = {name: values[rows].to(device) for name, values in data.items()}
        steps: Sequence[Step] = model(as_batch(part), held_of(part))
        hands.append(torch.stack([step.hand.points_mm.cpu() for step in steps]))
        corners.append(torch.stack([step.object.points_mm.cpu() for step in steps]))
    return Poses(torch.cat(hands, dim=1), torch.cat(corners, dim=1))
