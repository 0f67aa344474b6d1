"""The way back from joints to the hand: columns of the Jacobian by differences, poses that are known."""

import numpy as np
import pytest
import torch

from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.recordings import sample_poses
from handbench.fitting.inverse_kinematics import differentiate, fit_pose, linearise
from handbench.hand.keypoints import keypoint_positions
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import ANGLE_LIMITS_RAD
from handbench.methods.hand_renderer import make_hand


@pytest.fixture(scope="module")
def poses() -> torch.Tensor:
    take = plan_recordings("nyu", {"train": 1, "test": 60}, 0, {"test": 40})[1]
    return torch.from_numpy(sample_poses(take)).double()


def test_every_column_is_what_differences_say(poses: torch.Tensor) -> None:
    hand, few, step = make_hand("nyu", 1.0), poses[:4], 1e-6
    rotations, origins = forward_kinematics(few, hand.shape)
    points = keypoint_positions(hand.keypoints, hand.shape, few)
    found = differentiate(hand, few, rotations, origins, points)
    for number in range(26):
        moved = few.clone()
        moved[:, number] += step
        slope = (keypoint_positions(hand.keypoints, hand.shape, moved) - points).flatten(1) / step
        torch.testing.assert_close(found[:, :, number], slope, atol=1e-3, rtol=1e-4)


def test_the_pull_is_differentiated_too(poses: torch.Tensor) -> None:
    hand, few = make_hand("nyu", 1.0), poses[:2]
    target = keypoint_positions(hand.keypoints, hand.shape, few) + 3.0
    residual, jacobian = linearise(hand, few, target)
    moved = few.clone()
    moved[:, 9] += 1e-6
    slope = (linearise(hand, moved, target)[0] - residual) / 1e-6
    torch.testing.assert_close(jacobian[:, :, 9], slope, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("dataset", "middle_mm", "most_mm"), [("nyu", 0.2, 4.0), ("icvl", 0.4, 6.0), ("msra", 0.3, 4.0)]
)
def test_joints_of_a_known_pose_are_explained(
    poses: torch.Tensor, dataset: str, middle_mm: float, most_mm: float
) -> None:
    """All angles start curled alike: no frame knows its neighbour's solution."""
    hand = make_hand(dataset, 1.0)
    joints_mm = keypoint_positions(hand.keypoints, hand.shape, poses)
    fitted_mm = keypoint_positions(hand.keypoints, hand.shape, fit_pose(hand, joints_mm))
    left_mm = (fitted_mm - joints_mm).norm(dim=-1).mean(1)
    assert float(left_mm.median()) < middle_mm
    assert float(left_mm.quantile(0.95)) < most_mm


def test_more_rounds_never_fit_worse(poses: torch.Tensor) -> None:
    hand = make_hand("nyu", 1.0)
    joints_mm = keypoint_positions(hand.keypoints, hand.shape, poses)
    costs = [linearise(hand, fit_pose(hand, joints_mm, rounds), joints_mm)[0].square().sum(1) for rounds in (0, 3, 9)]
    assert (costs[1] <= costs[0]).all()
    assert (costs[2] <= costs[1]).all()


def test_angles_stay_within_the_hands_limits_whatever_the_joints_are() -> None:
    joints_mm = torch.from_numpy(np.random.default_rng(0).normal(0, 60, (20, 14, 3))) + torch.tensor([0.0, 0.0, 800.0])
    angles = fit_pose(make_hand("nyu", 1.0), joints_mm)[:, 6:]
    low, high = torch.from_numpy(np.array(ANGLE_LIMITS_RAD)).T
    assert angles.isfinite().all()
    assert (angles >= low).all()
    assert (angles <= high).all()


def test_single_precision_is_enough(poses: torch.Tensor) -> None:
    hand = make_hand("nyu", 1.0)
    joints_mm = keypoint_positions(hand.keypoints, hand.shape, poses).float()
    fitted_mm = keypoint_positions(hand.keypoints, hand.shape, fit_pose(hand, joints_mm))
    assert float((fitted_mm - joints_mm).norm(dim=-1).mean(1).median()) < 0.5
