import numpy as np
import pytest
import torch
import trimesh
from plain_kinematics import sample_any_poses

from handbench.hand.flesh import bind_frames
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import DOFS, REFERENCE_SHAPE, neutral_pose, sample_shape
from handbench.hand.skinning import make_skin, pose_mesh, skin_vertices

SHAPE = sample_shape(np.random.default_rng(11))
SKIN = make_skin(SHAPE, 7.0)


def skin_slowly(pose: np.ndarray) -> np.ndarray:
    """One vertex and one bone at a time."""
    rotations, origins = forward_kinematics(pose, SHAPE)
    moved = np.zeros_like(SKIN.vertices_mm)
    for v, vertex in enumerate(SKIN.vertices_mm):
        for b in range(16):
            in_bone = SKIN.bind_rotations[b].T @ (vertex - SKIN.bind_origins_mm[b])
            moved[v] += SKIN.weights[v, b] * (rotations[b] @ in_bone + origins[b])
    return moved


def test_agrees_with_a_loop_over_vertices():
    for pose in sample_any_poses(np.random.default_rng(0), 2):
        fast = skin_vertices(SKIN, *forward_kinematics(pose, SHAPE))
        assert fast == pytest.approx(skin_slowly(pose), abs=1e-9)


def test_numpy_and_torch_agree():
    poses = sample_any_poses(np.random.default_rng(1), 4)
    expected = skin_vertices(SKIN, *forward_kinematics(poses, SHAPE))
    for requires_grad in (False, True):
        pose = torch.tensor(poses, requires_grad=requires_grad)
        found = skin_vertices(SKIN, *forward_kinematics(pose, SHAPE))
        assert found.detach().numpy() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_any_batch_shape(batch):
    poses = sample_any_poses(np.random.default_rng(2), int(np.prod(batch))).reshape(*batch, 26)
    vertices = skin_vertices(SKIN, *forward_kinematics(poses, SHAPE))
    assert vertices.shape == (*batch, *SKIN.vertices_mm.shape)
    first = skin_vertices(SKIN, *forward_kinematics(poses.reshape(-1, 26)[0], SHAPE))
    assert vertices.reshape(-1, *SKIN.vertices_mm.shape)[0] == pytest.approx(first)


def test_the_bind_pose_gives_the_bind_vertices():
    assert skin_vertices(SKIN, *bind_frames(SHAPE)) == pytest.approx(SKIN.vertices_mm, abs=1e-9)


def test_a_moved_and_turned_hand_is_rigid():
    rotations, origins = bind_frames(SHAPE)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    shift = np.array([10.0, -20.0, 500.0])
    moved = skin_vertices(SKIN, turn @ rotations, origins @ turn.T + shift)
    assert moved == pytest.approx(SKIN.vertices_mm @ turn.T + shift, abs=1e-9)


def test_a_flexed_finger_moves_no_other_finger():
    pose = neutral_pose()
    straight = skin_vertices(SKIN, *forward_kinematics(pose, SHAPE))
    pose[DOFS.index("index_flexion_1")] = 1.0
    moved = np.abs(skin_vertices(SKIN, *forward_kinematics(pose, SHAPE)) - straight).max(axis=1)
    index = SKIN.weights[:, 4:7].sum(axis=1) > 0
    assert moved[~index].max() < 1e-9
    assert moved[SKIN.weights[:, 6] > 0.99].min() > 30.0


def test_gradient_to_the_pose_is_right_and_finite():
    weights = torch.tensor(np.random.default_rng(4).normal(size=SKIN.vertices_mm.shape))

    def press(pose: torch.Tensor) -> torch.Tensor:
        return (skin_vertices(SKIN, *forward_kinematics(pose, SHAPE)) * weights).sum(dim=(-1, -2)) / 100.0

    poses = torch.tensor(sample_any_poses(np.random.default_rng(3), 2), requires_grad=True)
    assert torch.autograd.gradcheck(press, (poses,))
    press(poses).sum().backward()
    assert torch.isfinite(poses.grad).all()


def test_a_posed_mesh_stays_closed_and_outward():
    pose = neutral_pose()
    pose[:3] = 20.0, 30.0, 500.0
    pose[[DOFS.index(f"{finger}_flexion_{n}") for finger in ("index", "middle") for n in (1, 2)]] = 1.0
    mesh = pose_mesh(make_skin(REFERENCE_SHAPE), REFERENCE_SHAPE, pose)
    body = trimesh.Trimesh(mesh.vertices_mm, mesh.faces, process=False)
    assert body.is_watertight
    assert 350e3 < body.volume < 650e3
    assert mesh.vertices_mm[:, 2].mean() == pytest.approx(500.0, abs=40.0)
