"""Differentiable max-splatting (refine Eqs. 3 to 5): points to a smooth depth image, and back by its gradient.

    p      points  (batch, N, 3)  x and y across the patch, z along the view; each from -1 to +1 within the cube
    r      radius                 of a point's footprint, in the units of x and y: a patch is 2 wide
    phi                           (1 - (dist / r)^2)^2 within r, else 0 (Eq. 5)
    depth                         (1 - z) / 2 phi: the paper's 1 - z with its [0, 1] for our [-1, 1] (Eq. 4)
    f      image   (batch, S, S)  the largest depth of all points at each pixel (Eq. 3)

An image is 1 where a surface touches the cube's front face, falls to 0 at the back face, and is 0 where nothing is: so
the background is the farthest depth, as in a crop, and a pixel that nothing reaches needs no case of its own. A point
behind the back face is not drawn; one before the front face gives more than 1.

Pixels are sampled at their centres: column j lies at (2 j + 1) / S - 1.

Who ties for a pixel, two points of the very same depth there, has half of its gradient each, which is what the
difference quotient to both sides says; of three or more the first and the last. On the CPU this is a numba kernel, on a
GPU plain torch; neither makes an array of points times pixels.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int32
from torch import Tensor

from handbench.geometry.splat_kernel import NOBODY, draw_points, find_rivals, pull_points

Points = Float[Tensor, "batch points 3"]
Images = Float[Tensor, "batch size size"]
Map = Int32[Tensor, "batch size size"]

FEWEST_IMAGES = 4
"""For each thread: fewer are drawn sooner than a thread starts."""
POINTS_AT_ONCE = 2880
"""In plain torch: what is held of so many beside the maps stays under a megabyte an image. A fifth of a frame's."""


def splat(points: Points, size_px: int, radius: float) -> Images:
    """f_depth of every cloud of a batch (Eq. 3)."""
    return splat_and_tell(points, size_px, radius)[0]


def splat_and_tell(points: Points, size_px: int, radius: float) -> tuple[Images, Map]:
    """The same, and for each pixel the point that it shows; -1 where it shows none."""
    image, winner = _Splat.apply(points, size_px, radius)
    return image, winner


def patch_to_points(depth: Float[Tensor, "batch 1 size size"]) -> Points:
    """P_D: every pixel of a depth patch as a point at its centre; the background, at +1, is drawn nowhere."""
    size = depth.shape[-1]
    steps = (2 * torch.arange(size, device=depth.device, dtype=depth.dtype) + 1) / size - 1
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x.expand_as(depth), y.expand_as(depth), depth], dim=-1).flatten(1, 3)


class _Splat(torch.autograd.Function):
    """What torch is told of the two kernels."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, size_px: int, radius: float) -> tuple[Tensor, Tensor]:
        draw = draw_on_cpu if points.device.type == "cpu" else draw_by_offsets
        image, winner, rival = draw(points.detach(), size_px, radius, rivals=ctx.needs_input_grad[0])
        ctx.save_for_backward(points, winner, rival)
        ctx.radius = radius
        ctx.mark_non_differentiable(winner)
        return image, winner

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, pull: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        points, winner, rival = ctx.saved_tensors
        pull_back = pull_on_cpu if points.device.type == "cpu" else pull_by_pixels
        return pull_back(points.detach(), winner, rival, pull, ctx.radius), None, None


def draw_on_cpu(points: Points, size_px: int, radius: float, *, rivals: bool = True) -> tuple[Images, Map, Map]:
    """Image, winners and, if they are asked for, rivals by the kernel, images side by side where torch has threads."""
    shape = (len(points), size_px, size_px)
    image = torch.empty(shape, dtype=points.dtype)
    winner, rival = torch.empty(shape, dtype=torch.int32), torch.full(shape, NOBODY, dtype=torch.int32)
    arrays = [values.numpy() for values in (points.contiguous(), image, winner, rival)]

    def draw(part: slice) -> None:
        clouds, shown, first, last = (array[part] for array in arrays)
        tied = draw_points(clouds, radius, shown, first)
        # Of two points in general places none ties; a second walk over all images would be for nothing.
        for number in np.flatnonzero(tied) if rivals else ():
            one = slice(number, number + 1)
            find_rivals(clouds[one], radius, shown[one], first[one], last[one])

    _share_images(len(points), draw)
    return image, winner, rival


def pull_on_cpu(points: Points, winner: Map, rival: Map, pull: Images, radius: float) -> Points:
    """The gradient by the points, by the kernel."""
    moved = torch.zeros_like(points, memory_format=torch.contiguous_format)
    arrays = [values.numpy() for values in (points.contiguous(), winner, rival, pull.contiguous(), moved)]

    def pull_part(part: slice) -> None:
        clouds, first, last, pulls, gradient = (array[part] for array in arrays)
        pull_points(clouds, radius, first, last, pulls, gradient)

    _share_images(len(points), pull_part)
    return moved


def _share_images(images: int, work: Any) -> None:
    threads = max(min(torch.get_num_threads(), images // FEWEST_IMAGES), 1)
    edges = [images * part // threads for part in range(threads + 1)]
    parts = [slice(first, last) for first, last in pairwise(edges)]
    if threads == 1:
        work(parts[0])
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))


def draw_by_offsets(points: Points, size_px: int, radius: float, *, rivals: bool = True) -> tuple[Images, Map, Map]:
    """The same in plain torch, one pixel of all footprints at a time: twice over them, for depths and for winners.

    Rivals come with the winners, asked for or not.
    """
    batch, number = points.shape[:2]
    image = points.new_zeros(batch, size_px * size_px)
    for _, pixel, value in _walk_parts(points, size_px, radius):
        image.scatter_reduce_(1, pixel, value, "amax")
    first = torch.full_like(image, number, dtype=torch.int64)
    last = torch.full_like(first, NOBODY)
    index = torch.arange(number, device=points.device).expand(batch, -1)
    for part, pixel, value in _walk_parts(points, size_px, radius):
        shown = (value > 0) & (value == image.gather(1, pixel))
        first.scatter_reduce_(1, pixel, torch.where(shown, index[:, part], number), "amin")
        last.scatter_reduce_(1, pixel, torch.where(shown, index[:, part], NOBODY), "amax")
    winner = torch.where(last == NOBODY, NOBODY, first)
    rival = torch.where(last == first, NOBODY, last)
    size = (size_px, size_px)
    return image.unflatten(1, size), winner.unflatten(1, size).int(), rival.unflatten(1, size).int()


def _walk_parts(points: Points, size_px: int, radius: float) -> Any:
    """The walk of `_walk_footprints` for a part of the points after the other: which, and what it yields."""
    for first in range(0, points.shape[1], POINTS_AT_ONCE):
        part = slice(first, first + POINTS_AT_ONCE)
        for pixel, value in _walk_footprints(points[:, part], size_px, radius):
            yield part, pixel, value


def _walk_footprints(points: Points, size_px: int, radius: float) -> Any:
    """For each place of a footprint the pixel there, and every point's depth at it.

    Pixels are counted in double precision, as by the kernel: in single precision 120 columns lose some millionths.
    """
    column, row = ((points[..., axis].double() + 1) * (size_px / 2) - 0.5 for axis in (0, 1))
    height, reach = (1 - points[..., 2]) / 2, radius * size_px / 2
    # Far out, and not a number: nowhere near the patch.
    left, top = (torch.nan_to_num(at - reach, -size_px).clamp(-2 * size_px, 2 * size_px).ceil() for at in (column, row))
    across = math.floor(2 * reach) + 1
    for i in range(across):
        for j in range(across):
            at_column, at_row = left + j, top + i
            square = ((at_column - column) / reach).square() + ((at_row - row) / reach).square()
            inside = (at_column >= 0) & (at_column < size_px) & (at_row >= 0) & (at_row < size_px)
            base = (1 - square).to(points.dtype)
            drawn = inside & (base > 0) & (height > 0)
            pixel = at_row.clamp(0, size_px - 1) * size_px + at_column.clamp(0, size_px - 1)
            yield pixel.long(), torch.where(drawn, height * base.square(), 0.0)


def pull_by_pixels(points: Points, winner: Map, rival: Map, pull: Images, radius: float) -> Points:
    """The gradient in plain torch: every pixel pulls at the point that it shows. In double precision, as the kernel."""
    exact = points.double()
    moved = torch.zeros_like(exact)
    share = torch.where(rival == NOBODY, 1.0, 0.5) * pull.double()
    size = pull.shape[-1]
    steps = (2 * torch.arange(size, device=points.device, dtype=torch.float64) + 1) / size - 1
    for whose in (winner, rival):
        index = whose.flatten(1).long().clamp(min=0)[..., None].expand(-1, -1, 3)
        x, y, z = exact.gather(1, index).unflatten(1, (size, size)).unbind(-1)
        across, down = steps[None, None, :] - x, steps[None, :, None] - y
        base = 1 - (across.square() + down.square()) / radius**2
        here = torch.where(whose == NOBODY, 0.0, share)
        slope = here * 2 * (1 - z) * base / radius**2
        pulls = torch.stack([slope * across, slope * down, -here * base.square() / 2], dim=-1)
        moved.scatter_add_(1, index, pulls.flatten(1, 2))
    return moved.to(points.dtype)
