"""Whose hand it is: a synthesized set's own, another person's, and one whose keypoints lie elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.evenly import spread_evenly
from handbench.datasets.recordings import sample_poses
from handbench.fitting.hand_fit import HandNumbers, fit_hand, move_keypoints
from handbench.fitting.pose_fit import follow_recordings
from handbench.hand.keypoints import Hand, keypoint_positions, scored_keypoints
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, sample_shape

FRAMES = 80


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    take = plan_recordings("nyu", {"train": FRAMES, "test": 1}, 0, {"train": 110})[0]
    return sample_poses(take)


def test_another_persons_hand_is_found(poses: np.ndarray) -> None:
    shape, keypoints = sample_shape(np.random.default_rng(1)), scored_keypoints("nyu")
    joints_mm = keypoint_positions(keypoints, shape, poses)
    found = fit_hand(Hand(REFERENCE_SHAPE, keypoints), joints_mm).shape
    np.testing.assert_allclose(found.lengths_mm, shape.lengths_mm, atol=0.8)
    np.testing.assert_allclose(found.bases_mm, shape.bases_mm, atol=0.8)
    # The three palm points lie in one plane: how thick the palm is they do not show.
    np.testing.assert_allclose(found.palm_stretch[:2], shape.palm_stretch[:2], atol=0.01)


def test_mislabelled_frames_have_no_say(poses: np.ndarray) -> None:
    keypoints = scored_keypoints("nyu")
    joints_mm = keypoint_positions(keypoints, REFERENCE_SHAPE, poses)
    joints_mm[::25, :4] += 60.0
    found = fit_hand(Hand(REFERENCE_SHAPE, keypoints), joints_mm).shape
    np.testing.assert_allclose(found.lengths_mm, REFERENCE_SHAPE.lengths_mm, atol=0.5)


def test_keypoints_that_lie_elsewhere_are_found(poses: np.ndarray) -> None:
    random, every = np.random.default_rng(2), scored_keypoints("nyu")
    labelled = replace(every, offsets_mm=every.offsets_mm + random.normal(0, 3, every.offsets_mm.shape))
    joints_mm = keypoint_positions(labelled, REFERENCE_SHAPE, poses)
    start = Hand(REFERENCE_SHAPE, every)
    hand = fit_hand(start, joints_mm, free_keypoints=True)
    before, after = (
        follow_recordings(one, joints_mm, ["one"] * FRAMES, ANGLE_LIMITS_RAD).left_mm.mean() for one in (start, hand)
    )
    assert after < 0.5 * before
    assert after < 0.6


@pytest.mark.parametrize("free", [False, True])
def test_joints_follow_the_numbers_as_their_weights_say(free: bool) -> None:
    """A of the module's text by differences: F is linear in theta."""
    hand = Hand(sample_shape(np.random.default_rng(3)), scored_keypoints("nyu"))
    numbers = HandNumbers(hand, free)
    theta, weights = numbers.read(), numbers.weigh_bones()
    change = torch.from_numpy(np.random.default_rng(4).normal(size=len(theta)))
    moved = numbers.build(theta + 1e-4 * change)
    rest = np.zeros(26)
    before, after = (keypoint_positions(one.keypoints, one.shape, rest) for one in (numbers.build(theta), moved))
    rotations = np.concatenate([np.eye(3)[None], np.repeat(hand.shape.rest_rotations, 3, axis=0)])
    said = np.einsum("bij,kbjp,p->ki", rotations, weights.numpy(), change.numpy())
    np.testing.assert_allclose((after - before) / 1e-4, said, atol=1e-6)


def test_numbers_are_those_of_the_hand() -> None:
    hand = Hand(sample_shape(np.random.default_rng(5)), scored_keypoints("icvl"))
    for free in (False, True):
        numbers = HandNumbers(hand, free)
        built = numbers.build(numbers.read())
        np.testing.assert_allclose(built.keypoints.local_mm(built.shape), hand.keypoints.local_mm(hand.shape))
        np.testing.assert_allclose(built.shape.bases_mm, hand.shape.bases_mm)


def test_keypoints_move_to_where_they_are_sent() -> None:
    shape = sample_shape(np.random.default_rng(6))
    local_mm = np.random.default_rng(7).normal(0, 20, (14, 3))
    moved = move_keypoints(scored_keypoints("nyu"), shape, local_mm)
    np.testing.assert_allclose(moved.local_mm(shape), local_mm)


def test_frames_are_spread_evenly() -> None:
    assert spread_evenly(9, 3).tolist() == [0, 4, 8]
    assert spread_evenly(2, 5).tolist() == [0, 1]
    assert spread_evenly(5, 1).tolist() == [0]
