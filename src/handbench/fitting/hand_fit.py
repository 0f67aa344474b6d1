"""Whose hand it is: bone lengths, and where asked the places of keypoints, from the labels of many frames.

X. Zhou, Q. Wan, W. Zhang, X. Xue, Y. Wei, "Model-based Deep Hand Pose Estimation", IJCAI 2016, Sec. 3.1: bone lengths
are known and fixed, set once from the training labels.

Given the bones' rotations R_b, a joint is linear in the numbers theta of the hand,

    F(pose, theta) = wrist + sum_b R_b A_b theta,

so a step is one of least squares. Poses are fitted, theta takes its step, poses are fitted again (variable
projection): the step counts on the poses to follow, which their Jacobian tells, or a long finger that is bent a little
more would look as good as a short one and the way would be endless. The worst tenth of the frames has no say, as its
labels or its poses may be wrong. A weak pull towards a scaled reference hand decides what joints do not show.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handbench.fitting.inverse_kinematics import differentiate, fit_pose
from handbench.fitting.pose_fit import bound_angles, descend
from handbench.fitting.problem import Bounds
from handbench.hand.keypoints import Hand, Keypoints, place_keypoints
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, HandShape, vary_shape

FRAMES = 400
SIZES = (0.7, 0.8, 0.9, 1.0, 1.1)
"""Of the reference hand: where the search for theta starts."""
ROUNDS = 30
KEPT_SHARE = 0.9
PULL, PULL_OF_KEYPOINTS = 0.3, 3.0
"""What a millimetre off the scaled reference hand costs, as millimetres of one joint in one frame; the stronger where
keypoints are free: then a bone may be long or its keypoints far along it, and labels fit as well with an odd hand."""
FIRST_DAMPING, MORE_DAMPING, LESS_DAMPING = 1e-3, 8.0, 0.2
ENOUGH = 1e-4
"""The search ends where a step lowers the mean energy by less than this share, or to below this many mm^2."""
_PALM_MM = 80.0
"""A stretch of the palm as a length, so that all of theta is in millimetres."""
_BASES, _LENGTHS = slice(0, 15), slice(15, 30)

Numbers = Float[Tensor, "numbers"]
Labels = Float[Tensor, "frames joints 3"]


@dataclass(frozen=True)
class HandNumbers:
    """The numbers theta that stand for a hand: 15 coordinates of the fingers' roots, 15 bone lengths, then the palm's
    three stretches, or with free keypoints the three coordinates of each in its bone's frame."""

    hand: Hand
    """The hand they started as: its rest rotations, and of which bone each keypoint is."""
    free_keypoints: bool

    def read(self) -> Numbers:
        """Theta of the hand itself."""
        shape, keypoints = self.hand.shape, self.hand.keypoints
        last = keypoints.local_mm(shape).ravel() if self.free_keypoints else shape.palm_stretch * _PALM_MM
        return torch.from_numpy(np.concatenate([shape.bases_mm.ravel(), shape.lengths_mm.ravel(), last]))

    def build(self, theta: Numbers) -> Hand:
        """The hand of these numbers; flesh is as thick as the bones are long."""
        numbers, old = theta.numpy(), self.hand.shape
        lengths_mm = numbers[_LENGTHS].reshape(5, 3)
        size = float((lengths_mm / old.lengths_mm).mean())
        shape = replace(old, bases_mm=numbers[_BASES].reshape(5, 3), lengths_mm=lengths_mm, girths=old.girths * size)
        if not self.free_keypoints:
            return Hand(replace(shape, palm_stretch=numbers[30:] / _PALM_MM), self.hand.keypoints)
        shape = replace(shape, palm_stretch=old.palm_stretch * size)
        return Hand(shape, move_keypoints(self.hand.keypoints, shape, numbers[30:].reshape(-1, 3)))

    def weigh_bones(self) -> Float[Tensor, "joints 16 3 numbers"]:
        """A: how each joint's place in each bone's frame changes with theta."""
        keypoints = self.hand.keypoints
        joints = len(keypoints.bones)
        weights = np.zeros((joints, 16, 3, len(self.read())))
        for joint, bone in enumerate(keypoints.bones):
            finger, segment = divmod(int(bone) - 1, 3)
            if bone > 0:
                weights[joint, 0, :, 3 * finger : 3 * finger + 3] = np.eye(3)
                for before in range(segment):
                    weights[joint, 1 + 3 * finger + before, 1, 15 + 3 * finger + before] = -1.0
            if self.free_keypoints:
                weights[joint, bone, :, 30 + 3 * joint : 33 + 3 * joint] = np.eye(3)
            elif bone > 0:
                weights[joint, bone, 1, 15 + 3 * finger + segment] = -keypoints.fractions[joint]
            else:
                weights[joint, 0, :, 30:] = np.diag(keypoints.offsets_mm[joint] / _PALM_MM)
        return torch.from_numpy(weights)


def move_keypoints(keypoints: Keypoints, shape: HandShape, local_mm: Float[np.ndarray, "joints 3"]) -> Keypoints:
    """The keypoints that lie there in the bones' frames of this person's hand."""
    bare_mm, with_one_mm = (
        replace(keypoints, offsets_mm=np.full_like(local_mm, offset)).local_mm(shape) for offset in (0.0, 1.0)
    )
    return replace(keypoints, offsets_mm=(local_mm - bare_mm) / (with_one_mm - bare_mm))


def fit_hand(start: Hand, joints_mm: Float[np.ndarray, "frames joints 3"], *, free_keypoints: bool = False) -> Hand:
    """The hand that explains these frames' labels best; `start` has the keypoints, its size is looked for."""
    middle_mm = joints_mm.mean(axis=1, keepdims=True)
    labels_mm = torch.from_numpy((joints_mm - middle_mm).astype(np.float64))
    bounds = bound_angles(ANGLE_LIMITS_RAD)
    first = min((_try_size(start, labels_mm, bounds, size) for size in SIZES), key=lambda tried: tried.energy)
    numbers = HandNumbers(first.hand, free_keypoints)
    pull = PULL_OF_KEYPOINTS if free_keypoints else PULL
    search = _Search(labels_mm, bounds, numbers, numbers.read(), numbers.weigh_bones(), pull)
    best, theta, damping = search.pose_hand(search.reference, first.poses), search.reference, FIRST_DAMPING
    for _ in range(ROUNDS):
        step, turns = search.find_step(theta, best, damping)
        tried = search.pose_hand(theta + step, bounds.clamp(best.poses + turns))
        gain = best.energy - tried.energy
        if gain > 0:
            best, theta, damping = tried, theta + step, damping * LESS_DAMPING
            if gain < ENOUGH * max(best.energy, 1.0):
                break
        else:
            damping *= MORE_DAMPING
    return best.hand


@dataclass(frozen=True)
class _Posed:
    """A hand that takes the poses of all frames as well as it can."""

    hand: Hand
    poses: Float[Tensor, "frames 26"]
    kept: Bool[Tensor, "frames"]
    energy: float
    """Mean over the frames kept, with what the pull costs."""


def _try_size(start: Hand, labels_mm: Labels, bounds: Bounds, size: float) -> _Posed:
    hand = Hand(vary_shape(start.shape, size=size), start.keypoints)
    poses, energies, _ = descend(hand, labels_mm, fit_pose(hand, labels_mm), bounds)
    kept = keep_most(energies)
    return _Posed(hand, poses, kept, float(energies[kept].mean()))


def keep_most(energies: Float[Tensor, "frames"]) -> Bool[Tensor, "frames"]:
    """All but the worst."""
    return energies <= energies.sort().values[max(int(KEPT_SHARE * len(energies)) - 1, 0)]


@dataclass(frozen=True)
class _Search:
    """What stays the same while theta is looked for."""

    labels_mm: Labels
    bounds: Bounds
    numbers: HandNumbers
    reference: Numbers
    weights: Float[Tensor, "joints 16 3 numbers"]
    pull: float

    def pose_hand(self, theta: Numbers, start: Float[Tensor, "frames 26"]) -> _Posed:
        hand = self.numbers.build(theta)
        poses, energies, _ = descend(hand, self.labels_mm, start, self.bounds)
        kept = keep_most(energies)
        pulled = self.pull**2 * float((theta - self.reference).square().sum()) / self.labels_mm[kept, :, 0].numel()
        return _Posed(hand, poses, kept, float(energies[kept].mean()) + pulled)

    def find_step(self, theta: Numbers, posed: _Posed, damping: float) -> tuple[Numbers, Float[Tensor, "frames 26"]]:
        """The change of theta that lowers the linearised energy most, and the change of all poses with it."""
        residual, of_pose, of_hand = self.linearise(posed)
        normal = of_pose.mT @ of_pose
        scale = normal.diagonal(dim1=1, dim2=2)
        normal = normal + torch.diag_embed(1e-6 * scale.amax(1, keepdim=True) + torch.zeros_like(scale))
        both = of_pose.mT @ torch.cat([of_hand, residual[..., None]], 2)
        follows = torch.linalg.solve(normal, both)
        kept = posed.kept
        # Schur complement: what is left of the normal equations of theta once every pose answers to it.
        left = (of_hand.mT @ of_hand - both[..., :-1].mT @ follows[..., :-1])[kept].sum(0)
        slope = (of_hand.mT @ residual[..., None] - both[..., :-1].mT @ follows[..., -1:])[kept].sum(0)[:, 0]
        left = left + self.pull**2 * torch.eye(len(theta))
        slope = slope + self.pull**2 * (theta - self.reference)
        step = -torch.linalg.solve(left + damping * torch.diag(left.diagonal()), slope)
        return step, -(follows[..., -1] + follows[..., :-1] @ step)

    def linearise(self, posed: _Posed) -> tuple[Tensor, Tensor, Tensor]:
        """Distances of the joints' coordinates (mm), and their change with the pose and with theta."""
        hand, poses = posed.hand, posed.poses
        rotations, origins = forward_kinematics(poses, hand.shape)
        points = place_keypoints(hand.keypoints, hand.shape, rotations, origins)
        of_pose = differentiate(hand, poses, rotations, origins, points)
        # An angle at its wall stays there.
        held = (poses <= self.bounds.low) | (poses >= self.bounds.high)
        of_pose = torch.where(held[:, None], 0.0, of_pose)
        of_hand = torch.einsum("nbij,kbjp->nkip", rotations, self.weights).flatten(1, 2)
        return (points - self.labels_mm).flatten(1), of_pose, of_hand
