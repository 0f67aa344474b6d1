"""Corners in the order that a picture tells: the same for all poses that look alike, and still the same solid."""

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from handbench.geometry.alignment import RigidPose
from handbench.geometry.corner_loss import nearest_corners
from handbench.geometry.symmetry import find_symmetry
from handbench.loop.held_object import Held, find_pose, settle_corners, straighten

SOLIDS = [("cuboid", (60.0, 110.0, 35.0)), ("cuboid", (40.0, 40.0, 90.0)), ("sphere", (70.0, 70.0, 70.0))]
SOLIDS += [("cylinder", (40.0, 90.0, 40.0)), ("composed", (60.0, 80.0, 50.0))]
SYMMETRIES = [find_symmetry(kind, size_mm) for kind, size_mm in SOLIDS]
FRAMES = 40


def make_frames(which: int) -> tuple[Held, Tensor]:
    held = Held(torch.full((FRAMES,), which), torch.tensor([SOLIDS[which][1]]).repeat(FRAMES, 1))
    turns = torch.from_numpy(Rotation.random(FRAMES, rng=which).as_matrix()).float()
    places = 30 * torch.randn(FRAMES, 3, generator=torch.manual_seed(which)) + torch.tensor([0.0, 0.0, 450.0])
    return held, RigidPose(turns, places).place(held.corners_mm)


@pytest.mark.parametrize("which", range(len(SOLIDS)))
def test_poses_that_look_alike_get_the_same_corners(which: int) -> None:
    held, corners_mm = make_frames(which)
    settled_mm = settle_corners(corners_mm, held, SYMMETRIES)
    for _ in range(3):
        # Of what looks the same, another one: the nearest to corners that lie anywhere.
        anywhere_mm = 300 * torch.randn(FRAMES, 8, 3, generator=torch.manual_seed(9))
        other_mm = nearest_corners(anywhere_mm, corners_mm, SYMMETRIES, held.which)
        torch.testing.assert_close(settle_corners(other_mm, held, SYMMETRIES), settled_mm, atol=0.02, rtol=0)
    assert which == 4 or (settled_mm - corners_mm).norm(dim=2).max() > 20


@pytest.mark.parametrize("which", range(len(SOLIDS)))
def test_settled_corners_are_those_of_an_equivalent_pose(which: int) -> None:
    held, corners_mm = make_frames(which)
    settled_mm = settle_corners(corners_mm, held, SYMMETRIES)
    torch.testing.assert_close(straighten(settled_mm, held), settled_mm, atol=0.01, rtol=0)
    torch.testing.assert_close(
        nearest_corners(settled_mm, corners_mm, SYMMETRIES, held.which), settled_mm, atol=0.02, rtol=0
    )
    torch.testing.assert_close(settle_corners(settled_mm, held, SYMMETRIES), settled_mm, atol=0.02, rtol=0)


def test_no_equivalent_turn_is_smaller() -> None:
    held, corners_mm = make_frames(0)
    turns = find_pose(settle_corners(corners_mm, held, SYMMETRIES), held).rotation
    # A cuboid is never turned by more than 120 degrees from rest, and a ball not at all.
    assert turns.diagonal(dim1=1, dim2=2).sum(dim=1).min() >= -1e-4
    ball, corners_mm = make_frames(2)
    turns = find_pose(settle_corners(corners_mm, ball, SYMMETRIES), ball).rotation
    torch.testing.assert_close(turns, torch.eye(3).expand(FRAMES, 3, 3), atol=1e-3, rtol=0)


@pytest.mark.parametrize("which", range(len(SOLIDS)))
def test_gradients_pass_through(which: int) -> None:
    held, corners_mm = make_frames(which)
    held = Held(held.which[:3], held.size_mm[:3].double())
    noise = torch.randn(3, 8, 3, generator=torch.manual_seed(1)).double()
    noisy_mm = (corners_mm[:3].double() + noise).requires_grad_()
    settled_mm = settle_corners(noisy_mm, held, SYMMETRIES)
    (gradient,) = torch.autograd.grad(settled_mm.square().sum(), noisy_mm)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0
    if which in (0, 1, 4):
        assert torch.autograd.gradcheck(lambda one: settle_corners(one, held, SYMMETRIES), (noisy_mm,))


def test_without_an_order_there_is_no_turn_to_learn() -> None:
    """What a turn asks of each corner, on average over the orders that a picture leaves open: nothing."""
    _, corners_mm = make_frames(0)
    middle_mm = corners_mm.mean(dim=1, keepdim=True)
    turn = torch.from_numpy(Rotation.from_rotvec([0.1, -0.2, 0.15]).as_matrix()).float()
    wanted_mm = (corners_mm - middle_mm) @ turn.T + middle_mm - corners_mm
    orders = torch.from_numpy(SYMMETRIES[0].orders)
    assert wanted_mm.norm(dim=2).mean() > 5
    assert wanted_mm[:, orders].mean(dim=1).norm(dim=2).max() < 1e-3
