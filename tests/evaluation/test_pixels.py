"""Pixel errors by hand; the outline band against a slow search of every neighbour."""

import math

import numpy as np
import pytest

from handbench.evaluation.pixels import find_outline, measure_pixels


def test_four_pixels_by_hand() -> None:
    synthetic = np.array([[[1.0, 2.0], [3.0, 10.0]]])
    true = np.array([[[0.0, 0.0], [0.0, 0.0]]])
    errors = measure_pixels(synthetic, true, np.ones((1, 2, 2), bool))
    for name in ("all", "hand", "inside"):
        assert (errors[name].mean_mm, errors[name].median_mm) == (4.0, 2.5)
        assert errors[name].deviation_mm == pytest.approx(math.sqrt((9 + 4 + 1 + 36) / 4))
    assert errors["outline"].pixels == 0
    assert math.isnan(errors["outline"].mean_mm)


def test_errors_at_the_outline_are_told_from_those_inside() -> None:
    hand = np.zeros((1, 20, 20), bool)
    hand[0, 4:16, 4:16] = True
    true = np.zeros((1, 20, 20))
    synthetic = np.where(find_outline(hand), 30.0, np.where(hand, 1.0, 0.0))
    errors = measure_pixels(synthetic, true, hand)
    assert (errors["outline"].mean_mm, errors["inside"].mean_mm) == (30.0, 1.0)
    assert errors["inside"].pixels == 6 * 6
    assert errors["outline"].pixels == 18 * 18 - 6 * 6


def test_an_unmeasured_pixel_is_left_out() -> None:
    true = np.array([[[0.0, np.nan]]])
    errors = measure_pixels(np.array([[[2.0, 5.0]]]), true, np.ones((1, 1, 2), bool))
    assert (errors["all"].pixels, errors["all"].mean_mm) == (1, 2.0)


@pytest.mark.parametrize("width", [1, 3])
def test_the_band_equals_a_slow_search(width: int) -> None:
    hand = np.random.default_rng(2).random((2, 12, 15)) < 0.15
    band = find_outline(hand, width_px=width)
    for frame, v, u in np.ndindex(*hand.shape):
        window = hand[frame, max(v - width, 0) : v + width + 1, max(u - width, 0) : u + width + 1]
        assert band[frame, v, u] == (window != hand[frame, v, u]).any()
