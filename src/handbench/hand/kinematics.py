"""Forward kinematics, written once for numpy and torch: pose parameters to the frames of the 16 bones.

The three flexions of a finger turn about one axis, so the product of transforms along a chain collapses: with M the
frame of a finger after abduction and phi_s the sum of its flexions up to segment s, bone s has the rotation
M Rx(phi_s). That needs one matrix product a hand instead of one a joint. Poses lie along the last axis while this
computes, so that every operation runs over contiguous memory; torch's gradient is in kinematics_gradient.
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

    # A copy: shared constants are read-only, which torch cannot express.
    return torch.tensor(values, dtype=array.dtype, device=array.device)


def hand_rotation(angles: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """Rz(roll) Rx(pitch) Ry(yaw): camera axes from hand axes."""
    xp = _namespace(angles)
    return xp.moveaxis(_turn_hand(xp.moveaxis(angles, -1, 0)), (0, 1), (-2, -1))


def read_turn(rotation: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3"]:
    """Yaw, pitch and roll of a rotation, the pitch within a quarter turn."""
    xp = _namespace(rotation)
    yaw = xp.arctan2(-rotation[..., 2, 0], rotation[..., 2, 2])
    pitch = xp.arcsin(xp.clip(rotation[..., 2, 1], -1.0, 1.0))
    roll = xp.arctan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    return xp.stack([yaw, pitch, roll], -1)


def mirror_turn(angles: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    """The other way to say a rotation: Rz(roll + pi) Rx(pi - pitch) Ry(yaw + pi)."""
    return np.pi + angles * _like(np.array([1.0, -1.0, 1.0]), angles)


def unify_turn(angles: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    """The same rotation with its pitch within a quarter turn, yaw and roll within half a one."""
    xp = _namespace(angles)
    chosen = xp.where(xp.cos(angles[..., 1:2]) < 0, mirror_turn(angles), angles)
    return xp.remainder(chosen + np.pi, 2 * np.pi) - np.pi


def _turn_hand(angles: Float[Array, "3 *batch"]) -> Float[Array, "3 3 *batch"]:
    xp = _namespace(angles)
    (cy, cp, cr), (sy, sp, sr) = xp.cos(angles), xp.sin(angles)
    x_row = xp.stack([cy, xp.zeros_like(cy), sy])
    y_row = xp.stack([sp * sy, cp, -sp * cy])
    z_row = xp.stack([-cp * sy, sp, cp * cy])
    return xp.stack([cr * x_row - sr * y_row, sr * x_row + cr * y_row, z_row])


def forward_kinematics(
    pose: Float[Array, "*batch 26"], shape: HandShape
) -> tuple[Float[Array, "*batch 16 3 3"], Float[Array, "*batch 16 3"]]:
    """Rotation and origin (mm) of every bone in camera axes, in the order of skeleton.BONES."""
    constants = tuple(_like(values, pose) for values in fix_bones(shape))
    if isinstance(pose, np.ndarray) or not pose.requires_grad:
        return place_bones(pose, *constants)
    from handbench.hand.kinematics_gradient import PlaceBones

    rotations, origins = PlaceBones.apply(pose, *constants)
    return rotations, origins


def place_turned_bones(
    rotations: Float[np.ndarray, "*batch 16 3 3"], shape: HandShape
) -> Float[np.ndarray, "*batch 16 3"]:
    """Where every bone begins, millimetres about the wrist, of bones whose rotations in camera axes are known."""
    bases = np.einsum("...ij,fj->...fi", rotations[..., 0, :, :], shape.bases_mm)
    along = rotations[..., 1:, :, 1].reshape(*rotations.shape[:-3], 5, 3, 3)
    # A bone lies along its -y, and the next one of the finger begins at its end.
    steps = -along[..., :2, :] * shape.lengths_mm[:, :2, None]
    first = bases[..., None, :]
    fingers = np.concatenate([first, first + np.cumsum(steps, axis=-2)], axis=-2)
    wrist = np.zeros((*rotations.shape[:-3], 1, 3))
    return np.concatenate([wrist, fingers.reshape(*rotations.shape[:-3], 15, 3)], axis=-2)


def fix_bones(shape: HandShape) -> tuple[Float[np.ndarray, "20 3"], Float[np.ndarray, "5 2 1 1"]]:
    """What no pose changes, as `place_bones` takes it.

    Fixed to the palm, in palm axes: x, y and z of every finger's rest frame, then every finger's root.
    """
    fixed = np.concatenate([shape.rest_rotations.transpose(2, 0, 1).reshape(15, 3), shape.bases_mm])
    return fixed, -shape.lengths_mm[:, :2, None, None]


def place_bones(
    pose: Float[Array, "*batch 26"], fixed: Float[Array, "20 3"], steps_mm: Float[Array, "5 2 1 1"]
) -> tuple[Float[Array, "*batch 16 3 3"], Float[Array, "*batch 16 3"]]:
    """Forward kinematics without its gradient; a bone ends `steps_mm` along its y axis, where the next one begins."""
    xp = _namespace(pose)
    join = np.concatenate if xp is np else xp.cat
    lanes = pose.reshape(-1, 26).T
    lanes = np.ascontiguousarray(lanes) if xp is np else lanes.contiguous()
    wrist, angles = lanes[:3], lanes[6:].reshape(5, 4, 1, -1)
    palm = _turn_hand(lanes[3:6])
    across, down, dorsal, bases = xp.moveaxis(fixed @ palm, 1, 0).reshape(4, 5, 1, 3, -1)

    c, s = xp.cos(angles[:, 1:2]), xp.sin(angles[:, 1:2])
    across, down = c * across + s * down, c * down - s * across
    flexion = xp.cumsum(join([angles[:, :1], angles[:, 2:]], 1), 1)
    c, s = xp.cos(flexion), xp.sin(flexion)
    along, outward = c * down + s * dorsal, c * dorsal - s * down
    fingers = xp.stack([xp.broadcast_to(across, along.shape), along, outward], 3)

    first = wrist + bases
    joints = join([first, first + xp.cumsum(steps_mm * along[:, :2], 1)], 1)
    rotations = join([palm[None], fingers.reshape(15, 3, 3, -1)])
    origins = join([wrist[None], joints.reshape(15, 3, -1)])
    batch = pose.shape[:-1]
    return (
        xp.moveaxis(rotations, -1, 0).reshape(*batch, 16, 3, 3),
        xp.moveaxis(origins, -1, 0).reshape(*batch, 16, 3),
    )
