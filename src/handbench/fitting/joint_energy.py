"""The joint energy: how far a posed hand's keypoints lie from labelled joints, for swarms of poses and for descents.

X. Zhou, Q. Wan, W. Zhang, X. Xue, Y. Wei, "Model-based Deep Hand Pose Estimation", IJCAI 2016, Eq. 1.

    L(pose) = 1/2 |F(pose) - Y|^2     (Eq. 1)

Here the mean over the joints of |F - Y|^2, in mm^2: a constant factor, which moves no minimum.

Poses lie along the last axis in here, as in hand/kinematics.py. A keypoint is fixed to a bone, so all keypoints are
one matrix times the bones' frames, and the gradient goes back through its transpose.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from handbench.hand.keypoints import Hand
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.kinematics_gradient import pull_back

AT_ONCE = 2048
"""Poses at once: 1024 and 512 take a fifth and two thirds longer each."""

Poses = Float[Tensor, "rows 26"]


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
        bones = gather_frames(*forward_kinematics(swarm.flatten(0, 1), self.hand.shape))
        points = (placing @ bones.flatten(1)).unflatten(1, (3, *swarm.shape[:2]))
        return (points - joints_mm.permute(1, 2, 0)[..., None]).square_().sum(dim=(0, 1)) / len(placing)

    def differentiate(self, poses: Poses, frames: Int[Tensor, "rows"]) -> tuple[Float[Tensor, "rows"], Poses]:
        """Energy and gradient of each row; `frames` says whose joints it is held to."""
        placing = torch.from_numpy(gather_bones(self.hand)).to(poses)
        joints_mm = self.joints_mm[frames].to(poses)
        pairs = zip(poses.split(AT_ONCE), joints_mm.split(AT_ONCE), strict=True)
        energies, gradients = zip(*(self._differentiate_part(few, mine, placing) for few, mine in pairs), strict=True)
        return torch.cat(energies), torch.cat(gradients)

    def _differentiate_part(
        self, poses: Poses, joints_mm: Float[Tensor, "rows joints 3"], placing: Float[Tensor, "joints columns"]
    ) -> tuple[Float[Tensor, "rows"], Poses]:
        rotations, origins = forward_kinematics(poses, self.hand.shape)
        points = (placing @ gather_frames(rotations, origins).flatten(1)).unflatten(1, (3, -1))
        apart_mm = points - joints_mm.movedim(0, -1)
        energies = apart_mm.square().sum(dim=(0, 1)) / len(placing)
        pulls = placing.T @ (apart_mm * (2 / len(placing))).flatten(1)
        axes, forces = pulls.unflatten(1, (3, -1)).split([48, 16])
        of_rotations = axes.unflatten(0, (16, 3)).transpose(1, 2).movedim(-1, 0)
        return energies, pull_back(poses, rotations, origins, of_rotations, forces.movedim(-1, 0))


def gather_frames(
    rotations: Float[Tensor, "poses 16 3 3"], origins: Float[Tensor, "poses 16 3"]
) -> Float[Tensor, "64 3 poses"]:
    """The x, y and z axis of every bone, then the bones' origins."""
    axes = rotations.movedim(0, -1).transpose(1, 2).flatten(0, 1)
    return torch.cat([axes, origins.movedim(0, -1)])


def gather_bones(hand: Hand) -> Float[np.ndarray, "joints 64"]:
    """A keypoint is its bone's origin and its place along the bone's three axes: one row."""
    bones = hand.keypoints.bones
    rows = np.arange(len(bones))
    placing = np.zeros((len(bones), 64))
    placing[rows[:, None], 3 * bones[:, None] + np.arange(3)] = hand.keypoints.local_mm(hand.shape)
    placing[rows, 48 + bones] = 1.0
    return placing
