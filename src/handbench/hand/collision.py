"""Self-collision of a posed hand, by capsules: deepest overlap of fingers with one another and with the palm."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from handbench.hand.flesh import FINGER_RADII_MM
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import HandShape

CONTACT_TOLERANCE_MM = 3.0
"""Flesh gives way: an overlap of the capsules up to this counts as touch."""

_FLESH_FACTOR = 0.82
"""The capsules lie this much inside the skin, so that fingers held side by side are free."""
_PALM_RADIUS_MM = 10.5


def self_penetration(pose: Float[np.ndarray, "poses 26"], shape: HandShape) -> Float[np.ndarray, "poses"]:
    """The deepest overlap (mm) between capsules that should not touch, per pose; negative when apart."""
    rotations, origins = forward_kinematics(np.ascontiguousarray(pose, dtype=np.float64), shape)
    starts = origins[:, 1:].reshape(-1, 5, 3, 3)
    tips = starts[:, :, 2] - shape.lengths_mm[:, 2, None] * 0.8 * rotations[:, 3::3, :, 1]
    chains = np.concatenate([starts, tips[:, :, None]], axis=2)
    radii, palm_radius = _capsule_radii_mm(shape)
    return _deepest_overlap(np.ascontiguousarray(chains), np.ascontiguousarray(origins[:, 0]), radii, palm_radius)


def cylinder_radii_mm(shape: HandShape) -> Float[np.ndarray, "15"]:
    """Radius of the cylinder between each bone's origin and its parent's, in the order of skeleton.BONES[1:].

    They are the capsules of `self_penetration`: of the palm from the wrist to each finger's root, then of the two
    bones that end in a joint. No joint lies at a finger's tip, so the last bones have none.
    """
    radii, palm_radius = _capsule_radii_mm(shape)
    bones = (radii[:, :2] + radii[:, 1:3]) / 2
    return np.concatenate([np.full((5, 1), palm_radius), bones], axis=1).reshape(15)


def _capsule_radii_mm(shape: HandShape) -> tuple[Float[np.ndarray, "5 4"], float]:
    """At every finger's joints and tip, and of the palm's bones."""
    radii = FINGER_RADII_MM * shape.girths[:, None] * _FLESH_FACTOR
    return radii, float(_PALM_RADIUS_MM * shape.palm_stretch[2])


# The kernels carry @no_type_check because the tests' shape checker would wrap them before numba can compile them.


@njit(nogil=True, cache=True)
@no_type_check
def _deepest_overlap(chains, wrists, radii, palm_radius):
    poses = chains.shape[0]
    deepest = np.full(poses, -1e9)
    for n in range(poses):
        for a in range(5):
            for b in range(a + 1, 5):
                for i in range(3):
                    for j in range(3):
                        # Neighbouring fingers grow out of one palm: their first bones always overlap at the root.
                        if (a > 0 and b == a + 1 and i == 0 and j == 0) or (a == 0 and (i == 0 or j == 0)):
                            continue
                        gap = _segment_distance(
                            chains[n, a, i], chains[n, a, i + 1], chains[n, b, j], chains[n, b, j + 1]
                        )
                        reach = 0.5 * (radii[a, i] + radii[a, i + 1] + radii[b, j] + radii[b, j + 1])
                        deepest[n] = max(deepest[n], reach - gap)
        for a in range(5):
            for base in range(1, 5):
                # Two last bones of a finger against the metacarpals, which reach from the wrist to each finger's root.
                for i in range(1, 3):
                    if a == 0 and i == 1:
                        continue
                    gap = _segment_distance(chains[n, a, i], chains[n, a, i + 1], wrists[n], chains[n, base, 0])
                    deepest[n] = max(deepest[n], 0.5 * (radii[a, i] + radii[a, i + 1]) + palm_radius - gap)
    return deepest


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def _segment_distance(p, q, r, s):
    """Least distance between the segments pq and rs (clamped closest points)."""
    d1, d2, w = q - p, s - r, p - r
    a, e, f = (d1 * d1).sum(), (d2 * d2).sum(), (d2 * w).sum()
    c, b = (d1 * w).sum(), (d1 * d2).sum()
    denominator = a * e - b * b
    t1 = min(max((b * f - c * e) / denominator, 0.0), 1.0) if denominator > 1e-9 else 0.0
    t2 = (b * t1 + f) / e
    if t2 < 0.0:
        t2 = 0.0
        t1 = min(max(-c / a, 0.0), 1.0)
    elif t2 > 1.0:
        t2 = 1.0
        t1 = min(max((b - c) / a, 0.0), 1.0)
    gap = w + d1 * t1 - d2 * t2
    return np.sqrt((gap * gap).sum())
