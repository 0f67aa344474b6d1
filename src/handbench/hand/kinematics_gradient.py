"""The gradient of forward kinematics, by statics: what pulls and twists the bones, summed towards each joint.

The loss pulls on a bone's origin with a force, and twists its frame with a torque. A joint feels the forces and
moments of all bones beyond it, and its angle's gradient is their moment about the joint's axis. Sums along the
fingers replace the chain of products that automatic differentiation would walk back along, in half the time. The
lines are torch operations of inputs and outputs, so second derivatives follow from them.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.hand.kinematics import place_bones


class PlaceBones(torch.autograd.Function):
    """Forward kinematics as one operation of torch."""

    @staticmethod
    def forward(pose: Tensor, fixed: Tensor, steps_mm: Tensor) -> tuple[Tensor, Tensor]:
        return place_bones(pose, fixed, steps_mm)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(inputs[0], *output)

    @staticmethod
    def backward(ctx: Any, grad_rotations: Tensor, grad_origins: Tensor) -> tuple[Tensor, None, None]:
        pose, rotations, origins = ctx.saved_tensors
        return pull_back(pose, rotations, origins, grad_rotations, grad_origins), None, None


def pull_back(
    pose: Float[Tensor, "*batch 26"],
    rotations: Float[Tensor, "*batch 16 3 3"],
    origins: Float[Tensor, "*batch 16 3"],
    grad_rotations: Float[Tensor, "*batch 16 3 3"],
    grad_origins: Float[Tensor, "*batch 16 3"],
) -> Float[Tensor, "*batch 26"]:
    """Gradients of bone frames to gradients of pose parameters."""
    angles = _poses_last(pose, 26)
    frames, forces = _poses_last(rotations, 16, 3, 3), _poses_last(grad_origins, 16, 3)
    arms = _poses_last(origins, 16, 3)
    arms = arms - arms[:1]
    moments = _cross(frames, _poses_last(grad_rotations, 16, 3, 3), 1).sum(2) + _cross(arms, forces, 1)

    # Bones beyond each joint of a finger: suffix sums. Moments so far are about the wrist; a joint takes its own.
    pulls, twists = (part[1:].reshape(5, 3, 3, -1).flip(1).cumsum(1).flip(1) for part in (forces, moments))
    twists = twists - _cross(arms[1:].reshape(5, 3, 3, -1), pulls, 2)
    x, y, z = frames[1:].reshape(5, 3, 3, 3, -1).unbind(3)
    bends = (x * twists).sum(2)
    first = angles[6:].reshape(5, 4, -1)[:, :1]
    dorsal = torch.sin(first) * y[:, 0] + torch.cos(first) * z[:, 0]
    spreads = (dorsal * twists[:, 0]).sum(1)

    force, moment = forces.sum(0), moments.sum(0)
    roll = angles[5]
    yawing = (frames[0, :, 1] * moment).sum(0)
    pitching = torch.cos(roll) * moment[0] + torch.sin(roll) * moment[1]
    turns = torch.stack([yawing, pitching, moment[2]])
    fingers = torch.stack([bends[:, 0], spreads, bends[:, 1], bends[:, 2]], 1).flatten(0, 1)
    return torch.cat([force, turns, fingers]).T.reshape(pose.shape)


def _poses_last(array: Tensor, *shape: int) -> Tensor:
    return array.reshape(-1, *shape).movedim(0, -1).contiguous()


def _cross(a: Tensor, b: Tensor, axis: int) -> Tensor:
    (ax, ay, az), (bx, by, bz) = a.unbind(axis), b.unbind(axis)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis)
