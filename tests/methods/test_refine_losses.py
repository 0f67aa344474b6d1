"""Eqs. 1 and 6 to 8 of refine and its base loss: by hand, against the project's own hand, by difference quotients."""

import numpy as np
import pytest
import torch

from handbench.conventions import FINGERS
from handbench.geometry.patch_frame import frame_cube
from handbench.geometry.rotation import rotation_to_quaternion
from handbench.hand.collision import cylinder_radii_mm, self_penetration
from handbench.hand.keypoints import KEYPOINTS, Hand
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, BONES, DOFS, REFERENCE_SHAPE
from handbench.methods.refine import (
    BOUNDS_RAD,
    Weights,
    base_loss,
    collision_loss,
    depth_loss,
    find_angles,
    measure_losses,
    penetrate_cylinders,
    physical_loss,
)
from handbench.networks.crop_view import draw_cloud, pose_in_crop, view_crop
from handbench.networks.posed_cloud import make_cloud


def sample_poses(number: int, seed: int = 0, reach: float = 1.0) -> np.ndarray:
    """Angles within `reach` of the limits, any turn of the hand."""
    rng = np.random.default_rng(seed)
    fingers = reach * rng.uniform(ANGLE_LIMITS_RAD[:, 0], ANGLE_LIMITS_RAD[:, 1], (number, 20))
    return np.concatenate([np.zeros((number, 3)), rng.uniform(-3, 3, (number, 3)), fingers], axis=1)


def find_quaternions(poses: np.ndarray) -> torch.Tensor:
    return torch.tensor(rotation_to_quaternion(forward_kinematics(poses, REFERENCE_SHAPE)[0]), dtype=torch.float32)


def place_joints(poses: np.ndarray) -> torch.Tensor:
    return torch.tensor(forward_kinematics(poses, REFERENCE_SHAPE)[1], dtype=torch.float32)


def test_eq_6_adds_up_pixels_and_takes_the_mean_over_frames():
    drawn, seen = torch.zeros(2, 3, 3), torch.zeros(2, 3, 3)
    drawn[0, 0, 0], seen[0, 1, 1], seen[1, 2, 2] = 0.5, 0.25, 1.0
    assert depth_loss(drawn, seen) == pytest.approx((0.75 + 1.0) / 2)


@pytest.mark.parametrize(
    ("point", "depth"),
    [
        ((5.0, 1.0, 0.0), 2.0),  # through the side, 3 thick
        ((5.0, 0.0, -2.5), 0.5),
        ((1.0, 0.0, 0.0), 1.0),  # through the near end
        ((9.5, 1.0, 0.0), 0.5),  # through the far end
        ((5.0, 3.0, 0.1), 0.0),
        ((-1.0, 0.0, 0.0), 0.0),
        ((11.0, 0.0, 0.0), 0.0),
    ],
)
def test_eq_7_is_the_shortest_way_out_of_a_cylinder(point, depth):
    starts, ends = torch.zeros(1, 1, 3), torch.tensor([[[10.0, 0.0, 0.0]]])
    found = penetrate_cylinders(starts, ends, torch.tensor([3.0]), torch.tensor([[point]]))
    assert found.item() == pytest.approx(depth, abs=1e-3)


def test_eq_7_by_hand():
    """One joint 2 mm inside of one bone, of 16 joints: no bone minds its own two ends."""
    joints = place_joints(sample_poses(1, reach=0.0))
    radii = torch.tensor(cylinder_radii_mm(REFERENCE_SHAPE), dtype=torch.float32)
    assert collision_loss(joints, radii) == 0
    index, little = BONES.index("index_proximal"), BONES.index("little_distal")
    axis = joints[0, index + 1] - joints[0, index]
    aside = torch.linalg.cross(axis, torch.tensor([0.0, 0.0, 1.0]))
    inside = joints[0, index] + axis / 2 + aside / aside.norm() * (radii[index] - 2.0)
    joints[0, little] = inside
    # The bone that ends in the moved joint now reaches across the hand: only the index finger's is asked.
    only = torch.zeros(15)
    only[index] = radii[index]
    assert collision_loss(joints, only) == pytest.approx(2.0 / 16, abs=1e-3)
    assert collision_loss(joints.expand(3, -1, -1), only) == pytest.approx(2.0 / 16, abs=1e-3)


def test_eq_7_speaks_only_where_the_hand_collides():
    """Joints in cylinders are fewer than capsules in capsules: what this finds, `self_penetration` finds deeper."""
    poses = sample_poses(400)
    radii = torch.tensor(cylinder_radii_mm(REFERENCE_SHAPE), dtype=torch.float32)
    losses = np.array([float(collision_loss(one[None], radii)) for one in place_joints(poses)])
    deepest_mm = self_penetration(poses, REFERENCE_SHAPE)
    assert (losses > 0).any()
    assert (deepest_mm[losses > 0] > 0).all()
    assert not losses[deepest_mm <= 0].any()


def test_eq_7_has_its_gradient_and_a_finite_one_on_an_axis():
    radii = torch.tensor(cylinder_radii_mm(REFERENCE_SHAPE))
    joints = place_joints(sample_poses(400)).double()
    colliding = [one for one in joints if collision_loss(one[None], radii) > 0]
    joints = torch.stack(colliding[:4]).requires_grad_()
    assert collision_loss(joints, radii) > 0
    assert torch.autograd.gradcheck(lambda moved: collision_loss(moved, radii), (joints,))
    flat = torch.zeros(1, 16, 3, requires_grad=True)
    collision_loss(flat, radii.float()).backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_phi_reads_the_angles_that_posed_the_hand():
    poses = sample_poses(50)
    angles = find_angles(find_quaternions(poses)).numpy().reshape(50, 5, 3, 3)
    fingers = poses[:, 6:].reshape(50, 5, 4)
    assert np.abs(angles[:, :, :, 0] - fingers[:, :, [0, 2, 3]]).max() < 1e-4
    assert np.abs(angles[:, :, 0, 2] - fingers[:, :, 1]).max() < 1e-4
    assert np.abs(angles[:, :, :, 1]).max() < 1e-4
    assert np.abs(angles[:, :, 1:, 2]).max() < 1e-4


def test_eq_8_is_nothing_within_the_limits_and_counts_radians_beyond():
    assert physical_loss(find_quaternions(sample_poses(50))) < 1e-3
    pose = sample_poses(1, reach=0.0)
    pose[0, DOFS.index("ring_flexion_2")] = ANGLE_LIMITS_RAD[DOFS.index("ring_flexion_2") - 6, 1] + 0.3
    pose[0, DOFS.index("index_abduction")] = ANGLE_LIMITS_RAD[DOFS.index("index_abduction") - 6, 0] - 0.1
    assert physical_loss(find_quaternions(pose)) == pytest.approx(0.4, abs=1e-4)
    assert physical_loss(-2 * find_quaternions(pose)) == pytest.approx(0.4, abs=1e-4)


def test_eq_8_minds_what_no_joint_allows():
    """A fingertip twisted about itself by 0.2."""
    twist = np.array([[np.cos(0.2), 0, np.sin(0.2)], [0, 1, 0], [-np.sin(0.2), 0, np.cos(0.2)]])
    rotations, _ = forward_kinematics(sample_poses(1), REFERENCE_SHAPE)
    tip = BONES.index("middle_distal")
    rotations[0, tip] = rotations[0, tip] @ twist
    quaternions = torch.tensor(rotation_to_quaternion(rotations), dtype=torch.float32)
    assert 0.15 < physical_loss(quaternions) < 0.45


def test_bounds_are_those_of_the_skeleton():
    thumb, index = BOUNDS_RAD[:3], BOUNDS_RAD[3:6]
    assert np.degrees(thumb[0, 0]).tolist() == pytest.approx([-25, 40])
    assert np.degrees(index[1, 0]).tolist() == pytest.approx([0, 110])
    assert np.degrees(index[0, 2]).tolist() == pytest.approx([-18, 18])
    assert not BOUNDS_RAD[:, 1].any()
    assert not BOUNDS_RAD.reshape(len(FINGERS), 3, 3, 2)[:, 1:, 2].any()


def test_eq_8_has_its_gradient_and_a_finite_one_where_angles_are_undefined():
    quaternions = find_quaternions(sample_poses(3, reach=1.5)).double()
    # Off the kinks that the loss has where an angle is just allowed.
    quaternions += 0.05 * torch.randn(quaternions.shape, generator=torch.Generator().manual_seed(0))
    quaternions.requires_grad_()
    assert torch.autograd.gradcheck(physical_loss, (quaternions,), atol=1e-4)
    half = np.sqrt(0.5)
    # All bones a quarter turn of twist from their parents: flexion and abduction are one.
    odd = torch.tensor([[1.0, 0, 0, 0], [half, 0, half, 0]]).repeat(8, 1)[None].requires_grad_()
    physical_loss(odd).backward()
    assert odd.grad is not None
    assert odd.grad.isfinite().all()


def test_eq_1_weighs_and_adds():
    depth = torch.ones(6, 1, 32, 32)
    depth[..., 8:24, 8:24] = 0.0
    frame = frame_cube(torch.tensor([[0.0, 0.0, 500.0]] * 6), torch.full((6,), 250.0), 32)
    view, cloud = view_crop(depth, frame, 0.15), make_cloud(REFERENCE_SHAPE, KEYPOINTS["nyu"], 300)
    quaternions = torch.randn(6, 16, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    losses = measure_losses(quaternions, cloud, view)
    drawn = draw_cloud(pose_in_crop(cloud, quaternions, view).points_mm, view)
    assert losses.depth.item() == pytest.approx((drawn - view.image).abs().sum().item() / 6, rel=1e-5)
    assert min(losses.collision.item(), losses.physical.item()) > 0
    total = losses.total(Weights(depth=2.0, collision=3.0, physical=5.0))
    by_hand = 2 * losses.depth + 3 * losses.collision + 5 * losses.physical
    assert total.item() == pytest.approx(by_hand.item(), rel=1e-5)
    total.backward()
    assert quaternions.grad is not None
    assert (quaternions.grad.abs().amax(dim=2) > 0).all()
    assert cloud.points_mm.grad is not None
    assert cloud.points_mm.grad.any()


@pytest.mark.parametrize("block", [None, Hand(REFERENCE_SHAPE, KEYPOINTS["nyu"])])
def test_a_training_in_half_precision_loses_no_digits_here(block):
    frame = frame_cube(torch.tensor([[0.0, 0.0, 500.0]] * 2), torch.full((2,), 250.0), 32)
    depth = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    cloud, quaternions = make_cloud(REFERENCE_SHAPE, KEYPOINTS["nyu"], 300), find_quaternions(sample_poses(2))
    view = view_crop(depth, frame, 0.15, block)
    expected, joints_mm = (
        measure_losses(quaternions, cloud, view).total(Weights(1.0, 1.0, 10.0)),
        cloud.joints(quaternions),
    )
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(measure_losses(quaternions, cloud, view).total(Weights(1.0, 1.0, 10.0)), expected)
        assert torch.equal(cloud.joints(quaternions), joints_mm)


def test_base_loss_by_hand_and_for_either_sign():
    truth = torch.zeros(1, 16, 4)
    truth[..., 0] = 1.0
    turned = truth.clone()
    turned[0, 3] = torch.tensor([0.0, 2.0, 0.0, 0.0])
    # One of 16 a half turn off: two of 64 numbers by 1.
    assert base_loss(turned, truth) == pytest.approx(2 / 64)
    assert base_loss(-turned, truth) == pytest.approx(2 / 64)
    assert base_loss(-7 * truth, truth) == 0
