"""Augmented crops: to move the cube is to crop again; a quarter turn by hand; picture and pose stay together."""

import numpy as np
import pytest
import torch

from handbench.conventions import ICVL
from handbench.geometry.crop import crop_cube, normalise_joints
from handbench.geometry.patch_frame import make_camera
from handbench.loop.augmentation import CropBatch, Ranges, augment, move_cube, turn

CAMERA = ICVL.camera
SIZE = 64


def make_scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A depth image of a few blocks in front of nothing, joints on their corners, a centre among them."""
    rng = np.random.default_rng(seed)
    depth_mm = np.zeros((CAMERA.height, CAMERA.width), np.float32)
    joints = []
    for _ in range(12):
        u, v, d = rng.integers(120, 200), rng.integers(80, 160), 400 + rng.uniform(-60, 60)
        depth_mm[v : v + 24, u : u + 18] = d
        joints.append([(u - CAMERA.cx) * d / CAMERA.fx, (v - CAMERA.cy) * d / CAMERA.fy, d])
    return depth_mm, np.array(joints, np.float32), np.array([5.0, -8.0, 400.0], np.float32)


def crop(depth_mm: np.ndarray, joints_mm: np.ndarray, centre_mm: np.ndarray, cube_mm: float) -> CropBatch:
    patch, patch_from_image = crop_cube(depth_mm, centre_mm, cube_mm, CAMERA, size_px=SIZE)
    focal, principal = make_camera(
        torch.from_numpy(patch_from_image.astype(np.float32))[None], (CAMERA.fx, CAMERA.fy), (CAMERA.cx, CAMERA.cy)
    )
    joints = normalise_joints(joints_mm, centre_mm, cube_mm)
    return CropBatch(
        depth=torch.from_numpy(patch)[None, None],
        joints=torch.from_numpy(joints)[None],
        centre_mm=torch.from_numpy(centre_mm)[None],
        cube_mm=torch.tensor([cube_mm], dtype=torch.float32),
        focal_px=focal,
        principal_px=principal,
    )


@pytest.mark.parametrize(
    ("shift_mm", "scale"),
    [((0, 0, 0), 1.0), ((12, -7, 0), 1.0), ((0, 0, 20), 1.0), ((0, 0, 0), 0.8), ((-9, 4, -15), 1.15)],
)
def test_a_moved_cube_is_a_new_crop(shift_mm: tuple[float, float, float], scale: float) -> None:
    depth_mm, joints_mm, centre_mm = make_scene()
    shift = torch.tensor([shift_mm], dtype=torch.float32)
    moved = move_cube(crop(depth_mm, joints_mm, centre_mm, 300.0), shift, torch.tensor([scale]))
    again = crop(depth_mm, joints_mm, centre_mm + np.array(shift_mm, np.float32), 300.0 * scale)
    torch.testing.assert_close(moved.joints, again.joints, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(moved.focal_px, again.focal_px, rtol=0.02, atol=0)
    inside = (moved.depth < 1) & (again.depth < 1)
    assert inside.sum() > 200
    # Two samplings of one picture differ by a pixel at the edges of the blocks.
    assert (moved.depth - again.depth).abs()[inside].median() < 1e-3
    assert ((moved.depth < 1) == (again.depth < 1)).float().mean() > 0.93


def test_a_quarter_turn_by_hand() -> None:
    depth = torch.ones(1, 1, SIZE, SIZE)
    depth[0, 0, 10, 50] = -0.5  # row 10, column 50: to the upper right
    scene = crop(*make_scene(), 300.0)
    batch = CropBatch(depth, scene.joints, scene.centre_mm, scene.cube_mm, scene.focal_px, scene.principal_px)
    turned = turn(batch, torch.tensor([torch.pi / 2]))
    # From x (right) to y (down): the upper right comes to the lower right, column 63 - 10, row 50.
    assert turned.depth[0, 0, 50, 53] == pytest.approx(-0.5)
    assert (turned.depth < 1).sum() == 1
    torch.testing.assert_close(turned.depth[0, 0], torch.rot90(depth[0, 0], -1), atol=1e-6, rtol=0)


def test_four_quarter_turns_are_none() -> None:
    batch = crop(*make_scene(), 300.0)
    turned = batch
    for _ in range(4):
        turned = turn(turned, torch.tensor([torch.pi / 2]))
    torch.testing.assert_close(turned.joints, batch.joints, atol=1e-4, rtol=0)
    torch.testing.assert_close(turned.depth, batch.depth, atol=1e-6, rtol=0)


def test_a_joint_stays_on_what_it_shows() -> None:
    """Each joint sits on the corner of its own block: after any augmentation its pixel has the joint's depth nearby."""
    torch.manual_seed(0)
    depth_mm, joints_mm, centre_mm = make_scene(3)
    one = crop(depth_mm, joints_mm + np.array([2, 2, 0], np.float32), centre_mm, 300.0)
    many = CropBatch(**{name: value.repeat(64, *[1] * (value.dim() - 1)) for name, value in vars(one).items()})
    moved = augment(many, Ranges(scale=0.1, shift_mm=8.0))
    joints_mm_new = moved.joints * (moved.cube_mm / 2)[:, None, None] + moved.centre_mm[:, None]
    pixels = moved.focal_px[:, None] * joints_mm_new[..., :2] / joints_mm_new[..., 2:] + moved.principal_px[:, None]
    found = 0
    for frame in range(64):
        for joint in range(pixels.shape[1]):
            column, row = (round(float(p)) for p in pixels[frame, joint])
            if 1 <= column < SIZE - 1 and 1 <= row < SIZE - 1:
                around = moved.depth[frame, 0, row - 1 : row + 2, column - 1 : column + 2]
                found += bool(((around - moved.joints[frame, joint, 2]).abs() < 0.02).any())
    # Blocks that lie in front hide some joints, in the first crop as well.
    seen = sum(bool((one.depth[0, 0] - depth).abs().min() < 0.02) for depth in one.joints[0, :, 2])
    assert found / 64 > 0.6 * seen


def test_nothing_moves_without_ranges() -> None:
    batch = crop(*make_scene(), 300.0)
    same = augment(batch, Ranges(scale=0.0, shift_mm=0.0, turn_rad=0.0))
    torch.testing.assert_close(same.joints, batch.joints, atol=1e-5, rtol=0)
    torch.testing.assert_close(same.depth, batch.depth, atol=1e-6, rtol=0)


def test_the_same_seed_moves_alike() -> None:
    batch = crop(*make_scene(), 300.0)
    moved = []
    for _ in range(2):
        torch.manual_seed(5)
        moved.append(augment(batch, Ranges()))
    assert torch.equal(moved[0].depth, moved[1].depth)
    assert moved[0].depth.isfinite().all()
    assert -1 <= moved[0].depth.min() <= moved[0].depth.max() <= 1
