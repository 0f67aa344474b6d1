"""Angle errors and impossible angles, by hand and by loop."""

import math

import numpy as np
import pytest

from handbench.evaluation.angles import angle_errors_deg, angles_out_of_range, mean_angle_error_deg


def test_errors_by_hand() -> None:
    predicted, truth = np.radians([[10.0, 350.0, -170.0]]), np.radians([[40.0, 10.0, 170.0]])
    np.testing.assert_allclose(angle_errors_deg(predicted, truth), [[30.0, 20.0, 20.0]])
    assert mean_angle_error_deg(predicted, truth) == pytest.approx(70 / 3)


def test_unknown_angles_are_left_out() -> None:
    truth = np.radians([[40.0, np.nan]])
    assert mean_angle_error_deg(np.radians([[10.0, 3.0]]), truth) == pytest.approx(30.0)
    assert math.isnan(mean_angle_error_deg(truth, np.full_like(truth, np.nan)))


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
