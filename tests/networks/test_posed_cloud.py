"""Eq. 2 of refine and forward kinematics from quaternions, against the project's own hand."""

import numpy as np
import pytest
import torch

from handbench.geometry.rotation import rotation_to_quaternion
from handbench.hand.flesh import bind_frames
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.mesh import rest_mesh
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, sample_shape
from handbench.hand.skinning import make_skin, skin_vertices
from handbench.networks.posed_cloud import (
    make_cloud,
    quaternions_to_rotations,
    read_cloud,
    sample_skin,
    skin_points,
)

SHAPES = (REFERENCE_SHAPE, sample_shape(np.random.default_rng(4)))


def sample_poses(number: int) -> np.ndarray:
    """Any turn, any angle within the limits, the wrist at the origin."""
    rng = np.random.default_rng(1)
    fingers = rng.uniform(ANGLE_LIMITS_RAD[:, 0], ANGLE_LIMITS_RAD[:, 1], (number, 20))
    return np.concatenate([np.zeros((number, 3)), rng.uniform(-3, 3, (number, 3)), fingers], axis=1)


def find_quaternions(poses: np.ndarray, shape=REFERENCE_SHAPE) -> torch.Tensor:
    """As truth.npz has them."""
    return torch.tensor(rotation_to_quaternion(forward_kinematics(poses, shape)[0]), dtype=torch.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dataset", ["nyu", "icvl", "msra"])
def test_joints_agree_with_the_26_parameters(shape, dataset):
    poses, keypoints = sample_poses(20), KEYPOINTS[dataset]
    cloud = make_cloud(shape, keypoints, 16)
    joints_mm = cloud.joints(find_quaternions(poses, shape)).detach().numpy()
    assert np.abs(joints_mm - keypoint_positions(keypoints, shape, poses)).max() < 1e-3


def test_bones_agree_with_the_26_parameters():
    poses = sample_poses(20)
    rotations, origins = make_cloud(REFERENCE_SHAPE, KEYPOINTS["nyu"], 16).place_bones(find_quaternions(poses))
    expected_rotations, expected_origins = forward_kinematics(poses, REFERENCE_SHAPE)
    assert np.abs(rotations.numpy() - expected_rotations).max() < 1e-5
    assert np.abs(origins.numpy() - expected_origins).max() < 1e-3


def test_lengths_and_signs_of_quaternions_change_nothing():
    quaternions = find_quaternions(sample_poses(3))
    cloud = make_cloud(REFERENCE_SHAPE, KEYPOINTS["nyu"], 50)
    assert torch.allclose(cloud(quaternions), cloud(-2.5 * quaternions), atol=1e-3)


def test_no_rotation_is_the_identity_and_has_gradients():
    nothing = torch.zeros(2, 16, 4, requires_grad=True)
    rotations = quaternions_to_rotations(nothing)
    assert torch.equal(rotations, torch.eye(3).expand(2, 16, 3, 3))
    rotations.sum().backward()
    assert nothing.grad is not None
    assert nothing.grad.isfinite().all()


@pytest.mark.parametrize("shape", SHAPES)
def test_eq_2_carries_points_as_the_skin_carries_vertices(shape):
    """Points at the vertices, with their weights, go where the vertices go."""
    skin, poses = make_skin(shape, 9.0), sample_poses(5)
    cloud = make_cloud(shape, KEYPOINTS["nyu"], 16)
    moves = cloud.find_moves(*cloud.place_bones(find_quaternions(poses, shape)))
    at = torch.tensor(skin.vertices_mm, dtype=torch.float32)
    posed = skin_points(at, torch.tensor(skin.weights, dtype=torch.float32), *moves).numpy()
    assert np.abs(posed - skin_vertices(skin, *forward_kinematics(poses, shape))).max() < 1e-3


def test_the_bind_pose_leaves_points_where_they_are():
    cloud = make_cloud(REFERENCE_SHAPE, KEYPOINTS["nyu"], 200)
    rotations, _ = bind_frames(REFERENCE_SHAPE)
    posed = cloud(torch.tensor(rotation_to_quaternion(rotations), dtype=torch.float32)[None])[0]
    assert torch.allclose(posed, cloud.points_mm, atol=1e-3)


def test_gradients_by_pose_and_by_points():
    cloud = make_cloud(REFERENCE_SHAPE, KEYPOINTS["nyu"], 6).double()
    quaternions = find_quaternions(sample_poses(2)).double().requires_grad_()
    points = cloud.points_mm.detach().clone().requires_grad_()

    def pose(turned: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
        return skin_points(moved, cloud.weights, *cloud.find_moves(*cloud.place_bones(turned)))

    assert torch.autograd.gradcheck(pose, (quaternions, points))
    cloud(quaternions).sum().backward()
    assert cloud.points_mm.grad is not None
    assert [name for name, _ in cloud.named_parameters()] == ["points_mm"]


def test_points_lie_evenly_on_the_skin():
    """As many on either side of a plane as there is skin, at any distance; weights sum to one."""
    skin = make_skin(REFERENCE_SHAPE)
    points, weights = sample_skin(skin, 4000, seed=2)
    mesh = rest_mesh(REFERENCE_SHAPE)
    corners = mesh.vertices_mm[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    for axis in range(3):
        for cut in np.percentile(points[:, axis], [20, 50, 80]):
            share = areas[corners[:, :, axis].mean(axis=1) < cut].sum() / areas.sum()
            assert (points[:, axis] < cut).mean() == pytest.approx(share, abs=0.02)
    assert np.allclose(weights.sum(axis=1), 1)


def test_a_seed_says_which_points():
    first, again, other = (make_cloud(REFERENCE_SHAPE, KEYPOINTS["nyu"], 40, seed).points_mm for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_checkpoint_holds_all_of_it():
    cloud = make_cloud(SHAPES[1], KEYPOINTS["icvl"], 30)
    state = {f"cloud.{name}": value.clone() for name, value in cloud.state_dict().items()}
    read, quaternions = read_cloud(state, "cloud."), find_quaternions(sample_poses(2))
    assert torch.equal(read(quaternions), cloud(quaternions))
    assert torch.equal(read.joints(quaternions), cloud.joints(quaternions))
    assert torch.equal(read.radii_mm, cloud.radii_mm)
