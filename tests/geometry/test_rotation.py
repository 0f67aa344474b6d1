import numpy as np
import pytest

from handbench.geometry.rotation import quaternion_to_rotation, rotation_to_quaternion


def test_quarter_turn_about_z_by_hand():
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    half = np.sqrt(0.5)
    assert rotation_to_quaternion(turn) == pytest.approx([half, 0, 0, half])
    assert quaternion_to_rotation(np.array([half, 0, 0, half])) == pytest.approx(turn)


def test_identity_and_half_turn():
    assert rotation_to_quaternion(np.eye(3)) == pytest.approx([1, 0, 0, 0])
    assert np.abs(rotation_to_quaternion(np.diag([1.0, -1.0, -1.0]))) == pytest.approx([0, 1, 0, 0])


@pytest.mark.parametrize("batch", [(), (7,), (2, 3), (0,)])
def test_there_and_back(batch):
    quaternions = np.random.default_rng(0).normal(size=(*batch, 4))
    rotations = quaternion_to_rotation(quaternions)
    assert rotations.shape == (*batch, 3, 3)
    assert np.linalg.det(rotations) == pytest.approx(np.ones(batch))
    again = rotation_to_quaternion(rotations)
    assert (again[..., 0] >= 0).all()
    assert np.linalg.norm(again, axis=-1) == pytest.approx(np.ones(batch))
    assert quaternion_to_rotation(again) == pytest.approx(rotations)


def test_length_and_sign_of_a_quaternion_do_not_matter():
    quaternion = np.array([0.3, -0.2, 0.9, 0.1])
    assert quaternion_to_rotation(-4.0 * quaternion) == pytest.approx(quaternion_to_rotation(quaternion))
