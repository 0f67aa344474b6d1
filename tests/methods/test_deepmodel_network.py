"""deepmodel's losses by hand, and its network before it has learned: sizes, start, outputs."""

from typing import Any

import numpy as np
import pytest
import torch

from handbench.errors import BadInput
from handbench.hand.keypoints import keypoint_positions, learned_keypoints, scored_keypoints
from handbench.hand.kinematics import hand_rotation
from handbench.hand.skeleton import DOFS, REFERENCE_SHAPE
from handbench.methods.deepmodel import (
    choose_turn,
    find_mean,
    joint_loss,
    model_loss,
    parameter_loss,
    physical_loss,
    place_in_crop,
)
from handbench.networks.deepmodel import DeepModel, count_cells, find_steps
from handbench.networks.hand_layer import HandLayer
from tests.methods.deepmodel_fixtures import HAND, SIZE_PX, draw_poses, fitted

LIMITS_RAD = torch.tensor([[-0.5, 1.0]]).expand(20, 2)


def make_network(**changes: Any) -> DeepModel:
    layer = HandLayer(HAND.shape, HAND.keypoints, fitted(draw_poses(9)).limits_rad, 250.0)
    return DeepModel(layer, SIZE_PX, **changes)


def test_equation_1_by_hand() -> None:
    """Two frames of two joints: off by (1, 2, 2) and nothing in one, by (0, 0, 2) twice in the other."""
    labels = torch.zeros(2, 2, 3)
    joints = torch.tensor([[[1.0, 2, 2], [0, 0, 0]], [[0, 0, 2], [0, 0, 2]]])
    assert float(joint_loss(joints, labels)) == pytest.approx((9 / 2 + 8 / 2) / 2)


def test_equation_2_by_hand() -> None:
    """One angle 0.2 below its bound and one 0.3 above; the second frame within; wrist and palm have no bounds."""
    pose = torch.zeros(2, 26)
    pose[:, :6] = 9.0
    pose[0, 6], pose[0, 25] = -0.7, 1.3
    pose[1, 6], pose[1, 7] = -0.5, 1.0
    assert float(physical_loss(pose, LIMITS_RAD)) == pytest.approx((0.2 + 0.3) / 2)
    pose.requires_grad_()
    physical_loss(pose, LIMITS_RAD).backward()
    assert pose.grad is not None
    assert pose.grad.nonzero().tolist() == [[0, 6], [0, 25]]


def test_the_slopes_of_both_losses_by_a_last_joint() -> None:
    """Of NYU's hand in its cube of 300 mm: a fingertip 10 mm off, the way it bends, pulls with 0.010 to 0.012 a radian
    (docs/deepmodel.md, "Units"), a bound with 1."""
    keypoints, pose = learned_keypoints("nyu"), torch.zeros(1, 26, dtype=torch.float64, requires_grad=True)
    joints = keypoint_positions(keypoints, REFERENCE_SHAPE, pose) / 150
    for last in range(9, 26, 4):
        bent = torch.zeros_like(pose)
        bent[0, last] = 1e-4
        way = keypoint_positions(keypoints, REFERENCE_SHAPE, pose.detach() + bent)[0] / 150 - joints[0].detach()
        tip = int(way.norm(dim=1).argmax())
        labels = joints.detach().clone()
        labels[0, tip] -= way[tip] / way[tip].norm() * 10 / 150
        (slope,) = torch.autograd.grad(joint_loss(joints, labels), pose, retain_graph=True)
        assert 0.0095 < float(slope[0, last]) < 0.0125, DOFS[last]
    (slope,) = torch.autograd.grad(physical_loss(pose, LIMITS_RAD.double() + 1.5), pose)
    assert slope[0, 6:].tolist() == [-1.0] * 20


def test_equation_3_is_their_sum_with_lambda() -> None:
    network = make_network(dropout=0.0)
    network.start_at(torch.full((26,), 1.5))
    depth, labels, cube_mm = torch.rand(4, 1, SIZE_PX, SIZE_PX), torch.rand(4, 16, 3), torch.full((4,), 200.0)
    pose = network.read_numbers(depth)
    parts = joint_loss(network.layer(pose, cube_mm), labels), physical_loss(pose, network.layer.limits_rad)
    assert float(parts[1]) > 0
    for lam in (0.0, 1.0, 2.5):
        torch.testing.assert_close(model_loss(network, depth, labels, cube_mm, lam), parts[0] + lam * parts[1])


def test_direct_parameter_goes_the_shorter_way_round_for_rotations_alone() -> None:
    pose, target = torch.zeros(1, 26), torch.zeros(1, 26)
    pose[0, 3], target[0, 3] = np.pi - 0.1, -np.pi + 0.1
    assert float(parameter_loss(pose, target)) == pytest.approx(0.2**2 / 2, rel=1e-4)
    pose[0, 8] = 2 * np.pi
    assert float(parameter_loss(pose, target)) == pytest.approx((0.2**2 + (2 * np.pi) ** 2) / 2, rel=1e-4)


def test_a_pose_keeps_its_rotation_and_has_one_name() -> None:
    pose = torch.randn(200, 26, dtype=torch.float64) * 4
    chosen = choose_turn(pose)
    torch.testing.assert_close(hand_rotation(chosen[:, 3:6]), hand_rotation(pose[:, 3:6]), atol=1e-6, rtol=0.0)
    assert chosen[:, 4].abs().max() <= np.pi / 2 + 1e-6
    assert chosen[:, [3, 5]].abs().max() <= np.pi + 1e-6
    torch.testing.assert_close(choose_turn(chosen), chosen, atol=1e-6, rtol=0.0)
    kept = [0, 1, 2, *range(6, 26)]
    assert torch.equal(chosen[:, kept], pose[:, kept])


def test_the_mean_of_turns_on_both_sides_of_pi_lies_at_pi() -> None:
    pose = torch.zeros(2, 26)
    pose[:, 3] = torch.tensor([np.pi - 0.1, -np.pi + 0.1])
    pose[:, 0], pose[:, 7] = torch.tensor([1.0, 2.0]), torch.tensor([0.2, 0.4])
    mean = find_mean(pose)
    assert abs(float(mean[3])) == pytest.approx(np.pi, abs=1e-5)
    assert mean[[0, 7]].tolist() == pytest.approx([1.5, 0.3])


@pytest.mark.parametrize(("size_px", "cells"), [(128, 12), (64, 4), (40, 1)])
def test_the_printed_maps(size_px: int, cells: int) -> None:
    """Sec. 3.2: 128 pixels end as 12 x 12 x 8."""
    assert count_cells(size_px) == cells
    layer = make_network().layer
    network = DeepModel(layer, size_px)
    assert network.hidden_1.in_features == cells * cells * 8
    assert network(torch.zeros(2, 1, size_px, size_px)).shape == (2, 16, 3)


def test_it_starts_at_the_mean_hand() -> None:
    mean = find_mean(place_in_crop(torch.tensor(draw_poses(40)), torch.zeros(40, 3), torch.full((40,), 250.0)))
    network = make_network().eval()
    network.start_at(mean)
    with torch.no_grad():
        found = network.read_numbers(torch.rand(30, 1, SIZE_PX, SIZE_PX) * 2 - 1)
    assert (found - mean).abs().max() < 0.5


def test_a_step_of_the_last_weights_moves_the_joints_alike_in_all_directions() -> None:
    """Measured by differences: along every direction but those in which joints hardly move."""
    network, edges_mm = make_network().double(), torch.full((40,), 250.0)
    layer = network.layer.eval()
    pose = layer.from_wrist(place_in_crop(torch.tensor(draw_poses(40)).double(), torch.zeros(40, 3), edges_mm))
    steps = find_steps(network, pose)
    torch.testing.assert_close(steps, steps.T)
    small = 1e-5
    moved = [(layer(pose + small * step) - layer(pose)).square().sum(dim=(1, 2)).mean() / small**2 for step in steps]
    plain = [
        (layer(pose + small * one) - layer(pose)).square().sum(dim=(1, 2)).mean() / small**2
        for one in torch.eye(26, dtype=torch.float64)
    ]
    assert max(moved) <= 1.0
    # Of the last joints' angles, the least move of which is set, a third of the directions are left out.
    assert max(moved) / sorted(moved)[8] < 4
    assert max(plain) / sorted(plain)[8] > 40
    # What moves fastest of all, to first order: no direction is a trap for a rate that suits the others.
    flat = torch.stack([(layer(pose + small * step) - layer(pose)).flatten() / small for step in steps])
    assert torch.linalg.matrix_norm(flat @ flat.T / len(pose), 2) <= 1.001


def test_steps_of_six_numbers_are_those_where_they_start() -> None:
    """Of columns as short as their means, which a step turns further than ones of full length."""
    network, edges_mm = make_network(palm_numbers=6).double(), torch.full((40,), 250.0)
    layer = network.layer.train()
    pose = layer.from_wrist(place_in_crop(torch.tensor(draw_poses(40)).double(), torch.zeros(40, 3), edges_mm))
    numbers, steps = network.as_started(pose), find_steps(network, pose)
    assert (numbers.shape, steps.shape, layer.training) == ((40, 29), (29, 29), True)
    mean = network.as_numbers(pose).mean(0)
    torch.testing.assert_close(numbers[:, 3:6].norm(dim=1), mean[3:6].norm().expand(40))
    torch.testing.assert_close(numbers[:, 6:9].norm(dim=1), mean[6:9].norm().expand(40))
    layer.eval()
    torch.testing.assert_close(layer(network.as_pose(numbers)), layer(pose), atol=1e-4, rtol=0.0)
    small = 1e-5
    start = layer(network.as_pose(numbers))
    flat = torch.stack([(layer(network.as_pose(numbers + small * step)) - start).flatten() / small for step in steps])
    assert 0.9 < torch.linalg.matrix_norm(flat @ flat.T / len(pose), 2) <= 1.001


def test_theta_is_what_the_mean_says_whatever_the_steps() -> None:
    network, mean = make_network().eval(), torch.linspace(-1, 1, 26)
    steps = torch.randn(26, 26)
    # Positive definite, as find_steps gives them: of any other random matrix some cannot be inverted.
    network.start_at(mean, steps @ steps.T / 26 + torch.eye(26))
    with torch.no_grad():
        network.output.weight.zero_()
        torch.testing.assert_close(network.read_numbers(torch.zeros(1, 1, SIZE_PX, SIZE_PX))[0], mean)


@pytest.mark.parametrize("direct", [True, False])
def test_all_joints_are_learned_and_the_scored_ones_told(direct: bool) -> None:
    layer = HandLayer(HAND.shape, learned_keypoints("nyu"), fitted(draw_poses(9)).limits_rad, 300.0)
    network, images = DeepModel(layer, SIZE_PX, direct=direct, told=14).eval(), torch.rand(2, 1, SIZE_PX, SIZE_PX)
    assert network.read_joints(images).shape == (2, 31, 3)
    assert torch.equal(network(images), network.read_joints(images)[:, :14])
    if not direct:
        scored = HandLayer(HAND.shape, scored_keypoints("nyu"), layer.limits_rad.numpy(), 300.0)
        torch.testing.assert_close(network(images), scored(network.read_numbers(images)))


def test_dropout_acts_in_training_only() -> None:
    network, depth = make_network(), torch.rand(2, 1, SIZE_PX, SIZE_PX)
    assert not torch.equal(network(depth), network(depth))
    network.eval()
    assert torch.equal(network(depth), network(depth))


def test_too_small_a_patch_is_one_line() -> None:
    with pytest.raises(BadInput, match="deepmodel: expected a patch of 40 pixels or more, found 32"):
        DeepModel(make_network().layer, 32)
