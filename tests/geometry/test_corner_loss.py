"""Equivalent corners: as many as geometry says, each the same solid; the loss takes the nearest of them."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from handbench.errors import BadInput
from handbench.geometry.box import Box, box_corners
from handbench.geometry.corner_loss import nearest_corner_loss, nearest_corners
from handbench.geometry.symmetry import find_symmetry

BOX, PRISM, CUBE = (60.0, 110.0, 35.0), (40.0, 40.0, 90.0), (50.0, 50.0, 50.0)
UPRIGHT = (40.0, 90.0, 40.0)
"""A cylinder's axis is y."""
FIRST = torch.zeros(1, dtype=torch.int64)


def make_corners(size_mm: tuple[float, float, float], turn: Rotation) -> Tensor:
    box = Box(np.array([10.0, -20.0, 400.0]), turn.as_matrix(), np.array(size_mm))
    return torch.from_numpy(box_corners(box))[None]


@pytest.mark.parametrize(
    ("size_mm", "number"),
    [(BOX, 4), (PRISM, 8), ((40.0, 90.0, 40.0), 8), ((90.0, 40.0, 40.0), 8), (CUBE, 24), ((50.0, 50.0, 50.4), 8)],
)
def test_orders_are_the_proper_rotations_of_the_box(size_mm: tuple[float, float, float], number: int) -> None:
    orders = find_symmetry("cuboid", size_mm).orders
    assert len({tuple(order) for order in orders}) == len(orders) == number
    assert orders[0].tolist() == list(range(8))
    corners = box_corners(Box(np.zeros(3), np.eye(3), np.array(size_mm)))
    for order in orders:
        turn, error = Rotation.align_vectors(corners[order], corners)
        # A mirror image would not come to lie on the corners.
        assert error == pytest.approx(0.0, abs=0.5)
        assert np.linalg.det(turn.as_matrix()) == pytest.approx(1.0)
    # One after the other they are again one of them.
    assert {tuple(first[second]) for first in orders for second in orders} == {tuple(order) for order in orders}


@pytest.mark.parametrize("size_mm", [BOX, PRISM, CUBE])
def test_a_turned_box_that_looks_the_same_costs_nothing(size_mm: tuple[float, float, float]) -> None:
    turn, symmetry = Rotation.from_rotvec([0.3, -0.8, 0.5]), find_symmetry("cuboid", size_mm)
    truth = make_corners(size_mm, turn)
    half_turn = make_corners(size_mm, turn * Rotation.from_rotvec([0, np.pi, 0]))
    assert nearest_corner_loss(half_turn, truth, [symmetry], FIRST) == pytest.approx(0.0, abs=1e-9)
    assert (half_turn - truth).norm() > 50
    torch.testing.assert_close(nearest_corners(half_turn + 2.0, truth, [symmetry], FIRST), half_turn)


def test_a_quarter_turn_costs_a_box_and_not_a_prism() -> None:
    quarter = Rotation.from_rotvec([0, 0, np.pi / 2])
    for size_mm, free in ((BOX, False), (PRISM, True), (CUBE, True)):
        turned, truth = make_corners(size_mm, quarter), make_corners(size_mm, Rotation.identity())
        loss = nearest_corner_loss(turned, truth, [find_symmetry("cuboid", size_mm)], FIRST)
        assert (float(loss) < 1e-9) == free


def test_a_ball_has_no_turn() -> None:
    symmetry = find_symmetry("sphere", CUBE)
    truth, turned = (make_corners(CUBE, Rotation.from_rotvec(v)) for v in ([0.0, 0.0, 0.0], [0.3, 0.6, -1.0]))
    assert nearest_corner_loss(turned, truth, [symmetry], FIRST) == pytest.approx(0.0, abs=1e-6)
    assert nearest_corner_loss(turned + 1.0, truth, [symmetry], FIRST) == pytest.approx(8 * 3.0)


def test_a_cylinder_turns_about_its_axis_and_swaps_its_ends() -> None:
    symmetry, pose = find_symmetry("cylinder", UPRIGHT), Rotation.from_rotvec([0.4, -0.2, 0.9])
    truth = make_corners(UPRIGHT, pose)
    same = [[0, 0.7, 0], [0, -2.9, 0], [np.pi, 0, 0], [np.pi * np.cos(0.4), 0, np.pi * np.sin(0.4)]]
    for turn in same:
        turned = make_corners(UPRIGHT, pose * Rotation.from_rotvec(turn))
        assert nearest_corner_loss(turned, truth, [symmetry], FIRST) == pytest.approx(0.0, abs=1e-6)
    tilted = make_corners(UPRIGHT, pose * Rotation.from_rotvec([0.3, 0, 0]))
    assert nearest_corner_loss(tilted, truth, [symmetry], FIRST) > 100.0


def test_the_nearest_turn_of_a_cylinder_is_that_of_a_search() -> None:
    pose, rng = Rotation.from_rotvec([0.4, -0.2, 0.9]), np.random.default_rng(0)
    for _ in range(5):
        predicted = make_corners(UPRIGHT, pose * Rotation.random(rng=rng)) + torch.from_numpy(rng.normal(0, 5, (8, 3)))
        loss = nearest_corner_loss(predicted, make_corners(UPRIGHT, pose), [find_symmetry("cylinder", UPRIGHT)], FIRST)
        search = [
            float((predicted - make_corners(UPRIGHT, pose * Rotation.from_rotvec([0, angle, 0]) * flip)).square().sum())
            for angle in np.linspace(0, 2 * np.pi, 721)
            for flip in (Rotation.identity(), Rotation.from_rotvec([np.pi, 0, 0]))
        ]
        assert float(loss) <= min(search) + 1e-9
        assert float(loss) == pytest.approx(min(search), rel=1e-3)


def test_a_cylinder_as_long_as_wide_keeps_its_axis() -> None:
    tipped = make_corners(CUBE, Rotation.from_rotvec([np.pi / 2, 0, 0]) * Rotation.from_rotvec([0, 0.5, 0]))
    loss = nearest_corner_loss(
        tipped, make_corners(CUBE, Rotation.identity()), [find_symmetry("cylinder", CUBE)], FIRST
    )
    assert loss > 100.0


def test_words_and_what_is_not_round() -> None:
    assert len(find_symmetry("composed", CUBE).orders) == 1
    assert find_symmetry("sphere", PRISM).free == "none"
    assert find_symmetry("cylinder", BOX).free == "none"
    assert find_symmetry("cylinder", UPRIGHT).free == "axis"
    with pytest.raises(BadInput, match="expected cuboid \\| sphere"):
        find_symmetry("box", BOX)


def test_every_frame_has_its_own_solid() -> None:
    symmetries = [find_symmetry("cuboid", BOX), find_symmetry("sphere", CUBE), find_symmetry("composed", BOX)]
    half_turn, none = Rotation.from_rotvec([np.pi, 0, 0]), Rotation.identity()
    truth = torch.cat([make_corners(BOX, none), make_corners(CUBE, none), make_corners(BOX, none)])
    predicted = torch.cat([make_corners(BOX, half_turn), make_corners(CUBE, half_turn), make_corners(BOX, half_turn)])
    nearest = nearest_corners(predicted, truth, symmetries, torch.tensor([0, 1, 2]))
    distances = (nearest - predicted).norm(dim=2).amax(dim=1)
    assert (distances[:2] < 1e-6).all()
    assert distances[2] > 50


def test_the_gradient_is_that_of_the_nearest() -> None:
    truth = make_corners(UPRIGHT, Rotation.from_rotvec([0.4, -0.2, 0.9]))
    symmetries = [find_symmetry("cylinder", UPRIGHT)]
    predicted = (truth + 4 * torch.randn(1, 8, 3, generator=torch.manual_seed(0)).double()).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: nearest_corner_loss(p, truth, symmetries, FIRST), (predicted,))
    truth_on_a_ball = truth.detach().clone().requires_grad_()
    nearest_corner_loss(truth_on_a_ball, truth, [find_symmetry("sphere", CUBE)], FIRST).backward()
    assert truth_on_a_ball.grad is not None
    assert truth_on_a_ball.grad.isfinite().all()
