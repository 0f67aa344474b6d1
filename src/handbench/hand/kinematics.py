"""Forward kinematics, written once for numpy and torch: pose parameters to the frames of the 16 bones.

The three flexions of a finger turn about one axis, so the product of transforms along a chain collapses: with M the
frame of a finger after abduction and phi_s the sum of its flexions up to segment s, bone s has the rotation
M Rx(phi_s). That needs one matrix product a finger instead of one a joint.
"""

from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float

from handbench.hand.skeleton import HandShape

Array = Any
"""A numpy array or a torch tensor; what goes in decides what comes out."""


def _namespace(array: Array) -> ModuleType:
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def _like(values: Float[np.ndarray, "..."], array: Array) -> Array:
    """Constants of the hand as the same kind, precision and device as the pose."""
    if isinstance(array, np.ndarray):
        return values.astype(array.dtype)
    import torch

    return torch.as_tensor(values, dtype=array.dtype, device=array.device)


def hand_rotation(angles: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """Rz(roll) Rx(pitch) Ry(yaw): camera axes from hand axes."""
    xp = _namespace(angles)
    c, s = xp.cos(angles), xp.sin(angles)
    cy, cp, cr = c[..., 0], c[..., 1], c[..., 2]
    sy, sp, sr = s[..., 0], s[..., 1], s[..., 2]
    rows = (
        (cr * cy - sr * sp * sy, -sr * cp, cr * sy + sr * sp * cy),
        (sr * cy + cr * sp * sy, cr * cp, sr * sy - cr * sp * cy),
        (-cp * sy, sp, cp * cy),
    )
    return xp.stack([xp.stack(row, -1) for row in rows], -2)


def forward_kinematics(
    pose: Float[Array, "*batch 26"], shape: HandShape
) -> tuple[Float[Array, "*batch 16 3 3"], Float[Array, "*batch 16 3"]]:
    """Rotation and origin (mm) of every bone in camera axes, in the order of skeleton.BONES."""
    xp = _namespace(pose)
    batch = pose.shape[:-1]
    palm = hand_rotation(pose[..., 3:6])
    wrist = pose[..., 0:3]
    angles = pose[..., 6:].reshape(*batch, 5, 4)

    rested = xp.einsum("...ij,fjk->...fik", palm, _like(shape.rest_rotations, pose))
    abduction = angles[..., 1:2]
    c, s = xp.cos(abduction), xp.sin(abduction)
    across = c * rested[..., 0] + s * rested[..., 1]
    down = c * rested[..., 1] - s * rested[..., 0]
    dorsal = rested[..., 2]

    flexion = xp.stack(
        [angles[..., 0], angles[..., 0] + angles[..., 2], angles[..., 0] + angles[..., 2] + angles[..., 3]], -1
    )
    c, s = xp.cos(flexion)[..., None], xp.sin(flexion)[..., None]
    along = c * down[..., None, :] + s * dorsal[..., None, :]
    outward = c * dorsal[..., None, :] - s * down[..., None, :]
    rotations = xp.stack([xp.broadcast_to(across[..., None, :], along.shape), along, outward], -1)

    first = wrist[..., None, :] + xp.einsum("...ij,fj->...fi", palm, _like(shape.bases_mm, pose))
    steps = -_like(shape.lengths_mm[:, :2, None], pose) * along[..., :2, :]
    second = first + steps[..., 0, :]
    origins = xp.stack([first, second, second + steps[..., 1, :]], -2)

    join = np.concatenate if xp is np else xp.cat
    return (
        join([palm[..., None, :, :], rotations.reshape(*batch, 15, 3, 3)], -3),
        join([wrist[..., None, :], origins.reshape(*batch, 15, 3)], -2),
    )
