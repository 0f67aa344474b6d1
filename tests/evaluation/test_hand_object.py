"""Eq. 23 of feedback19 by hand, with hidden tips and hidden corners, and against loops."""

import math

import numpy as np
import pytest

from handbench.evaluation.hand_object import average_sequences, measure_hand_object

HIDDEN = [math.nan] * 3


def _off(*distances: float) -> np.ndarray:
    """One frame of points so far along x from the origin."""
    return np.array([[[distance, 0.0, 0.0] for distance in distances]])


def test_everything_visible() -> None:
    """(1 + 2 + 3 + 4 + 5 + (6 + 9 + 12) / 3) / (5 + 1) = 24 / 6."""
    result = measure_hand_object(_off(1, 2, 3, 4, 5), np.zeros((1, 5, 3)), _off(6, 9, 12), np.zeros((1, 3, 3)))
    assert result.tips_mm[0] == 3.0
    assert result.corners_mm[0] == 9.0
    assert result.combined_mm[0] == 4.0


def test_one_hidden_corner_leaves_the_object_out() -> None:
    corners = np.zeros((1, 3, 3))
    corners[0, 1] = HIDDEN
    result = measure_hand_object(_off(1, 2, 3, 4, 5), np.zeros((1, 5, 3)), _off(6, 9, 12), corners)
    assert math.isnan(result.corners_mm[0])
    assert result.combined_mm[0] == 3.0


def test_hidden_tips_do_not_count() -> None:
    """Two tips and the corners: (1 + 2 + 9) / 3."""
    tips = np.zeros((1, 5, 3))
    tips[0, 2:] = HIDDEN
    result = measure_hand_object(_off(1, 2, 3, 4, 5), tips, _off(6, 9, 12), np.zeros((1, 3, 3)))
    assert (result.tips_mm[0], result.combined_mm[0]) == (1.5, 4.0)


def test_nothing_visible_is_nan() -> None:
    hidden = measure_hand_object(
        _off(1, 2, 3, 4, 5), np.full((1, 5, 3), np.nan), _off(6, 9, 12), np.full((1, 3, 3), np.nan)
    )
    assert math.isnan(hidden.combined_mm[0])
    assert math.isnan(hidden.tips_mm[0])


def test_loops_agree() -> None:
    rng = np.random.default_rng(3)
    tips, corners = rng.normal(0, 20, (30, 5, 3)), rng.normal(0, 20, (30, 3, 3))
    true_tips, true_corners = np.zeros_like(tips), np.zeros_like(corners)
    true_tips[rng.random((30, 5)) < 0.3] = np.nan
    true_corners[rng.random((30, 3)) < 0.2] = np.nan
    result = measure_hand_object(tips, true_tips, corners, true_corners)
    for frame in range(30):
        seen = [i for i in range(5) if not np.isnan(true_tips[frame, i, 0])]
        whole = not np.isnan(true_corners[frame]).any()
        total = sum(math.dist(tips[frame, i], (0, 0, 0)) for i in seen)
        total += sum(math.dist(corner, (0, 0, 0)) for corner in corners[frame]) / 3 if whole else 0
        assert result.combined_mm[frame] == pytest.approx(total / (len(seen) + whole))


def test_the_average_is_over_sequences_not_frames() -> None:
    means = average_sequences(np.array([1.0, 3.0, math.nan, 10.0]), ("Rigid", "Rigid", "Rigid", "Pinch"))
    assert means == {"Rigid": 2.0, "Pinch": 10.0, "average": 6.0}


def test_the_papers_own_table_follows_from_the_formula() -> None:
    """Table 2, Rigid: tips 14.2 and corners 8.4 give 13.2 combined when everything is visible."""
    result = measure_hand_object(_off(*[14.2] * 5), np.zeros((1, 5, 3)), _off(*[8.4] * 3), np.zeros((1, 3, 3)))
    assert result.combined_mm[0] == pytest.approx(13.2, abs=0.05)
