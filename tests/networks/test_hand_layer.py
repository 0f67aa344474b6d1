"""The hand model layer: Eq. 4 against the plain kinematics, its gradient, its units."""

import numpy as np
import pytest
import torch

from handbench.conventions import RECORDED
from handbench.hand.keypoints import keypoint_positions, scored_keypoints
from handbench.hand.kinematics import hand_rotation, read_turn, unify_turn
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, DOFS, REFERENCE_SHAPE, sample_shape
from handbench.networks.hand_layer import HandLayer, read_layer, turn_axes

SHAPE = sample_shape(np.random.default_rng(3))
AXES = hand_rotation(np.array([0.3, -0.5, 1.0]))


def make_layer(dataset: str = "nyu", cube_mm: float = 300.0) -> HandLayer:
    return HandLayer(SHAPE, scored_keypoints(dataset), ANGLE_LIMITS_RAD, cube_mm, AXES)


def sample_poses(number: int, seed: int = 0) -> np.ndarray:
    """Palms within the cube, palms turned any way, fingers in and out of their ranges."""
    random = np.random.default_rng(seed)
    wrist, turns = random.uniform(-0.7, 0.7, (number, 3)), random.uniform(-np.pi, np.pi, (number, 3))
    return np.concatenate([wrist, turns, random.uniform(-1, 2, (number, 20))], axis=1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dataset", list(RECORDED))
def test_equation_4_agrees_with_plain_kinematics(dataset: str, training: bool) -> None:
    pose = sample_poses(20)
    layer, theta = make_layer(dataset).train(training), torch.tensor(pose, dtype=torch.float32)
    pose_mm = layer.to_wrist(theta).numpy() * np.where(np.arange(26) < 3, 150.0, 1.0)
    expected = keypoint_positions(scored_keypoints(dataset), SHAPE, pose_mm) / 150.0
    found = layer(theta)
    assert found.shape == (20, len(RECORDED[dataset].scored), 3)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def test_equation_4_has_the_right_gradient() -> None:
    layer = make_layer().double()
    pose = torch.tensor(sample_poses(3), requires_grad=True)
    cube_mm = torch.tensor([300.0, 250.0, 280.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda theta: layer(theta, cube_mm), (pose,))


def test_in_use_the_gradient_is_the_same() -> None:
    gradients = []
    for training in (True, False):
        pose = torch.tensor(sample_poses(4), requires_grad=True)
        make_layer().double().train(training)(pose).square().sum().backward()
        gradients.append(pose.grad)
    torch.testing.assert_close(*gradients)


def test_the_palm_turns_about_its_centre() -> None:
    """Whatever its turn, the point halfway between wrist and middle finger stays where Theta puts it."""
    layer, theta = make_layer(), torch.tensor(sample_poses(30), dtype=torch.float32)
    pose = layer.to_wrist(theta)
    rotation = hand_rotation(pose[:, 3:6])
    halfway = pose[:, :3] + rotation @ torch.tensor(SHAPE.bases_mm[2] / 2 / 150, dtype=torch.float32)
    axes = torch.tensor(AXES, dtype=torch.float32)
    torch.testing.assert_close(halfway, theta[:, :3] @ axes.T, atol=1e-5, rtol=1e-5)
    theta[:, 3:6] = unify_turn(theta[:, 3:6])
    torch.testing.assert_close(layer.from_wrist(pose), theta, atol=1e-4, rtol=1e-4)


def test_the_third_axis_lies_where_hands_point_least() -> None:
    turns = torch.tensor(np.random.default_rng(0).normal((0.4, 1.1, 0.2), 0.3, (500, 3)))
    axes = turn_axes(turns)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    before, after = (read_turn(torch.tensor(one.T) @ hand_rotation(turns))[:, 1].abs() for one in (np.eye(3), axes))
    # These hands point at the camera and away from it, where yaw and roll are one.
    assert before.max() > 1.5
    assert after.max() < 1.1
    # Hands that point to all sides but never along the camera's axis leave it where it is.
    sideways = torch.zeros(50, 3)
    sideways[:, 2] = torch.linspace(-3, 3, 50)
    np.testing.assert_allclose(turn_axes(sideways), np.eye(3), atol=1e-9)


def test_a_smaller_cube_shows_the_same_hand_larger() -> None:
    """300 and 150 mm: around the palm's centre everything is twice as far away in half cube edges."""
    layer, pose = make_layer(), torch.tensor(sample_poses(5), dtype=torch.float32)
    whole, half = (layer(pose, torch.full((5,), edge_mm)) for edge_mm in (300.0, 150.0))
    centre = pose[:, None, :3] @ torch.tensor(AXES, dtype=torch.float32).T
    torch.testing.assert_close(half - centre, 2 * (whole - centre), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(layer(pose), whole)


def test_bone_lengths_are_those_of_the_hand_whatever_the_pose() -> None:
    """MSRA labels whole bones: from the index finger's first joint to its second."""
    joints_mm = 150 * make_layer("msra")(torch.tensor(sample_poses(50), dtype=torch.float32))
    names = RECORDED["msra"].joints.names
    start = names.index("index_mcp")
    lengths_mm = (joints_mm[:, start + 1] - joints_mm[:, start]).norm(dim=-1)
    np.testing.assert_allclose(lengths_mm.numpy(), SHAPE.lengths_mm[1, 0], rtol=1e-5)


def test_it_has_nothing_to_learn_and_comes_back_from_its_tensors() -> None:
    layer = make_layer()
    assert list(layer.parameters()) == []
    again = read_layer({f"layer.{name}": value for name, value in layer.state_dict().items()}, "layer.")
    pose = torch.tensor(sample_poses(3), dtype=torch.float32)
    assert torch.equal(again(pose), layer(pose))
    shape, keypoints = again.hand
    assert np.array_equal(shape.lengths_mm, SHAPE.lengths_mm)
    assert np.array_equal(keypoints.offsets_mm, scored_keypoints("nyu").offsets_mm)
    assert torch.equal(again.limits_rad, layer.limits_rad)


def test_a_finger_moves_its_own_joints_alone() -> None:
    pose = torch.zeros(1, len(DOFS), requires_grad=True)
    layer = HandLayer(REFERENCE_SHAPE, scored_keypoints("nyu"), ANGLE_LIMITS_RAD, 300.0)
    names = [RECORDED["nyu"].joints.names[place] for place in RECORDED["nyu"].scored]
    layer(pose)[0, names.index("F1_KNU3_A")].sum().backward()
    assert pose.grad is not None
    moved = {name.split("_")[0] for name, slope in zip(DOFS[6:], pose.grad[0, 6:].tolist(), strict=True) if slope}
    assert moved == {"little"}
