"""Poses that are known come back, wherever a recording is cut; two ways to say a turn become one."""

import numpy as np
import pytest
import torch

from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.recordings import sample_poses
from handbench.fitting.inverse_kinematics import fit_pose
from handbench.fitting.pose_fit import ROUGH_ROUNDS, cut_chunks, follow_recordings, measure_left_mm, search_poses
from handbench.hand.angle_errors import angle_errors_deg
from handbench.hand.keypoints import Hand, keypoint_positions
from handbench.hand.kinematics import hand_rotation, unify_turn
from handbench.hand.skeleton import ANGLE_LIMITS_RAD
from handbench.methods.hand_renderer import make_hand

FRAMES = 60


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    take = plan_recordings("nyu", {"train": 1, "test": 4 * FRAMES}, 0, {"test": 4})[1]
    return sample_poses(take)[:FRAMES]


@pytest.fixture(scope="module")
def hand() -> Hand:
    return make_hand("nyu", 0.9)


@pytest.fixture(scope="module")
def joints_mm(hand: Hand, poses: np.ndarray) -> np.ndarray:
    return keypoint_positions(hand.keypoints, hand.shape, poses)


def test_known_poses_come_back(hand: Hand, poses: np.ndarray, joints_mm: np.ndarray) -> None:
    fit = follow_recordings(hand, joints_mm, ["one"] * FRAMES, ANGLE_LIMITS_RAD)
    assert fit.left_mm.mean() < 0.02
    assert fit.left_mm.max() < 0.3
    assert angle_errors_deg(fit.pose[:, 3:], poses[:, 3:]).mean() < 0.5
    assert (
        (fit.pose[:, 6:] >= ANGLE_LIMITS_RAD[:, 0] - 1e-6) & (fit.pose[:, 6:] <= ANGLE_LIMITS_RAD[:, 1] + 1e-6)
    ).all()


def test_where_a_recording_is_cut_makes_no_difference(hand: Hand, joints_mm: np.ndarray) -> None:
    fits = [follow_recordings(hand, joints_mm, ["one"] * FRAMES, ANGLE_LIMITS_RAD, chunk=n) for n in (1, 7, 20)]
    joints = [keypoint_positions(hand.keypoints, hand.shape, fit.pose) for fit in fits]
    for other in joints[1:]:
        apart_mm = np.linalg.norm(other - joints[0], axis=2).mean(1)
        assert np.quantile(apart_mm, 0.9) < 0.1
        assert apart_mm.max() < 2.0


def test_a_frame_knows_only_its_own_sequence(hand: Hand, joints_mm: np.ndarray) -> None:
    both = follow_recordings(hand, joints_mm, ["one"] * 40 + ["two"] * 20, ANGLE_LIMITS_RAD, chunk=10)
    alone = follow_recordings(hand, joints_mm[40:], ["two"] * 20, ANGLE_LIMITS_RAD, chunk=10)
    # Single precision depends on how many frames are worked on at once, and some valleys are flat along the depth.
    joints = [keypoint_positions(hand.keypoints, hand.shape, pose) for pose in (both.pose[40:], alone.pose)]
    np.testing.assert_allclose(*joints, atol=1.0)


def test_angles_stay_within_the_bounds_given(hand: Hand, joints_mm: np.ndarray) -> None:
    narrow = 0.5 * ANGLE_LIMITS_RAD
    for fit in (
        follow_recordings(hand, joints_mm[:20], ["one"] * 20, narrow),
        search_poses(hand, joints_mm[:20], narrow, 0),
    ):
        assert (fit.pose[:, 6:] >= narrow[:, 0] - 1e-6).all()
        assert (fit.pose[:, 6:] <= narrow[:, 1] + 1e-6).all()


def test_swarms_find_known_poses_whatever_the_order(hand: Hand, joints_mm: np.ndarray) -> None:
    """To a millimetre or so: the energy is flat around its minimum, and 6,400 poses are few in 26 dimensions."""
    some = joints_mm[::5]
    fit = search_poses(hand, some, ANGLE_LIMITS_RAD, 0)
    assert fit.left_mm.mean() < 1.5
    # A swarm ends no higher than the rough pose that it starts around, in squares of distances.
    middle_mm = torch.from_numpy((some - some.mean(axis=1)[:, None]).astype(np.float32))
    rough = fit_pose(hand, middle_mm, ROUGH_ROUNDS).numpy().astype(np.float64)
    assert fit.start_mm is not None
    np.testing.assert_allclose(fit.start_mm, measure_left_mm(hand, rough, middle_mm.numpy()), atol=1e-3)
    assert fit.left_mm.mean() < fit.start_mm.mean()
    turned = search_poses(hand, some[::-1].copy(), ANGLE_LIMITS_RAD, 0)
    np.testing.assert_allclose(turned.left_mm[::-1], fit.left_mm, atol=0.05)
    assert search_poses(hand, some, ANGLE_LIMITS_RAD, 1).left_mm.tolist() != fit.left_mm.tolist()


def test_chunks_hold_every_frame_once_and_no_two_sequences() -> None:
    names = ["a"] * 5 + ["b"] * 1 + ["a"] * 4
    chunks = cut_chunks(names, 3)
    assert sorted(chunks[chunks >= 0].tolist()) == list(range(10))
    for chunk in chunks:
        frames = chunk[chunk >= 0]
        assert len(frames) <= 3
        assert (np.diff(frames) == 1).all()
        assert len({names[frame] for frame in frames}) == 1
    assert not any({4, 5} <= set(chunk.tolist()) or {5, 6} <= set(chunk.tolist()) for chunk in chunks)


def test_one_rotation_is_said_one_way() -> None:
    turns = np.random.default_rng(0).uniform(-7, 7, (50, 3))
    chosen = unify_turn(turns)
    np.testing.assert_allclose(hand_rotation(chosen), hand_rotation(turns), atol=1e-12)
    assert (np.abs(chosen[:, 1]) <= np.pi / 2).all()
    assert (np.abs(chosen) <= np.pi).all()
