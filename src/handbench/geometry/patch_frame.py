"""What a batch of depth patches looks at: a cube before the camera, and the pinhole camera of the patch's own pixels.

Everything that goes between patches, points and millimetres follows from the two. In torch, so that places have
gradients; geometry/crop.py has the same relations for one frame in numpy.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.geometry.crop import NEAREST_MM

Points = Float[Tensor, "batch points 3"]


@dataclass(frozen=True)
class PatchFrame:
    """The cubes that square patches show, and their cameras."""

    centre_mm: Float[Tensor, "batch 3"]
    cube_mm: Float[Tensor, "batch"]
    focal_px: Float[Tensor, "batch 2"]
    """Patch pixels a unit of x / z and y / z."""
    principal_px: Float[Tensor, "batch 2"]
    """The patch pixel of the optical axis, mostly far outside."""
    size_px: int


def frame_cube(centre_mm: Float[Tensor, "batch 3"], cube_mm: Float[Tensor, "batch"], size_px: int) -> PatchFrame:
    """The patch that a cube fills exactly at the depth of its centre, the centre in its middle (Eq. 16).

    The window goes from proj(t - c) to proj(t + c), where c has half an edge to the side and nothing in depth: with
    depth in c as well, its near and its far end would have two different widths. A crop's window is the same, but for
    its bounds, which are whole image pixels; here nothing is rounded, so that the patch follows t smoothly. It is as
    wide as it is high in millimetres, whatever the camera's pixels are, and so no camera is needed.
    """
    x, y, z = centre_mm.unbind(dim=1)
    # A pose that a loop has lost may lie behind the camera: its window shows nothing, but has a size.
    z = z.clamp(min=NEAREST_MM)
    focal = size_px * z / cube_mm
    principal = (size_px - 1) / 2 - focal[:, None] * torch.stack([x / z, y / z], dim=1)
    return PatchFrame(centre_mm, cube_mm, focal[:, None].expand(-1, 2), principal, size_px)


def make_camera(
    patch_from_image: Float[Tensor, "batch 3 3"], focal: tuple[float, float], principal: tuple[float, float]
) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch 2"]]:
    """Focal lengths and principal point in patch pixels, from those of the image."""
    scale, shift = patch_from_image.diagonal(dim1=1, dim2=2)[:, :2], patch_from_image[:, :2, 2]
    return scale * scale.new_tensor(focal), scale * scale.new_tensor(principal) + shift


def project_points(
    points_mm: Float[Tensor, "*steps batch points 3"],
    focal_px: Float[Tensor, "batch 2"],
    principal_px: Float[Tensor, "batch 2"],
) -> Float[Tensor, "*steps batch points 2"]:
    """Patch pixels of points before the camera."""
    return focal_px[:, None] * points_mm[..., :2] / points_mm[..., 2:] + principal_px[:, None]


def points_to_cube(points_mm: Points, frame: PatchFrame) -> Points:
    """Camera millimetres to half cube edges around the cube's centre, as networks have them."""
    return (points_mm - frame.centre_mm[:, None]) / (frame.cube_mm / 2)[:, None, None]


def points_to_mm(points: Points, frame: PatchFrame) -> Points:
    """The inverse; through both, points go from one cube's units to another's."""
    return points * (frame.cube_mm / 2)[:, None, None] + frame.centre_mm[:, None]
