import numpy as np
import pytest

from handbench.hand.flesh import FINGER_RADII_MM, bind_frames, finger_distance, finger_joints, flesh_distance
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import DOFS, REFERENCE_SHAPE, neutral_pose


def test_far_points_are_as_far_as_the_nearest_capsule():
    """Straight above the middle fingertip: 1,000 mm beyond the end of the last bone."""
    joints = finger_joints(2)
    direction = (joints[3] - joints[2]) / np.linalg.norm(joints[3] - joints[2])
    tip_sphere = joints[3] - 0.8 * FINGER_RADII_MM[2, 3] * direction
    point = tip_sphere + 900.0 * direction
    assert flesh_distance(point[None])[0] == pytest.approx(900.0 - FINGER_RADII_MM[2, 3], abs=1e-6)


@pytest.mark.parametrize("finger", range(5))
def test_distance_at_the_middle_of_a_bone_is_minus_its_radius(finger):
    joints = finger_joints(finger)
    point = 0.5 * (joints[1] + joints[2])
    radius = 0.5 * (FINGER_RADII_MM[finger, 1] + FINGER_RADII_MM[finger, 2])
    assert finger_distance(point[None], finger)[0] == pytest.approx(-radius, abs=1.0)


def test_finger_joints_follow_the_bind_frames():
    rotations, origins = bind_frames(REFERENCE_SHAPE)
    assert finger_joints(3)[:3] == pytest.approx(origins[10:13])
    assert finger_joints(3)[3] == pytest.approx(origins[12] - 26.0 * rotations[12][:, 1])


def test_the_bind_pose_spreads_the_fingers():
    pose = neutral_pose()
    for finger, degrees in (("index", 10.0), ("middle", 2.0), ("ring", -6.0), ("little", -14.0)):
        pose[DOFS.index(f"{finger}_abduction")] = np.radians(degrees)
    expected = forward_kinematics(pose, REFERENCE_SHAPE)
    for found, known in zip(bind_frames(REFERENCE_SHAPE), expected, strict=True):
        assert found == pytest.approx(known)
