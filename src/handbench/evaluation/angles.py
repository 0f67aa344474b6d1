"""Joint angles: how far off they are, and how often a hand is bent as no hand can be."""

import numpy as np
from jaxtyping import Float, Float64

from handbench.hand.angle_errors import Angles, angle_errors_deg


def mean_angle_error_deg(predicted_rad: Angles, truth_rad: Angles) -> float:
    """Mean over all known angles of all frames (deepmodel Table 1)."""
    errors_deg = angle_errors_deg(predicted_rad, truth_rad)
    known = ~np.isnan(errors_deg)
    return float(errors_deg[known].mean()) if known.any() else float("nan")


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
