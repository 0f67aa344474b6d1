"""Yaw and pitch of hands whose direction is plain, and bins by hand and by loop."""

import json
import math

import numpy as np
import pytest

from handbench.conventions import MSRA_JOINTS
from handbench.evaluation.viewpoint import PITCH_BINS_DEG, YAW_BINS_DEG, average_bins, measure_view, view_bins


def _hand(along: tuple[float, float, float], across: tuple[float, float, float]) -> np.ndarray:
    joints = np.zeros((1, 21, 3))
    joints[0, :, 2] = 400.0
    joints[0, MSRA_JOINTS.index("middle_mcp")] += 90 * np.array(along)
    joints[0, MSRA_JOINTS.index("little_mcp")] += 80 * np.array(along) + 30 * np.array(across)
    return joints


@pytest.mark.parametrize(
    ("along", "yaw", "pitch"),
    [
        ((0, -1, 0), 0, 0),  # fingers up
        ((1, 0, 0), 90, 0),  # fingers to the right
        ((0, -math.cos(math.radians(30)), -math.sin(math.radians(30))), 0, 30),  # tips towards the camera
        ((math.sin(math.radians(20)), -math.cos(math.radians(20)), 0), 20, 0),
    ],
)
def test_plain_directions(along: tuple[float, float, float], yaw: float, pitch: float) -> None:
    across = (0.0, 0.0, 1.0) if along[0] == 1 else (1.0, 0.0, 0.0)
    np.testing.assert_allclose(measure_view(_hand(along, across)), [[yaw, pitch]], atol=1e-6)


def test_a_palm_without_a_plane_has_no_angles() -> None:
    assert np.isnan(measure_view(_hand((0, -1, 0), (0, 0, 0)))).all()
    assert np.isnan(measure_view(np.zeros((1, 21, 3)))).all()


def test_the_frame_rebuilds_the_direction() -> None:
    """y_z = -sin(pitch) and y_x = sin(yaw) cos(pitch), whatever the hand."""
    joints = np.random.default_rng(0).normal(0, 50, (40, 21, 3))
    yaw, pitch = np.radians(measure_view(joints)).T
    y = joints[:, MSRA_JOINTS.index("middle_mcp")] - joints[:, 0]
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    np.testing.assert_allclose(y[:, 2], -np.sin(pitch), atol=1e-9)
    np.testing.assert_allclose(y[:, 0], np.sin(yaw) * np.cos(pitch), atol=1e-9)


def test_bins_by_hand() -> None:
    errors, angles = np.array([4.0, 8.0, 6.0, 9.0]), np.array([0.9, -0.9, 1.1, 95.0])
    means, counts = average_bins(errors, angles, PITCH_BINS_DEG)
    zero = PITCH_BINS_DEG.tolist().index(0)
    assert (means[zero], counts[zero]) == (6.0, 2)
    assert (means[zero + 1], counts[zero + 1]) == (6.0, 1)
    assert counts.sum() == 3
    assert np.isnan(means[counts == 0]).all()


def test_bins_of_a_prediction_by_hand() -> None:
    """Two hands that point up and one that leans 20 degrees to the right; a joint without a label is left out."""
    right = (math.sin(math.radians(20)), -math.cos(math.radians(20)), 0.0)
    hands = np.concatenate([_hand(along, (1.0, 0.0, 0.0)) for along in ((0, -1, 0), (0, -1, 0), right)])
    errors = np.array([[4.0] * 21, [10.0, np.nan] + [6.0] * 19, [9.0] * 21])
    bins = view_bins(errors, hands)
    assert json.loads(json.dumps(bins, allow_nan=False)) == bins
    yaw, pitch = bins["yaw"], bins["pitch"]
    assert (yaw["deg"], pitch["deg"]) == (YAW_BINS_DEG.tolist(), PITCH_BINS_DEG.tolist())
    zero, twenty = yaw["deg"].index(0), yaw["deg"].index(20)
    assert (yaw["frames"][zero], yaw["error_mm"][zero]) == (2, pytest.approx((4.0 + 6.2) / 2))
    assert (yaw["frames"][twenty], yaw["error_mm"][twenty]) == (1, 9.0)
    assert sum(yaw["frames"]) == 3
    assert [value for value in yaw["error_mm"] if value is not None] == [yaw["error_mm"][zero], 9.0]
    assert pitch["frames"][pitch["deg"].index(0)] == 3


def test_bins_equal_a_loop() -> None:
    rng = np.random.default_rng(4)
    errors, angles = rng.gamma(2, 5, 500), rng.uniform(-60, 60, 500)
    angles[:5] = np.nan
    errors[5:9] = np.nan
    means, counts = average_bins(errors, angles, YAW_BINS_DEG)
    for place, middle in enumerate(YAW_BINS_DEG.tolist()):
        kept = [e for e, a in zip(errors, angles, strict=True) if abs(a - middle) < 1 and not math.isnan(e)]
        assert counts[place] == len(kept)
        assert means[place] == pytest.approx(sum(kept) / len(kept))


def test_the_ranges_are_the_leaderboards() -> None:
    assert (YAW_BINS_DEG[0], YAW_BINS_DEG[-1], PITCH_BINS_DEG[0], PITCH_BINS_DEG[-1]) == (-40, 40, -10, 90)
