"""The bias of refine 4.5 by hand."""

import numpy as np

from handbench.evaluation.skeleton_bias import estimate_bias, remove_bias


def test_by_hand() -> None:
    training = np.array([[5.0, 2.0, np.nan], [3.0, np.nan, np.nan], [8.0, 4.0, np.nan]])
    bias = estimate_bias(training)
    np.testing.assert_array_equal(bias, [3.0, 2.0, 0.0])
    np.testing.assert_array_equal(
        remove_bias(np.array([[10.0, 1.0, 4.0], [np.nan, 2.0, 0.0]]), bias), [[7.0, 0.0, 4.0], [np.nan, 0.0, 0.0]]
    )


def test_equals_a_loop() -> None:
    errors = np.random.default_rng(0).gamma(2, 8, (30, 4))
    assert estimate_bias(errors).tolist() == [min(row[joint] for row in errors) for joint in range(4)]


def test_an_empty_training_set_has_no_bias() -> None:
    np.testing.assert_array_equal(estimate_bias(np.empty((0, 2))), [0.0, 0.0])
