"""What a network of hand and object is shown of D, and what it is to say of it: a patch, and points in its units.

    D                     view_whole   the single network's (Sec. 6.3)
    c_H = STN(l_H, D)     view_hand    Eq. 19
    c_O = STN(l_O, D)     view_object  Eq. 20

In use the localizers say where a patch is cut; in training it is the true place with some noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.geometry.patch_frame import PatchFrame, frame_cube, points_to_cube, points_to_mm
from handbench.geometry.spatial_transformer import resample_depth
from handbench.loop import processes
from handbench.loop.augmentation import CropBatch
from handbench.loop.held_data import CORNER_POINTS, HAND_POINTS, MIDDLE_JOINT
from handbench.loop.held_object import Held, straighten


@dataclass(frozen=True)
class Seen:
    """Patches, and in half edges of their cubes the points that are to be found in them."""

    images: Float[Tensor, "batch 1 size size"]
    points: Float[Tensor, "batch points 3"]
    frame: PatchFrame
    held: Held


View = Callable[[CropBatch, Held, float], Seen]
"""Crops D with all points, the solids, and the share of the noise: 1 in training, 0 where frames are held back."""


def make_hand_view(cube_mm: float, size_px: int, noise_mm: float = 0.0) -> View:
    return partial(view_hand, cube_mm=cube_mm, size_px=size_px, noise_mm=noise_mm)


def make_object_view(cube_mm: float, size_px: int, noise_mm: float = 0.0) -> View:
    return partial(view_object, cube_mm=cube_mm, size_px=size_px, noise_mm=noise_mm)


def view_whole(crops: CropBatch, held: Held, share: float = 1.0) -> Seen:
    """D as it is, hand and object in it."""
    hand_mm, corners_mm = split_points(crops, held)
    points_mm = torch.cat([hand_mm, corners_mm], dim=1)
    return Seen(crops.depth, points_to_cube(points_mm, crops.frame), crops.frame, held)


def view_hand(
    crops: CropBatch, held: Held, share: float = 1.0, *, cube_mm: float, size_px: int, noise_mm: float = 0.0
) -> Seen:
    """The hand's cube around its middle MCP joint."""
    hand_mm, _ = split_points(crops, held)
    return _cut(crops, held, hand_mm, hand_mm[:, MIDDLE_JOINT], cube_mm, size_px, share * noise_mm)


def view_object(
    crops: CropBatch, held: Held, share: float = 1.0, *, cube_mm: float, size_px: int, noise_mm: float = 0.0
) -> Seen:
    """The object's cube around its middle."""
    _, corners_mm = split_points(crops, held)
    return _cut(crops, held, corners_mm, corners_mm.mean(dim=1), cube_mm, size_px, share * noise_mm)


def split_points(crops: CropBatch, held: Held) -> tuple[Float[Tensor, "batch 21 3"], Float[Tensor, "batch 8 3"]]:
    """Joints and corners in camera millimetres; a patch turned about its middle shears a box a little, so its corners
    are made those of a box again."""
    points_mm = points_to_mm(crops.joints, crops.frame)
    return points_mm[:, HAND_POINTS], straighten(points_mm[:, CORNER_POINTS], held)


def _cut(
    crops: CropBatch,
    held: Held,
    points_mm: Float[Tensor, "batch points 3"],
    middle_mm: Float[Tensor, "batch 3"],
    cube_mm: float,
    size_px: int,
    noise_mm: float,
) -> Seen:
    if noise_mm:
        middle_mm = middle_mm + noise_mm * processes.randn(*middle_mm.shape, device=middle_mm.device)
    frame = frame_cube(middle_mm, middle_mm.new_full((len(middle_mm),), cube_mm), size_px)
    return Seen(resample_depth(crops.depth, crops.frame, frame), points_to_cube(points_mm, frame), frame, held)
