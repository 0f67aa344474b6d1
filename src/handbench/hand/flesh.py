"""The flesh around the skeleton as a distance field: a smooth union of tapered capsules in the bind pose.

Three capsules a finger, a fan of them for the palm, the balls of thumb and little finger, and a stump of the wrist.
The bind pose spreads the fingers, so that they do not grow together.
"""

import numpy as np
from jaxtyping import Float

from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import DOFS, REFERENCE_SHAPE, HandShape, neutral_pose

FINGER_RADII_MM: Float[np.ndarray, "5 4"] = np.array(
    [
        [15.5, 13.0, 11.6, 9.3],
        [12.4, 11.0, 9.7, 7.8],
        [12.8, 11.2, 9.9, 8.0],
        [12.2, 10.5, 9.4, 7.5],
        [11.0, 9.3, 8.2, 6.7],
    ]
)
"""Radius at the three joints of each finger and at its tip, for the reference hand."""

# (start, end, radius at start, radius at end) in palm millimetres of the reference hand.
_PALM_CAPSULES = (
    ((10.0, -10.0, -1.0), (26.0, -92.0, -1.0), 15.0, 13.0),
    ((3.0, -8.0, -1.0), (5.0, -98.0, -2.0), 16.0, 13.5),
    ((-6.0, -8.0, -1.0), (-14.0, -92.0, -1.0), 16.0, 13.0),
    ((-12.0, -8.0, -1.0), (-32.0, -80.0, 1.0), 15.0, 12.0),
    ((14.0, -22.0, -8.0), (24.0, -48.0, -12.0), 15.0, 12.0),
    ((-20.0, -22.0, -6.0), (-26.0, -50.0, -5.0), 14.0, 11.0),
    ((8.0, 12.0, 0.0), (8.0, -14.0, 0.0), 16.5, 17.0),
    ((-8.0, 12.0, 0.0), (-8.0, -14.0, 0.0), 16.5, 17.0),
)
_SPREAD_DEG = (0.0, 10.0, 2.0, -6.0, -14.0)
_FLESH_BLEND_MM = 7.0
PALM_HALF_THICKNESS_MM = 15.0


def bind_frames(shape: HandShape) -> tuple[Float[np.ndarray, "16 3 3"], Float[np.ndarray, "16 3"]]:
    """The bone frames of the pose in which the skin was grown."""
    pose = neutral_pose()
    for finger, degrees in enumerate(_SPREAD_DEG):
        pose[DOFS.index("thumb_abduction") + 4 * finger] = np.radians(degrees)
    return forward_kinematics(pose, shape)


def _capsule_distance(
    points: Float[np.ndarray, "points 3"],
    start: Float[np.ndarray, "3"],
    end: Float[np.ndarray, "3"],
    radius_start: float,
    radius_end: float,
) -> Float[np.ndarray, "points"]:
    """Distance to a capsule whose radius changes linearly along its axis (close to the exact one for small tapers)."""
    axis = end - start
    along = np.clip((points - start) @ axis / (axis @ axis), 0.0, 1.0)
    return np.linalg.norm(points - start - along[:, None] * axis, axis=1) - (
        radius_start + along * (radius_end - radius_start)
    )


def _smooth_minimum(
    a: Float[np.ndarray, "points"], b: Float[np.ndarray, "points"], blend_mm: float
) -> Float[np.ndarray, "points"]:
    """Union of two bodies with a fillet of about `blend_mm`."""
    h = np.clip(0.5 + 0.5 * (b - a) / blend_mm, 0.0, 1.0)
    return b + h * (a - b) - blend_mm * h * (1.0 - h)


def flesh_distance(points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points"]:
    """Distance (mm) to the skin, negative inside."""
    body = np.full(len(points), 1e3)
    for start, end, radius_start, radius_end in _PALM_CAPSULES:
        capsule = _capsule_distance(points, np.array(start), np.array(end), radius_start, radius_end)
        body = _smooth_minimum(body, capsule, _FLESH_BLEND_MM)
    for finger in range(5):
        body = _smooth_minimum(body, finger_distance(points, finger), _FLESH_BLEND_MM)
    return body


def finger_distance(points: Float[np.ndarray, "points 3"], finger: int) -> Float[np.ndarray, "points"]:
    """Distance to the skin of one finger alone."""
    joints = finger_joints(finger)
    radii = FINGER_RADII_MM[finger]
    distance = np.full(len(points), 1e3)
    for segment in range(3):
        end = joints[segment + 1]
        if segment == 2:
            # The round end of the capsule is the fingertip: the bone's length counts to the skin.
            end = end - (end - joints[2]) / np.linalg.norm(end - joints[2]) * radii[3] * 0.8
        capsule = _capsule_distance(points, joints[segment], end, radii[segment], radii[segment + 1])
        distance = _smooth_minimum(distance, capsule, 3.0)
    return distance


def finger_joints(finger: int) -> Float[np.ndarray, "4 3"]:
    """First to third joint and tip in the bind pose of the reference hand."""
    rotations, origins = bind_frames(REFERENCE_SHAPE)
    bones = slice(1 + 3 * finger, 4 + 3 * finger)
    tip = origins[3 + 3 * finger] - REFERENCE_SHAPE.lengths_mm[finger, 2] * rotations[3 + 3 * finger][:, 1]
    return np.concatenate([origins[bones], tip[None]])
