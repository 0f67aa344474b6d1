"""The spatial transformer for 2.5D depth and its inverse (feedback19 Sec. 4.3, Eqs. 16 to 18): from patch to patch.

    A_theta  find_transform  (batch, 2, 3)    target grid to source grid, both from -1 to +1 between outer pixel edges
    STN      resample_depth  (batch, 1, S, S)  from D to the frame of a smaller cube (`frame_cube` has Eq. 16's window)
    ISTN     resample_depth                    from the smaller cube's frame back to D's: A_theta is then the inverse
    min      merge_depth                       Eq. 21

Depth is carried along: what is read in the units of one cube is written in those of the other, and clipped there.

The background is no depth, so it is not interpolated. Eq. 18 to the letter would mix it with the surface before it: a
rim of points in the air around every hand, which a crop of the camera's image never has (its pixels are taken whole).
Here the bilinear weights of the measured pixels alone are normalised, and where these have less than half of the
weight the background is written. Outside of the source lies background. docs/hand-object-loop.md has what it measures.

Both D and the frames get gradients, as far as there are any: where the outline jumps from one pixel to the next
there is none.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from handbench.conventions import BACKGROUND
from handbench.geometry.patch_frame import PatchFrame

LEAST_WEIGHT = 0.5
"""Of a pixel, so much must be measured: outlines stay where they are, whatever the direction of the way."""


def find_transform(source: PatchFrame, target: PatchFrame) -> Float[Tensor, "batch 2 3"]:
    """A_theta of Eq. 16 without its last row: where the target's grid looks in the source (Eq. 17)."""
    # A pixel p of the target shows the ray of the source's pixel scale p + shift.
    scale = source.focal_px / target.focal_px
    shift = source.principal_px - scale * target.principal_px
    stretch = scale * target.size_px / source.size_px
    middle = (2 * shift + scale * (target.size_px - 1) - (source.size_px - 1)) / source.size_px
    return torch.cat([torch.diag_embed(stretch), middle[:, :, None]], dim=2)


def resample_depth(
    depth: Float[Tensor, "batch 1 rows rows"], source: PatchFrame, target: PatchFrame
) -> Float[Tensor, "batch 1 size size"]:
    """What the target's patches see of the source's: STN and ISTN alike (Eqs. 17 and 18)."""
    grid = _make_grid(find_transform(source, target), target.size_px)
    # A network that draws in half precision meets places in full.
    depth = depth.to(grid.dtype)
    measured = (depth < BACKGROUND).to(depth.dtype)
    weighed = torch.cat([measured, measured * depth], dim=1)
    # Beyond the source nothing is measured, which is what zeros say.
    weight, total = grid_sample(weighed, grid, padding_mode="zeros", align_corners=False).split(1, dim=1)
    seen = weight >= LEAST_WEIGHT
    # The division must not meet a zero even where its result is not used: its gradient would be NaN.
    moved = change_units(total / torch.where(seen, weight, 1.0), source, target).clamp(-1, BACKGROUND)
    return torch.where(seen, moved, BACKGROUND)


def _make_grid(transform: Float[Tensor, "batch 2 3"], size_px: int) -> Float[Tensor, "batch size size 2"]:
    """A_theta (x_t, y_t, 1) for every pixel (Eq. 17). Not by affine_grid, whose matmul autocast makes bfloat16 of."""
    steps = (2 * torch.arange(size_px, device=transform.device, dtype=transform.dtype) + 1) / size_px - 1
    x, y = (transform[:, axis, axis, None] * steps + transform[:, axis, 2, None] for axis in (0, 1))
    shape = (-1, size_px, size_px)
    return torch.stack([x[:, None].expand(shape), y[:, :, None].expand(shape)], dim=3)


def change_units(
    depth: Float[Tensor, "batch 1 size size"], source: PatchFrame, target: PatchFrame
) -> Float[Tensor, "batch 1 size size"]:
    """Depths in half edges of the source's cube to those of the target's."""
    behind_mm = depth * (source.cube_mm / 2)[:, None, None, None]
    nearer_mm = (source.centre_mm - target.centre_mm)[:, 2, None, None, None]
    return (behind_mm + nearer_mm) / (target.cube_mm / 2)[:, None, None, None]


def merge_depth(
    first: Float[Tensor, "batch 1 size size"], second: Float[Tensor, "batch 1 size size"]
) -> Float[Tensor, "batch 1 size size"]:
    """Pixel by pixel the nearer of two images in one frame (Eq. 21)."""
    return torch.minimum(first, second)
