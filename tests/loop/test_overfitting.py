"""Fits to single images: a pose is found from near it, a shape is found in poses that are known."""

import numpy as np
import pytest
import torch
from torch import nn

from handbench.conventions import Camera
from handbench.geometry.patch_frame import frame_cube
from handbench.geometry.rotation import rotation_to_quaternion
from handbench.hand.keypoints import KEYPOINTS
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, vary_shape
from handbench.hand.skinning import make_skin, pose_mesh
from handbench.loop.overfitting import PosedFrames, fit_cloud, fit_pose, measure_depth, measure_distance_mm
from handbench.networks.crop_view import CropView, draw_cloud, place_cloud, view_crop
from handbench.networks.posed_cloud import PosedCloud, make_cloud, sample_skin
from handbench.rendering.zbuffer import render_layers

SIZE_PX, RADIUS = 48, 0.12
TARGET = vary_shape(REFERENCE_SHAPE, size=0.85)


class Told(nn.Module):
    """A pose of which descent may move every number, in place of a network."""

    def __init__(self, quaternions: torch.Tensor) -> None:
        super().__init__()
        self.quaternions = nn.Parameter(quaternions)
        self.dropout = nn.Dropout(0.5)

    def forward(self, depth: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.quaternions)


def sample_poses(number: int, off_rad: float = 0.0) -> np.ndarray:
    """Half-open hands half a metre before the camera, fingers off by normal deviates."""
    rng = np.random.default_rng(2)
    poses = np.zeros((number, 26))
    poses[:, 1:3] = 50.0, 500.0
    poses[:, 3:6] = rng.uniform(-0.5, 0.5, (number, 3))
    poses[:, 6:] = rng.uniform(0.1, 0.5, (number, 20)) * ANGLE_LIMITS_RAD[:, 1]
    poses[:, 6:] += off_rad * rng.normal(size=(number, 20))
    return poses


def find_quaternions(poses: np.ndarray) -> torch.Tensor:
    return torch.tensor(rotation_to_quaternion(forward_kinematics(poses, TARGET)[0]), dtype=torch.float32)


def view_hands(poses: np.ndarray) -> tuple[torch.Tensor, CropView]:
    """The target's hand, rendered."""
    number, skin = len(poses), make_skin(TARGET)
    frame = frame_cube(torch.tensor([[0.0, 0.0, 500.0]] * number), torch.full((number,), 250.0), SIZE_PX)
    (fx, fy), (cx, cy) = frame.focal_px[0].tolist(), frame.principal_px[0].tolist()
    camera = Camera(fx, fy, cx, cy, SIZE_PX, SIZE_PX)
    rendered_mm = np.stack([render_layers([pose_mesh(skin, TARGET, pose)], camera)[0] for pose in poses])
    depth = torch.tensor(np.where(rendered_mm > 0, (rendered_mm - 500) / 125, 1).clip(-1, 1), dtype=torch.float32)
    return depth[:, None], view_crop(depth[:, None], frame, RADIUS)


def measure(quaternions: torch.Tensor, cloud: PosedCloud, view: CropView) -> dict[str, torch.Tensor]:
    """Eq. 6 alone."""
    points_mm = cloud(quaternions)
    drawn = draw_cloud(points_mm + place_cloud(points_mm, view)[:, None], view)
    loss = (drawn - view.image).abs().sum(dim=(1, 2)).mean()
    return {"loss": loss, "depth_loss": loss}


def test_a_pose_is_found_from_near_it():
    depth, view = view_hands(sample_poses(1))
    network, cloud = Told(find_quaternions(sample_poses(1, off_rad=0.3))), make_cloud(TARGET, KEYPOINTS["nyu"], 1500)
    before = network.quaternions.detach().clone()
    fit = fit_pose(network, cloud, depth, view, measure, rate=0.02)
    losses = fit.losses
    assert losses.shape == (71,)
    assert torch.equal(fit.first, before)
    assert losses[-1] == pytest.approx(float(measure_depth(cloud, fit.last, view)), rel=1e-5)
    assert losses[0] == pytest.approx(float(measure_depth(cloud, before, view)), rel=1e-5)
    assert losses[-1] < 0.5 * losses[0]
    # A copy was trained, without dropout.
    assert torch.equal(network.quaternions, before)
    assert network.training


def test_a_shape_is_found_in_known_poses():
    poses = sample_poses(10)
    quaternions = find_quaternions(poses)
    (_, fitted), (_, held) = view_hands(poses[:6]), view_hands(poses[6:])
    cloud = make_cloud(REFERENCE_SHAPE, KEYPOINTS["nyu"], 1500)
    before = cloud.points_mm.detach().clone()
    fit = fit_cloud(cloud, PosedFrames(quaternions[:6], fitted), PosedFrames(quaternions[6:], held), measure)
    assert fit.fitted.shape == (21, 6)
    assert fit.held.shape == (21, 4)
    assert fit.fitted[-1].mean() < 0.2 * fit.fitted[0].mean()
    assert fit.held[-1].mean() < 0.7 * fit.held[0].mean()
    for frames, losses in (
        (PosedFrames(quaternions[:6], fitted), fit.fitted),
        (PosedFrames(quaternions[6:], held), fit.held),
    ):
        for own, told in ((cloud, losses[0]), (fit.cloud, losses[-1])):
            assert torch.equal(measure_depth(own, frames.quaternions, frames.view), told)
    assert torch.equal(cloud.points_mm, before)
    surface, _ = sample_skin(make_skin(TARGET), 20_000, seed=5)
    first, last = (
        measure_distance_mm(one.points_mm.detach().numpy(), surface, aligned=True) for one in (cloud, fit.cloud)
    )
    assert last < 0.8 * first


def test_distance_by_hand_and_after_a_shift():
    grid = np.stack(np.meshgrid(*[np.arange(5.0)] * 3), axis=-1).reshape(-1, 3)
    assert measure_distance_mm(grid + [0.0, 0.0, 0.2], grid) == pytest.approx(0.2)
    assert measure_distance_mm(grid + [0.0, 0.0, 0.2], grid, aligned=True) == pytest.approx(0, abs=1e-9)
