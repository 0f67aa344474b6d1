"""Statistics of a labelled sequence, by which embedded labels are held against the published ones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

JointTrack = Float[np.ndarray, "frames joints 3"]


@dataclass(frozen=True)
class LabelStatistics:
    """Poses are centred frame by frame on the mean of their joints, except for motion and depth."""

    components: tuple[int, int, int]
    """Principal components that explain 90, 95 and 99 % of the variance."""
    deviation_mm: float
    """Root mean variance of a coordinate."""
    motion_mm: tuple[float, float]
    """Mean joint motion between neighbouring frames: median and 90th percentile."""
    nearest_pose_mm: float
    """Median distance (mean over joints) to the nearest pose more than 100 frames away."""


def label_statistics(joints_mm: JointTrack, starts: tuple[int, ...] = ()) -> LabelStatistics:
    """`starts` are the rows at which another recording begins: no motion is measured across them."""
    centred = joints_mm - joints_mm.mean(axis=1, keepdims=True)
    motion = np.linalg.norm(np.diff(joints_mm, axis=0), axis=-1).mean(axis=1)
    within = np.ones(len(motion), dtype=bool)
    within[[start - 1 for start in starts]] = False
    median, ninth = np.percentile(motion[within], [50, 90])
    return LabelStatistics(
        components=count_components(centred),
        deviation_mm=float(np.sqrt(centred.reshape(len(centred), -1).var(axis=0).mean())),
        motion_mm=(float(median), float(ninth)),
        nearest_pose_mm=nearest_pose_distance(centred),
    )


def count_components(
    centred: JointTrack, shares: tuple[float, float, float] = (0.90, 0.95, 0.99)
) -> tuple[int, int, int]:
    """How many principal components explain each share of the variance."""
    flat = centred.reshape(len(centred), -1)
    variances = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False) ** 2
    explained = np.cumsum(variances) / variances.sum()
    first, second, third = (int(np.searchsorted(explained, share)) + 1 for share in shares)
    return first, second, third


def nearest_pose_distance(centred: JointTrack, stride: int = 8, excluded: int = 100) -> float:
    """Median over every `stride`-th frame of the distance to the nearest pose that is not its neighbour in time."""
    from scipy.spatial.distance import cdist

    frames, joints = np.arange(len(centred)), range(centred.shape[1])
    distance = sum(cdist(centred[::stride, joint], centred[:, joint]) for joint in joints) / len(joints)
    distance[abs(frames[::stride, None] - frames) <= excluded] = np.inf
    return float(np.median(distance.min(axis=1)))


def palm_normal_spread(
    wrist_1: Float[np.ndarray, "frames 3"], wrist_2: Float[np.ndarray, "frames 3"], palm: Float[np.ndarray, "frames 3"]
) -> tuple[float, float]:
    """Median and 90th percentile of the angle (degrees) between the palm's normal and its mean direction."""
    normal = np.cross(wrist_1 - palm, wrist_2 - palm)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    mean = normal.mean(axis=0)
    angle_deg = np.degrees(np.arccos(np.clip(normal @ mean / np.linalg.norm(mean), -1.0, 1.0)))
    median, ninth = np.percentile(angle_deg, [50, 90])
    return float(median), float(ninth)
