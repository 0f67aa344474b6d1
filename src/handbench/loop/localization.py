"""From a crop to one joint and back: the offset (u, v, d) that feedback19's localizer learns (Sec. 3.2).

    l        offset       (batch, 3)  u and v in half patches from the patch's middle, d in half cube edges

The middle of the patch stands for the crop's centre: windows have whole pixels, so that the centre lies up to a pixel
beside it, which no picture shows. The middle is also what an augmented patch is turned about.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from handbench.conventions import Camera
from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.geometry.patch_frame import make_camera, project_points
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import apply

Points = Float[Tensor, "batch 3"]


@dataclass(frozen=True)
class Refined:
    """Where the cubes of a batch go."""

    centre_mm: Points
    moved: Bool[Tensor, "batch"]
    """False where the network points out of the cube that it has seen: such a cube stays where it is."""


def select_joint(crops: CropDataset, joint: str) -> CropDataset:
    """The same crops with one joint, which need not be a scored one."""
    names = crops.store.joint_names
    if joint not in names:
        dataset = crops.store.card["protocol"]["dataset"]
        raise BadInput(
            "joint", expected=f"a joint of {dataset}", found=repr(joint), fix=f"choose of {', '.join(names)}"
        )
    return CropDataset(crops.store, crops.places, [names.index(joint)])


def place_crops(
    depth: Float[Tensor, "batch 1 size size"],
    centre_mm: Points,
    cube_mm: Float[Tensor, "batch"],
    patch_from_image: Float[Tensor, "batch 3 3"],
    camera: Camera,
) -> CropBatch:
    """Crops of which no joint is known."""
    focal, principal = make_camera(patch_from_image, (camera.fx, camera.fy), (camera.cx, camera.cy))
    return CropBatch(depth, depth.new_empty(len(depth), 0, 3), centre_mm, cube_mm, focal, principal)


def find_offsets(crops: CropBatch) -> Points:
    """l of the only joint of each crop."""
    joint_mm = find_joint_mm(crops)
    pixels = project_points(joint_mm[:, None], crops.focal_px, crops.principal_px)[:, 0]
    size = crops.depth.shape[-1]
    return torch.cat([(pixels - (size - 1) / 2) / (size / 2), crops.joints[:, 0, 2:]], dim=1)


def find_points_mm(offsets: Points, crops: CropBatch) -> Points:
    """The inverse: millimetres in camera axes."""
    size = crops.depth.shape[-1]
    z = crops.centre_mm[:, 2:] + offsets[:, 2:] * crops.cube_mm[:, None] / 2
    pixels = offsets[:, :2] * (size / 2) + (size - 1) / 2
    return torch.cat([(pixels - crops.principal_px) * z / crops.focal_px, z], dim=1)


def find_joint_mm(crops: CropBatch) -> Points:
    """The label of the only joint."""
    return crops.joints[:, 0] * crops.cube_mm[:, None] / 2 + crops.centre_mm


def place_centres(offsets: Points, crops: CropBatch) -> Refined:
    """Where these offsets put the cubes."""
    moved = (offsets.abs() <= 1).all(dim=1)
    return Refined(torch.where(moved[:, None], find_points_mm(offsets, crops), crops.centre_mm), moved)


def refine_centres(network: nn.Module, crops: CropBatch) -> Refined:
    """Where the network finds its joint (Sec. 3.2: "finally crop again using the predicted location")."""
    return place_centres(apply(network, crops.depth), crops)
