"""The joint energy by hand and its gradient by differences."""

import pytest
import torch

from handbench.fitting.joint_energy import JointEnergy
from handbench.hand.keypoints import keypoint_positions
from handbench.hand.skeleton import ANGLE_LIMITS_RAD
from handbench.methods.hand_renderer import make_hand


@pytest.fixture(params=["nyu", "icvl"])
def energy(request: pytest.FixtureRequest) -> JointEnergy:
    hand = make_hand(request.param, 0.9)
    return JointEnergy(hand, keypoint_positions(hand.keypoints, hand.shape, draw_poses(3, seed=1)))


def draw_poses(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    low, high = torch.tensor(ANGLE_LIMITS_RAD).T
    angles = low + torch.rand(count, 20, generator=generator, dtype=torch.float64) * (high - low)
    palm = torch.randn(count, 6, generator=generator, dtype=torch.float64)
    return torch.cat([palm, angles], 1)


def test_a_shifted_hand_costs_its_shift_squared(energy: JointEnergy) -> None:
    """Eq. 1 as a mean over joints: a shift of (3, 4, 0) mm is 25 mm^2."""
    shifted = draw_poses(3, seed=1)
    shifted[:, :3] += torch.tensor([3.0, 4.0, 0.0])
    energies, gradients = energy.differentiate(shifted, torch.arange(3))
    torch.testing.assert_close(energies, torch.full((3,), 25.0, dtype=torch.float64))
    torch.testing.assert_close(gradients[:, :3], torch.tensor([[6.0, 8.0, 0.0]]).double().expand(3, 3))


def test_the_gradient_is_what_differences_say(energy: JointEnergy) -> None:
    frames = torch.tensor([2, 0, 0, 1])
    poses = draw_poses(4, seed=2)
    step = 1e-6 * torch.eye(26, dtype=torch.float64)
    _, gradients = energy.differentiate(poses, frames)
    for row in range(4):
        whose = frames[row].expand(26)
        above, below = (energy.differentiate(poses[row] + sign * step, whose)[0] for sign in (1, -1))
        torch.testing.assert_close(gradients[row], (above - below) / 2e-6, atol=1e-4, rtol=1e-6)


def test_swarms_and_descents_measure_alike(energy: JointEnergy) -> None:
    swarm = draw_poses(12, seed=3).unflatten(0, (3, 4))
    frames = torch.arange(3).repeat_interleave(4)
    energies, _ = energy.differentiate(swarm.flatten(0, 1), frames)
    torch.testing.assert_close(energy.measure_swarm(swarm).flatten(), energies)
