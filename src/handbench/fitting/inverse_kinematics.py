"""From joints back to the hand: the pose whose keypoints lie nearest to given ones, many frames at once.

Damped least squares (Levenberg, Marquardt) over the 26 pose parameters. A keypoint moves with an angle as a body turns
about an axis: the column of the Jacobian is axis x (point - pivot). Few keypoints leave some angles open, so a weak
pull towards the middle of each angle's range decides those; all angles stay within the hand's limits.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handbench.hand.keypoints import Hand, Keypoints, place_keypoints
from handbench.hand.kinematics import forward_kinematics, read_turn
from handbench.hand.skeleton import ANGLE_LIMITS_RAD

ROUNDS = 20
PULL_MM = 2.0
"""What a whole range of an angle off its middle costs, as a distance of one joint."""
FIRST_DAMPING, MORE_DAMPING, LESS_DAMPING = 1e-2, 4.0, 0.3
_CURL = 0.25
"""Where in its range every angle starts."""

Poses = Float[Tensor, "frames 26"]
Points = Float[Tensor, "frames joints 3"]


@torch.no_grad()
def fit_pose(hand: Hand, joints_mm: Points, rounds: int = ROUNDS) -> Poses:
    """Pose parameters in the axes of the joints."""
    low, high = torch.as_tensor(ANGLE_LIMITS_RAD, dtype=joints_mm.dtype).T
    pose = place_roughly(hand, joints_mm, low + _CURL * (high - low))
    damping = torch.full((len(pose),), FIRST_DAMPING, dtype=pose.dtype)
    residual, jacobian = linearise(hand, pose, joints_mm)
    for _ in range(rounds):
        step = solve_damped(jacobian, residual, damping)
        tried = torch.cat([pose[:, :6] + step[:, :6], (pose[:, 6:] + step[:, 6:]).clamp(low, high)], dim=1)
        new_residual, new_jacobian = linearise(hand, tried, joints_mm)
        better = new_residual.square().sum(1) < residual.square().sum(1)
        pose = torch.where(better[:, None], tried, pose)
        residual = torch.where(better[:, None], new_residual, residual)
        jacobian = torch.where(better[:, None, None], new_jacobian, jacobian)
        damping = damping * torch.where(better, LESS_DAMPING, MORE_DAMPING)
    return pose


def linearise(
    hand: Hand, pose: Poses, joints_mm: Points
) -> tuple[Float[Tensor, "frames residuals"], Float[Tensor, "frames residuals 26"]]:
    """What is left to fit (joints, then the pull on angles), and how it changes with the pose."""
    rotations, origins = forward_kinematics(pose, hand.shape)
    points = place_keypoints(hand.keypoints, hand.shape, rotations, origins)
    low, high = torch.as_tensor(ANGLE_LIMITS_RAD, dtype=pose.dtype).T
    strength = PULL_MM / (high - low)
    pull = strength * (pose[:, 6:] - (low + high) / 2)
    of_pull = torch.cat([torch.zeros(20, 6), torch.diag(strength)], dim=1).to(pose.dtype)
    of_points = differentiate(hand, pose, rotations, origins, points)
    residual = torch.cat([(points - joints_mm).flatten(1), pull], dim=1)
    return residual, torch.cat([of_points, of_pull.expand(len(pose), -1, -1)], dim=1)


def differentiate(
    hand: Hand,
    pose: Poses,
    rotations: Float[Tensor, "frames 16 3 3"],
    origins: Float[Tensor, "frames 16 3"],
    points: Points,
) -> Float[Tensor, "frames coordinates 26"]:
    """The points' change with every parameter: shifts, turns about the wrist, turns about the fingers' joints."""
    axes, pivots = find_axes(pose, rotations, origins)
    turned = torch.linalg.cross(axes[:, None], points[:, :, None] - pivots[:, None], dim=-1)
    turned = turned * moves_with(hand.keypoints).to(pose.dtype)[None, :, :, None]
    shifted = torch.eye(3, dtype=pose.dtype).expand(*points.shape[:2], 3, 3)
    return torch.cat([shifted, turned.transpose(2, 3)], dim=3).flatten(1, 2)


def find_axes(
    pose: Poses, rotations: Float[Tensor, "frames 16 3 3"], origins: Float[Tensor, "frames 16 3"]
) -> tuple[Float[Tensor, "frames 23 3"], Float[Tensor, "frames 23 3"]]:
    """Axis and pivot of yaw, pitch and roll, then of the four angles of each finger in the order of DOFS."""
    roll, zero, one = pose[:, 5], torch.zeros(len(pose), dtype=pose.dtype), torch.ones(len(pose), dtype=pose.dtype)
    # R = Rz(roll) Rx(pitch) Ry(yaw): yaw turns about the palm's own y, roll about the camera's z.
    of_hand = torch.stack(
        [rotations[:, 0, :, 1], torch.stack([roll.cos(), roll.sin(), zero], 1), torch.stack([zero, zero, one], 1)], 1
    )
    fingers, joints = rotations[:, 1:].unflatten(1, (5, 3)), origins[:, 1:].unflatten(1, (5, 3))
    first = pose[:, 6:].unflatten(1, (5, 4))[:, :, :1]
    across, along, outward = fingers[:, :, 0].unbind(-1)
    # Abduction turns the finger before it flexes: about the dorsal direction, seen from the flexed first bone.
    dorsal = first.sin() * along + first.cos() * outward
    axes = torch.stack([across, dorsal, across, across], 2).flatten(1, 2)
    pivots = torch.stack([joints[:, :, 0], joints[:, :, 0], joints[:, :, 1], joints[:, :, 2]], 2).flatten(1, 2)
    return torch.cat([of_hand, axes], 1), torch.cat([origins[:, :1].expand(-1, 3, -1), pivots], 1)


def moves_with(keypoints: Keypoints) -> Tensor:
    """Which of the 23 angles moves which keypoint: those of the hand all, a finger's those at or beyond its joint."""
    finger, segment = np.divmod(keypoints.bones - 1, 3)
    table = np.ones((len(keypoints.bones), 23), bool)
    for angle in range(20):
        # Flexion and abduction of the first joint move all three segments; the others one less each.
        least = (0, 0, 1, 2)[angle % 4]
        table[:, 3 + angle] = (keypoints.bones > 0) & (finger == angle // 4) & (segment >= least)
    return torch.from_numpy(table)


def solve_damped(
    jacobian: Float[Tensor, "frames residuals 26"],
    residual: Float[Tensor, "frames residuals"],
    damping: Float[Tensor, "frames"],
) -> Poses:
    """The step that lowers the linearised residual; damping shortens it, each parameter on its own scale."""
    normal = jacobian.transpose(1, 2) @ jacobian
    scale = normal.diagonal(dim1=1, dim2=2)
    normal = normal + torch.diag_embed(damping[:, None] * scale + 1e-6 * scale.amax(dim=1, keepdim=True))
    slope = (jacobian.transpose(1, 2) @ residual[..., None]).squeeze(-1)
    return -torch.linalg.solve(normal, slope)


def place_roughly(hand: Hand, joints_mm: Points, angles: Float[Tensor, "20"]) -> Poses:
    """A curled hand moved and turned onto the joints as a whole (orthogonal Procrustes)."""
    rest = torch.cat([torch.zeros(6, dtype=joints_mm.dtype), angles.to(joints_mm.dtype)])
    rotations, origins = forward_kinematics(rest, hand.shape)
    model = place_keypoints(hand.keypoints, hand.shape, rotations, origins)
    # The palm's points say where the hand is; fingers may be anywhere.
    weight = torch.where(torch.from_numpy(hand.keypoints.bones == 0), 4.0, 1.0).to(joints_mm.dtype)
    weight = (weight / weight.sum())[:, None]
    middle, middle_mm = (weight * model).sum(0), (weight * joints_mm).sum(1, keepdim=True)
    left, _, right = torch.linalg.svd((weight * (joints_mm - middle_mm)).transpose(1, 2) @ (model - middle))
    sign = torch.linalg.det(left @ right)
    turn = left @ torch.diag_embed(torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], 1)) @ right
    place = middle_mm[:, 0] - (turn @ middle[:, None])[..., 0]
    return torch.cat([place, read_turn(turn), rest[6:].expand(len(place), -1)], dim=1)
