"""Angle errors and impossible angles, by hand and by loop."""

import math

import numpy as np
import pytest

from handbench.evaluation.angles import (
    angles_out_of_range,
    rotation_errors_deg,
    turn_errors_deg,
)
from handbench.hand.angle_errors import angle_errors_deg
from handbench.hand.kinematics import hand_rotation


def test_errors_by_hand() -> None:
    predicted, truth = np.radians([[10.0, 350.0, -170.0]]), np.radians([[40.0, 10.0, 170.0]])
    np.testing.assert_allclose(angle_errors_deg(predicted, truth), [[30.0, 20.0, 20.0]])


def test_unknown_angles_are_left_out() -> None:
    truth = np.radians([[40.0, np.nan]])
    errors_deg = angle_errors_deg(np.radians([[10.0, 3.0]]), truth)
    assert errors_deg[0, 0] == pytest.approx(30.0)
    assert np.isnan(errors_deg[0, 1])


def test_out_of_range_by_hand() -> None:
    limits = np.radians([[0.0, 90.0], [-10.0, 10.0]])
    angles = np.radians([[45.0, 0.0], [91.0, 0.0], [45.0, -11.0], [90.0, 10.0]])
    np.testing.assert_array_equal(angles_out_of_range(angles, limits), [0, 1, 1, 0])


def test_a_clamped_float32_angle_is_in_range() -> None:
    limits = np.radians(np.array([[-20.0, 115.0]]))
    clamped = limits.T.astype(np.float32).reshape(2, 1)
    assert angles_out_of_range(clamped, limits).sum() == 0


def test_errors_equal_a_slow_reference() -> None:
    rng = np.random.default_rng(0)
    predicted, truth = rng.uniform(-7, 7, (20, 5)), rng.uniform(-7, 7, (20, 5))
    for row, column in np.ndindex(20, 5):
        a, b = predicted[row, column], truth[row, column]
        slow = abs(math.degrees(math.atan2(math.sin(a - b), math.cos(a - b))))
        assert angle_errors_deg(predicted, truth)[row, column] == pytest.approx(slow, abs=1e-9)


def test_an_angle_that_is_not_predicted_is_not_left_out() -> None:
    with pytest.raises(ValueError, match="a predicted angle is NaN where the true one is known"):
        angle_errors_deg(np.array([[np.nan, 0.1]]), np.array([[0.5, 0.1]]))
    assert np.isnan(angle_errors_deg(np.array([[0.1]]), np.array([[np.nan]]))).all()


def test_a_frame_without_angles_is_no_possible_hand() -> None:
    limits = np.array([[0.0, 1.0], [-1.0, 1.0]])
    got = angles_out_of_range(np.array([[np.nan, np.nan], [5.0, 0.0], [np.nan, 0.5]]), limits)
    assert np.isnan(got[0])
    assert got[1:].tolist() == [1.0, 0.0]


def test_one_rotation_said_in_two_ways_is_no_error() -> None:
    turns = np.random.default_rng(1).uniform(-4, 4, (50, 3))
    other = np.stack([turns[:, 0] + np.pi, np.pi - turns[:, 1], turns[:, 2] - np.pi], axis=1)
    np.testing.assert_allclose(hand_rotation(other), hand_rotation(turns), atol=1e-12)
    np.testing.assert_allclose(turn_errors_deg(other, turns), 0.0, atol=1e-9)
    near = other + np.radians([1.0, -2.0, 3.0])
    np.testing.assert_allclose(turn_errors_deg(near, turns), np.tile([1.0, 2.0, 3.0], (50, 1)), atol=1e-9)
    assert turn_errors_deg(turns, np.full_like(turns, np.nan)).shape == (50, 3)


def test_the_turn_of_a_hand_by_hand() -> None:
    still = hand_rotation(np.zeros((1, 3)))
    for axis in range(3):
        for degrees in (0.001, 30.0, 90.0, 180.0):
            turned = hand_rotation(np.radians(degrees) * np.eye(3)[axis : axis + 1])
            np.testing.assert_allclose(rotation_errors_deg(turned, still), degrees, atol=1e-5)
    # At the pole yaw and roll trade off: 40 degrees of both, and the hand has not moved.
    pole = hand_rotation(np.radians([[0.0, 90.0, 0.0], [40.0, 90.0, -40.0]]))
    np.testing.assert_allclose(rotation_errors_deg(pole[:1], pole[1:]), 0.0, atol=1e-6)
    assert np.isnan(rotation_errors_deg(still, np.full((1, 3, 3), np.nan))).all()
