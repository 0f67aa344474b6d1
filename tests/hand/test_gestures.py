import numpy as np
import pytest

from handbench.conventions import MSRA_GESTURES
from handbench.datasets.pose_ranges import POSE_RANGES
from handbench.hand.collision import CONTACT_TOLERANCE_MM, self_penetration
from handbench.hand.gestures import NAMED_CURLS, find_opening, open_until_free, sample_gesture
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, DOFS, REFERENCE_SHAPE, sample_shape

RANGE = POSE_RANGES["nyu"].gestures
THROUGH_THE_PALM = np.zeros(20)
THROUGH_THE_PALM[[DOFS.index(f"middle_flexion_{n}") - 6 for n in (1, 2)]] = np.radians([140, 110])


def penetration(angles: np.ndarray, shape=REFERENCE_SHAPE) -> float:
    return float(self_penetration(np.concatenate([np.zeros(6), angles])[None], shape)[0])


def test_every_gesture_folder_of_msra_has_curls():
    assert set(NAMED_CURLS) == set(MSRA_GESTURES)
    assert all(len(curls) == 5 and min(curls) >= 0 and max(curls) <= 1 for curls in NAMED_CURLS.values())


@pytest.mark.parametrize("named", [None, "5", "I"])
def test_gestures_are_feasible(named):
    rng = np.random.default_rng(0)
    for seed in range(25):
        shape = sample_shape(np.random.default_rng(seed))
        angles = sample_gesture(rng, RANGE, shape, named)
        assert (angles >= ANGLE_LIMITS_RAD[:, 0]).all()
        assert (angles <= ANGLE_LIMITS_RAD[:, 1]).all()
        assert penetration(angles, shape) <= CONTACT_TOLERANCE_MM


def test_named_gestures_show_the_fingers_they_name():
    """ "1" raises the index alone, "5" everything, "Y" thumb and little finger."""
    rng = np.random.default_rng(1)
    bends = {
        name: np.mean(
            [sample_gesture(rng, RANGE, REFERENCE_SHAPE, name).reshape(5, 4)[:, [0, 2]].sum(1) for _ in "x" * 9], 0
        )
        for name in ("1", "5", "Y")
    }
    assert bends["1"][1] < 0.6
    assert bends["1"][2:].min() > 1.5
    assert bends["5"][1:].max() < 0.6
    assert bends["Y"][4] < 0.6
    assert bends["Y"][1:4].min() > 1.5


def test_fingers_curl_together():
    """Synergies: neighbouring fingers' curls correlate, and the last two joints of a finger more so."""
    rng = np.random.default_rng(2)
    angles = np.stack([sample_gesture(rng, RANGE, REFERENCE_SHAPE) for _ in range(400)]).reshape(-1, 5, 4)
    curls = angles[:, :, 0] + angles[:, :, 2]
    assert np.corrcoef(curls[:, 2], curls[:, 3])[0, 1] > 0.4
    assert np.corrcoef(angles[:, 2, 2], angles[:, 2, 3])[0, 1] > 0.8


def test_a_free_gesture_is_left_alone():
    angles = np.full(20, 0.1)
    assert find_opening(angles, REFERENCE_SHAPE) == 0.0
    assert (open_until_free(angles, REFERENCE_SHAPE) == angles).all()


def test_a_colliding_gesture_opens_just_far_enough():
    assert penetration(THROUGH_THE_PALM) > CONTACT_TOLERANCE_MM
    opening = find_opening(THROUGH_THE_PALM, REFERENCE_SHAPE)
    assert 0 < opening < 0.6
    assert open_until_free(THROUGH_THE_PALM, REFERENCE_SHAPE) == pytest.approx((1 - opening) * THROUGH_THE_PALM)
    assert penetration((1 - opening) * THROUGH_THE_PALM) <= CONTACT_TOLERANCE_MM
    assert penetration((1 - opening + 0.03) * THROUGH_THE_PALM) > CONTACT_TOLERANCE_MM


def test_at_least_the_asked_for_opening():
    assert find_opening(np.full(20, 0.1), REFERENCE_SHAPE, least=0.4) == 0.4
    assert find_opening(THROUGH_THE_PALM, REFERENCE_SHAPE, least=0.8) == 0.8
