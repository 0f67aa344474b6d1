"""Max-splatting of a cloud, against the same written over points times pixels, and against numpy's maximum.at."""

from functools import partial

import numpy as np
import torch

from benchmarks.harness import DisagreementError, Race, make_race
from benchmarks.rows import Row
from handbench.geometry.splatting import splat

POINTS, SIZE_PX, RADIUS = 2000, 120, 4 * 2 / 120
"""A radius of four pixels."""


def make_points() -> torch.Tensor:
    """Points all over the patch: none is cut away early."""
    return 2 * torch.rand(1, POINTS, 3, generator=torch.Generator().manual_seed(0)) - 1


def splat_densely(points: torch.Tensor) -> torch.Tensor:
    """Eqs. 3 to 5 as they read: every point at every pixel, then the largest."""
    steps = (2 * torch.arange(SIZE_PX) + 1) / SIZE_PX - 1
    across = (steps - points[..., 0, None]).square()[:, :, None, :]
    down = (steps - points[..., 1, None]).square()[:, :, :, None]
    base = (1 - (across + down) / RADIUS**2).relu()
    return ((1 - points[..., 2]) / 2)[..., None, None].mul(base.square()).amax(dim=1)


def splat_by_maximum_at(points: np.ndarray) -> np.ndarray:
    """Only the pixels within reach, all points at once, and a maximum that takes an index more than once."""
    x, y, z = points.T
    column, row = (x + 1) * (SIZE_PX / 2) - 0.5, (y + 1) * (SIZE_PX / 2) - 0.5
    reach = RADIUS * SIZE_PX / 2
    offsets = np.arange(int(2 * reach) + 1, dtype=np.float32)
    columns = np.ceil(column - reach)[:, None] + offsets
    rows = np.ceil(row - reach)[:, None] + offsets
    across, down = ((columns - column[:, None]) / reach) ** 2, ((rows - row[:, None]) / reach) ** 2
    base = 1 - (down[:, :, None] + across[:, None, :])
    in_columns, in_rows = (columns >= 0) & (columns < SIZE_PX), (rows >= 0) & (rows < SIZE_PX)
    reached = (base > 0) & in_rows[:, :, None] & in_columns[:, None, :]
    pixels = (rows[:, :, None] * SIZE_PX + columns[:, None, :])[reached].astype(np.int64)
    depths = ((1 - z) / 2)[:, None, None] * base**2
    image = np.zeros(SIZE_PX * SIZE_PX, np.float32)
    np.maximum.at(image, pixels, depths[reached])
    return image.reshape(1, SIZE_PX, SIZE_PX)


def race_dense(*, backward: bool) -> Race:
    """One image; with `backward` the gradient of a weighted sum as well."""
    points, pull = make_points().requires_grad_(backward), torch.randn(1, SIZE_PX, SIZE_PX)

    def run_ours() -> torch.Tensor:
        image = splat(points, SIZE_PX, RADIUS)
        return torch.autograd.grad(image, points, pull)[0] if backward else image

    def run_theirs() -> torch.Tensor:
        image = splat_densely(points)
        return torch.autograd.grad(image, points, pull)[0] if backward else image

    # A gradient is a sum over fifty pixels, each of up to a hundred.
    return make_race(
        run_ours, run_theirs, 1, lambda: require_equal(run_ours(), run_theirs(), 0.01 if backward else 2e-5)
    )


def race_maximum_at() -> Race:
    """One image; ours keeps a map of winners beside it, which maximum.at does not."""
    points = make_points()
    plain = points[0].numpy()

    def run_ours() -> torch.Tensor:
        return splat(points, SIZE_PX, RADIUS)

    def run_theirs() -> np.ndarray:
        return splat_by_maximum_at(plain)

    return make_race(run_ours, run_theirs, 1, lambda: require_equal(run_ours(), torch.from_numpy(run_theirs()), 2e-5))


def require_equal(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> None:
    """Both peers count pixels in single precision, which is what the tolerance is for."""
    apart = float((ours - theirs).abs().max())
    if not apart <= tolerance:
        raise DisagreementError(f"splatting: expected at most {tolerance:g} between them, found {apart:g}")


ROWS = (
    Row(
        "splat-dense",
        "max-splatting, 2,000 points, 120x120",
        "dense torch, points times pixels",
        partial(race_dense, backward=False),
        500.0,
        1000.0,
    ),
    Row(
        "splat-backward",
        "the same with its gradient",
        "dense torch and its autograd",
        partial(race_dense, backward=True),
        None,
        None,
    ),
    Row(
        "splat-maximum-at",
        "max-splatting, 2,000 points, 120x120",
        "numpy.maximum.at on the pixels within reach",
        race_maximum_at,
        3.0,
        4.0,
    ),
)
