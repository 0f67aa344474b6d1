"""The joint energy: how far a posed hand's keypoints lie from labelled joints, for swarms of poses.

Poses lie along the last axis in here, as in hand/kinematics.py. A keypoint is fixed to a bone, so all keypoints are
one matrix times the bones' frames.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handbench.fitting.inverse_kinematics import Hand
from handbench.hand.kinematics import forward_kinematics

AT_ONCE = 2048
"""Poses at once: 1024 and 512 take a fifth and two thirds longer each."""


@dataclass(frozen=True)
class JointEnergy:
    """The mean squared distance (mm^2) between a hand's keypoints and a frame's joints."""

    hand: Hand
    joints_mm: Float[Tensor, "frames joints 3"]

    def measure_swarm(self, swarm: Float[Tensor, "frames particles 26"]) -> Float[Tensor, "frames particles"]:
        """The energy of every pose."""
        frames = max(AT_ONCE // swarm.shape[1], 1)
        placing = torch.from_numpy(gather_bones(self.hand)).to(swarm)
        pairs = zip(swarm.split(frames), self.joints_mm.to(swarm).split(frames), strict=True)
        return torch.cat([self._measure_part(few, joints_mm, placing) for few, joints_mm in pairs])

    def _measure_part(
        self,
        swarm: Float[Tensor, "few particles 26"],
        joints_mm: Float[Tensor, "few joints 3"],
        placing: Float[Tensor, "joints columns"],
    ) -> Float[Tensor, "few particles"]:
        rotations, origins = forward_kinematics(swarm.flatten(0, 1), self.hand.shape)
        # Rows: the x, y and z axis and the origin of every bone; columns: coordinates, then poses.
        axes = rotations.movedim(0, -1).transpose(1, 2).flatten(0, 1)
        frames = torch.cat([axes, origins.movedim(0, -1)])
        points = (placing @ frames.flatten(1)).unflatten(1, (3, *swarm.shape[:2]))
        return (points - joints_mm.permute(1, 2, 0)[..., None]).square_().sum(dim=(0, 1)) / len(placing)


def gather_bones(hand: Hand) -> Float[np.ndarray, "joints 64"]:
    """A keypoint is its bone's origin and its place along the bone's three axes: one row."""
    bones = hand.keypoints.bones
    rows = np.arange(len(bones))
    placing = np.zeros((len(bones), 64))
    placing[rows[:, None], 3 * bones[:, None] + np.arange(3)] = hand.keypoints.local_mm(hand.shape)
    placing[rows, 48 + bones] = 1.0
    return placing
