from functools import partial

import numpy as np
import pytest

from handbench.conventions import DEXTER_SEQUENCES
from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.held_box import LARGE_BOX_MM, SMALL_BOX_MM, hold_box
from handbench.datasets.recordings import sample_poses
from handbench.geometry.box import box_corners, box_distance
from handbench.hand.collision import CONTACT_TOLERANCE_MM, self_penetration
from handbench.hand.grasp import CONTACT_MM, grasp_penetration
from handbench.hand.kinematics import hand_rotation
from handbench.hand.skeleton import ANGLE_LIMITS_RAD


@pytest.fixture(scope="module")
def plays():
    """Each sequence's poses, before and after, with its box."""
    held = {}
    for take in plan_recordings("dexter", {"test": 6 * 200}, 0):
        poses = sample_poses(take)
        held[take.sequence] = (take, poses, *hold_box(take.sequence, poses, take.shape, take.rng(1)))
    return held


@pytest.mark.parametrize("sequence", DEXTER_SEQUENCES)
def test_fingers_do_not_pass_through_the_box_or_each_other(plays, sequence):
    take, _, poses, held = plays[sequence]
    deepest = max(
        grasp_penetration(pose[6:], partial(box_distance, held.in_palm(i)), take.shape) for i, pose in enumerate(poses)
    )
    assert deepest <= CONTACT_MM
    assert self_penetration(poses, take.shape).max() <= CONTACT_TOLERANCE_MM
    assert (poses[:, 6:] >= ANGLE_LIMITS_RAD[:, 0] - 1e-9).all()
    assert (poses[:, 6:] <= ANGLE_LIMITS_RAD[:, 1] + 1e-9).all()


@pytest.mark.parametrize("sequence", DEXTER_SEQUENCES)
def test_fingers_neither_jump_nor_stand_still(plays, sequence):
    """A finger that loses hold of a turning box closes over several frames."""
    _, _, poses, _ = plays[sequence]
    steps_deg = np.degrees(np.abs(np.diff(poses[:, 6:], axis=0)).max(axis=1))
    assert steps_deg.max() < 10.0
    if sequence.startswith(("Grasp", "Pinch", "Rotate")):
        assert np.ptp(poses[:, 6:], axis=0).max() > np.radians(3)


@pytest.mark.parametrize("sequence", DEXTER_SEQUENCES)
def test_only_the_fingers_change(plays, sequence):
    _, before, after, _ = plays[sequence]
    assert np.array_equal(before[:, :6], after[:, :6])


def test_the_box_moves_with_the_palm(plays):
    _, _, poses, held = plays["Rigid"]
    for index in (0, 100, 199):
        box = held.box(poses[index], index)
        palm = hand_rotation(poses[index, 3:6])
        in_palm = (box_corners(box) - poses[index, :3]) @ palm
        assert in_palm == pytest.approx(box_corners(held.in_palm(index)), abs=1e-9)
        # On the palm's side of the hand, and against it.
        assert in_palm[:, 2].max() < -10


def test_boxes_keep_their_size_and_turn_as_named(plays):
    assert plays["Grasp1"][3].size_mm == LARGE_BOX_MM
    assert plays["Rotate"][3].size_mm == SMALL_BOX_MM

    def turned_deg(sequence: str) -> float:
        rotations = plays[sequence][3].rotations
        cosines = (np.einsum("ij,nij->n", rotations[0], rotations) - 1) / 2
        return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).max())

    assert turned_deg("Rigid") < 1e-4
    assert turned_deg("Rotate") > 60
    assert turned_deg("Grasp1") < 25


def test_labelled_corners_are_three_ends_of_one_face_away_from_the_palm(plays):
    for _, _, _, held in plays.values():
        first, middle, last = box_corners(held.in_palm(0))[list(held.corners)]
        assert (first - middle) @ (last - middle) == pytest.approx(0, abs=1e-9)
        assert np.mean([first[2], middle[2], last[2]]) < held.centres_mm[0, 2]
