"""Joint angles: how far off they are, how far the hand is turned, and how often it is bent as no hand can be."""

import numpy as np
from jaxtyping import Float, Float64

from handbench.hand.angle_errors import Angles, angle_errors_deg
from handbench.hand.kinematics import mirror_turn

Turns = Float[np.ndarray, "frames 3"]
"""Yaw, pitch and roll of the hand, in the order of skeleton.DOFS."""


def turn_errors_deg(predicted_rad: Turns, truth_rad: Turns) -> Float64[np.ndarray, "frames 3"]:
    """Errors of yaw, pitch and roll. Two triples say one rotation: that nearer to the truth counts.

    Ry(yaw + pi) and Rz(roll + pi) around a pitch of pi - pitch give the same hand: a network whose loss is that of
    joints may settle on either. Near a pitch of 90 degrees yaw and roll still trade off: `rotation_errors_deg` knows
    of no such places.
    """
    other = mirror_turn(predicted_rad.astype(np.float64))
    same, mirrored = angle_errors_deg(predicted_rad, truth_rad), angle_errors_deg(other, truth_rad)
    return np.where(mirrored.sum(axis=1, keepdims=True) < same.sum(axis=1, keepdims=True), mirrored, same)


def rotation_errors_deg(
    predicted: Float[np.ndarray, "frames 3 3"], truth: Float[np.ndarray, "frames 3 3"]
) -> Float64[np.ndarray, "frames"]:
    """The angle of the one turn from a rotation to another (geodesic), 0 to 180; NaN where one is unknown."""
    # |R - Q| = 2 sqrt(2) sin(angle / 2): exact for small angles, where the cosine from the trace is flat.
    apart = np.linalg.norm(predicted.astype(np.float64) - truth, axis=(1, 2)) / (2 * np.sqrt(2))
    return np.degrees(2 * np.arcsin(np.clip(apart, 0.0, 1.0)))


def angles_out_of_range(
    angles_rad: Angles, limits_rad: Float[np.ndarray, "angles 2"], *, tolerance_rad: float = 1e-6
) -> Float64[np.ndarray, "frames"]:
    """1 for a frame with at least one angle below its lower or above its upper limit, else 0; NaN without any angle.

    The mean of it is the share that deepmodel 4.1 prints; the frames themselves go into the bootstrap. The tolerance
    forgives what float32 does to an angle that was clamped to its limit.
    """
    low, high = limits_rad[:, 0] - tolerance_rad, limits_rad[:, 1] + tolerance_rad
    outside = np.any((angles_rad < low) | (angles_rad > high), axis=1)
    return np.where(np.isnan(angles_rad).all(axis=1), np.nan, outside.astype(np.float64))
