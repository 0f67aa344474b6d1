import numpy as np
import pytest
import torch
from plain_kinematics import place_bones_slowly, sample_any_poses

from handbench.hand.kinematics import forward_kinematics, hand_rotation, read_turn, unify_turn
from handbench.hand.skeleton import BONES, DOFS, PARENTS, REFERENCE_SHAPE, neutral_pose, sample_shape

SHAPE = sample_shape(np.random.default_rng(3))


def flex(dof: str, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    pose = neutral_pose()
    pose[DOFS.index(dof)] = np.radians(degrees)
    return forward_kinematics(pose, REFERENCE_SHAPE)


def test_agrees_with_products_of_elementary_transforms():
    for pose in sample_any_poses(np.random.default_rng(0), 50):
        rotations, origins = forward_kinematics(pose, SHAPE)
        slow_rotations, slow_origins = place_bones_slowly(pose, SHAPE)
        assert rotations == pytest.approx(slow_rotations, abs=1e-12)
        assert origins == pytest.approx(slow_origins, abs=1e-10)


def test_numpy_and_torch_agree_with_and_without_gradients():
    poses = sample_any_poses(np.random.default_rng(1), 40)
    expected = forward_kinematics(poses, SHAPE)
    for requires_grad in (False, True):
        found = forward_kinematics(torch.tensor(poses, requires_grad=requires_grad), SHAPE)
        for a, b in zip(expected, found, strict=True):
            assert np.abs(a - b.detach().numpy()).max() < 1e-12 * max(np.abs(a).max(), 1.0)


def test_gradients_in_float64():
    poses = torch.tensor(sample_any_poses(np.random.default_rng(2), 3), requires_grad=True)
    assert torch.autograd.gradcheck(lambda pose: forward_kinematics(pose, SHAPE), (poses,))


def test_gradients_of_single_pose_and_of_origins_alone():
    pose = torch.tensor(sample_any_poses(np.random.default_rng(9), 1)[0], requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: forward_kinematics(p, SHAPE)[1], (pose,))
    assert torch.autograd.gradcheck(lambda p: forward_kinematics(p, SHAPE)[0], (pose,))


def test_gradients_are_finite_where_the_angles_are_singular():
    pose = torch.tensor(neutral_pose())
    pose[4] = np.pi / 2
    pose.requires_grad_()
    rotations, origins = forward_kinematics(pose, SHAPE)
    (rotations.sum() + origins.sum()).backward()
    assert torch.isfinite(pose.grad).all()


def test_rotations_are_proper():
    rotations, _ = forward_kinematics(sample_any_poses(np.random.default_rng(4), 200), SHAPE)
    assert np.linalg.det(rotations) == pytest.approx(np.ones((200, 16)), abs=1e-12)
    assert np.swapaxes(rotations, -1, -2) @ rotations == pytest.approx(np.tile(np.eye(3), (200, 16, 1, 1)), abs=1e-12)


def test_bones_keep_their_lengths_in_any_pose():
    _, origins = forward_kinematics(sample_any_poses(np.random.default_rng(5), 200), SHAPE)
    lengths = np.linalg.norm(origins[:, 1:] - origins[:, PARENTS[1:]], axis=-1)
    known = np.concatenate([np.linalg.norm(SHAPE.bases_mm, axis=1)[:, None], SHAPE.lengths_mm[:, :2]], axis=1)
    assert lengths == pytest.approx(np.tile(known.reshape(15), (200, 1)), abs=1e-9)


@pytest.mark.parametrize("batch", [(), (6,), (2, 3), (0,)])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_any_batch_shape(batch, kind):
    poses = sample_any_poses(np.random.default_rng(6), 6)[: int(np.prod(batch))].reshape(*batch, 26)
    rotations, origins = forward_kinematics(poses if kind == "numpy" else torch.tensor(poses), SHAPE)
    assert rotations.shape == (*batch, 16, 3, 3)
    assert origins.shape == (*batch, 16, 3)
    flat = forward_kinematics(poses.reshape(-1, 26), SHAPE)
    assert np.asarray(rotations).reshape(-1, 16, 3, 3) == pytest.approx(flat[0])
    assert np.asarray(origins).reshape(-1, 16, 3) == pytest.approx(flat[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_of_the_pose_is_kept(dtype):
    rotations, origins = forward_kinematics(neutral_pose().astype(dtype), SHAPE)
    assert rotations.dtype == origins.dtype == dtype


def test_identity_shows_the_palm_fingers_up_thumb_to_the_right():
    pose = neutral_pose()
    pose[2] = 500.0
    rotations, origins = forward_kinematics(pose, REFERENCE_SHAPE)
    assert rotations[0] == pytest.approx(np.eye(3))
    assert origins[0] == pytest.approx([0, 0, 500])
    # Up in the image is -y; the middle finger's second joint is 104 + 50 mm above the wrist.
    assert origins[BONES.index("middle_middle")] == pytest.approx([5, -154, 497])
    assert origins[BONES.index("thumb_middle"), 0] > origins[BONES.index("index_proximal"), 0]


def test_flexion_by_ninety_degrees_bends_towards_the_palm():
    # The middle finger has no fan: from its root (5, -104, -3) its first bone (50 mm) lies along -z, at the camera.
    rotations, origins = flex("middle_flexion_1", 90)
    assert origins[BONES.index("middle_middle")] == pytest.approx([5, -104, -53])
    assert origins[BONES.index("middle_distal")] == pytest.approx([5, -104, -86])
    assert -rotations[BONES.index("middle_distal")][:, 1] == pytest.approx([0, 0, -1])


def test_second_and_third_flexion_add_up():
    pose = neutral_pose()
    for joint in (1, 2, 3):
        pose[DOFS.index(f"middle_flexion_{joint}")] = np.radians(90)
    rotations, origins = forward_kinematics(pose, REFERENCE_SHAPE)
    # Down 50 towards the camera, then back 33 along +y to the wrist, then the last bone away from the camera.
    assert origins[BONES.index("middle_distal")] == pytest.approx([5, -71, -53])
    assert -rotations[BONES.index("middle_distal")][:, 1] == pytest.approx([0, 0, 1], abs=1e-12)


def test_abduction_is_positive_to_the_thumb_side():
    _, origins = flex("middle_abduction", 90)
    assert origins[BONES.index("middle_middle")] == pytest.approx([55, -104, -3])


def test_abduction_comes_before_flexion():
    """A finger spread by 90 degrees still bends towards the palm."""
    pose = neutral_pose()
    pose[DOFS.index("middle_abduction")] = pose[DOFS.index("middle_flexion_1")] = np.radians(90)
    _, origins = forward_kinematics(pose, REFERENCE_SHAPE)
    assert origins[BONES.index("middle_middle")] == pytest.approx([5, -104, -53])


def test_thumb_flexion_brings_its_tip_towards_the_fingers():
    _, straight = flex("thumb_flexion_2", 0)
    _, bent = flex("thumb_flexion_2", 60)
    tip = BONES.index("thumb_distal")
    assert bent[tip, 0] < straight[tip, 0] - 10


@pytest.mark.parametrize(
    ("angles_deg", "down", "across"),
    [
        ((90, 0, 0), (0, 1, 0), (0, 0, -1)),  # yaw turns about the hand's long axis
        ((0, 90, 0), (0, 0, 1), (1, 0, 0)),  # pitch turns the wrist side away
        ((0, 0, 90), (-1, 0, 0), (0, 1, 0)),  # roll turns in the image plane
    ],
)
def test_hand_rotation_by_hand(angles_deg, down, across):
    rotation = hand_rotation(np.radians(np.array(angles_deg, float)))
    assert rotation[:, 1] == pytest.approx(np.array(down), abs=1e-12)
    assert rotation[:, 0] == pytest.approx(np.array(across), abs=1e-12)


def test_a_rotation_is_read_as_the_turn_that_makes_it() -> None:
    turns = np.random.default_rng(5).uniform(-4, 4, (300, 3))
    found = read_turn(hand_rotation(turns))
    np.testing.assert_allclose(found, unify_turn(turns), atol=1e-9)
    # Where yaw and roll are one, some pair of them is given.
    upright = np.array([0.3, np.pi / 2, 0.9])
    np.testing.assert_allclose(hand_rotation(read_turn(hand_rotation(upright))), hand_rotation(upright), atol=1e-7)
