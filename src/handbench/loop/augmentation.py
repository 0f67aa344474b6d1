"""Scale, shift and rotation of a batch of crops where it lies, in memory or on a GPU: one warp for all its frames.

A crop is a depth patch in [-1, 1] with the joints in units of half the cube's edge around its centre. To move the cube
or to give it another size is what cropping again would do, up to the pixels that the first crop cut away. To turn the
patch about its middle is to turn the hand about the line of sight through the cube's centre, up to the perspective
within the hand (the joints take the same turn in pixels and are lifted again, so that picture and pose agree).
"""

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import grid_sample

from handbench.conventions import BACKGROUND
from handbench.geometry.patch_frame import PatchFrame, project_points
from handbench.loop import processes


@dataclass(frozen=True)
class CropBatch:
    """Crops with the pinhole camera that their own pixels have."""

    depth: Float[Tensor, "batch 1 size size"]
    joints: Float[Tensor, "batch joints 3"]
    centre_mm: Float[Tensor, "batch 3"]
    cube_mm: Float[Tensor, "batch"]
    focal_px: Float[Tensor, "batch 2"]
    """Patch pixels a unit of x / z and y / z."""
    principal_px: Float[Tensor, "batch 2"]
    """The patch pixel of the optical axis, mostly far outside."""

    @property
    def frame(self) -> PatchFrame:
        """What the patches look at."""
        return PatchFrame(self.centre_mm, self.cube_mm, self.focal_px, self.principal_px, self.depth.shape[-1])

    def take(self, rows: Int64[Tensor, "rows"]) -> "CropBatch":
        """Some of them, in this order."""
        return CropBatch(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def to(self, device: torch.device) -> "CropBatch":
        """The same on a device."""
        return CropBatch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


@dataclass(frozen=True)
class Ranges:
    """How far crops are moved: normal deviates of the scale and the shift, turns between -turn and +turn."""

    scale: float = 0.02
    """Standard deviation of the cube's relative size."""
    shift_mm: float = 5.0
    """Standard deviation of each coordinate of the cube's centre."""
    turn_rad: float = torch.pi
    """Largest turn; every angle up to it is as likely."""


def augment(batch: CropBatch, ranges: Ranges) -> CropBatch:
    """Every crop with a cube of another size and place, turned; drawn as processes.py says."""
    number, like = len(batch.depth), batch.centre_mm
    scale = 1 + ranges.scale * processes.randn(number, device=like.device)
    shift_mm = ranges.shift_mm * processes.randn(number, 3, device=like.device)
    turn_rad = ranges.turn_rad * (2 * processes.rand(number, device=like.device) - 1)
    return turn(move_cube(batch, shift_mm, scale.clamp(0.5, 2.0)), turn_rad)


def move_cube(batch: CropBatch, shift_mm: Float[Tensor, "batch 3"], scale: Float[Tensor, "batch"]) -> CropBatch:
    """The crop of a cube whose centre lies `shift_mm` further and whose edge is `scale` times as long."""
    centre_mm, cube_mm = batch.centre_mm + shift_mm, batch.cube_mm * scale
    half_mm = (batch.cube_mm / 2)[:, None]
    # A window is as wide as its cube at the depth of its centre.
    zoom = (batch.centre_mm[:, 2] + shift_mm[:, 2]) / (batch.centre_mm[:, 2] * scale)
    centres_mm = torch.stack([batch.centre_mm, centre_mm], dim=1)
    old_px, new_px = project_points(centres_mm, batch.focal_px, batch.principal_px).unbind(dim=1)
    size = batch.depth.shape[-1]
    middle = (size - 1) / 2
    # Patch pixel q of the new crop shows pixel (q - middle) / zoom + middle + (new - old centre) of the old one.
    matrix = torch.eye(2, device=zoom.device) / zoom[:, None, None]
    warped = _warp(batch.depth, matrix, new_px - old_px)
    depth = warped * batch.cube_mm[:, None, None, None] - 2 * shift_mm[:, 2, None, None, None]
    depth = (depth / cube_mm[:, None, None, None]).clamp(-1, 1)
    return replace(
        batch,
        depth=torch.where(warped < BACKGROUND, depth, warped),
        joints=(batch.joints * half_mm[:, None] - shift_mm[:, None]) / (cube_mm / 2)[:, None, None],
        centre_mm=centre_mm,
        cube_mm=cube_mm,
        focal_px=batch.focal_px * zoom[:, None],
        principal_px=(batch.principal_px - middle - (new_px - old_px)) * zoom[:, None] + middle,
    )


def turn(batch: CropBatch, turn_rad: Float[Tensor, "batch"]) -> CropBatch:
    """The patch and the joints turned about the middle of the patch, from x towards y (clockwise to the eye)."""
    cosine, sine = turn_rad.cos(), turn_rad.sin()
    middle = (batch.depth.shape[-1] - 1) / 2
    # The pixel to look at is found by the turn back.
    back = torch.stack([torch.stack([cosine, sine], dim=-1), torch.stack([-sine, cosine], dim=-1)], dim=-2)
    half_mm = (batch.cube_mm / 2)[:, None, None]
    joints_mm = batch.joints * half_mm + batch.centre_mm[:, None]
    pixels = project_points(joints_mm, batch.focal_px, batch.principal_px)
    turned = (pixels - middle) @ back + middle
    xy_mm = (turned - batch.principal_px[:, None]) * joints_mm[..., 2:] / batch.focal_px[:, None]
    joints_mm = torch.cat([xy_mm, joints_mm[..., 2:]], dim=-1)
    return replace(
        batch,
        depth=_warp(batch.depth, back, torch.zeros_like(batch.focal_px)),
        joints=(joints_mm - batch.centre_mm[:, None]) / half_mm,
    )


def _warp(
    depth: Float[Tensor, "batch 1 size size"], matrix: Float[Tensor, "batch 2 2"], shift_px: Float[Tensor, "batch 2"]
) -> Float[Tensor, "batch 1 size size"]:
    """Each pixel takes the nearest one of matrix (q - middle) + middle + shift; outside lies the background."""
    size = depth.shape[-1]
    steps = torch.arange(size, device=depth.device, dtype=depth.dtype) - (size - 1) / 2
    across = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)
    looked_at = torch.einsum("bij,hwj->bhwi", matrix, across) + shift_px[:, None, None]
    # grid_sample counts from -1 to +1 between the outer edges; beyond them it gives 0, so the background is made 0.
    grid = looked_at * (2 / size)
    return grid_sample(depth - BACKGROUND, grid, mode="nearest", padding_mode="zeros", align_corners=False) + BACKGROUND
