"""Joint errors on points that can be done by hand, and against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from handbench.evaluation import metrics
from handbench.evaluation.metrics import THRESHOLDS_MM

NAN = math.nan
# Two frames of two joints: 5 and 13 mm off, then 10 mm off and one joint without a label.
PREDICTED = np.array([[[3.0, 4.0, 0.0], [5.0, 0.0, 12.0]], [[10.0, 0.0, 0.0], [1.0, 1.0, 1.0]]])
TRUTH = np.array([[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [NAN, NAN, NAN]]])
ERRORS = np.array([[5.0, 13.0], [10.0, NAN]])


def test_errors_by_hand() -> None:
    np.testing.assert_array_equal(metrics.measure_errors(PREDICTED, TRUTH), ERRORS)


def test_a_label_with_one_missing_coordinate_is_missing() -> None:
    truth = TRUTH.copy()
    truth[0, 0, 2] = NAN
    assert np.isnan(metrics.measure_errors(PREDICTED, truth)[0, 0])


def test_a_prediction_may_be_nan_only_where_nothing_is_labelled() -> None:
    predicted = PREDICTED.copy()
    predicted[1, 1] = NAN
    np.testing.assert_array_equal(metrics.measure_errors(predicted, TRUTH), ERRORS)
    predicted[0, 0, 0] = NAN
    with pytest.raises(ValueError, match="NaN where a label exists"):
        metrics.measure_errors(predicted, TRUTH)


def test_means_by_hand() -> None:
    assert metrics.mean_error(ERRORS) == pytest.approx(28 / 3)
    np.testing.assert_allclose(metrics.joint_means(ERRORS), [7.5, 13.0])
    np.testing.assert_allclose(metrics.frame_means(ERRORS), [9.0, 10.0])
    np.testing.assert_allclose(metrics.frame_maxima(ERRORS), [13.0, 10.0])
    assert metrics.count_missing(ERRORS) == 1


def test_curves_by_hand() -> None:
    frames, joints = metrics.frames_within(ERRORS), metrics.joints_within(ERRORS)
    means = metrics.frame_means_within(ERRORS)
    assert (frames[9], frames[10], frames[12], frames[13]) == (0.0, 0.5, 0.5, 1.0)
    assert (joints[4], joints[5], joints[10], joints[13]) == pytest.approx((0, 1 / 3, 2 / 3, 1))
    assert (means[8], means[9], means[10]) == (0.0, 0.5, 1.0)


def test_the_threshold_itself_counts_and_a_hair_more_does_not() -> None:
    curve = metrics.frames_within(np.array([[20.0], [np.nextafter(20.0, 30.0)], [0.0], [81.0]]))
    assert (curve[0], curve[19], curve[20], curve[21], curve[80]) == (0.25, 0.25, 0.5, 0.75, 0.75)


def test_area_by_hand() -> None:
    """An error of 40 mm: a step that is half up from 39 to 40, so 40.5 of 80 mm lie under it."""
    assert metrics.area_under(metrics.frames_within(np.array([[40.0]]))) == pytest.approx(40.5 / 80)
    assert metrics.area_under(np.ones(81)) == 1.0


def test_nothing_labelled_gives_nan_not_zero() -> None:
    nothing = np.full((2, 2), NAN)
    assert math.isnan(metrics.mean_error(nothing))
    assert np.isnan(metrics.frames_within(nothing)).all()
    assert np.isnan(metrics.frame_maxima(nothing)).all()
    assert np.isnan(metrics.joint_means(nothing)).all()


def _slow_curve(errors: np.ndarray, judge: str) -> list[float]:
    curve = []
    for threshold in range(81):
        hits = total = 0
        for frame in errors:
            values = [value for value in frame if not math.isnan(value)]
            judged = (
                values if judge == "joints" else [max(values)] if judge == "frames" else [sum(values) / len(values)]
            )
            hits += sum(value <= threshold for value in judged) if values else 0
            total += len(judged) if values else 0
        curve.append(hits / total)
    return curve


@settings(deadline=None)
@given(arrays(np.float64, (7, 3), elements=st.one_of(st.floats(0, 100), st.integers(0, 90).map(float), st.just(NAN))))
def test_the_fast_way_equals_loops(errors: np.ndarray) -> None:
    errors[:, 0] = np.where(np.isnan(errors[:, 0]), 1.0, errors[:, 0])  # a frame is never without labels here
    np.testing.assert_allclose(metrics.frames_within(errors), _slow_curve(errors, "frames"))
    np.testing.assert_allclose(metrics.joints_within(errors), _slow_curve(errors, "joints"))
    known = [value for value in errors.ravel().tolist() if not math.isnan(value)]
    assert metrics.mean_error(errors) == pytest.approx(sum(known) / len(known))


def test_mean_curve_equals_loops() -> None:
    errors = np.random.default_rng(1).gamma(2.0, 12.0, (50, 4))
    errors[3, 1] = NAN
    np.testing.assert_allclose(metrics.frame_means_within(errors), _slow_curve(errors, "means"))


def test_the_axis_is_zero_to_eighty() -> None:
    assert THRESHOLDS_MM.tolist() == list(range(81))
