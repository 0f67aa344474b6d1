import numpy as np
import pytest

from handbench.datasets.statistics import (
    count_components,
    label_statistics,
    nearest_pose_distance,
    palm_normal_spread,
)


def test_components_by_hand():
    """Two coordinates with variances 9 : 1: one explains 90 %, both are needed for 95 and 99 %."""
    track = np.zeros((4, 1, 3))
    track[:, 0, 0] = [3, -3, 3, -3]
    track[:, 0, 1] = [1, 1, -1, -1]
    assert count_components(track, (0.85, 0.89, 0.91)) == (1, 1, 2)
    assert count_components(track) == (1, 2, 2)


def test_components_do_not_depend_on_rotation_or_offset():
    rng = np.random.default_rng(0)
    track = (rng.normal(size=(300, 5)) * [20, 10, 5, 2, 1]) @ rng.normal(size=(5, 12))
    turned = track @ np.linalg.qr(rng.normal(size=(12, 12)))[0] + 7.0
    assert count_components(track.reshape(300, 4, 3)) == count_components(turned.reshape(300, 4, 3))


def test_deviation_is_about_the_mean_of_the_joints():
    """Two joints swap x = 3 and -3 mm, wherever the hand is: variance 9 in two of six coordinates."""
    joints = np.zeros((200, 2, 3))
    joints[::2, 0, 0], joints[::2, 1, 0] = 3.0, -3.0
    joints[1::2, 0, 0], joints[1::2, 1, 0] = -3.0, 3.0
    joints += np.random.default_rng(1).normal(0, 50, (200, 1, 3))
    assert label_statistics(joints).deviation_mm == pytest.approx(np.sqrt(2 * 9.0 / 6))


def test_motion_is_the_mean_over_joints_and_includes_the_whole_hand():
    """One of two joints moves 2 mm a frame: 1 mm; then both jump by 10 mm between the last two frames."""
    joints = np.zeros((301, 2, 3))
    joints[:, 1, 2] = 2.0 * np.arange(301)
    joints[-1, :, 0] += 10.0
    median, ninth = label_statistics(joints).motion_mm
    assert median == pytest.approx(1.0)
    assert ninth == pytest.approx(1.0)


def test_no_motion_is_measured_where_another_recording_starts():
    joints = np.random.default_rng(4).normal(0, 10, (1, 3, 3)) * np.cos(np.arange(320))[:, None, None] * 1e-6
    joints[:, :, 1] += np.arange(320)[:, None]
    joints[110:] += 500.0
    joints[200:] -= 900.0
    assert label_statistics(joints, starts=(110, 200)).motion_mm == pytest.approx((1.0, 1.0), abs=1e-4)
    few = joints[108:112].repeat(1, axis=0)
    motion = np.linalg.norm(np.diff(few, axis=0), axis=-1).mean(axis=1)
    assert motion.max() > 800


def test_nearest_pose_leaves_out_neighbours_in_time():
    """A pose repeats every 150 frames, off by 3 mm in one of two joints; nothing nearer is 100 frames away."""
    rng = np.random.default_rng(2)
    cycle = rng.normal(0, 100, (150, 2, 3))
    track = np.concatenate([cycle, cycle])
    track[150:, 0, 0] += 3.0
    assert nearest_pose_distance(track) == pytest.approx(1.5)
    assert nearest_pose_distance(track, excluded=149) == pytest.approx(1.5)
    assert nearest_pose_distance(track, excluded=0, stride=1) == pytest.approx(1.5)


def test_palm_normals_by_hand():
    """A palm that tilts by 30 degrees to either side of its mean; the turn within its plane does not count."""
    angle = np.radians(np.tile([30.0, -30.0], 50))
    zeros, ones = np.zeros(100), np.ones(100)
    side = np.stack([ones, zeros, zeros], axis=1)
    up = np.stack([zeros, np.cos(angle), np.sin(angle)], axis=1)
    palm = np.random.default_rng(3).normal(0, 100, (100, 3))
    spread = palm_normal_spread(palm + 20 * side, palm + 40 * up + 5 * side, palm)
    assert spread == pytest.approx((30.0, 30.0))
