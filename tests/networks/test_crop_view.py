"""A crop and a cloud in one picture: the camera's perspective, and the two rules by which they share an origin."""

import numpy as np
import pytest
import torch

from handbench.conventions import ICVL, Camera
from handbench.datasets.centres import choose_strategy
from handbench.datasets.frame_crop import crop_frame
from handbench.datasets.listing import Frame
from handbench.geometry.patch_frame import PatchFrame, make_camera
from handbench.geometry.rotation import rotation_to_quaternion
from handbench.hand.keypoints import KEYPOINTS, Hand, keypoint_positions, place_keypoints
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, vary_shape
from handbench.hand.skinning import make_skin, pose_mesh
from handbench.networks.crop_view import (
    draw_cloud,
    find_middle,
    mm_to_patch,
    patch_to_mm,
    place_cloud,
    pose_in_crop,
    view_crop,
)
from handbench.networks.posed_cloud import make_cloud
from handbench.rendering.zbuffer import render_layers

SIZE_PX, RADIUS = 64, 0.1
SHAPE = vary_shape(REFERENCE_SHAPE, size=0.85)
BLOCK = Hand(SHAPE, KEYPOINTS["icvl"])


def draw_hands(word: str, number: int = 3) -> tuple[np.ndarray, torch.Tensor, PatchFrame]:
    """Poses, their crops without noise, and where these are: nothing but hands is in the pictures."""
    rng, skin, camera = np.random.default_rng(3), make_skin(SHAPE), ICVL.camera
    poses, crops = np.zeros((number, 26)), []
    poses[:, :3] = rng.uniform([-60, 20, 380], [60, 80, 480], (number, 3))
    poses[:, 3:6] = rng.uniform(-0.4, 0.4, (number, 3))
    poses[:, 6:] = rng.uniform(0.3, 0.6, (number, 1)) * ANGLE_LIMITS_RAD[:, 1]
    for row, pose in enumerate(poses):
        depth_mm, _ = render_layers([pose_mesh(skin, SHAPE, pose)], camera)
        joints_mm = keypoint_positions(KEYPOINTS["icvl"], SHAPE, pose).astype(np.float32)
        frame = Frame("", row, "", "", depth_mm, joints_mm, camera)
        crops.append(crop_frame(frame, ICVL, choose_strategy(word, ICVL), SIZE_PX))
    return poses, torch.tensor(np.stack([crop.depth for crop in crops]))[:, None], frame_crops(crops, camera)


def frame_crops(crops: list, camera: Camera) -> PatchFrame:
    warps = torch.tensor(np.stack([crop.patch_from_image for crop in crops]), dtype=torch.float32)
    focal, principal = make_camera(warps, (camera.fx, camera.fy), (camera.cx, camera.cy))
    centre = torch.tensor(np.stack([crop.centre_mm for crop in crops]))
    return PatchFrame(centre, torch.tensor([float(crop.cube_mm) for crop in crops]), focal, principal, SIZE_PX)


def find_quaternions(poses: np.ndarray) -> torch.Tensor:
    return torch.tensor(rotation_to_quaternion(forward_kinematics(poses, SHAPE)[0]), dtype=torch.float32)


def find_wrists(poses: np.ndarray, frame: PatchFrame) -> torch.Tensor:
    """True places about the cubes' centres."""
    return torch.tensor(poses[:, :3], dtype=torch.float32) - frame.centre_mm


def test_a_hand_at_its_true_place_covers_its_own_pixels():
    poses, depth, frame = draw_hands("block")
    view, cloud = view_crop(depth, frame, RADIUS), make_cloud(SHAPE, KEYPOINTS["icvl"], 6000)
    points_mm = cloud(find_quaternions(poses)) + find_wrists(poses, frame)[:, None]

    def differ(shifted_mm: torch.Tensor) -> torch.Tensor:
        return (draw_cloud(points_mm + shifted_mm, view) - view.image).abs().sum(dim=(1, 2))

    least = differ(torch.zeros(3))
    assert (least < 0.1 * view.image.sum(dim=(1, 2))).all()
    for axis in range(3):
        for sign in (-1, 1):
            assert (differ(8.0 * sign * torch.eye(3)[axis]) > 1.2 * least).all()


def test_block_crops_are_met_exactly():
    poses, depth, frame = draw_hands("block")
    view = view_crop(depth, frame, RADIUS, BLOCK)
    posed = pose_in_crop(make_cloud(SHAPE, KEYPOINTS["icvl"], 100), find_quaternions(poses), view)
    assert torch.allclose(posed.origins_mm[:, 0], find_wrists(poses, frame), atol=1e-2)
    joints_mm = place_keypoints(BLOCK.keypoints, SHAPE, posed.rotations, posed.origins_mm)
    expected = keypoint_positions(KEYPOINTS["icvl"], SHAPE, poses) - frame.centre_mm[:, None].numpy()
    assert np.abs(joints_mm.numpy() - expected).max() < 1e-2


@pytest.mark.parametrize("word", ["com", "block"])
def test_what_is_seen_places_a_hand_wherever_the_crop_is_centred(word):
    poses, depth, frame = draw_hands(word)
    view, cloud = view_crop(depth, frame, RADIUS), make_cloud(SHAPE, KEYPOINTS["icvl"], 6000)
    posed = pose_in_crop(cloud, find_quaternions(poses), view)
    assert ((posed.origins_mm[:, 0] - find_wrists(poses, frame)).norm(dim=1) < 2.5).all()


def test_the_place_by_what_is_seen_follows_the_points_but_not_the_crop_of_them():
    poses, depth, frame = draw_hands("com")
    view, points_mm = (
        view_crop(depth, frame, RADIUS),
        make_cloud(SHAPE, KEYPOINTS["icvl"], 3000)(find_quaternions(poses)),
    )
    once, moved = place_cloud(points_mm, view), place_cloud(points_mm + 40.0, view)
    assert torch.allclose(once, moved + 40.0, atol=0.2)
    points = points_mm.detach().requires_grad_()
    place_cloud(points, view)[:, 0].sum().backward()
    assert points.grad is not None
    # Each hand's seen points share a weight of one; hidden ones have none.
    assert points.grad[..., 0].sum(dim=1).tolist() == pytest.approx([-1.0] * 3, abs=1e-4)
    assert (points.grad[..., 0] == 0).any()
    assert not points.grad[..., 1:].any()


def test_the_middle_counts_pixels_and_not_points():
    points_mm = torch.tensor([[[0.0, 0, 0], [30.0, 0, 0], [0, 99.0, 0]]])
    winner = torch.tensor([[[0, 0], [1, -1]]], dtype=torch.int32)
    assert find_middle(points_mm, winner)[0].tolist() == [10, 0, 0]
    nothing = find_middle(points_mm, torch.full_like(winner, -1))
    assert nothing[0].tolist() == [10, 33, 0]


def test_an_empty_crop_and_a_lost_hand_leave_finite_numbers():
    _, depth, frame = draw_hands("com")
    view, cloud = view_crop(torch.ones_like(depth), frame, RADIUS), make_cloud(SHAPE, KEYPOINTS["icvl"], 100)
    assert not view.image.any()
    quaternions = torch.randn(3, 16, 4, requires_grad=True)
    posed = pose_in_crop(cloud, quaternions, view)
    assert posed.points_mm.isfinite().all()
    drawn = draw_cloud(posed.points_mm - torch.tensor([0.0, 0.0, 5000.0]), view)
    drawn.sum().backward()
    assert not drawn.any()
    assert quaternions.grad is not None
    assert quaternions.grad.isfinite().all()


def test_millimetres_and_patch_there_and_back():
    _, _, frame = draw_hands("block")
    points_mm = 80 * torch.rand(3, 20, 3) - 40
    assert torch.allclose(patch_to_mm(mm_to_patch(points_mm, frame), frame), points_mm, atol=1e-2)
    # The cube's centre lies on its pixel, and its front face at -1.
    middle = mm_to_patch(torch.zeros(3, 1, 3), frame)
    assert middle.abs().max() < 2 / SIZE_PX
    front = torch.stack([torch.zeros(3), torch.zeros(3), -frame.cube_mm / 2], dim=1)[:, None]
    assert mm_to_patch(front, frame)[..., 2].flatten().tolist() == pytest.approx([-1.0] * 3)
