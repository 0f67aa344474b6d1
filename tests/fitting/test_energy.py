"""The image energy by hand, by differences, in parts; the joint energy against plain kinematics."""

import pytest
import torch
from known_problems import JOINTS, make_images
from torch import nn

from handbench.fitting.energy import ImageEnergy
from handbench.fitting.joint_energy import AT_ONCE, JointEnergy
from handbench.hand.keypoints import KEYPOINTS, Hand, keypoint_positions
from handbench.hand.skeleton import REFERENCE_SHAPE


class Painter(nn.Module):
    """Every pixel as deep as the first joint's x."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, poses):
        return self.scale * poses[:, 0, 0, None, None, None].expand(-1, 1, 2, 2)


def test_equation_3_by_hand():
    depth = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]], [[[0.5, 0.5], [0.5, 0.5]]]])
    energy = ImageEnergy(Painter(), depth)
    # Frame 1 first: 0.25^2 everywhere. Frame 0: (0.25 - 1)^2 once and 0.25^2 three times, a mean of four.
    energies, gradients = energy.differentiate(torch.tensor([[0.25, 9, 9], [0.25, 9, 9]]), torch.tensor([1, 0]))
    assert energies.tolist() == [0.0625, 0.1875]
    # d/dx of the mean of (x - D)^2 is 2 (x - mean D).
    assert gradients.tolist() == [[-0.5, 0, 0], [0, 0, 0]]


def test_gradient_is_what_differences_say():
    energy, _, points = make_images(3)
    network = energy.synthesizer.double()
    energy, points, frames = ImageEnergy(network, energy.depth.double()), points.double(), torch.arange(3)
    _, gradients = energy.differentiate(points, frames)
    for number in range(3 * JOINTS):
        step = torch.zeros_like(points)
        step[:, number] = 1e-6
        slope = (energy.measure(points + step, frames) - energy.measure(points - step, frames)) / 2e-6
        torch.testing.assert_close(gradients[:, number], slope, atol=1e-7, rtol=1e-4)


def test_parts_swarms_and_rows_agree():
    energy, _, points = make_images(7)
    frames = torch.tensor([6, 0, 3, 3, 1])
    small = ImageEnergy(energy.synthesizer, energy.depth, at_once=2)
    for ours, theirs in zip(
        small.differentiate(points[:5], frames), energy.differentiate(points[:5], frames), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
    swarm = torch.stack([points, points.flip(0)], 1)
    found = small.measure_swarm(swarm)
    torch.testing.assert_close(found[:, 0], energy.measure(points, torch.arange(7)), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found[:, 1], energy.measure(points.flip(0), torch.arange(7)), atol=1e-6, rtol=1e-4)


def test_the_network_is_left_alone_and_points_keep_their_precision():
    energy, _, points = make_images(2)
    energies, gradients = energy.differentiate(points.double(), torch.arange(2))
    assert energies.dtype == gradients.dtype == torch.float64
    assert all(weights.grad is None for weights in energy.synthesizer.parameters())
    with torch.no_grad():
        torch.testing.assert_close(energy.differentiate(points, torch.arange(2))[1].double(), gradients)


@pytest.mark.parametrize("dataset", list(KEYPOINTS))
def test_joint_energy_is_the_mean_squared_distance(dataset):
    hand = Hand(REFERENCE_SHAPE, KEYPOINTS[dataset])
    generator = torch.Generator().manual_seed(0)
    # More than a part, and not a multiple of it.
    frames, particles = AT_ONCE // 64 + 3, 64
    swarm = torch.randn(frames, particles, 26, generator=generator).double()
    joints_mm = 50 * torch.randn(frames, len(hand.keypoints.bones), 3, generator=generator)
    apart_mm = keypoint_positions(hand.keypoints, hand.shape, swarm) - joints_mm[:, None]
    found = JointEnergy(hand, joints_mm).measure_swarm(swarm)
    torch.testing.assert_close(found, apart_mm.square().sum(-1).mean(-1), atol=1e-8, rtol=1e-10)
