"""Eqs. 3 to 5 of refine: the kernels against every point at every pixel, values, gradients and what is degenerate."""

import math
import tracemalloc

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from handbench.geometry import splatting
from handbench.geometry.splatting import (
    draw_by_offsets,
    draw_on_cpu,
    patch_to_points,
    pull_by_pixels,
    pull_on_cpu,
    splat,
    splat_and_tell,
)

DRAWERS = (draw_on_cpu, draw_by_offsets)
SIZES = ((120, 4 * 2 / 120), (33, 0.2), (17, 0.05), (64, 1.5))
"""The last radius is wider than half of the patch, the one before narrower than a pixel."""


def splat_densely(points: Float[Tensor, "batch points 3"], size_px: int, radius: float) -> Tensor:
    """Eqs. 3 to 5 as they read."""
    steps = (2 * torch.arange(size_px, dtype=points.dtype) + 1) / size_px - 1
    across = (steps - points[..., 0, None]).square()[:, :, None, :]
    down = (steps - points[..., 1, None]).square()[:, :, :, None]
    phi = torch.where(across + down < radius**2, (1 - (across + down) / radius**2).square(), 0.0)
    return ((1 - points[..., 2]) / 2).clamp(min=0)[..., None, None].mul(phi).amax(dim=1)


def scatter_points(batch: int, number: int, dtype: torch.dtype = torch.float32, spread: float = 1.2) -> Tensor:
    """Some beside the patch, before and behind the cube."""
    drawn = torch.rand(batch, number, 3, generator=torch.Generator().manual_seed(3), dtype=dtype)
    return spread * (2 * drawn - 1)


@pytest.mark.parametrize(("size_px", "radius"), SIZES)
@pytest.mark.parametrize("number", [1, 400])
def test_eq_3_is_the_dense_form(size_px, radius, number):
    points = scatter_points(3, number)
    expected = splat_densely(points.double(), size_px, radius)
    for draw in DRAWERS:
        assert (draw(points, size_px, radius)[0] - expected).abs().max() < 1e-6
    assert torch.equal(splat(points, size_px, radius), draw_on_cpu(points, size_px, radius)[0])
    exact = draw_by_offsets(points.double(), size_px, radius)[0]
    assert (exact - expected).abs().max() < 1e-12
    assert (draw_on_cpu(points.double(), size_px, radius)[0] - expected).abs().max() < 1e-12


@pytest.mark.parametrize(("size_px", "radius"), SIZES)
def test_both_ways_tell_the_same_winners_and_rivals(size_px, radius):
    points = scatter_points(2, 300, torch.float64)
    # Before all others, at the middle of a pixel.
    middle = (2 * (size_px // 2) + 1) / size_px - 1
    points[:, [3, 7, 9]] = torch.tensor([middle, middle, -1.3], dtype=torch.float64)
    (_, winner, rival), (_, other_winner, other_rival) = (draw(points, size_px, radius) for draw in DRAWERS)
    assert torch.equal(winner, other_winner)
    assert torch.equal(rival, other_rival)
    tied = rival >= 0
    assert set(winner[tied].tolist()) == {3}
    assert set(rival[tied].tolist()) == {9}


@pytest.mark.parametrize(("size_px", "radius"), SIZES[:2])
def test_gradients_are_those_of_the_dense_form(size_px, radius):
    points = scatter_points(2, 400)
    pull = torch.randn(2, size_px, size_px, generator=torch.Generator().manual_seed(0))
    ours, exact = points.clone().requires_grad_(), points.double().requires_grad_()
    (splat(ours, size_px, radius) * pull).sum().backward()
    (splat_densely(exact, size_px, radius) * pull.double()).sum().backward()
    assert ours.grad is not None
    assert exact.grad is not None
    scale = exact.grad.abs().amax()
    assert (ours.grad - exact.grad).abs().max() < 1e-5 * scale
    assert (ours.grad - exact.grad).norm() < 1e-5 * exact.grad.norm()
    # Every coordinate moves the image.
    assert (exact.grad.abs().amax(dim=(0, 1)) > 0).all()
    _, winner, rival = draw_on_cpu(points, size_px, radius)
    in_torch = pull_by_pixels(points, winner, rival, pull, radius)
    assert in_torch.dtype == points.dtype
    assert (in_torch - exact.grad).abs().max() < 1e-6 * scale
    assert (in_torch - exact.grad).norm() < 1e-6 * exact.grad.norm()


@pytest.mark.parametrize("draw", DRAWERS)
@pytest.mark.parametrize("pull_back", [pull_on_cpu, pull_by_pixels])
def test_gradcheck_with_ties_and_empty_pixels(monkeypatch, draw, pull_back):
    """Difference quotients to both sides see half of the gradient where two points tie."""
    monkeypatch.setattr(splatting, "draw_on_cpu", draw)
    monkeypatch.setattr(splatting, "pull_on_cpu", pull_back)
    points = scatter_points(2, 25, torch.float64, spread=0.5)
    points[:, 4] = points[:, 11]
    image, winner = splat_and_tell(points, 16, 0.21)
    assert (winner < 0).any()
    assert torch.equal(winner < 0, image == 0)
    assert ((winner == 4) | (winner == 11)).any()
    assert torch.autograd.gradcheck(lambda moved: splat(moved, 16, 0.21), (points.requires_grad_(),))


def test_one_point_by_hand():
    # Column 2 of 5 lies at 0 and its neighbours at 0.4: half of the radius 0.8, where phi is (3/4)^2.
    image = splat(torch.tensor([[[0.0, 0.4, -0.5]]]), 5, 0.8)[0]
    assert image[3, 2] == pytest.approx(0.75)
    assert image[3, 1] == pytest.approx(0.75 * 0.75**2)
    assert image[2, 1] == pytest.approx(0.75 * 0.5**2)
    assert image[3, 0] == image[0, 2] == 0


def test_depth_grows_towards_the_camera():
    at = torch.tensor([[[0.0, 0.0, z]] for z in (-1.0, 0.0, 1.0, 1.5, -1.5)])
    assert splat(at, 5, 0.5)[:, 2, 2].tolist() == [1.0, 0.5, 0.0, 0.0, 1.25]


def test_the_nearer_of_two_is_seen_and_alone_pulled():
    points = torch.tensor([[[0.0, 0.0, 0.3], [0.0, 0.0, -0.3]]], requires_grad=True)
    image, winner = splat_and_tell(points, 9, 0.5)
    assert set(winner[image > 0].tolist()) == {1}
    image.sum().backward()
    assert points.grad is not None
    assert points.grad[0, 0].tolist() == [0, 0, 0]
    assert points.grad[0, 1, 2] < 0


@pytest.mark.parametrize("draw", DRAWERS)
def test_what_is_no_place_is_drawn_nowhere(draw):
    nan, far = math.nan, 1e30
    lost = torch.tensor(
        [[nan, 0, 0], [0, nan, 0], [0, 0, nan], [far, 0, 0], [0, -far, 0], [math.inf, 0, 0], [0, 0, far]]
    )
    image, winner, _ = draw(lost[None], 16, 0.3)
    assert not image.any()
    assert (winner == -1).all()


@pytest.mark.parametrize("draw", DRAWERS)
def test_no_points_and_no_images(draw):
    assert not draw(torch.zeros(2, 0, 3), 8, 0.3)[0].any()
    assert draw(torch.zeros(0, 5, 3), 8, 0.3)[0].shape == (0, 8, 8)


def test_threads_change_nothing(monkeypatch):
    points = scatter_points(13, 50).requires_grad_()
    alone = splat(points, 20, 0.2)
    (pulled,) = torch.autograd.grad(alone.square().sum(), points)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    shared = splat(points, 20, 0.2)
    assert torch.equal(alone, shared)
    assert torch.equal(torch.autograd.grad(shared.square().sum(), points)[0], pulled)


def test_a_patch_is_a_point_a_pixel_and_its_background_none():
    depth = torch.ones(1, 1, 6, 6)
    depth[0, 0, 1, 4] = -0.2
    points = patch_to_points(depth)
    image, winner = splat_and_tell(points, 6, 0.3)
    assert points[0, 6 * 1 + 4].tolist() == pytest.approx([0.5, -0.5, -0.2])
    assert winner[0, 1, 4] == 6 * 1 + 4
    assert image[0, 1, 4] == pytest.approx(0.6)
    assert np.count_nonzero(image[0]) == 1


def measure_peak(work) -> int:
    """Bytes that torch and numpy hold at once beyond what they held before."""
    held, peak = 0, 0
    tracemalloc.start()
    work()
    _, of_numpy = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    with torch.profiler.profile(profile_memory=True) as profile:
        work()
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak + of_numpy


@pytest.mark.parametrize("draw", DRAWERS)
@pytest.mark.parametrize("points", [scatter_points(1, 2000), patch_to_points(torch.rand(1, 1, 120, 120))])
def test_scratch_is_under_a_megabyte_an_image(draw, points):
    """Of a cloud as of a frame's own 14,400 points; what the kernel takes in numpy is a row of pixels."""
    draw(points, 120, 4 * 2 / 120)
    peak = measure_peak(lambda: draw(points, 120, 4 * 2 / 120))
    assert 2 * 4 * 120**2 < peak < 2**20
