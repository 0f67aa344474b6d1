"""Poses frame by frame: the hand whose joints lie nearest to a frame's labels, for whole recordings.

X. Zhou, Q. Wan, W. Zhang, X. Xue, Y. Wei, "Model-based Deep Hand Pose Estimation", IJCAI 2016, Sec. 4.

The paper finds its ground-truth poses by a particle swarm; L-BFGS with the kinematics' own gradient comes lower in a
hundredth of the evaluations. A recording is cut into chunks that are followed side by side, each frame from the pose
of the frame before. Labels are moved to their own middle first, so that the start moves with the hand and single
precision keeps the micrometres that it would lose a metre from the camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from handbench.fitting.inverse_kinematics import fit_pose
from handbench.fitting.joint_energy import JointEnergy
from handbench.fitting.lbfgsb import minimise
from handbench.fitting.problem import Bounds, DescentSettings
from handbench.fitting.pso import SwarmSettings, search
from handbench.hand.keypoints import Hand, keypoint_positions
from handbench.hand.kinematics import unify_turn

SIDE_BY_SIDE = 200
"""Chunks at once at least, as far as that leaves them long enough: fewer would take as long."""
SHORTEST_CHUNK, LONGEST_CHUNK = 10, 50
"""Frames in a row; only the first of them has to be found from nothing."""
LEVERS_MM = torch.tensor([1.0] * 3 + [60.0] * 3 + [30.0, 30.0, 15.0, 8.0] * 5)
"""How far joints move with a unit of each parameter: in these units all are alike, and L-BFGS needs half the steps."""
DESCENT = DescentSettings(iterations=100, gradient_tolerance=1e-4, energy_tolerance=1e-6)
"""An energy of 1e-4 mm^2 is a hundredth of a millimetre."""
SWARM = SwarmSettings(particles=64, generations=100)
SWARM_AT_ONCE = 256
"""Frames whose swarms are in memory together."""
SPREAD = torch.tensor([2.5] * 3 + [0.08] * 3 + [0.18] * 20)
"""Millimetres and radians around the start; twice as wide ends no lower."""
ROUGH_ROUNDS = 4

Joints = Float[np.ndarray, "frames joints 3"]
Limits = Float[np.ndarray, "20 2"]


@dataclass(frozen=True)
class Fit:
    """Poses of frames and what they leave of the labels."""

    pose: Float[np.ndarray, "frames 26"]
    left_mm: Float[np.ndarray, "frames"]
    """Mean distance of the joints."""
    evaluations: float
    """Mean number of poses tried for a frame."""
    start_mm: Float[np.ndarray, "frames"] | None = None
    """Of swarms: what the pose leaves that each of them starts around."""


def bound_angles(limits_rad: Limits) -> Bounds:
    """The palm goes anywhere, the fingers' angles stay within their limits."""
    open_ends = torch.full((6,), torch.inf)
    low, high = torch.as_tensor(np.array(limits_rad), dtype=torch.float64).T
    return Bounds(torch.cat([-open_ends, low]), torch.cat([open_ends, high]))


def descend(
    hand: Hand, joints_mm: Float[Tensor, "frames joints 3"], start: Float[Tensor, "frames 26"], bounds: Bounds
) -> tuple[Float[Tensor, "frames 26"], Float[Tensor, "frames"], int]:
    """L-BFGS from a start: the poses, their energies in mm^2, and how many poses were tried in all."""
    energy, levers = JointEnergy(hand, joints_mm), LEVERS_MM.to(start)

    def differentiate(points: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        energies, gradients = energy.differentiate(points / levers, frames)
        return energies, gradients / levers

    scaled = Bounds(bounds.low.to(start) * levers, bounds.high.to(start) * levers)
    trace = minimise(differentiate, start * levers, scaled, DESCENT)
    return bounds.clamp(trace.final / levers), trace.energies[-1], int(trace.evaluations.sum())


def follow_recordings(
    hand: Hand, joints_mm: Joints, sequences: Sequence[str], limits_rad: Limits, *, chunk: int | None = None
) -> Fit:
    """Poses by L-BFGS, each frame from the one before it in its chunk, the first of a chunk from `fit_pose`."""
    middle_mm, labels_mm = centre_labels(joints_mm)
    chunk = chunk or min(max(len(joints_mm) // SIDE_BY_SIDE, SHORTEST_CHUNK), LONGEST_CHUNK)
    bounds, chunks = bound_angles(limits_rad), cut_chunks(sequences, chunk)
    poses = torch.zeros(len(joints_mm), 26)
    tried = 0
    for step in range(chunks.shape[1]):
        frames = torch.from_numpy(chunks[chunks[:, step] >= 0, step])
        start = poses[frames - 1] if step else fit_pose(hand, labels_mm[frames])
        poses[frames], _, count = descend(hand, labels_mm[frames], start, bounds)
        tried += count
    return finish(hand, poses, middle_mm, joints_mm, tried / len(joints_mm))


def search_poses(hand: Hand, joints_mm: Joints, limits_rad: Limits, seed: int) -> Fit:
    """Poses by particle swarms (the paper's way).

    A swarm starts around a rough pose of its own frame, a few rounds of `fit_pose`: so frames need not be neighbours,
    and none inherits another's mistake. Around the frame before it needs ten frames in a row to end as low. What the
    start leaves by itself is told too: least squares have done much of the work by then.
    """
    middle_mm, labels_mm = centre_labels(joints_mm)
    bounds, generator = bound_angles(limits_rad), torch.Generator().manual_seed(seed)
    found, starts = [], []
    for few in labels_mm.split(SWARM_AT_ONCE):
        rough = fit_pose(hand, few, ROUGH_ROUNDS)
        trace = search(JointEnergy(hand, few).measure_swarm, rough, SPREAD, bounds, generator, SWARM)
        found.append(trace.final)
        starts.append(trace.start)
    tried = float(SWARM.particles * SWARM.generations)
    start, fit = (finish(hand, torch.cat(poses), middle_mm, joints_mm, tried) for poses in (starts, found))
    return replace(fit, start_mm=start.left_mm)


def centre_labels(joints_mm: Joints) -> tuple[Float[np.ndarray, "frames 3"], Float[Tensor, "frames joints 3"]]:
    """The middle of each frame's labels, and the labels around it."""
    middle_mm = joints_mm.mean(axis=1)
    return middle_mm, torch.from_numpy((joints_mm - middle_mm[:, None]).astype(np.float32))


def cut_chunks(sequences: Sequence[str], most: int) -> Int64[np.ndarray, "chunks most"]:
    """Places of frames in a row of one sequence, as even as can be; -1 where a chunk is shorter than the others."""
    names = np.array(sequences)
    starts = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
    runs = np.split(np.arange(len(names)), starts[1:])
    parts = [part for run in runs for part in np.array_split(run, -(-len(run) // most))]
    chunks = np.full((len(parts), max(map(len, parts))), -1, np.int64)
    for place, part in enumerate(parts):
        chunks[place, : len(part)] = part
    return chunks


def finish(
    hand: Hand,
    poses: Float[Tensor, "frames 26"],
    middle_mm: Float[np.ndarray, "frames 3"],
    joints_mm: Joints,
    tried: float,
) -> Fit:
    """Back before the camera, the palm's angles unique, and measured in double precision."""
    pose = poses.numpy().astype(np.float64)
    pose[:, :3] += middle_mm
    pose[:, 3:6] = unify_turn(pose[:, 3:6])
    return Fit(pose, measure_left_mm(hand, pose, joints_mm), tried)


def measure_left_mm(hand: Hand, pose: Float[np.ndarray, "frames 26"], joints_mm: Joints) -> Float[np.ndarray, "frames"]:
    """Mean distance of the posed hand's joints from the labels."""
    found_mm = keypoint_positions(hand.keypoints, hand.shape, pose)
    return np.linalg.norm(found_mm - joints_mm, axis=2).mean(axis=1)
